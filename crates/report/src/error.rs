//! Errors between a lake and its page.

use std::num::NonZeroUsize;

use trailweave_lake::LakeError;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The lake could not be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Threads could not be started.
    #[error("cannot start {threads} threads; ask for fewer with --threads")]
    Threads {
        /// The number that was asked for.
        threads: NonZeroUsize,
        /// The error of the pool.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// A template could not be filled. This is a bug of this crate.
    #[error("cannot fill the template of the report; please report this")]
    Template(#[from] minijinja::Error),
}
