//! What a killed run left behind: parts that the ledger does not know, and temporary files.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_table::EVENTS;
use trailweave_table::LEDGER;
use trailweave_table::REJECTS;

use crate::ledger::batch_id;

/// Removes them. An unfinished plan writes its parts anew, so nothing is lost. Needs: the lake's lock.
pub(crate) fn remove(lake: &Lake, committed: &HashSet<String>) -> Result<(), LakeError> {
    for table in [&EVENTS, &REJECTS, &LEDGER] {
        for folder in folders(&lake.table_dir(table), table.dated_by.is_some())? {
            for path in entries(&folder)? {
                if is_leftover(&path, committed) {
                    tracing::info!(path = %path.display(), "removing what an earlier run did not commit");
                    fs::remove_file(&path).map_err(LakeError::file("remove", &path))?;
                }
            }
        }
    }
    Ok(())
}

fn is_leftover(path: &Path, committed: &HashSet<String>) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    match name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp")) {
        Some(part) => batch_id(Path::new(part)).is_some(),
        None => batch_id(path).is_some_and(|batch_id| !committed.contains(batch_id)),
    }
}

fn folders(table: &Path, is_dated: bool) -> Result<Vec<std::path::PathBuf>, LakeError> {
    if !is_dated {
        return Ok(vec![table.to_owned()]);
    }
    Ok(entries(table)?.into_iter().filter(|path| path.is_dir()).collect())
}

fn entries(folder: &Path) -> Result<Vec<std::path::PathBuf>, LakeError> {
    match fs::read_dir(folder) {
        Ok(entries) => {
            let paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
            paths.map_err(LakeError::file("list", folder))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(LakeError::file("list", folder)(error)),
    }
}
