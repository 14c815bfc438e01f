//! From what was typed, the environment and the file to a configuration that holds.
//!
//! Clap lays flags over the environment; this module lays the outcome over the file and the defaults, and checks it.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::Deserialize;
use trailweave_correlate::{HASHABLE, reads_column};
use trailweave_ingest::Filter;
use trailweave_ingest::Names;
use trailweave_ingest::Range;
use trailweave_ingest::S3Options;
use trailweave_ingest::Shard;
use trailweave_ingest::Source;
use trailweave_lake::{Omission, Omit};
use trailweave_table::{Kind, LOGGED};

use crate::args::Common;
use crate::args::IngestArgs;
use crate::args::S3Args;
use crate::otlp::Endpoint;
use crate::otlp::EndpointError;

/// The settings, resolved and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) sources: Vec<Source>,
    pub(crate) keys: Vec<PathBuf>,
    pub(crate) inventories: Vec<Source>,
    pub(crate) queue_url: Option<String>,
    pub(crate) s3: S3Options,
    pub(crate) lake: Source,
    pub(crate) filter: Filter,
    pub(crate) events: Option<String>,
    /// The columns that are left out, where the configuration names any.
    pub(crate) omit: Option<Omit>,
    pub(crate) memory: ByteSize,
    pub(crate) threads: NonZeroUsize,
    pub(crate) cap: ByteSize,
    pub(crate) sha256: bool,
    pub(crate) shard: Option<Shard>,
    /// How long another run that holds the lake is waited for.
    pub(crate) wait: Duration,
    /// The first day that `run` keeps in the lake.
    pub(crate) retain: Option<Date>,
    pub(crate) publish: bool,
    pub(crate) glue_database: Option<String>,
    pub(crate) glue_endpoint_url: Option<String>,
    pub(crate) metrics_file: Option<PathBuf>,
    pub(crate) otlp_endpoint: Option<Endpoint>,
}

/// A fault of a configuration. It ends the program with exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read the configuration `{}`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the configuration `{}` does not hold", path.display())]
    Parse { path: PathBuf, source: toml::de::Error },
    #[error("invalid {key} `{value}`: {expected}")]
    Value { key: &'static str, value: String, expected: &'static str },
    #[error("omit cannot name `{column}`: {because}")]
    Omit { column: String, because: &'static str },
    #[error("{key} cannot be followed")]
    Endpoint { key: &'static str, source: EndpointError },
    #[error("`run` takes no --shard: run `ingest --shard I/N` in each process, then `correlate` once")]
    RunShard,
    #[error(
        "no source: name a bucket (s3://bucket/prefix), a folder of trail objects, or an object, with --source; a file that names objects, with --keys; the manifest.json of an S3 Inventory, with --inventory; or a queue that S3 or CloudTrail tells of objects, with --queue-url"
    )]
    NoSource,
    #[error("no question is named `{name}`; there are {}", names.join(", "))]
    NoQuestion { name: String, names: Vec<&'static str> },
    #[error("the question is asked as `ask {usage}`")]
    AskedOtherwise { usage: String },
    #[error("--database goes with `ddl athena` alone: no other engine is told of one")]
    DatabaseWithout,
    #[error("Athena reads a lake in S3 alone (--lake s3://bucket/prefix); `ddl duckdb` makes one in a folder known")]
    AthenaWithFolder,
    #[error("no question: give it as an argument, in a file (--file FILE), or on standard input")]
    NoSql,
    #[error("--again wants --from and --to: the days of delivery whose objects are read again")]
    AgainWithoutDays,
    #[error("--engine spark wants --stage: a folder, or s3://bucket/prefix, that Spark reaches, too")]
    NoStage,
    #[error("--engine spark takes no --whole: Spark computes all tables from all events in any case")]
    WholeSpark,
    #[error("--queue-url goes without {with}: {because}")]
    QueueWith { with: &'static str, because: &'static str },
    #[error("--memory {memory} is too little for {threads} threads: give at least {least}, or fewer --threads")]
    Memory { memory: ByteSize, threads: NonZeroUsize, least: ByteSize },
    #[error(
        "no source: name a bucket (s3://bucket/prefix), or a folder that is a copy of one and the --bucket that it copies, with --source"
    )]
    NoTrail,
    #[error("--from {from} is after --to {to}: no object can match")]
    EmptyWindow { from: Date, to: Date },
    #[error(
        "--glue-database goes with a lake in S3 (--lake s3://bucket/prefix): readers that ask AWS Glue see no folder"
    )]
    GlueWithFolder,
    #[cfg(not(feature = "glue"))]
    #[error(
        "this program was built without the feature `glue`; `cargo build --release -p trailweave --features glue` builds one with it"
    )]
    BuiltWithoutGlue,
    #[cfg(not(feature = "query"))]
    #[error(
        "this program was built without `query`; `cargo build --release -p trailweave` builds one with it, and `ddl` makes the tables known to other engines"
    )]
    BuiltWithoutQuery,
}

/// The file, with the keys and defaults of `config/default.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, clippy::struct_excessive_bools, reason = "named as the flags are")]
struct File {
    source: Vec<String>,
    keys: Vec<PathBuf>,
    inventory: Vec<String>,
    queue_url: String,
    endpoint_url: String,
    profile: String,
    assume_role_arn: String,
    path_style: bool,
    requester_pays: bool,
    no_sign_request: bool,
    lake: String,
    from: String,
    to: String,
    account: Vec<String>,
    region: Vec<String>,
    all_names: bool,
    events: String,
    omit: BTreeMap<String, String>,
    memory: String,
    threads: usize,
    cap: String,
    sha256: bool,
    shard: String,
    wait: String,
    retain: String,
    publish: bool,
    glue_database: String,
    glue_endpoint_url: String,
    metrics_file: PathBuf,
    otlp_endpoint: String,
}

impl Default for File {
    fn default() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            source: Vec::new(),
            keys: Vec::new(),
            inventory: Vec::new(),
            queue_url: String::new(),
            endpoint_url: String::new(),
            profile: String::new(),
            assume_role_arn: String::new(),
            path_style: false,
            requester_pays: false,
            no_sign_request: false,
            lake: text("lake"),
            from: String::new(),
            to: String::new(),
            account: Vec::new(),
            region: Vec::new(),
            all_names: false,
            events: String::new(),
            omit: BTreeMap::new(),
            memory: text("1GiB"),
            threads: 0,
            cap: text("2GiB"),
            sha256: true,
            shard: String::new(),
            wait: String::new(),
            retain: String::new(),
            publish: false,
            glue_database: String::new(),
            glue_endpoint_url: String::new(),
            metrics_file: PathBuf::new(),
            otlp_endpoint: String::new(),
        }
    }
}

impl Config {
    /// Resolves and checks the settings; `now` gives relative times their meaning.
    pub(crate) fn resolve(common: &Common, ingest: &IngestArgs, now: Timestamp) -> Result<Self, ConfigError> {
        let mut file = read(common.config.as_deref())?;
        // Sources, keys and the like are one choice, however they are named.
        if ingest.names_objects() {
            (file.source, file.keys, file.inventory, file.queue_url) = Default::default();
        }
        let or = |typed: &Option<String>, filed: &str| typed.clone().unwrap_or_else(|| filed.to_owned());
        let all = |typed: &[String], filed: &[String]| if typed.is_empty() { filed.to_vec() } else { typed.to_vec() };
        let memory = size("memory", &or(&common.memory, &file.memory), MIN_MEMORY)?;
        let places = |key, typed: &[String], filed: &[String]| {
            all(typed, filed).iter().map(|it| place(key, it)).collect::<Result<_, _>>()
        };
        Ok(Self {
            sources: places("source", &ingest.source, &file.source)?,
            keys: if ingest.keys.is_empty() { file.keys.clone() } else { ingest.keys.clone() },
            inventories: places("inventory", &ingest.inventory, &file.inventory)?,
            queue_url: queue_url(&or(&ingest.queue_url, &file.queue_url))?,
            s3: s3(&common.s3, &file),
            lake: place("lake", &or(&common.lake, &file.lake))?,
            filter: checked(Filter {
                from: when("from", &or(&ingest.from, &file.from), now)?,
                to: when("to", &or(&ingest.to, &file.to), now)?,
                accounts: accounts(all(&ingest.account, &file.account))?,
                regions: regions(all(&ingest.region, &file.region))?,
                names: if ingest.all_names.unwrap_or(file.all_names) { Names::All } else { Names::OfTrails },
            })?,
            events: events(&or(&ingest.events, &file.events))?,
            omit: omit(&file.omit)?,
            memory,
            threads: threads(&or(&common.threads, &file.threads.to_string()), memory)?,
            cap: size("cap", &or(&ingest.cap, &file.cap), ByteSize(1))?,
            sha256: ingest.sha256.unwrap_or(file.sha256),
            shard: shard(&or(&ingest.shard, &file.shard))?,
            wait: wait(&file.wait)?,
            retain: retain(&file.retain, now)?,
            publish: file.publish,
            glue_database: said(None, &file.glue_database),
            glue_endpoint_url: said(common.s3.glue_endpoint_url.as_deref(), &file.glue_endpoint_url),
            metrics_file: common
                .metrics_file
                .clone()
                .or(Some(file.metrics_file))
                .filter(|path| !path.as_os_str().is_empty()),
            otlp_endpoint: otlp_endpoint(common.otlp_endpoint.as_deref(), &file.otlp_endpoint)?,
        })
    }

    /// Tells whether anything is named that could be listed.
    pub(crate) fn has_source(&self) -> bool {
        !self.sources.is_empty() || !self.keys.is_empty() || !self.inventories.is_empty()
    }

    /// Refuses a run without a source, or with more than a queue.
    pub(crate) fn check_source(&self) -> Result<(), ConfigError> {
        let with = |with, because| Err(ConfigError::QueueWith { with, because });
        match (&self.queue_url, self.has_source()) {
            (None, false) => Err(ConfigError::NoSource),
            (Some(_), true) => with("--source, --keys and --inventory", "run once for each"),
            (Some(_), false) if self.shard.is_some() || self.filter.chooses_places() => with(
                "--from, --to, --account, --region and --shard",
                "what they pass over would be lost with its message; filter where S3 is told to notify",
            ),
            (None, true) | (Some(_), false) => Ok(()),
        }
    }
}

/// Below this the buffers of a run have no room.
const MIN_MEMORY: ByteSize = ByteSize(64 << 20);
/// The memory that a thread holds, whatever it works on.
const THREAD_MEMORY: u64 = 8 << 20;

fn checked(filter: Filter) -> Result<Filter, ConfigError> {
    match (filter.from, filter.to) {
        (Some(from), Some(to)) if from > to => Err(ConfigError::EmptyWindow { from, to }),
        _ => Ok(filter),
    }
}

fn read(path: Option<&Path>) -> Result<File, ConfigError> {
    let Some(path) = path else { return Ok(File::default()) };
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|source| ConfigError::Parse { path: path.to_owned(), source })
}

fn s3(typed: &S3Args, file: &File) -> S3Options {
    let text = |typed: &Option<String>, filed: &str| said(typed.as_deref(), filed);
    S3Options {
        endpoint_url: text(&typed.endpoint_url, &file.endpoint_url),
        path_style: typed.path_style.unwrap_or(file.path_style),
        requester_pays: typed.requester_pays.unwrap_or(file.requester_pays),
        profile: text(&typed.profile, &file.profile),
        assume_role_arn: text(&typed.assume_role_arn, &file.assume_role_arn),
        anonymous: typed.no_sign_request.unwrap_or(file.no_sign_request),
        read_timeout: None,
    }
}

/// Takes what was typed before what the file says; `None` where it is empty.
fn said(typed: Option<&str>, filed: &str) -> Option<String> {
    Some(typed.unwrap_or(filed)).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn queue_url(value: &str) -> Result<Option<String>, ConfigError> {
    let path = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    match path.map(|path| path.split('/').count()) {
        _ if value.is_empty() => Ok(None),
        Some(3..) => Ok(Some(value.to_owned())),
        _ => {
            let expected = "https://sqs.<region>.amazonaws.com/<account>/<name> is expected";
            Err(ConfigError::Value { key: "queue-url", value: value.to_owned(), expected })
        }
    }
}

/// Reads a folder or a prefix of a bucket.
pub(crate) fn place(key: &'static str, value: &str) -> Result<Source, ConfigError> {
    let refuse = |expected| Err(ConfigError::Value { key, value: value.to_owned(), expected });
    match value.parse() {
        Ok(Source::S3(location)) if location.bucket.is_empty() => refuse("s3://bucket/prefix is expected"),
        Ok(Source::Local(_)) if value.is_empty() => refuse("a path or s3://bucket/prefix is expected"),
        Ok(Source::Local(_)) if value.contains("://") => refuse("of URLs only s3://bucket/prefix is known"),
        Ok(source) => Ok(source),
        Err(never) => match never {},
    }
}

/// Reads a day: a date, midnight (UTC) of one, or the UTC date of a time before `now`. A time of day is refused, because
/// objects are chosen by the days of their delivery.
fn when(key: &'static str, value: &str, now: Timestamp) -> Result<Option<Date>, ConfigError> {
    if value.is_empty() {
        return Ok(None);
    }
    let refuse = |expected| Err(ConfigError::Value { key, value: value.to_owned(), expected });
    let date_of = |time: Timestamp| TimeZone::UTC.to_datetime(time).date();
    if let Ok(time) = value.parse::<Timestamp>() {
        let is_midnight = TimeZone::UTC.to_datetime(time).time() == Time::midnight();
        return if is_midnight {
            Ok(Some(date_of(time)))
        } else {
            refuse("objects are chosen by whole days of delivery (UTC), so a date (2026-09-01) is expected")
        };
    }
    match date(value, now).or_else(|| ago(value, now).map(date_of)) {
        Some(date) => Ok(Some(date)),
        None => refuse("a date (2026-09-01), today, yesterday or a time ago (7d, 12h, 2w) is expected"),
    }
}

/// Reads a date, or the name of one.
fn date(value: &str, now: Timestamp) -> Option<Date> {
    let today = TimeZone::UTC.to_datetime(now).date();
    match value {
        "today" => Some(today),
        "yesterday" => today.yesterday().ok(),
        _ => value.parse().ok().filter(|_| value.len() == "2026-09-01".len()),
    }
}

/// Reads an instant, in seconds since 1970: an RFC 3339 time, a date, or a time before `now`. A date is its first
/// second, or where `is_end` the second after its last.
fn instant(key: &'static str, value: &str, is_end: bool, now: Timestamp) -> Result<Option<i64>, ConfigError> {
    if value.is_empty() {
        return Ok(None);
    }
    let midnight = |date: Date| {
        let day = if is_end { date.tomorrow().ok()? } else { date };
        TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()
    };
    let found = date(value, now).and_then(midnight).or_else(|| value.parse().ok()).or_else(|| ago(value, now));
    let expected = "a date (2026-09-01), today, yesterday, an RFC 3339 time (2026-09-01T06:00:00Z) or a time ago (7d, 12h, 2w) \
                    is expected";
    found.map(|time| Some(time.as_second())).ok_or_else(|| ConfigError::Value {
        key,
        value: value.to_owned(),
        expected,
    })
}

/// Reads the name of a database of Athena.
pub(crate) fn database(value: &str) -> Result<&str, ConfigError> {
    let is_name = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
    let expected = "small letters, digits and _ are expected";
    if !value.is_empty() && value.bytes().all(is_name) {
        Ok(value)
    } else {
        Err(ConfigError::Value { key: "database", value: value.to_owned(), expected })
    }
}

/// Reads a time that a question is asked about, in seconds since 1970.
pub(crate) fn time(key: &'static str, value: &str, now: Timestamp) -> Result<i64, ConfigError> {
    Ok(instant(key, value, false, now)?.unwrap_or_else(|| now.as_second()))
}

/// An end of a time that is asked about: the name of its flag, and what was typed.
type End<'v> = (&'static str, Option<&'v str>);

/// Reads the time that a verb is asked about.
pub(crate) fn range((first, from): End<'_>, (key, to): End<'_>, now: Timestamp) -> Result<Range, ConfigError> {
    let range = Range {
        from: instant(first, from.unwrap_or_default(), false, now)?,
        to: instant(key, to.unwrap_or_default(), true, now)?,
    };
    let expected = if first == "from" { "a time after --from is expected" } else { "a time after --since is expected" };
    match (range.from, range.to, to) {
        (Some(from), Some(to), Some(value)) if from > to => {
            Err(ConfigError::Value { key, value: value.to_owned(), expected })
        }
        _ => Ok(range),
    }
}

/// Reads how long a lake that another run holds is waited for.
pub(crate) fn wait(value: &str) -> Result<Duration, ConfigError> {
    if value.is_empty() { Ok(Duration::ZERO) } else { duration("wait", value) }
}

/// Reads a time of seconds, minutes, hours, days or weeks.
pub(crate) fn duration(key: &'static str, value: &str) -> Result<Duration, ConfigError> {
    let of_unit = |unit: &str, secs| value.strip_suffix(unit)?.parse::<u32>().ok().map(|n| u64::from(n) * secs);
    let secs = of_unit("s", 1).or_else(|| of_unit("m", 60)).or_else(|| span(value));
    let expected = "a time such as 30s, 10m, 2h, 7d or 2w is expected";
    secs.map(Duration::from_secs).ok_or_else(|| ConfigError::Value { key, value: value.to_owned(), expected })
}

/// Reads how long snapshots are kept, in seconds.
pub(crate) fn keep(value: &str) -> Result<u64, ConfigError> {
    let expected = "a time such as 12h, 7d or 2w is expected";
    span(value).ok_or_else(|| ConfigError::Value { key: "keep", value: value.to_owned(), expected })
}

/// Reads the first day that is kept, which must not lie ahead: nothing of the days before it comes in any more.
pub(crate) fn before(key: &'static str, value: &str, now: Timestamp) -> Result<Date, ConfigError> {
    let today = TimeZone::UTC.to_datetime(now).date();
    let expected = "a date (2025-10-01) that is not ahead, or a time ago (400d), is expected";
    let found = when(key, value, now)?.filter(|date| *date <= today);
    found.ok_or_else(|| ConfigError::Value { key, value: value.to_owned(), expected })
}

fn retain(value: &str, now: Timestamp) -> Result<Option<Date>, ConfigError> {
    let expected = "a time such as 400d or 60w is expected";
    match ago(value, now) {
        _ if value.is_empty() => Ok(None),
        Some(_) => before("retain", value, now).map(Some),
        None => Err(ConfigError::Value { key: "retain", value: value.to_owned(), expected }),
    }
}

fn ago(value: &str, now: Timestamp) -> Option<Timestamp> {
    now.checked_sub(jiff::SignedDuration::from_secs(i64::try_from(span(value)?).ok()?)).ok()
}

/// Reads a number of hours, days or weeks, in seconds.
fn span(value: &str) -> Option<u64> {
    let (count, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let hours = match unit {
        "h" => 1,
        "d" => 24,
        "w" => 7 * 24,
        _ => return None,
    };
    count.parse::<u32>().ok().map(|count| u64::from(count) * hours * 3600)
}

fn accounts(values: Vec<String>) -> Result<BTreeSet<String>, ConfigError> {
    for value in &values {
        if value.len() != 12 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            let expected = "an AWS account id of 12 digits is expected";
            return Err(ConfigError::Value { key: "account", value: value.clone(), expected });
        }
    }
    Ok(values.into_iter().collect())
}

/// Checks the names of regions, which are those of CloudTrail's folders, such as `eu-west-1` and `us-gov-west-1`.
fn regions(values: Vec<String>) -> Result<BTreeSet<String>, ConfigError> {
    for value in &values {
        let is_named = value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let is_numbered = value.rsplit_once('-').is_some_and(|(area, number)| {
            area.contains('-') && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if !is_named || !is_numbered {
            let expected = "an AWS region such as eu-west-1 is expected";
            return Err(ConfigError::Value { key: "region", value: value.clone(), expected });
        }
    }
    Ok(values.into_iter().collect())
}

fn events(value: &str) -> Result<Option<String>, ConfigError> {
    match value {
        "" => Ok(None),
        "relevant" | "all" => Ok(Some(value.to_owned())),
        _ => Err(ConfigError::Value {
            key: "events",
            value: value.to_owned(),
            expected: "`relevant` or `all` is expected",
        }),
    }
}

/// Reads which columns are left out. What the join reads stays, or its rows would be wrong.
fn omit(filed: &BTreeMap<String, String>) -> Result<Option<Omit>, ConfigError> {
    let read = |(column, how): (&String, &String)| Ok((column.clone(), omission(column, how)?));
    let omit = filed.iter().map(read).collect::<Result<Omit, _>>()?;
    Ok(Some(omit).filter(|omit| !omit.is_empty()))
}

fn omission(column: &str, how: &str) -> Result<Omission, ConfigError> {
    let refuse = |because| Err(ConfigError::Omit { column: column.to_owned(), because });
    let found = LOGGED.into_iter().flat_map(|table| table.columns).find(|it| it.name == column);
    let Some(found) = found else { return refuse("neither `events` nor `sessions` has such a column") };
    let (is_joined, is_hashable) = (reads_column(column), HASHABLE.contains(&column));
    match how {
        "drop" if is_hashable => refuse("the join reads it; `hash` keeps what it needs"),
        "drop" | "hash" if is_joined && !is_hashable => refuse("the join reads it, and would make wrong rows without"),
        "drop" | "hash" if column == AMENDED => refuse("it tells which record another one replaces"),
        "drop" => Ok(Omission::Drop),
        "hash" if found.kind == Kind::Text => Ok(Omission::Hash),
        "hash" => refuse("it holds no single text that could be hashed; `drop` it"),
        _ => refuse("`drop` or `hash` is expected"),
    }
}

/// The column by which amendments are settled.
const AMENDED: &str = "amended_event_id";

fn size(key: &'static str, value: &str, least: ByteSize) -> Result<ByteSize, ConfigError> {
    let expected = "a size such as 64MiB or 4GiB is expected, for memory at least 64MiB";
    let found = value.parse::<ByteSize>().ok().filter(|size| *size >= least);
    found.ok_or_else(|| ConfigError::Value { key, value: value.to_owned(), expected })
}

/// Reads a share. Each of its numbers may be the name of a variable that holds it, as an image has no shell to put in the
/// index that AWS Batch, Kubernetes or Slurm gives to each job of an array.
fn shard(value: &str) -> Result<Option<Shard>, ConfigError> {
    if value.is_empty() {
        return Ok(None);
    }
    let expected = "a share such as 0/8, the first of eight, or 7/8, the last, is expected, in numbers or in names of \
                    environment variables that hold them";
    let numbers: Vec<String> = value.split('/').map(number_of_variable).collect();
    let parsed = numbers.join("/").parse();
    parsed.map(Some).map_err(|_| ConfigError::Value { key: "shard", value: value.to_owned(), expected })
}

/// Returns what the variable of this name holds, else the text itself.
#[expect(clippy::disallowed_methods, reason = "the user names the variable, so clap cannot")]
fn number_of_variable(text: &str) -> String {
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) { env::var(text).ok() } else { None }
        .unwrap_or_else(|| text.to_owned())
}

/// Returns the number of threads that is asked for; else one for each core, as far as memory reaches.
fn threads(value: &str, memory: ByteSize) -> Result<NonZeroUsize, ConfigError> {
    let expected = "a number of threads is expected, or 0 for one per core";
    let most = usize::try_from(memory.as_u64() / THREAD_MEMORY).unwrap_or(usize::MAX);
    match value.parse::<usize>().map(NonZeroUsize::new) {
        Ok(None) => Ok(NonZeroUsize::new(most).map_or(NonZeroUsize::MIN, |most| cores().min(most))),
        Ok(Some(threads)) if threads.get() > 4096 => {
            Err(ConfigError::Value { key: "threads", value: value.to_owned(), expected })
        }
        Ok(Some(threads)) if threads.get() > most => {
            let least = ByteSize(threads.get() as u64 * THREAD_MEMORY);
            Err(ConfigError::Memory { memory, threads, least })
        }
        Ok(Some(threads)) => Ok(threads),
        Err(_) => Err(ConfigError::Value { key: "threads", value: value.to_owned(), expected }),
    }
}

/// Takes what is said to this program before what is said to all; an empty text that is typed goes before both.
fn otlp_endpoint(typed: Option<&str>, filed: &str) -> Result<Option<Endpoint>, ConfigError> {
    let said = typed.or_else(|| Some(filed).filter(|filed| !filed.is_empty()));
    let (key, value) = match said {
        Some(value) => ("--otlp-endpoint", value.to_owned()),
        None => (STANDARD_ENDPOINT, standard(STANDARD_ENDPOINT)),
    };
    if value.is_empty() {
        return Ok(None);
    }
    let endpoint: Endpoint = value.parse().map_err(|source| ConfigError::Endpoint { key, source })?;
    let [of_metrics, of_all] = STANDARD_HEADERS;
    let key = if standard(of_metrics).is_empty() { of_all } else { of_metrics };
    endpoint.with_headers(&standard(key)).map(Some).map_err(|source| ConfigError::Endpoint { key, source })
}

/// The variable that names an endpoint to every program.
const STANDARD_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Those that name the headers of its requests to every program: of metrics, else of all. A command line, which all
/// can see, is no place for a vendor's key.
const STANDARD_HEADERS: [&str; 2] = ["OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];

/// Reads what a variable says to every program; nothing where this one could not follow it.
#[expect(clippy::disallowed_methods, reason = "clap takes one variable for an argument, and that one is ours")]
fn standard(name: &str) -> String {
    if cfg!(feature = "otlp") { env::var(name).unwrap_or_default() } else { String::new() }
}

fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests;
