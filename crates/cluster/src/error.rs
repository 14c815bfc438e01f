//! Errors between a lake and a stage, each with its remedy.

use std::path::Path;
use std::path::PathBuf;

use trailweave_correlate::CorrelateError;
use trailweave_lake::LakeError;

/// The reason why a run could not be staged or adopted. The lake is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The lake or the stage could not be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The products could not be put together.
    #[error(transparent)]
    Correlate(#[from] CorrelateError),
    /// There is no job, or none that this release can read.
    #[error("`{}` holds no job of this release; stage a run anew, without --adopt", path.display())]
    NoJob {
        /// The folder of the run.
        path: PathBuf,
    },
    /// Spark has not finished.
    #[error("the run `{}` is not done: there is no done.json; submit it, or wait until Spark has finished", path.display())]
    NotDone {
        /// The folder of the run.
        path: PathBuf,
    },
    /// The run is of other rules.
    #[error("the run `{}` is of version {found} of the rules, and this release of version {known}; stage a run anew", path.display())]
    OtherRules {
        /// The folder of the run.
        path: PathBuf,
        /// The version of the run.
        found: u32,
        /// That of this release.
        known: u32,
    },
    /// The lake has changed below the run.
    #[error("the run `{}` is of `{}`, which the lake does not hold any more; stage a run anew", run.display(), part.display())]
    PartGone {
        /// The folder of the run.
        run: PathBuf,
        /// The part.
        part: PathBuf,
    },
    /// The stage does not hold what the run says, or more.
    #[error("`{}` {fault}; remove the folder of the run, stage it anew and submit it", path.display())]
    Stage {
        /// The file or folder.
        path: PathBuf,
        /// The fault.
        fault: String,
    },
}

impl ClusterError {
    pub(crate) fn stage(path: &Path, fault: impl Into<String>) -> Self {
        Self::Stage { path: path.to_owned(), fault: fault.into() }
    }
}
