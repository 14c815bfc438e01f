//! Runs that a lake has staged for Spark.

use serde::Serialize;
use trailweave_cluster::Progress;
use trailweave_cluster::StagedRun;

/// A run that a lake has staged, and how far it has come.
#[derive(Debug, Serialize)]
pub(crate) struct StagedState {
    #[serde(flatten)]
    pub(crate) staged: StagedRun,
    #[serde(flatten)]
    pub(crate) progress: Progress,
}
