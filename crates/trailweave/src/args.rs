//! The command line as typed.

mod narrowing;
mod reading;
mod s3;
mod writing;

use std::path::PathBuf;

use clap::Arg;
use clap::Args;
use clap::CommandFactory;
use clap::FromArgMatches;
use clap::Parser;
use clap::Subcommand;
use clap::builder::FalseyValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap_complete::Shell;

pub(crate) use narrowing::{PlaceArgs, TimeArgs};
pub(crate) use reading::{AskArgs, Engine, Format, ReportArgs, SqlEngine, TraceArgs};
pub(crate) use s3::S3Args;
pub(crate) use writing::{EngineArgs, GlueArgs, JoinEngine, LockArgs, PublishArgs};

use crate::outcome::Outcome;
use crate::version::version;

/// From raw AWS CloudTrail objects to which EC2 action, by whom, made which KMS call.
#[derive(Debug, Parser)]
#[command(name = "trailweave", version, long_version = version(), max_term_width = 110, arg_required_else_help = true, after_help = Outcome::help())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Ingest what is new, then correlate
    #[command(mut_args(hide_shard))]
    #[command(after_help = "\
Examples:
  trailweave run --source ./trail --lake ./lake
  trailweave run --source s3://bucket/AWSLogs --lake s3://other-bucket/lake --from 2d --profile audit
  trailweave run --source ./trail --lake ./lake --from 7d --account 111122223333
  trailweave run --source s3://bucket/AWSLogs --lake s3://other-bucket/lake --publish
  trailweave run --config trailweave.toml --json")]
    Run {
        #[command(flatten)]
        args: IngestArgs,
        #[command(flatten)]
        publish: PublishArgs,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// Read trail objects that the lake does not know yet into `events`
    #[command(after_help = "\
Examples:
  trailweave ingest --source ./trail --lake ./lake
  trailweave ingest --source s3://bucket/prefix/AWSLogs --lake ./lake --from 1d
  trailweave ingest --source ./trail --lake ./lake --from 2026-09-01 --to 2026-09-07 --region eu-west-1
  trailweave ingest --source one-object.json.gz --lake ./lake --events all
  trailweave ingest --keys new-objects.txt --lake ./lake
  trailweave ingest --inventory s3://bucket/trail/daily/2026-09-02T01-00Z/manifest.json --lake ./lake --from 30d
  trailweave ingest --queue-url https://sqs.eu-west-1.amazonaws.com/111122223333/trail --lake s3://other-bucket/lake
  trailweave ingest --source ./trail --lake ./lake --retry-quarantined
  trailweave ingest --source ./trail --lake ./lake --again --from 2026-09-01 --to 2026-09-01
  trailweave ingest --source s3://bucket/AWSLogs --lake s3://other-bucket/lake --shard AWS_BATCH_JOB_ARRAY_INDEX/8")]
    Ingest {
        #[command(flatten)]
        args: IngestArgs,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// Say what `ingest` would read: objects, bytes, batches, requests and their price; reads no object
    #[command(mut_args(|arg| hide(arg, "plan")))]
    #[command(after_help = "\
Examples:
  trailweave plan --source s3://bucket/AWSLogs --lake ./lake --from 2026-09-01 --to 2026-09-07
  trailweave plan --source ./trail --lake ./lake --json")]
    Plan(IngestArgs),
    /// Say what the lake holds, by account, region and day of delivery; with --source also what it lacks
    ///
    /// Its exit codes are those of `run`, which `trailweave --help` lists.
    #[command(mut_args(|arg| hide(arg, "status")))]
    #[command(after_help = "\
Examples:
  trailweave status --lake ./lake
  trailweave status --lake ./lake --source s3://bucket/AWSLogs --from 2d && next-job
  trailweave status --lake ./lake --max-age 2h --summary && next-job
  trailweave status --lake ./lake --json --account 111122223333")]
    Status {
        #[command(flatten)]
        args: IngestArgs,
        /// Exit with 9 where the newest delivery in the tables is older than that: 90m, 2h, 7d
        #[arg(long, value_name = "TIME")]
        max_age: Option<String>,
        /// Leave out the table of accounts, regions and days
        #[arg(long)]
        summary: bool,
    },
    /// Say whether a run can do its work here and whether the lake adds up, with the command that mends what does not
    ///
    /// It looks at memory, open files, disk and clock; reads an object of each source; takes the right to write the lake;
    /// and compares the rows that the ledger counts with those of the parts, day by day. It changes nothing but what a killed
    /// change left to do. The exit code is 1 where something is at fault: a run fails, or rows are lost.
    #[command(mut_args(|arg| hide(arg, "doctor")))]
    #[command(after_help = "\
Examples:
  trailweave doctor --lake ./lake
  trailweave doctor --config trailweave.toml --json
  trailweave doctor --source s3://bucket/AWSLogs --lake s3://other-bucket/lake")]
    Doctor {
        #[command(flatten)]
        args: IngestArgs,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// List, read again or dismiss objects of which no record could be used
    Quarantine {
        #[command(subcommand)]
        verb: QuarantineVerb,
    },
    /// Prove by CloudTrail's digest files that every delivered log file is in the lake, unchanged
    ///
    /// The verdicts stay in the lake: the table `digests`, and the column `verdict` of `ledger`. docs/verify.md says what each
    /// means. `trailweave --help` lists the exit codes.
    #[command(after_help = "\
Examples:
  trailweave verify --source s3://bucket/AWSLogs --lake ./lake --from 7d --to 3h
  trailweave verify --source s3://bucket/AWSLogs --lake ./lake --digest-metadata metadata.json
  trailweave verify --source ./copy --bucket bucket --lake ./lake --public-keys keys.json --digest-metadata metadata.json
  trailweave verify --source ./copy --bucket bucket/prefix --lake ./lake --public-keys keys.json --reread --json")]
    Verify(VerifyArgs),
    /// Join the KMS with the EC2 events of the lake into `correlated` and its dimensions
    ///
    /// Only what events can change that came since the last time is computed, and only its dates are replaced. Events that do
    /// not fit into --memory are joined in slices of time; the tables appear together at the end.
    #[command(after_help = "\
Examples:
  trailweave correlate --lake ./lake
  trailweave correlate --lake ./lake --memory 4GiB --json
  trailweave correlate --lake ./lake --whole
  trailweave correlate --lake s3://bucket/lake --engine spark --stage s3://bucket/stage
  trailweave correlate --lake s3://bucket/lake --engine spark --stage s3://bucket/stage --adopt
  trailweave correlate --lake ./lake --engine spark --stage ./stage --adopt --submit 'spark-submit {join} {run}'")]
    Correlate {
        /// Compute all tables from all events; the rows are the same
        #[arg(long)]
        whole: bool,
        #[command(flatten)]
        engine: EngineArgs,
        #[command(flatten)]
        publish: PublishArgs,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// Merge the small parts of `events`, `sessions`, `rejects` and the ledger, as many small runs leave them, into larger ones
    ///
    /// A reader that lists a partition during the change may see rows twice, never none; a kill costs nothing but time.
    #[command(after_help = "\
Examples:
  trailweave compact --lake ./lake
  trailweave compact --lake ./lake --memory 4GiB --json")]
    Compact {
        #[command(flatten)]
        publish: PublishArgs,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// Remove the days before a date from the tables, for good
    ///
    /// The ledger keeps what it says of their objects, the dimensions keep their instances, volumes and grants, and what later
    /// events may need of these days stays in the table `remembered`. Objects of these days that come later are not read.
    #[command(after_help = "\
Examples:
  trailweave prune --lake ./lake --before 2025-10-01 --dry-run
  trailweave prune --lake ./lake --before 2025-10-01
  trailweave prune --lake s3://bucket/lake --before 400d")]
    Prune {
        /// The first day that is kept: a date, or a time ago such as 400d
        #[arg(long, value_name = "WHEN")]
        before: String,
        /// Only say how many days, files and rows would go
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        publish: PublishArgs,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// Make the lake's tables Iceberg tables, or bring these up to the lake
    ///
    /// The metadata stands in `_trailweave/iceberg` of the lake; the Parquet files stay where they are. From then on `correlate`
    /// and `compact` commit what they change, and what `ingest` adds waits for --publish or this verb. docs/warehouses.md
    /// says how to read the tables.
    #[command(after_help = "\
Examples:
  trailweave publish --lake ./lake
  trailweave publish --lake s3://bucket/lake --keep 7d
  trailweave publish --lake s3://bucket/lake --glue-database trail")]
    Publish {
        /// How long files stay that a change replaces, and the snapshots that need them, for time travel: 12h, 7d, 2w. The
        /// lake remembers it, and is then for readers of Iceberg tables alone. 0h ends it [default: no time]
        #[arg(long, value_name = "TIME")]
        keep: Option<String>,
        #[command(flatten)]
        glue: GlueArgs,
        /// Let the tables in AWS Glue follow no longer; they stay as they are there, and lose their files as the lake changes
        #[arg(long, conflicts_with = "glue_database")]
        no_glue: bool,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// Remove what killed runs left behind, and old snapshots; a run removes leftovers too before it begins, except for uploads
    /// to S3 that were cut short
    #[command(after_help = "\
Examples:
  trailweave gc --lake ./lake --dry-run
  trailweave gc --lake ./lake")]
    Gc {
        /// Only name the files
        #[arg(long)]
        dry_run: bool,
        /// Remove also the parts of batches that the ledger has lost, so that a run over all sources reads their objects again
        #[arg(long)]
        orphans: bool,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// Ask the lake a question in SQL, its tables by name
    // No help is there for what the program lacks.
    #[command(hide = cfg!(not(feature = "query")))]
    #[command(after_help = "\
Examples:
  trailweave query --lake ./lake \"SELECT link, confidence, count(*) AS n FROM correlated GROUP BY 1, 2 ORDER BY n DESC\"
  trailweave query --lake ./lake --json \"SELECT * FROM instances WHERE event_date = '2026-09-01'\"
  trailweave query --lake ./lake --file question.sql --format csv > answer.csv
  trailweave ask foreign-keys --sql duckdb | trailweave query --lake ./lake
  trailweave query --lake ./lake \"SELECT * FROM volume_readers WHERE volume_id = 'vol-0a1b2c3d4e5f60718'\"")]
    Query {
        /// One SELECT over events, sessions, correlated, instances, volumes, attachments, grants, rejects, ledger (what
        /// became of every object), digests (what `verify` found), remembered (events of pruned days), or the views that
        /// `ddl` prints; SHOW TABLES lists them all. - or nothing reads it from standard input
        #[arg(allow_hyphen_values = true, value_parser = statement)]
        sql: Option<String>,
        /// Read the SELECT from a file
        #[arg(long, value_name = "FILE", conflicts_with = "sql")]
        file: Option<PathBuf>,
        /// The form of the answer [default: a table, or vertical where a terminal is too narrow for it]
        #[arg(long)]
        format: Option<Format>,
    },
    /// Write one HTML page of what the lake holds: what was read, what was linked, its keys and its chains
    ///
    /// The page opens anywhere, without network, and each of its tables has the SQL behind it. docs/report.md says what it shows.
    #[command(after_help = "\
Examples:
  trailweave report --lake ./lake
  trailweave report --lake s3://bucket/lake --out september.html --from 2026-09-01 --to 2026-09-30
  trailweave report --lake ./lake --account 111122223333 --instance i-0a1b2c3d4e5f60718 --instance vol-0a1b2c3d4e5f60718")]
    Report(ReportArgs),
    /// Answer one of the questions that are asked of every lake; without a name, list them
    ///
    /// With --sql a question is printed in the words of an engine, over the tables and views that `ddl` makes known to it.
    #[command(after_help = "\
Examples:
  trailweave ask
  trailweave ask --lake ./lake who-used-key 1234abcd-12ab-34cd-56ef-1234567890ab
  trailweave ask --lake ./lake behind i-0a1b2c3d4e5f60718 --json
  trailweave ask --lake ./lake alive-grants --at 2026-09-01
  trailweave ask --lake ./lake foreign-keys --since 7d --account 111122223333
  trailweave ask who-used-key 1234abcd-12ab-34cd-56ef-1234567890ab --sql athena")]
    Ask(AskArgs),
    /// Draw the chain of an instance, volume, snapshot, key, alias, grant, event or principal
    ///
    /// It begins with what the lake lacks of it. Copies of one event in several accounts are one, and calls that repeat are
    /// told of together. On a terminal, long names are shortened so that lines fit.
    #[command(after_help = "\
Examples:
  trailweave trace --lake ./lake i-0a1b2c3d4e5f60718
  trailweave trace --lake ./lake vol-0a1b2c3d4e5f60718 --json
  trailweave trace --lake ./lake vol-0a1b2c3d4e5f60718 --dot | dot -Tsvg > chain.svg
  trailweave trace --lake ./lake arn:aws:ec2:eu-west-1:111122223333:instance/i-0a1b2c3d4e5f60718
  trailweave trace --lake ./lake arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
  trailweave trace --lake ./lake alias/volumes --since 7d
  trailweave trace --lake ./lake arn:aws:iam::111122223333:role/deploy --since 2026-09-01 --until 2026-09-07 --full")]
    Trace(TraceArgs),
    /// Print the statements that make the lake's tables, its ledger and its views known to a query engine
    ///
    /// A local lake is named by its absolute path, so the statements work in any folder.
    #[command(after_help = "\
Examples:
  trailweave ddl duckdb --lake ./lake > lake.sql && duckdb -init lake.sql
  trailweave ddl athena --lake s3://bucket/lake --database trail > tables.sql
  trailweave ddl clickhouse --lake ./lake > lake.sql && clickhouse-local --queries-file lake.sql --interactive
  trailweave ddl spark --lake s3://bucket/lake > lake.sql && spark-sql -i lake.sql
  trailweave ddl glue --lake s3://bucket/lake | while read -r table; do
    aws glue create-table --database-name trail --cli-input-json \"$table\"; done")]
    Ddl {
        /// The engine
        engine: Engine,
        /// The database of Athena in which the tables are to stand [default: trailweave]
        #[arg(long, value_name = "NAME")]
        database: Option<String>,
    },
    /// Generate a week of synthetic trail, run the whole job on it, and show what comes out
    #[command(after_help = "\
Examples:
  trailweave demo
  trailweave demo --dir /tmp/demo --records 200000 --seed 7")]
    Demo(DemoArgs),
    /// Print what completes the command line in a shell
    #[command(after_help = "\
Examples:
  trailweave completions bash > /etc/bash_completion.d/trailweave
  trailweave completions zsh > ~/.zfunc/_trailweave")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write the pages of all verbs into a folder
    #[command(after_help = "\
Examples:
  trailweave man | man -l -
  trailweave man --out /usr/local/share/man/man1")]
    Man {
        /// The folder, which is made where it does not exist
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineVerb {
    /// List them with the reasons
    #[command(after_help = "\
Examples:
  trailweave quarantine list --lake ./lake
  trailweave quarantine list --lake ./lake s3://bucket/config/ --json
  trailweave quarantine list --lake ./lake --dismissed")]
    List {
        /// Names of objects, or beginnings of names that end with / or * [default: all]
        objects: Vec<String>,
        /// List those that were dismissed, with the notes
        #[arg(long)]
        dismissed: bool,
    },
    /// Read those again that were refused as a whole, without listing a source, and correlate
    #[command(after_help = "\
Examples:
  trailweave quarantine retry --lake ./lake
  trailweave quarantine retry --lake ./lake --memory 8GiB s3://bucket/AWSLogs/111122223333/*
  trailweave quarantine retry --lake ./lake --cap 8GiB")]
    Retry {
        /// Names of objects, or beginnings of names that end with / or *; dismissed ones, too [default: all that stand]
        objects: Vec<String>,
        /// An object that inflates past this stays in quarantine [default: 2GiB]
        #[arg(long, env = "TRAILWEAVE_CAP", value_name = "SIZE")]
        cap: Option<String>,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// Note in the ledger why it is right that they gave no row; runs and `status` pass over them then
    #[command(after_help = "\
Examples:
  trailweave quarantine dismiss --lake ./lake --note 'configuration snapshots, no trail' s3://bucket/config/
  trailweave quarantine dismiss --lake ./lake --note 'cut in 2024, INC-4711' s3://bucket/AWSLogs/../a.json.gz")]
    Dismiss {
        /// Names of objects, or beginnings of names that end with / or *
        #[arg(required = true)]
        objects: Vec<String>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        note: String,
        #[command(flatten)]
        lock: LockArgs,
    },
}

/// The verbs that tell figures, and the arguments that say where to.
const TELLING: [&str; 5] = ["run", "ingest", "correlate", "verify", "status"];
const FIGURES: [&str; 2] = ["metrics_file", "otlp_endpoint"];

/// The arguments of `ingest` that another verb cannot use.
const UNUSED: [(&str, &[&str]); 3] = [
    ("doctor", &["events", "cap", "sha256", "retry_quarantined", "shard", "again", "from", "to", "account", "region"]),
    ("plan", &["queue_url", "events", "cap", "sha256", "again"]),
    ("status", &["queue_url", "events", "cap", "sha256", "retry_quarantined", "shard", "again"]),
];

fn unused(verb: &str) -> &'static [&'static str] {
    UNUSED.iter().find(|(name, _)| *name == verb).map_or(&[], |(_, unused)| unused)
}

/// Hides an argument of `ingest` from the help of a verb that cannot use it; the environment may name it for all.
fn hide(arg: Arg, verb: &str) -> Arg {
    if unused(verb).iter().any(|name| arg.get_id() == *name) { arg.hide(true) } else { arg }
}

/// Hides what `run` refuses by an error of its own, which says what to do instead.
fn hide_shard(arg: Arg) -> Arg {
    if arg.get_id() == "shard" { arg.hide(true) } else { arg }
}

impl Cli {
    /// Reads the command line, and refuses what is typed there of arguments that the verb cannot use.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        if let Some((verb, typed)) = matches.subcommand() {
            let is_typed = |name: &&&str| typed.value_source(name) == Some(ValueSource::CommandLine);
            let refuse = |name: &str, verbs: &str| {
                let message = format!("`{verb}` takes no --{}; it is one of {verbs}", name.replace('_', "-"));
                Err(command.clone().error(ErrorKind::UnknownArgument, message))
            };
            if let Some(name) = unused(verb).iter().find(is_typed) {
                return refuse(name, "`ingest`");
            }
            if let Some(name) = FIGURES.iter().find(|name| !TELLING.contains(&verb) && is_typed(name)) {
                return refuse(name, &TELLING.map(|verb| format!("`{verb}`")).join(", "));
            }
        }
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

/// The arguments that every verb understands.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct Common {
    /// A TOML file of settings, such as config/default.toml; flags and environment override it
    #[arg(long, global = true, env = "TRAILWEAVE_CONFIG", value_name = "FILE", help_heading = "Common")]
    pub(crate) config: Option<PathBuf>,
    /// The lake, a folder or a prefix of a bucket [default: lake]
    #[arg(long, global = true, env = "TRAILWEAVE_LAKE", value_name = "S3|DIR", help_heading = "Common")]
    pub(crate) lake: Option<String>,
    /// Memory to work in, such as 512MiB or 4GiB; at least 64MiB, and 8MiB a thread [default: 1GiB]
    #[arg(long, global = true, env = "TRAILWEAVE_MEMORY", value_name = "SIZE", help_heading = "Common")]
    pub(crate) memory: Option<String>,
    /// Threads that compute [default: one per core, as far as memory reaches]
    #[arg(long, global = true, env = "TRAILWEAVE_THREADS", value_name = "N", help_heading = "Common")]
    pub(crate) threads: Option<String>,
    /// Where `run`, `ingest`, `correlate`, `verify` and `status` leave their figures as Prometheus text; each job needs a
    /// file of its own
    #[arg(long, global = true, env = "TRAILWEAVE_METRICS_FILE", value_name = "FILE", help_heading = "Common")]
    pub(crate) metrics_file: Option<PathBuf>,
    /// Where these verbs send the same figures as OTLP over HTTP: to URL/v1/metrics. Without it,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` is followed; headers come from `OTEL_EXPORTER_OTLP_METRICS_HEADERS`, else from
    /// `OTEL_EXPORTER_OTLP_HEADERS`
    #[arg(long, global = true, env = "TRAILWEAVE_OTLP_ENDPOINT", value_name = "URL", help_heading = "Common")]
    // The URL may hold a password; and no help is there for what the program lacks.
    #[arg(hide_env_values = true, hide = cfg!(not(feature = "otlp")))]
    pub(crate) otlp_endpoint: Option<String>,
    /// Print the result as JSON
    #[arg(long, global = true, env = "TRAILWEAVE_JSON", value_parser = FalseyValueParser::new(), help_heading = "Common")]
    pub(crate) json: bool,
    /// Show no progress
    #[arg(long, short, global = true, help_heading = "Common")]
    pub(crate) quiet: bool,
    /// Log more (-v: what is done, -vv: debugging)
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Common")]
    pub(crate) verbose: u8,
    #[command(flatten)]
    pub(crate) s3: S3Args,
}

/// The arguments that `run` and `ingest` understand.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct IngestArgs {
    /// A bucket's prefix or a folder of trail objects, or one object; repeatable, or with commas between them. Names that
    /// hold commas can stand in the file that --config names. Local objects are known by their paths as given here.
    /// Below AWSLogs the folders CloudTrail and CloudTrail-NetworkActivity are read; what else is there is counted by kind
    #[arg(long, env = "TRAILWEAVE_SOURCE", value_delimiter = ',', value_name = "S3|DIR|FILE")]
    pub(crate) source: Vec<String>,
    /// A file that names objects, one in a line, by path or by URL in S3, instead of listing them; repeatable
    #[arg(long, env = "TRAILWEAVE_KEYS", value_delimiter = ',', value_name = "FILE")]
    pub(crate) keys: Vec<PathBuf>,
    /// The manifest.json of an S3 Inventory, whose trail objects are read instead of listed ones; repeatable
    #[arg(long, env = "TRAILWEAVE_INVENTORY", value_delimiter = ',', value_name = "S3|FILE")]
    pub(crate) inventory: Vec<String>,
    /// A queue of SQS that S3 or CloudTrail tells of new objects, which is drained instead of listing them
    #[arg(long, env = "TRAILWEAVE_QUEUE_URL", value_name = "URL")]
    pub(crate) queue_url: Option<String>,
    /// Objects delivered on or after this day (UTC): a date, today, yesterday, or a time ago such as 7d, 12h, 2w, of which
    /// the day counts
    #[arg(long, env = "TRAILWEAVE_FROM", value_name = "WHEN")]
    pub(crate) from: Option<String>,
    /// Objects delivered on or before this day, in the same forms
    #[arg(long, env = "TRAILWEAVE_TO", value_name = "WHEN")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Read listed objects of any name by their content, not only *.gz, *.json, *.jsonl and *.ndjson. Hidden ones, which
    /// begin with . or _, are never read
    #[arg(long, env = "TRAILWEAVE_ALL_NAMES", value_parser = FalseyValueParser::new())]
    #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) all_names: Option<bool>,
    /// Which records a new lake keeps: relevant or all [default: relevant]
    #[arg(long, env = "TRAILWEAVE_EVENTS", value_name = "CHOICE")]
    pub(crate) events: Option<String>,
    /// Keep the SHA-256 of what each object inflates to, by which verify proves it without reading it [default: true]
    #[arg(long, env = "TRAILWEAVE_SHA256", value_parser = FalseyValueParser::new())]
    #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) sha256: Option<bool>,
    /// An object that inflates past this is quarantined [default: 2GiB]
    #[arg(long, env = "TRAILWEAVE_CAP", value_name = "SIZE")]
    pub(crate) cap: Option<String>,
    /// Read the objects again that earlier runs quarantined
    #[arg(long, env = "TRAILWEAVE_RETRY_QUARANTINED", value_parser = FalseyValueParser::new())]
    pub(crate) retry_quarantined: bool,
    /// Read the objects from --from to --to again that the ledger counts as done. Rows that the lake has lost, such as those
    /// of a lost part, come back
    #[arg(long)]
    pub(crate) again: bool,
    /// Read only a share of the objects, while other processes read theirs: 0/8 is the first of eight. A number may be
    /// the name of a variable that holds it: `AWS_BATCH_JOB_ARRAY_INDEX`/8
    #[arg(long, env = "TRAILWEAVE_SHARD", value_name = "I/N")]
    pub(crate) shard: Option<String>,
}

/// The arguments of `verify`.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct VerifyArgs {
    /// A bucket's prefix, or a folder that is a copy of a bucket, with digests and log files; repeatable
    #[arg(long, env = "TRAILWEAVE_SOURCE", value_delimiter = ',', value_name = "S3|DIR")]
    pub(crate) source: Vec<String>,
    /// The bucket that a folder copies, with the prefix that stands before the folder's paths, if there is one; once for
    /// all folders, or once for each in their order
    #[arg(long, value_delimiter = ',', value_name = "NAME[/PREFIX]")]
    pub(crate) bucket: Vec<String>,
    /// Digests whose windows end at or after: an RFC 3339 time, a date, today or yesterday, which begin at midnight UTC, or a
    /// time ago such as 7d
    #[arg(long, env = "TRAILWEAVE_FROM", value_name = "WHEN")]
    pub(crate) from: Option<String>,
    /// Digests whose windows begin at or before, in the same forms; a date ends at midnight UTC
    #[arg(long, env = "TRAILWEAVE_TO", value_name = "WHEN")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// The public keys, as `aws cloudtrail list-public-keys` prints them [default: CloudTrail is asked]
    #[arg(long, value_name = "FILE")]
    pub(crate) public_keys: Option<PathBuf>,
    /// The metadata of digests, which a folder cannot hold, as JSON; what S3 tells of it is added to the file
    #[arg(long, value_name = "FILE")]
    pub(crate) digest_metadata: Option<PathBuf>,
    /// Read every digest and every log file that it lists again, whatever the lake knows of them
    #[arg(long)]
    pub(crate) reread: bool,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// Where the demo's trail and lake go; a demo that was there is replaced
    #[arg(long, default_value = "target/demo", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Seed of the trail: the same seed, the same bytes
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Records of the trail
    #[arg(long, default_value_t = 20_000)]
    pub(crate) records: usize,
}

impl IngestArgs {
    /// Tells whether anything is named that is to be read.
    pub(crate) fn names_objects(&self) -> bool {
        let names_queue = self.queue_url.as_ref().is_some_and(|url| !url.is_empty());
        !self.source.is_empty() || !self.keys.is_empty() || !self.inventory.is_empty() || names_queue
    }
}

/// Takes a statement, which may begin with a comment, for what it is, and not an option that is misspelled.
fn statement(text: &str) -> Result<String, String> {
    if text.starts_with('-') && text != "-" && !text.contains(char::is_whitespace) {
        return Err("there is no such option; `trailweave query --help` lists them".to_owned());
    }
    Ok(text.to_owned())
}
