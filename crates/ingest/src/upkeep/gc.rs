//! Leftovers of killed runs: parts that the ledger does not know, and files that never got their name. And what nobody needs
//! any longer: snapshots of published tables with their files, and what runs that ended long ago wrote about themselves.

use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;

use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::expire;
use trailweave_table::AUDIT;
use trailweave_table::LEDGER;
use trailweave_table::LOGGED;
use trailweave_table::REJECTS;
use trailweave_table::TABLES;
use trailweave_table::Table;
use trailweave_table::batch_id;

use crate::IngestError;
use crate::ledger::committed;
use crate::upkeep::runs::ended_long_ago;

/// Finds what killed runs left behind, snapshots with their files that the lake keeps no longer, and the plans and summaries of
/// runs that ended long ago, and removes all of it unless `is_dry`. Returns what it found. An unfinished plan writes its
/// parts anew, so nothing is lost.
///
/// Needs: the caller holds the lake's lock.
pub fn gc(lake: &Lake, is_dry: bool) -> Result<Vec<PathBuf>, IngestError> {
    let mut found = leftovers(lake)?;
    found.extend(expire(lake, is_dry)?);
    found.sort();
    found.dedup();
    let ended = ended_long_ago(lake)?;
    if !is_dry {
        remove_all(lake, &found)?;
        lake.remove_all(&ended)?;
    }
    found.extend(ended);
    Ok(found)
}

/// Finds, in every table and the lake's state, what killed runs left behind.
///
/// Needs: the caller holds the lake's lock.
pub(crate) fn leftovers(lake: &Lake) -> Result<Vec<PathBuf>, LakeError> {
    let mut found = find(lake, TABLES.into_iter().chain(AUDIT), &committed(lake)?, None)?;
    found.extend(lake.files(&lake.state_dir())?.into_iter().map(|file| file.path).filter(|path| is_unnamed(path)));
    Ok(found)
}

/// Removes the parts that a killed run did not commit, which nobody may count. The run that finishes its plan writes
/// them anew.
///
/// Needs: the caller holds the lake's lock.
pub fn remove_uncommitted(lake: &Lake) -> Result<(), IngestError> {
    Ok(remove(lake, &committed(lake)?, None)?)
}

/// Removes what stands in the way of ingest. Needs: the lake's lock; or that of a shard, for what is left of the
/// batches of `ours` only.
pub(crate) fn remove(
    lake: &Lake,
    committed: &HashSet<String>,
    ours: Option<&HashSet<String>>,
) -> Result<(), LakeError> {
    if ours.is_some_and(HashSet::is_empty) {
        return Ok(());
    }
    remove_all(lake, &find(lake, LOGGED.into_iter().chain([&REJECTS, &LEDGER]), committed, ours)?)
}

fn remove_all(lake: &Lake, leftovers: &[PathBuf]) -> Result<(), LakeError> {
    for path in leftovers {
        tracing::info!(path = %path.display(), "removing what an earlier run did not commit");
        lake.remove(path)?;
    }
    Ok(())
}

fn find<'t>(
    lake: &Lake,
    tables: impl IntoIterator<Item = &'t Table>,
    committed: &HashSet<String>,
    ours: Option<&HashSet<String>>,
) -> Result<Vec<PathBuf>, LakeError> {
    let mut found = Vec::new();
    for table in tables {
        let files = lake.files(&lake.table_dir(table))?.into_iter().map(|file| file.path);
        found.extend(files.filter(|path| is_leftover(path, committed, ours)));
    }
    found.sort();
    Ok(found)
}

fn is_leftover(path: &Path, committed: &HashSet<String>, ours: Option<&HashSet<String>>) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let unnamed =
        name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp").or_else(|| name.strip_suffix(".next")));
    let batch = batch_id(Path::new(unnamed.unwrap_or(name)));
    match (ours, batch) {
        (Some(ours), Some(batch)) => ours.contains(batch) && !committed.contains(batch),
        (Some(_), None) => false,
        (None, _) if unnamed.is_some() => name.contains(".parquet."),
        (None, batch) => batch.is_some_and(|batch| !committed.contains(batch)),
    }
}

/// Tells whether it is a file of the lake's state that never got its name.
fn is_unnamed(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".")
        && [&b".json.tmp"[..], b".json.next", b".json.next.tmp"].iter().any(|end| name.ends_with(end))
}
