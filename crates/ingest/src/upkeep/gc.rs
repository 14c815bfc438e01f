//! What nobody needs any longer: leftovers of killed runs, snapshots of published tables with their files, and what runs that
//! ended long ago wrote about themselves.

use std::path::PathBuf;

use trailweave_lake::Change;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::expire;
use trailweave_lake::forget;

use crate::IngestError;
use crate::run::leftovers::{Found, find_all, remove_all};
use crate::upkeep::runs::ended_long_ago;

/// Finds what killed runs left behind, snapshots with their files that the lake keeps no longer, and the plans and summaries of
/// runs that ended long ago, and removes all of it unless `is_dry`. Returns what it found. An unfinished plan writes its
/// parts anew, so nothing is lost. `with_orphans`: parts of batches that the ledger has lost go, too; else they are an error.
///
/// Needs: the caller holds the lake's lock.
pub fn gc(lake: &Lake, is_dry: bool, with_orphans: bool) -> Result<Vec<PathBuf>, IngestError> {
    let Found { leftovers, orphans } = find_all(lake)?;
    if let Some(path) = orphans.first().filter(|_| !with_orphans) {
        return Err(IngestError::LedgerLost { path: path.clone() });
    }
    if !is_dry {
        // Parts that are written anew may get these names. So no published table names them any more, and no snapshot is
        // said to keep them, before they go.
        let_go(lake, &orphans)?;
        forget(lake, &[&leftovers[..], &orphans].concat())?;
        remove_all(lake, &leftovers)?;
        remove_all(lake, &orphans)?;
    }
    let mut useless = [leftovers, orphans, expire(lake, is_dry)?].concat();
    useless.sort();
    useless.dedup();
    let ended = ended_long_ago(lake)?;
    if !is_dry {
        lake.remove_all(&ended)?;
    }
    useless.extend(ended);
    Ok(useless)
}

/// Takes files out of the tables.
fn let_go(lake: &Lake, files: &[PathBuf]) -> Result<(), LakeError> {
    if files.is_empty() {
        return Ok(());
    }
    let mut change = Change::new(lake, "orphans");
    for file in files {
        change.remove(file);
    }
    change.commit()
}
