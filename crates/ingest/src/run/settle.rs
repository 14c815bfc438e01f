//! Rows that amendments have replaced leave the lake, wherever they stand.
//!
//! ```text
//!  commit of a batch that amends   _trailweave/unsettled/<batch_id>.json, then its ledger file
//!  settle, once at a run's end     ask the Bloom filters of all parts for the families of those batches; write anew the
//!                                  parts that rows leave and the files of the ledger that count them: one change
//! ```
//!
//! Until then a family may have several rows, all of them counted. The amended record may be of any day, because its
//! time may be what was amended: so every part is asked, once for all amendments of a run. A trail without them pays
//! for the listing of a folder that is not there. Shards leave settling to whoever has the whole lake next, for a part
//! that was merged, and a file of the ledger, may hold rows of several.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;

use arrow::array::AsArray;
use arrow::array::BooleanArray;
use arrow::array::RecordBatch;
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use parquet::errors::ParquetError;
use trailweave_lake::Change;
use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::LakeFile;
use trailweave_lake::Listed;
use trailweave_lake::TableWriter;
use trailweave_lake::read::{Reader, columns, filled};
use trailweave_table::JOINED;
use trailweave_table::Table;
use trailweave_table::settled_part_name;

use crate::IngestError;
use crate::crash_points::CrashPoints;
use crate::ledger::Ledger;
use crate::ledger::is_committed;
use crate::ledger::rewrite::{Lost, move_to_duplicates};
use crate::rows::amendment::Families;
use crate::rows::duplicates::Sought;
use crate::rows::row_key::ACCOUNT;
use crate::rows::row_key::EVENT_ID;
use crate::rows::row_key::keys;

/// Rows of a part that are read, and written again, at once.
const COPY_ROWS: usize = 8192;

/// Removes the rows that amendments of shards, or of a run that did not end, replaced; returns how many.
///
/// Needs: the caller holds the lake's lock.
pub fn settle(lake: &Lake) -> Result<u64, IngestError> {
    if unsettled(lake)?.is_empty() {
        return Ok(0);
    }
    let lost = settle_until(&CrashPoints::default(), lake, &Ledger::read(lake)?)?;
    Ok(lost.values().sum())
}

/// Notes that a batch, which is about to be committed, is to be settled.
pub(crate) fn announce(lake: &Lake, batch_id: &str) -> Result<(), LakeError> {
    lake.write(&folder(lake).join(format!("{batch_id}.json")), b"{}\n")
}

fn folder(lake: &Lake) -> PathBuf {
    lake.state_dir().join("unsettled")
}

fn unsettled(lake: &Lake) -> Result<Vec<PathBuf>, LakeError> {
    let notes = lake.files(&folder(lake))?.into_iter().map(|Listed { path, .. }| path);
    Ok(notes.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect())
}

/// Does what [`settle`] does, and may be made to end at a crash point between two steps.
pub(crate) fn settle_until(crash_points: &CrashPoints, lake: &Lake, ledger: &Ledger) -> Result<Lost, IngestError> {
    let notes = unsettled(lake)?;
    if notes.is_empty() {
        return Ok(Lost::new());
    }
    let batches: HashSet<_> = notes.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    let families = ledger.amendments().families(|batch_id| batches.contains(batch_id));
    let sought = Sought::events(&families.events);
    let mut change = Change::new(lake, "settle");
    let mut leaving = BTreeMap::new();
    for table in JOINED {
        for part in lake.parts(table)? {
            if is_committed(&part.path, ledger.batches()) {
                settle_part(lake, table, &part.path, &sought, &families, &mut change, &mut leaving)?;
            }
        }
    }
    if !leaving.is_empty() {
        Covered::forget(lake, &mut change);
    }
    let lost = move_to_duplicates(lake, leaving, &mut change)?;
    for note in &notes {
        change.remove(note);
    }
    crash_points.pass()?;
    let held = change.hold()?;
    crash_points.pass()?;
    held.carry_out()?;
    Ok(lost)
}

/// Writes a part of a table without the rows that leave it, and counts these by their objects.
fn settle_part(
    lake: &Lake,
    table: &'static Table,
    path: &Path,
    sought: &Sought<'_>,
    families: &Families<'_>,
    change: &mut Change<'_>,
    leaving: &mut BTreeMap<String, u64>,
) -> Result<(), LakeError> {
    let mut held = HashSet::new();
    sought.find_in_file(lake, path, &mut held)?;
    if held.is_empty() {
        return Ok(());
    }
    let damaged = |source: ParquetError| LakeError::parquet(path)(source);
    let keep = rows_to_keep(lake.open_part(path)?, families, leaving).map_err(damaged)?;
    rewrite(lake, table, path, &keep, change)
}

/// Lets the rows of a part for which `keep` is false leave it, as a part of `change`. It has a word for every row.
pub(crate) fn rewrite(
    lake: &Lake,
    table: &'static Table,
    path: &Path,
    keep: &[bool],
    change: &mut Change<'_>,
) -> Result<(), LakeError> {
    let damaged = |source: ParquetError| LakeError::parquet(path)(source);
    let n_kept = keep.iter().filter(|keep| **keep).count();
    if n_kept == keep.len() {
        return Ok(());
    }
    if n_kept == 0 {
        change.remove(path);
        return Ok(());
    }
    let staged = change.stage(path);
    let mut writer = TableWriter::new(lake.create_file(&staged)?, table)?;
    let reader = Reader::try_new(lake.open_part(path)?).map_err(damaged)?;
    let mut rest = keep;
    for rows in reader.with_batch_size(COPY_ROWS).build().map_err(damaged)? {
        let rows = rows.map_err(|source| damaged(source.into()))?;
        let (of_rows, others) = rest.split_at(rows.num_rows());
        rest = others;
        writer.write(&filtered(table, &rows, of_rows).map_err(damaged)?)?;
    }
    let digest = writer.commit()?.digest;
    change.remove(path);
    change.name(&staged, &path.with_file_name(settled_part_name(path, &digest)));
    Ok(())
}

fn filtered(table: &Table, rows: &RecordBatch, keep: &[bool]) -> Result<RecordBatch, ParquetError> {
    let rows = filled(table, rows)?;
    Ok(filter_record_batch(&rows, &BooleanArray::from(keep.to_vec()))?)
}

/// Tells for each row of a part whether it stays. Those that do not are counted by their objects.
fn rows_to_keep(
    file: LakeFile,
    families: &Families<'_>,
    leaving: &mut BTreeMap<String, u64>,
) -> Result<Vec<bool>, ParquetError> {
    let mut kept = Vec::new();
    let reader = columns(file, [ACCOUNT, EVENT_ID, "source_object", "source_index"])?;
    for rows in reader.with_batch_size(COPY_ROWS).build()? {
        let rows = rows?;
        let text = |name| rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let indexes = rows.column_by_name("source_index").and_then(|column| column.as_primitive_opt::<Int64Type>());
        let (Some(accounts), Some(event_ids), Some(objects), Some(indexes)) =
            (text(ACCOUNT), text(EVENT_ID), text("source_object"), indexes)
        else {
            return Err(ParquetError::General("it lacks a column that tells its rows apart".to_owned()));
        };
        for (row, key) in keys(accounts, event_ids).into_iter().enumerate() {
            let keep = families.keep(key, objects.value(row), indexes.value(row));
            if !keep {
                *leaving.entry(objects.value(row).to_owned()).or_default() += 1;
            }
            kept.push(keep);
        }
    }
    Ok(kept)
}
