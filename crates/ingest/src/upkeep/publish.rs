//! The tables of a lake as Iceberg tables, brought up to the committed files.

use serde::Serialize;
use trailweave_lake::Lake;
use trailweave_lake::PublishOptions;
use trailweave_table::TABLES;

use crate::IngestError;
use crate::ledger::committed;
use crate::ledger::is_committed;

/// The name of the change in the summaries of snapshots.
const NAME: &str = "publish";

/// A table that is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PublishedTable {
    /// Its name.
    pub table: &'static str,
    /// The files that it holds.
    pub files: u64,
    /// The commit took a snapshot; where not, the table held the files already.
    pub committed: bool,
}

/// Lets the Iceberg table of every table hold its committed files. From then on, every change of the lake is a snapshot.
/// `options` say how from now on.
///
/// Needs: the caller holds the lake's lock.
pub fn publish(lake: &Lake, options: &PublishOptions) -> Result<Vec<PublishedTable>, IngestError> {
    lake.begin_publishing(options)?;
    let batches = committed(lake)?;
    let mut published = Vec::new();
    for table in TABLES {
        let mut parts = lake.parts(table)?;
        parts.retain(|part| is_committed(&part.path, &batches));
        let committed = trailweave_lake::publish(lake, table, &parts, NAME)?;
        published.push(PublishedTable { table: table.name, files: parts.len() as u64, committed });
    }
    Ok(published)
}
