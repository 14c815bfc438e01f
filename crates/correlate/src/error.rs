//! What can go wrong between `events` and the products.

use arrow::error::ArrowError;
use trailweave_lake::LakeError;

/// Why the lake could not be correlated, or knows no chain.
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
    /// No row of the lake names the identifier.
    #[error(
        "the lake knows nothing about `{id}`; name an instance, volume, snapshot, key, grant or event by its id, and `correlate` what is new first"
    )]
    NothingKnown {
        /// The identifier as asked.
        id: String,
    },
}
