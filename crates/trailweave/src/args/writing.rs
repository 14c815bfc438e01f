//! The arguments that verbs which write a lake share.

use clap::Args;
use clap::ValueEnum;
use clap::builder::FalseyValueParser;

/// The arguments of the verbs that write the lake.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct LockArgs {
    /// How long to wait for another run that holds the lake, such as 30s, 10m or 2h [default: not at all]
    #[arg(long, env = "TRAILWEAVE_WAIT", value_name = "TIME")]
    pub(crate) wait: Option<String>,
}

/// The arguments of the verbs that change tables.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct PublishArgs {
    /// Bring the lake's Iceberg tables up to what it holds at the end, as `publish` does
    #[arg(long, env = "TRAILWEAVE_PUBLISH", value_parser = FalseyValueParser::new())]
    #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) publish: Option<bool>,
    #[command(flatten)]
    pub(crate) glue: GlueArgs,
}

/// The arguments of the verbs that publish.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct GlueArgs {
    /// Let the tables of this database of AWS Glue follow the lake's tables, which must be in S3; the lake remembers it
    #[arg(long, env = "TRAILWEAVE_GLUE_DATABASE", value_name = "NAME", hide = cfg!(not(feature = "glue")))]
    pub(crate) glue_database: Option<String>,
}

/// The arguments that say what computes the join.
#[derive(Debug, Clone, Args)]
pub(crate) struct EngineArgs {
    /// The engine of the join: this process, or Apache Spark, which gets a job and hands back the tables
    #[arg(long, env = "TRAILWEAVE_ENGINE", value_name = "ENGINE", default_value = "memory")]
    pub(crate) engine: JoinEngine,
    /// The folder or prefix through which Spark gets its job and hands back the tables; both must reach it
    #[arg(long, env = "TRAILWEAVE_STAGE", value_name = "S3|DIR")]
    pub(crate) stage: Option<String>,
    /// A shell command that runs the job and waits for its end; {join} stands for the path of the program, {run} for that
    /// of the job's folder. Without it, the command is printed
    #[arg(long, env = "TRAILWEAVE_SUBMIT", value_name = "COMMAND")]
    pub(crate) submit: Option<String>,
    /// Take over the tables that Spark has made; with --submit after that, else instead of a new job
    #[arg(long)]
    pub(crate) adopt: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum JoinEngine {
    /// This process, in memory, in slices of time where events do not fit
    Memory,
    /// Apache Spark, for what is beyond one machine
    Spark,
}
