//! Rows on their way from decode to their part. They are copied once, when the part is written: until then a day, or
//! what is left without duplicates, is a choice of the rows of a batch.

use std::collections::BTreeMap;
use std::mem;

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::datatypes::TimestampMicrosecondType;
use trailweave_decode::Read;
use trailweave_decode::Taken;
use trailweave_table::EVENTS;
use trailweave_table::SESSIONS;
use trailweave_table::Table;
use trailweave_table::day_of_time;
use trailweave_table::ms_of_time;

use crate::rows::row_key::row_keys;
use crate::rows::texts::{Texts, gathered_rows};

/// The memory that a row takes of a column beside its text.
const VALUE_BYTES: usize = 8;
/// Chunks of fewer rows are put together, so that tiny objects do not cost columns of their own each.
const SMALL_CHUNK_ROWS: usize = 96;
/// How many small chunks wait to be put together.
const SMALL_CHUNKS: usize = 64;

/// The rows of some objects.
#[derive(Debug, Default)]
pub(crate) struct DecodedRows {
    /// Rows of `events` and of `sessions`.
    pub(crate) logged: Vec<Dated>,
    /// The rows that amendments outside of the selection would be.
    pub(crate) amendments: Vec<RecordBatch>,
    pub(crate) rejects: Vec<RecordBatch>,
}

/// Rows of `events` or of `sessions` in logged order, with what is known of each.
#[derive(Debug)]
pub(crate) struct Dated {
    pub(crate) table: &'static Table,
    pub(crate) rows: RecordBatch,
    /// The key of each row, which may be there once only; 0 where it has none, or is settled later.
    pub(crate) keys: Vec<u128>,
    /// The position in the batch of the object that each row came from.
    pub(crate) origins: Vec<u32>,
    /// The rows of each UTC day, which is counted from 1970-01-01.
    days: BTreeMap<i32, Vec<u32>>,
}

/// Some rows of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) rows: RecordBatch,
    /// The rows that are meant, ascending.
    pub(crate) chosen: Vec<u32>,
    /// The keys of these. Empty for tables without such a key.
    pub(crate) keys: Vec<u128>,
    /// The origins of these. Empty for tables that do not tell.
    pub(crate) origins: Vec<u32>,
}

/// The chunks of a part that is not yet written.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    chunks: Vec<Chunk>,
    small: Vec<Chunk>,
    /// The memory that the rows take, whatever the arrays that they are in: so that where a part ends depends on the
    /// rows alone.
    pub(crate) bytes: u64,
}

impl DecodedRows {
    /// Tells rows apart by their day. `read` says of objects, which are given by their positions, how many of the next
    /// rows are theirs.
    pub(crate) fn new(rows: Taken, read: &[(u32, Read)]) -> Self {
        let origins = |n_rows: fn(&Read) -> u64| {
            read.iter().flat_map(move |(origin, read)| (0..n_rows(read)).map(move |_| *origin))
        };
        let mut logged = dated(&EVENTS, rows.events, origins(|read| read.tally.rows - read.n_sessions));
        logged.extend(dated(&SESSIONS, rows.sessions, origins(|read| read.n_sessions)));
        Self { logged, amendments: rows.amendments, rejects: rows.rejects }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.logged.extend(other.logged);
        self.amendments.extend(other.amendments);
        self.rejects.extend(other.rejects);
    }

    /// Counts its rows of `events` and `sessions`, and of `rejects`.
    pub(crate) fn n_rows(&self) -> (u64, u64) {
        let logged = self.logged.iter().map(|dated| dated.rows.num_rows());
        let rejects = self.rejects.iter().map(RecordBatch::num_rows);
        (logged.sum::<usize>() as u64, rejects.sum::<usize>() as u64)
    }

    /// Returns the memory that it occupies.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let logged = self.logged.iter().map(|dated| &dated.rows);
        let batches = logged.chain(&self.amendments).chain(&self.rejects);
        batches.map(RecordBatch::get_array_memory_size).sum::<usize>() as u64
    }
}

/// Tells rows of a table apart by their day. Needs: an origin for each.
fn dated(table: &'static Table, rows: Vec<RecordBatch>, mut origins: impl Iterator<Item = u32>) -> Vec<Dated> {
    let dated = |rows: RecordBatch| {
        let origins: Vec<u32> = origins.by_ref().take(rows.num_rows()).collect();
        assert_eq!(origins.len(), rows.num_rows(), "rows that no object tells of");
        Dated::new(table, rows, origins)
    };
    rows.into_iter().map(dated).collect()
}

impl Dated {
    fn new(table: &'static Table, rows: RecordBatch, origins: Vec<u32>) -> Self {
        let mut days: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
        for (row, time) in (0..).zip(event_times_ms(table, &rows)) {
            days.entry(day_of_time(time)).or_default().push(row);
        }
        Self { table, keys: row_keys(table, &rows), rows, origins, days }
    }

    /// Returns the rows of each day that `keep` keeps. It has a word for every row.
    pub(crate) fn into_days(self, keep: &[bool]) -> impl Iterator<Item = (i32, Chunk)> {
        let Self { rows, keys, origins, days, .. } = self;
        days.into_iter().map(move |(day, mut chosen)| {
            chosen.retain(|row| keep[*row as usize]);
            let of = |row: &u32| *row as usize;
            let keys = chosen.iter().map(|row| keys[of(row)]).collect();
            let origins = chosen.iter().map(|row| origins[of(row)]).collect();
            (day, Chunk { rows: rows.clone(), chosen, keys, origins }.without_waste())
        })
    }
}

/// Returns the column `event_time`. Decode gives every row one; a panic here quarantines the object.
fn event_times<'r>(table: &Table, rows: &'r RecordBatch) -> &'r [i64] {
    let times = rows.column(table.position("event_time")).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.null_count(), 0, "a row without event_time");
    times.values()
}

/// Returns the time of every row in milliseconds.
pub(crate) fn event_times_ms(table: &Table, rows: &RecordBatch) -> impl Iterator<Item = i64> {
    event_times(table, rows).iter().copied().map(ms_of_time)
}

impl Chunk {
    /// Takes all rows of a batch, of which nothing is known.
    pub(crate) fn all(rows: RecordBatch) -> Self {
        let chosen = (0..u32::try_from(rows.num_rows()).expect("a batch has few rows")).collect();
        Self { rows, chosen, keys: Vec::new(), origins: Vec::new() }
    }

    /// Leaves out the rows for which `keep` is false.
    pub(crate) fn filtered(mut self, keep: &[bool]) -> Self {
        retain(&mut self.chosen, keep);
        retain(&mut self.keys, keep);
        retain(&mut self.origins, keep);
        self.without_waste()
    }

    /// Returns the `event_time` of every row of `table` that is meant, in milliseconds.
    pub(crate) fn event_times_ms(&self, table: &Table) -> impl Iterator<Item = i64> {
        let times = event_times(table, &self.rows);
        self.chosen.iter().map(|row| ms_of_time(times[*row as usize]))
    }

    /// Tells whether no row that is meant has a value in a column.
    pub(crate) fn is_null(&self, column: usize) -> bool {
        let values = self.rows.column(column);
        values.null_count() == values.len() || self.chosen.iter().all(|row| values.is_null(*row as usize))
    }

    /// Returns the memory that its rows take.
    fn bytes(&self) -> u64 {
        let texts = self.rows.columns().iter().filter_map(|column| Texts::of(column));
        let beside = VALUE_BYTES * self.rows.num_columns() * self.chosen.len();
        beside as u64 + texts.map(|texts| texts.bytes(&self.chosen)).sum::<u64>()
    }

    /// Copies the rows where few of a batch are meant, so that the others need no memory.
    fn without_waste(self) -> Self {
        if self.chosen.len() > self.rows.num_rows() / 4 * 3 { self } else { self.alone() }
    }

    fn alone(self) -> Self {
        if self.chosen.len() == self.rows.num_rows() {
            return self;
        }
        let places: Vec<_> = self.chosen.iter().map(|row| (0, *row as usize)).collect();
        let rows = gathered_rows(&[&self.rows], &places);
        let rows = rows.expect("the rows are those of the batch");
        Self { keys: self.keys, origins: self.origins, ..Self::all(rows) }
    }
}

/// Returns the (chunk, row) of every row that is meant.
pub(crate) fn places(chunks: &[Chunk]) -> impl Iterator<Item = (usize, usize)> {
    chunks.iter().enumerate().flat_map(|(n, chunk)| chunk.chosen.iter().map(move |row| (n, *row as usize)))
}

/// Keeps the values for which `keep` is true; there may be none at all.
fn retain<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    values.retain(|_| *keep.next().expect("there is a word for every value"));
}

impl Buffer {
    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.bytes += chunk.bytes();
        if chunk.chosen.len() >= SMALL_CHUNK_ROWS {
            self.chunks.push(chunk);
            return;
        }
        self.small.push(chunk);
        if self.small.len() == SMALL_CHUNKS {
            self.join_small();
        }
    }

    /// Returns the chunks, in no order that means anything.
    pub(crate) fn into_chunks(mut self) -> Vec<Chunk> {
        self.join_small();
        self.chunks
    }

    fn join_small(&mut self) {
        let small = mem::take(&mut self.small);
        if small.is_empty() {
            return;
        }
        let batches: Vec<&RecordBatch> = small.iter().map(|chunk| &chunk.rows).collect();
        let rows = gathered_rows(&batches, &places(&small).collect::<Vec<_>>());
        self.chunks.push(Chunk {
            keys: small.iter().flat_map(|chunk| &chunk.keys).copied().collect(),
            origins: small.iter().flat_map(|chunk| &chunk.origins).copied().collect(),
            ..Chunk::all(rows.expect("chunks of a buffer are of one table"))
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::ArrayRef;
    use arrow::array::Int64Array;
    use arrow::array::StringArray;

    use super::*;

    fn batch() -> RecordBatch {
        let texts = StringArray::from(vec![Some("a"), None, Some("ccc"), None, Some("ee"), None, None, None]);
        let numbers = Int64Array::from_iter_values(0..8);
        let columns: [(&str, ArrayRef); 2] = [("text", Arc::new(texts)), ("number", Arc::new(numbers))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn what_a_chunk_is_depends_on_its_own_rows_alone() {
        for (chosen, is_null, text_bytes) in
            [(vec![0, 2, 4], false, 6), (vec![1, 3, 5, 6, 7], true, 0), (vec![2], false, 3)]
        {
            let n = chosen.len();
            let chunk = Chunk { chosen, ..Chunk::all(batch()) };
            let alone = chunk.clone().alone();
            assert_eq!(alone.rows.num_rows(), n);
            for chunk in [chunk, alone] {
                assert_eq!((chunk.is_null(0), chunk.is_null(1)), (is_null, false));
                assert_eq!(chunk.bytes(), (text_bytes + 2 * VALUE_BYTES * n) as u64);
            }
        }
    }

    #[test]
    fn few_rows_of_a_batch_do_not_keep_the_others_in_memory() {
        let most = Chunk::all(batch()).filtered_rows(&[true, true, true, true, true, true, true, false]);
        assert_eq!((most.chosen.len(), most.rows.num_rows()), (7, 8));
        let few = most.filtered_rows(&[true, false, false, false, false, false, true]);
        assert_eq!((few.chosen, few.rows.num_rows()), (vec![0, 1], 2));
        let numbers = few.rows.column(1).as_primitive::<arrow::datatypes::Int64Type>();
        assert_eq!(numbers.values().to_vec(), [0, 6]);
    }

    impl Chunk {
        fn filtered_rows(mut self, keep: &[bool]) -> Self {
            self.keys = vec![1; self.chosen.len()];
            self.origins = vec![1; self.chosen.len()];
            let kept = self.filtered(keep);
            assert_eq!((kept.keys.len(), kept.origins.len()), (kept.chosen.len(), kept.chosen.len()));
            kept
        }
    }
}
