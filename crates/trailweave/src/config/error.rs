//! Faults of a configuration, and the way out of each.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use bytesize::ByteSize;
use jiff::civil::Date;

use crate::otlp::EndpointError;

/// A fault of a configuration. It ends the program with exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read the configuration `{}`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the configuration `{}` is invalid", path.display())]
    Parse { path: PathBuf, source: toml::de::Error },
    #[error("invalid {key} `{value}`: {expected}")]
    Value { key: &'static str, value: String, expected: &'static str },
    #[error("omit cannot name `{column}`: {because}")]
    Omit { column: String, because: &'static str },
    #[error("invalid {key}")]
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
    #[error(
        "`ask {name}` asks of one thing, whenever and wherever it was: it takes no --since, --until, --account and --region"
    )]
    AskedWhole { name: &'static str },
    #[error("--database goes with `ddl athena` alone: no other engine is told of one")]
    DatabaseWithout,
    #[error("Athena reads a lake in S3 alone (--lake s3://bucket/prefix); `ddl duckdb` makes one in a folder known")]
    AthenaWithFolder,
    #[error("no question: give it as an argument, in a file (--file FILE), or on standard input")]
    NoSql,
    #[error("--again wants --from and --to: the days of delivery whose objects are read again")]
    AgainWithoutDays,
    #[error("--again goes without --shard: the tables of the join are made anew, which a share cannot say")]
    AgainInShares,
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
