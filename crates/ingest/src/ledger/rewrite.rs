//! Files of the ledger that are written anew, with other values in some columns.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::Int64Array;
use arrow::array::RecordBatch;
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use trailweave_lake::Change;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Part;
use trailweave_lake::TableWriter;
use trailweave_lake::read;
use trailweave_table::LEDGER;

use super::AGAIN;
use super::BATCH_ID;
use super::names_any;
use super::read_columns;

/// A column of the ledger by its name, with values for some rows.
pub(crate) type NamedColumn = (&'static str, ArrayRef);

/// The rows that the objects of each batch have lost to amendments.
pub(crate) type Lost = BTreeMap<String, u64>;

/// Writes a file of the ledger anew as a part of `change`, with the columns that `others` gives for its rows in place of
/// theirs. If it gives none for any row, the file stays as it is.
pub(crate) fn rewrite(
    lake: &Lake,
    path: &Path,
    change: &mut Change<'_>,
    mut others: impl FnMut(&RecordBatch) -> Vec<NamedColumn>,
) -> Result<(), LakeError> {
    let mut is_changed = false;
    let mut batches = read_whole(lake, path)?;
    for rows in &mut batches {
        let mut columns = rows.columns().to_vec();
        for (name, column) in others(rows) {
            columns[LEDGER.position(name)] = column;
            is_changed = true;
        }
        let changed = RecordBatch::try_new(LEDGER.schema(), columns);
        *rows = changed.expect("columns are replaced by such of their type and length");
    }
    if is_changed {
        let mut writer = TableWriter::new(lake.create_file(&change.promise(path))?, &LEDGER)?;
        batches.iter().try_for_each(|rows| writer.write(rows))?;
        writer.commit()?;
    }
    Ok(())
}

/// Reads a file of the ledger, with every column of the table.
fn read_whole(lake: &Lake, path: &Path) -> Result<Vec<RecordBatch>, LakeError> {
    let columns = LEDGER.columns.iter().map(|column| column.name).collect::<Vec<_>>();
    let damaged = |source: ArrowError| LakeError::Damaged { path: path.into(), source: source.into() };
    read_columns(lake, path, &columns)?.map(|rows| read::filled(&LEDGER, &rows?).map_err(damaged)).collect()
}

/// Counts rows that leave the lake, given by their object, among the duplicates of their objects, as a part of
/// `change`.
pub(crate) fn move_to_duplicates(
    lake: &Lake,
    mut leaving: BTreeMap<String, u64>,
    change: &mut Change<'_>,
) -> Result<Lost, LakeError> {
    let mut lost = Lost::new();
    for Part { path, .. } in lake.parts(&LEDGER)? {
        leaving.retain(|_, n| *n > 0);
        if names_any(lake, &path, |object| leaving.contains_key(object))? {
            rewrite(lake, &path, change, |rows| without(rows, &mut leaving, &mut lost))?;
        }
    }
    for (object, n_rows) in leaving.iter().filter(|(_, n)| **n > 0) {
        tracing::warn!(object, n_rows, "rows of an object that the ledger does not know were amended");
    }
    Ok(lost)
}

/// Takes those that are `leaving` out of rows of the ledger, as far as they have them, and counts them as `lost`. An entry of an
/// object that was read again repeats what another says, and stays.
fn without(rows: &RecordBatch, leaving: &mut BTreeMap<String, u64>, lost: &mut Lost) -> Vec<NamedColumn> {
    let number = |name| rows.column(LEDGER.position(name)).as_primitive::<Int64Type>().values().to_vec();
    let text = |name| rows.column(LEDGER.position(name)).as_string::<i32>();
    let (objects, statuses, batches) = (text("source_object"), text("status"), text(BATCH_ID));
    let (mut n_rows, mut n_duplicates) = (number("rows"), number("duplicates"));
    let mut has_lost = false;
    for row in (0..rows.num_rows()).filter(|row| statuses.value(*row) != AGAIN) {
        let Some(n) = leaving.get_mut(objects.value(row)) else { continue };
        let moved = n_rows[row].min(i64::try_from(*n).unwrap_or(i64::MAX));
        if moved > 0 {
            n_rows[row] -= moved;
            n_duplicates[row] += moved;
            *n -= moved.unsigned_abs();
            *lost.entry(batches.value(row).to_owned()).or_default() += moved.unsigned_abs();
            has_lost = true;
        }
    }
    if !has_lost {
        return Vec::new();
    }
    let column = |numbers: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(numbers)) };
    vec![("rows", column(n_rows)), ("duplicates", column(n_duplicates))]
}

#[cfg(test)]
mod tests {
    use trailweave_table::Tally;

    use super::*;
    use crate::ledger::{LedgerEntry, rows};

    #[test]
    fn an_entry_that_repeats_another_loses_no_rows() {
        let entry = |n_rows: u64, is_again: bool| LedgerEntry {
            source_object: "a.json.gz".into(),
            version: "1".into(),
            bytes: 1,
            error: None,
            tally: Tally { records: n_rows, rows: n_rows, ..Tally::default() },
            sha256: None,
            is_again,
            event_times_ms: None,
            amendments: Vec::new(),
        };
        let rows = rows(&[entry(3, true), entry(10, false)], "batch", "run");
        let (mut leaving, mut lost) = (BTreeMap::from([("a.json.gz".to_owned(), 1)]), Lost::new());
        let left = without(&rows, &mut leaving, &mut lost);
        let n_rows = left[0].1.as_primitive::<Int64Type>();
        assert_eq!((left[0].0, n_rows.values().to_vec(), leaving["a.json.gz"]), ("rows", vec![3, 9], 0));
        assert!(without(&rows, &mut leaving, &mut lost).is_empty(), "all that left has left");
    }
}
