//! The threads that compute.

use std::num::NonZeroUsize;

use rayon::ThreadPool;
use rayon::ThreadPoolBuilder;

use crate::CorrelateError;

/// Starts threads, which end with the pool.
pub(crate) fn pool(threads: NonZeroUsize) -> Result<ThreadPool, CorrelateError> {
    let threads = threads.get();
    let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("correlate-{n}")).build();
    pool.map_err(|source| CorrelateError::Threads { threads, source })
}
