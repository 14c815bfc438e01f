//! What can go wrong between `events` and the products.

use arrow::error::ArrowError;
use trailweave_lake::LakeError;

use crate::EngineError;

/// Why the lake could not be correlated or queried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorrelateError {
    /// The lake could not be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The events take more memory than was given.
    #[error("the events take more than {memory_bytes} bytes of memory while they are joined; give more with --memory")]
    Memory {
        /// The memory that was given.
        memory_bytes: u64,
    },
    /// Rows of a product could not be put together. This is a bug of this crate.
    #[error("cannot put the rows of `{table}` together")]
    Rows {
        /// The product.
        table: &'static str,
        /// What Arrow said.
        #[source]
        source: ArrowError,
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
