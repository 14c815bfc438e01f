//! Errors of questions.

use trailweave_lake::LakeError;

use crate::EngineError;

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The files of a table could not be listed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The engine could not be set up for this lake.
    #[error("cannot open the tables of the lake")]
    Open(#[source] EngineError),
    /// The SQL is not read-only.
    #[error("only questions are answered (SELECT, EXPLAIN, SHOW); the lake is written by ingest and correlate alone")]
    ReadOnly(#[source] EngineError),
    /// The question is wrong, or cannot be answered.
    #[error("cannot answer the query")]
    Query(#[source] EngineError),
}
