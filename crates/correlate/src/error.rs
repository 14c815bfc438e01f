//! What can go wrong between `events` and the products.

use trailweave_lake::LakeError;

use crate::EngineError;

/// Why the lake could not be correlated or queried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorrelateError {
    /// The lake could not be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The events of one instant do not fit, with those that they reach.
    #[error(
        "the events of {} and those that share an identifier with them do not fit into {memory_bytes} bytes of memory; \
         give more with --memory", time(*time_ms)
    )]
    Memory {
        /// The memory that was given.
        memory_bytes: u64,
        /// When the events happened, in milliseconds since the epoch.
        time_ms: i64,
    },
    /// A step failed.
    #[error("step `{step}` of the plan failed")]
    Step {
        /// The step.
        step: &'static str,
        /// What the engine said.
        #[source]
        source: EngineError,
    },
    /// A product's statement does not produce the table. This is a bug of this crate.
    #[error("the plan makes `{table}` with {found}, the table has {expected}")]
    Columns {
        /// The product.
        table: &'static str,
        /// A column, as the plan makes it.
        found: String,
        /// The column, as the table says.
        expected: String,
    },
    /// The threads could not be started.
    #[error("cannot start {threads} threads; ask for fewer with --threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the pool said.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// The engine could not be set up for this lake.
    #[error("cannot open the tables of the lake")]
    Open(#[source] EngineError),
    /// The SQL is not read-only.
    #[error("only questions are answered (SELECT, EXPLAIN, SHOW); the lake is written by ingest and correlate alone")]
    ReadOnly(#[source] EngineError),
    /// The question is wrong, or cannot be answered.
    #[error("cannot answer the query")]
    Query(#[source] EngineError),
    /// No row of the lake names the identifier.
    #[error(
        "the lake knows nothing about `{id}`; name an instance, volume, snapshot, key, grant or event by its id, and `correlate` what is new first"
    )]
    NothingKnown {
        /// The identifier as asked.
        id: String,
    },
}

fn time(time_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(time_ms).map_or_else(|_| format!("{time_ms} ms"), |time| time.to_string())
}
