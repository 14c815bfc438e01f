//! Snapshots and files that are kept no longer.

use std::collections::BTreeSet;
use std::path::PathBuf;

use trailweave_iceberg::{file_name, names_below};
use trailweave_table::TABLES;

use super::{HINT, Newest, Place};
use crate::Lake;
use crate::LakeError;
use crate::retired::Retired;

/// Forgets the snapshots that the lake keeps no longer, and removes the files that only they named, unless `is_dry`.
/// Returns these files.
///
/// Needs: the lake's lock.
pub fn expire(lake: &Lake, is_dry: bool) -> Result<Vec<PathBuf>, LakeError> {
    let Some(iceberg) = lake.iceberg()? else { return Ok(Vec::new()) };
    let before_ms = iceberg.kept_from_ms(lake.now_ms());
    let mut found = Vec::new();
    for table in TABLES {
        found.extend(Place::new(lake, table, iceberg.clone())?.expire(before_ms, is_dry)?);
    }
    let (store, state_dir) = (lake.store(), lake.state_dir());
    let mut retired = Retired::read(store, &state_dir)?;
    let gone = retired.before(before_ms);
    found.extend(gone.iter().map(|below| lake.root().join(below)));
    if !is_dry {
        for path in &found {
            lake.remove(path)?;
        }
        if retired.forget(&gone) {
            retired.write(store, &state_dir)?;
        }
        if iceberg.keep_secs == Some(0) && retired.files().next().is_none() {
            lake.end_keeping()?;
        }
    }
    Ok(found)
}

/// Notes of files that were removed that no snapshot keeps them.
///
/// Needs: the lake's lock.
pub fn forget(lake: &Lake, removed: &[PathBuf]) -> Result<(), LakeError> {
    if !lake.keeps_snapshots() {
        return Ok(());
    }
    let (store, state_dir) = (lake.store(), lake.state_dir());
    let mut retired = Retired::read(store, &state_dir)?;
    if retired.forget(&removed.iter().map(|path| lake.below(path).to_owned()).collect()) {
        retired.write(store, &state_dir)?;
    }
    Ok(())
}

impl Place<'_> {
    /// Forgets the snapshots whose successor is older, and returns the files of metadata that no other snapshot needs.
    fn expire(&self, before_ms: i64, is_dry: bool) -> Result<Vec<PathBuf>, LakeError> {
        let Some(Newest { mut version, mut metadata, hinted }) = self.newest()? else { return Ok(Vec::new()) };
        if metadata.location().map_err(|error| self.damaged(error))? != self.location {
            tracing::warn!(table = self.table.name, "the lake was moved; publish it anew, which gc waits for");
            return Ok(Vec::new());
        }
        let n_expired = metadata.expire(before_ms).map_err(|error| self.damaged(error))?;
        if n_expired > 0 && !is_dry {
            version += 1;
            if !self.put(version, &metadata)? {
                return Err(LakeError::Contended { path: self.folder.clone() });
            }
        }
        let mut needed = names_below(&metadata, |path| self.read(path)).map_err(|error| self.failed(error))?;
        // A reader may just have read that the version before is the newest, or goes from the one that the hint names to
        // the next.
        let first = version.saturating_sub(1).min(hinted.unwrap_or(version));
        needed.extend((first..=version).map(file_name));
        needed.insert(HINT.to_owned());
        let is_needed = |path: &PathBuf| path.file_name().is_some_and(|name| needed.contains(&*name.to_string_lossy()));
        let files: BTreeSet<PathBuf> = self.lake.files(&self.folder)?.into_iter().map(|file| file.path).collect();
        Ok(files.into_iter().filter(|path| !is_needed(path)).collect())
    }
}
