//! The arguments of the verbs that read a lake: `trace`, `report`, `ask`, `query` and `ddl`.

use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;

use super::narrowing::{PlaceArgs, TimeArgs};

/// The arguments of `trace`.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct TraceArgs {
    /// i-.., vol-.., snap-.., ami-.. or its ARN, a key's id or ARN, an alias by its name or ARN, a grant id, an event id, an
    /// access key, or the ARN of a user, of a role with all its sessions, or of one session
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    /// Draw calls and lacks that are alike one by one, and on a terminal lines that are wider than it
    #[arg(long)]
    pub(crate) full: bool,
    /// Print the chain as a graph for Graphviz, whatever --json says
    #[arg(long)]
    pub(crate) dot: bool,
}

/// The arguments of `report`.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct ReportArgs {
    /// The file that is written
    #[arg(long, default_value = "report.html", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Events, and objects delivered, on or after this day (UTC): a date, today, yesterday, or a time ago such as 7d
    #[arg(long, env = "TRAILWEAVE_FROM", value_name = "WHEN")]
    pub(crate) from: Option<String>,
    /// Events, and objects delivered, on or before this day, in the same forms
    #[arg(long, env = "TRAILWEAVE_TO", value_name = "WHEN")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Show the chain of this instance, volume, snapshot, key, grant, event or principal, too; repeatable
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub(crate) instance: Vec<String>,
}

/// The arguments of `ask`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AskArgs {
    /// The question [default: list them]
    pub(crate) name: Option<String>,
    /// Values that the question asks for, such as a key or an instance
    #[arg(value_name = "VALUE")]
    pub(crate) values: Vec<String>,
    /// The time that it is asked about: a date, which is its first second (UTC), an RFC 3339 time, today, yesterday, or a
    /// time ago such as 7d [default: now]
    #[arg(long, value_name = "WHEN")]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    // Not `PlaceArgs`: a variable that narrows a job must not narrow, or refuse, a question.
    /// Events of this account; repeatable
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub(crate) account: Vec<String>,
    /// Events of this region; repeatable
    #[arg(long, value_delimiter = ',', value_name = "REGION")]
    pub(crate) region: Vec<String>,
    /// Print the SQL for this engine instead of running it
    #[arg(long, value_name = "ENGINE")]
    pub(crate) sql: Option<SqlEngine>,
    /// The form of the answer [default: a table, or vertical where a terminal is too narrow for it]
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// The form of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns side by side
    Table,
    /// Comma-separated, as RFC 4180 says; an empty field is NULL, and "" an empty text
    Csv,
    /// A JSON object for each row, as --json
    Json,
    /// A line for each column of a row
    Vertical,
}

/// An engine that answers SQL.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SqlEngine {
    Duckdb,
    Athena,
    Clickhouse,
    Spark,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Engine {
    /// Views over the lake's Parquet files
    Duckdb,
    /// External tables with partition projection
    Athena,
    /// Views over the functions `file` and `s3`
    Clickhouse,
    /// Temporary views over the lake's folders
    Spark,
    /// The tables of `athena` without the views, as requests to AWS Glue in JSON, one in a line
    Glue,
}
