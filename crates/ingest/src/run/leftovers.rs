//! Leftovers of killed runs: parts that the ledger does not know, and files that never got their name.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;

use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_table::AUDIT;
use trailweave_table::LEDGER;
use trailweave_table::LOGGED;
use trailweave_table::REJECTS;
use trailweave_table::TABLES;
use trailweave_table::Table;
use trailweave_table::batch_id;
use trailweave_table::is_merged;

use crate::IngestError;
use crate::ledger::committed;
use crate::run::plan::Plan;

/// The files in the lake's tables that are of no use.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The leftovers of killed runs: files without their names, and parts of batches that unfinished plans name.
    pub(crate) leftovers: Vec<PathBuf>,
    /// Parts of batches that neither the ledger nor such a plan knows: they were committed, and the ledger has lost it.
    pub(crate) orphans: Vec<PathBuf>,
}

/// Finds, in every table and the lake's state, what killed runs left behind, and what the ledger has lost.
///
/// Needs: the caller holds the lake's lock.
pub(crate) fn find_all(lake: &Lake) -> Result<Found, LakeError> {
    let mut found = find(lake, TABLES.into_iter().chain(AUDIT), &committed(lake)?)?;
    found
        .leftovers
        .extend(lake.files(&lake.state_dir())?.into_iter().map(|file| file.path).filter(|path| is_unnamed(path)));
    Ok(found)
}

/// Removes the parts that a killed run did not commit, which nobody may count. The run that finishes its plan writes
/// them anew.
///
/// Needs: the caller holds the lake's lock.
pub fn remove_uncommitted(lake: &Lake) -> Result<(), IngestError> {
    remove(lake, &committed(lake)?)
}

/// Counts the parts of batches that the ledger has lost. It may be called beside a run, and takes only what it finds twice:
/// a batch may be committed between two looks.
pub fn lost_parts(lake: &Lake) -> Result<u64, LakeError> {
    let look = || Ok::<_, LakeError>(find(lake, LOGGED, &committed(lake)?)?.orphans);
    let first = look()?;
    if first.is_empty() {
        return Ok(0);
    }
    let again: HashSet<PathBuf> = look()?.into_iter().collect();
    Ok(first.into_iter().filter(|path| again.contains(path)).count() as u64)
}

/// Removes what stands in the way of ingest. Needs: the lake's lock.
pub(crate) fn remove(lake: &Lake, committed: &HashSet<String>) -> Result<(), IngestError> {
    let found = find(lake, LOGGED.into_iter().chain([&REJECTS, &LEDGER]), committed)?;
    Ok(remove_all(lake, &found.without_orphans()?)?)
}

/// Removes what is left of the batches of a shard, `ours`. Needs: the lock of the shard.
pub(crate) fn remove_ours(lake: &Lake, committed: &HashSet<String>, ours: &HashSet<String>) -> Result<(), LakeError> {
    if ours.is_empty() {
        return Ok(());
    }
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        batch_id(Path::new(unnamed(name).unwrap_or(name)))
            .is_some_and(|batch| ours.contains(batch) && !committed.contains(batch))
    };
    let mut left = files(lake, LOGGED.into_iter().chain([&REJECTS, &LEDGER]))?;
    left.retain(is_ours);
    remove_all(lake, &left)
}

impl Found {
    /// Returns the leftovers, where the ledger has lost nothing.
    fn without_orphans(self) -> Result<Vec<PathBuf>, IngestError> {
        match self.orphans.into_iter().next() {
            Some(path) => Err(IngestError::LedgerLost { path }),
            None => Ok(self.leftovers),
        }
    }
}

pub(crate) fn remove_all(lake: &Lake, leftovers: &[PathBuf]) -> Result<(), LakeError> {
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
) -> Result<Found, LakeError> {
    let mut found = Found::default();
    let mut unknown = Vec::new();
    for path in files(lake, tables)? {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if unnamed(name).is_some() {
            if name.contains(".parquet.") {
                found.leftovers.push(path);
            }
        } else if is_unknown(&path, committed) {
            unknown.push(path);
        }
    }
    if !unknown.is_empty() {
        let plans = Plan::unfinished(lake)?;
        let planned: HashSet<&str> =
            plans.iter().flat_map(|plan| &plan.batches).map(|batch| batch.batch_id.as_str()).collect();
        let is_planned = |path: &PathBuf| batch_id(path).is_some_and(|batch| planned.contains(batch));
        let (leftovers, orphans) = unknown.into_iter().partition(is_planned);
        found.leftovers.extend::<Vec<_>>(leftovers);
        found.orphans = orphans;
    }
    Ok(found)
}

/// Tells whether the ledger does not know the batch of a part. That of several batches is known by a ledger that knows any.
fn is_unknown(part: &Path, committed: &HashSet<String>) -> bool {
    match batch_id(part) {
        Some(batch) => !committed.contains(batch),
        None => committed.is_empty() && is_merged(part),
    }
}

/// Lists the files of tables.
fn files<'t>(lake: &Lake, tables: impl IntoIterator<Item = &'t Table>) -> Result<Vec<PathBuf>, LakeError> {
    let mut files = Vec::new();
    for table in tables {
        files.extend(lake.files(&lake.table_dir(table))?.into_iter().map(|file| file.path));
    }
    Ok(files)
}

/// Returns the name that a file of a table was to get, where it never got it.
fn unnamed(name: &str) -> Option<&str> {
    name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp").or_else(|| name.strip_suffix(".next")))
}

/// Tells whether it is a file of the lake's state that never got its name.
fn is_unnamed(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".")
        && [&b".json.tmp"[..], b".json.next", b".json.next.tmp"].iter().any(|end| name.ends_with(end))
}
