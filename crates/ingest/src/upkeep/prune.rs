//! Days that the lake keeps no longer: their rejects go, and nothing of them comes in any more.
//!
//! The ledger stays as it is. What it says of an object tells whether its rows were pruned.

use std::collections::HashMap;

use arrow::array::AsArray;
use parquet::errors::ParquetError;
use trailweave_lake::Change;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Part;
use trailweave_lake::read::columns;
use trailweave_table::REJECTS;

use crate::kept_days::KeptDays;
use crate::run::settle::rewrite;
use crate::source::key::place_of;

/// Lets the rejects of objects that were delivered before `before` leave the lake as a part of `change`, and nothing of
/// these days come in once it holds. Returns how many rejects leave. Those of objects whose names tell no day stay.
///
/// Needs: the caller holds the lake's lock.
pub fn prune(lake: &Lake, before: i32, change: &mut Change<'_>) -> Result<u64, LakeError> {
    let kept = KeptDays::since(before);
    let mut n_rejects = 0;
    for part in lake.parts(&REJECTS)? {
        let stays = stays(lake, &part, kept)?;
        n_rejects += leaving(&stays);
        rewrite(lake, &REJECTS, &part.path, &stays, change)?;
    }
    lake.stage_pruned(before, change)?;
    Ok(n_rejects)
}

/// Counts the rejects that would leave the lake with the objects that were delivered before `before`.
pub fn prunable_rejects(lake: &Lake, before: i32) -> Result<u64, LakeError> {
    let mut n_rejects = 0;
    for part in lake.parts(&REJECTS)? {
        n_rejects += leaving(&stays(lake, &part, KeptDays::since(before))?);
    }
    Ok(n_rejects)
}

fn leaving(stays: &[bool]) -> u64 {
    stays.iter().filter(|stays| !**stays).count() as u64
}

/// Tells of each reject of a part whether its day is kept.
fn stays(lake: &Lake, part: &Part, kept: KeptDays) -> Result<Vec<bool>, LakeError> {
    let file = lake.open_listed(part)?;
    let (mut by_name, mut stays): (HashMap<String, bool>, Vec<bool>) = Default::default();
    let read = || {
        for rows in columns(file, ["source_object"])?.build()? {
            let rows = rows?;
            for name in rows.column(0).as_string::<i32>() {
                let name = name.unwrap_or_default();
                let is_kept = match by_name.get(name) {
                    Some(is_kept) => *is_kept,
                    None => *by_name.entry(name.to_owned()).or_insert_with(|| kept.has_place(place_of(name).as_ref())),
                };
                stays.push(is_kept);
            }
        }
        Ok::<_, ParquetError>(())
    };
    read().map_err(LakeError::parquet(&part.path))?;
    Ok(stays)
}
