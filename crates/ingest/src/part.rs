//! The rows of a part: from where they were decoded to one sorted file.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::mem;
use std::path::Path;

use arrow::array::Array;
use arrow::array::ArrayAccessor;
use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::Int64Array;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::array::TimestampMillisecondArray;
use arrow::array::UInt32Array;
use arrow::array::new_null_array;
use arrow::compute::concat_batches;
use arrow::compute::interleave;
use arrow::compute::take_record_batch;
use arrow::datatypes::TimestampMillisecondType;
use arrow::error::ArrowError;
use jiff::Timestamp;
use jiff::tz::Offset;
use rayon::iter::IndexedParallelIterator;
use rayon::iter::IntoParallelIterator;
use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use trailweave_decode::Taken;
use trailweave_lake::ColumnEncoder;
use trailweave_lake::GroupWriter;
use trailweave_lake::Lake;
use trailweave_lake::Merged;
use trailweave_table::Column;
use trailweave_table::EVENTS;
use trailweave_table::Kind;
use trailweave_table::Table;

use crate::IngestError;
use crate::duplicates::row_keys;

const DAY_MS: i64 = 86_400_000;
/// What the columns of a chunk cost beside their data.
const CHUNK_BYTES: u64 = 16 << 10;
/// Chunks of less are put together, so that tiny objects do not cost a chunk each.
const SMALL_CHUNK_BYTES: u64 = 8 * CHUNK_BYTES;
/// How many small chunks wait to be put together.
const SMALL_CHUNKS: usize = 64;

/// After these, rows of equal place in a table's order are told apart.
const TIE_BREAKERS: [&str; 2] = ["source_object", "source_index"];

/// The rows of some objects, by the partition that they belong to.
#[derive(Debug, Default)]
pub(crate) struct Split {
    pub(crate) events: Vec<ByDay>,
    /// What the rows would be of amendments outside of the selection.
    pub(crate) amendments: Vec<RecordBatch>,
    pub(crate) rejects: Vec<RecordBatch>,
}

/// The rows of a batch.
#[derive(Debug)]
pub(crate) struct ByDay {
    pub(crate) dated: Vec<Dated>,
    /// Which of `dated` each row went to, in logged order; empty where there is one.
    which: Vec<u32>,
}

/// Rows of one UTC day.
#[derive(Debug)]
pub(crate) struct Dated {
    /// Days since 1970-01-01.
    pub(crate) day: i64,
    pub(crate) chunk: Chunk,
}

/// Some rows, with what is known of each.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) rows: RecordBatch,
    /// What may be there once only; 0 where that cannot be told, or is settled later. Empty for tables without such a key.
    pub(crate) keys: Vec<u128>,
    /// The position in the batch of the object that each row came from. Empty for tables that do not tell.
    pub(crate) origins: Vec<u32>,
}

/// The chunks of a part that is not yet written.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    chunks: Vec<Chunk>,
    small: Vec<Chunk>,
    small_bytes: u64,
    /// What the rows take in memory, whatever the capacity of their arrays: so that where a part ends depends on the
    /// rows alone.
    pub(crate) bytes: u64,
}

impl Split {
    /// Divides rows by their day. `origins` are the positions of the objects that rows come from, each with how many
    /// of the next rows do.
    pub(crate) fn new(rows: Taken, origins: &[(u32, u64)]) -> Self {
        let mut origins = origins.iter().flat_map(|&(origin, n)| (0..n).map(move |_| origin));
        // One batch after the other, so that copies never stand beside all that they were made of.
        let events = rows.events.into_iter().map(|rows| {
            let origins: Vec<u32> = origins.by_ref().take(rows.num_rows()).collect();
            assert_eq!(origins.len(), rows.num_rows(), "rows that no object tells of");
            ByDay::new(rows, origins)
        });
        Self { events: events.collect(), amendments: rows.amendments, rejects: rows.rejects }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.events.extend(other.events);
        self.amendments.extend(other.amendments);
        self.rejects.extend(other.rejects);
    }

    /// How many rows of `events` and of `rejects` there are.
    pub(crate) fn n_rows(&self) -> (u64, u64) {
        let events = self.events.iter().flat_map(|by_day| &by_day.dated).map(|dated| dated.chunk.rows.num_rows());
        let rejects = self.rejects.iter().map(RecordBatch::num_rows);
        (events.sum::<usize>() as u64, rejects.sum::<usize>() as u64)
    }

    /// What it occupies.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let dated = self.events.iter().flat_map(|by_day| &by_day.dated);
        let events = dated.map(|dated| dated.chunk.rows.get_array_memory_size());
        let rejects = self.rejects.iter().chain(&self.amendments).map(RecordBatch::get_array_memory_size);
        events.chain(rejects).sum::<usize>() as u64
    }
}

impl ByDay {
    /// Copies rows only where there are several days.
    fn new(rows: RecordBatch, origins: Vec<u32>) -> Self {
        let mut days: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for (row, time) in (0..).zip(event_times_ms(&rows)) {
            days.entry(time.div_euclid(DAY_MS)).or_default().push(row);
        }
        let chunk = |rows: RecordBatch, origins| Chunk { keys: row_keys(&rows), origins, rows };
        if let (1, Some((&day, _))) = (days.len(), days.first_key_value()) {
            let chunk = chunk(rows, origins);
            return Self { dated: vec![Dated { day, chunk }], which: Vec::new() };
        }
        let mut which = vec![0; rows.num_rows()];
        let mut dated = Vec::new();
        for (n, (day, of_day)) in (0..).zip(days) {
            for row in &of_day {
                which[*row as usize] = n;
            }
            let origins = of_day.iter().map(|row| origins[*row as usize]).collect();
            let taken = take_record_batch(&rows, &UInt32Array::from(of_day)).expect("the rows are those of the batch");
            dated.push(Dated { day, chunk: chunk(taken, origins) });
        }
        Self { dated, which }
    }

    /// Says of each row of each day whether `keep` keeps it, which is asked in logged order.
    pub(crate) fn keep(&self, mut keep: impl FnMut(u128) -> bool) -> Vec<Vec<bool>> {
        if let [only] = &self.dated[..] {
            return vec![only.chunk.keys.iter().map(|key| keep(*key)).collect()];
        }
        let mut kept = vec![Vec::new(); self.dated.len()];
        for n in &self.which {
            let (kept, dated) = (&mut kept[*n as usize], &self.dated[*n as usize]);
            kept.push(keep(dated.chunk.keys[kept.len()]));
        }
        kept
    }
}

/// The column `event_time`. Decode gives every row one; a panic here quarantines the object.
pub(crate) fn event_times_ms(rows: &RecordBatch) -> Vec<i64> {
    let times = rows.column(EVENTS.position("event_time")).as_primitive::<TimestampMillisecondType>();
    assert_eq!(times.null_count(), 0, "a row without event_time");
    times.values().to_vec()
}

/// A day as `YYYY-MM-DD`.
pub(crate) fn date_name(day: i64) -> String {
    let midnight = Timestamp::from_millisecond(day * DAY_MS).expect("decode takes years of four digits only");
    Offset::UTC.to_datetime(midnight).date().to_string()
}

impl Chunk {
    /// The rows without those for which `keep` is false.
    pub(crate) fn filtered(&self, keep: &[bool]) -> Self {
        let kept: Vec<u32> = (0..).zip(keep).filter_map(|(row, keep)| keep.then_some(row)).collect();
        let pick = |row: &u32| *row as usize;
        Self {
            keys: kept.iter().map(|row| self.keys[pick(row)]).collect(),
            origins: kept.iter().map(|row| self.origins[pick(row)]).collect(),
            rows: take_record_batch(&self.rows, &UInt32Array::from(kept)).expect("the rows are those of the chunk"),
        }
    }

    fn bytes(&self) -> u64 {
        let column = |column: &ArrayRef| {
            column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size()) as u64
        };
        let known = self.keys.len() * size_of::<u128>() + self.origins.len() * size_of::<u32>();
        self.rows.columns().iter().map(column).sum::<u64>() + known as u64 + CHUNK_BYTES
    }
}

impl Buffer {
    pub(crate) fn push(&mut self, chunk: Chunk) {
        let bytes = chunk.bytes();
        self.bytes += bytes;
        if bytes >= SMALL_CHUNK_BYTES {
            self.chunks.push(chunk);
            return;
        }
        self.small.push(chunk);
        self.small_bytes += bytes;
        if self.small.len() == SMALL_CHUNKS {
            self.join_small();
        }
    }

    /// The chunks, in no order that means anything.
    pub(crate) fn into_chunks(mut self) -> Vec<Chunk> {
        self.join_small();
        self.chunks
    }

    fn join_small(&mut self) {
        let Some(first) = self.small.first() else {
            return;
        };
        let rows = concat_batches(&first.rows.schema(), self.small.iter().map(|chunk| &chunk.rows));
        let joined = Chunk {
            rows: rows.expect("chunks of a buffer are of one table"),
            keys: self.small.iter().flat_map(|chunk| &chunk.keys).copied().collect(),
            origins: self.small.iter().flat_map(|chunk| &chunk.origins).copied().collect(),
        };
        self.bytes = self.bytes + joined.bytes() - mem::take(&mut self.small_bytes);
        self.small.clear();
        self.chunks.push(joined);
    }
}

/// Writes the rows of `chunks` as one file of `table`, in its order, and returns how many. Threads that have nothing to
/// do encode some of the columns.
///
/// The order is total: rows that the table's own order does not tell apart are ordered by where they were logged. So
/// the same rows give the same bytes, however they were cut into chunks.
pub(crate) fn write(lake: &Lake, chunks: &[Chunk], table: &'static Table, path: &Path) -> Result<u64, IngestError> {
    write_merged(lake, chunks, table, path, &[])
}

/// The same, of rows that other parts hold.
pub(crate) fn write_merged(
    lake: &Lake,
    chunks: &[Chunk],
    table: &'static Table,
    path: &Path,
    merged: &[Merged],
) -> Result<u64, IngestError> {
    let batches: Vec<&RecordBatch> = chunks.iter().map(|chunk| &chunk.rows).collect();
    let pieces = |column| batches.iter().map(|batch| batch.column(column).as_ref()).collect();
    let columns: Vec<Vec<&dyn Array>> = (0..table.columns.len()).map(pieces).collect();
    let is_null = |pieces: &Vec<&dyn Array>| pieces.iter().all(|piece| piece.null_count() == piece.len());
    let is_null: Vec<bool> = columns.iter().map(is_null).collect();
    let order = order(&batches, table);
    let mut writer = GroupWriter::new(lake.create_file(path)?, table, order.len(), &is_null)?;
    for rows in order.chunks(GroupWriter::GROUP_ROWS) {
        let encode = |(encoder, (pieces, is_null)): (ColumnEncoder, (&Vec<&dyn Array>, &bool))| {
            let values = match pieces.first() {
                Some(piece) if *is_null => Ok(new_null_array(piece.data_type(), rows.len())),
                _ => interleave(pieces, rows),
            };
            let values = values.map_err(|source| IngestError::Arrange { path: path.to_owned(), source })?;
            encoder.encode(&values).map_err(IngestError::from)
        };
        let columns = writer.encoders()?.into_par_iter().zip(columns.par_iter().zip(&is_null));
        let encoded = columns.map(encode).collect::<Result<_, _>>()?;
        writer.append(encoded)?;
    }
    if !merged.is_empty() {
        writer.note_merged(merged);
    }
    writer.commit()?;
    Ok(order.len() as u64)
}

/// A column that rows are ordered by, batch by batch.
enum SortBy<'a> {
    Text(Vec<&'a StringArray>),
    Time(Vec<&'a TimestampMillisecondArray>),
    Integer(Vec<&'a Int64Array>),
}

impl<'a> SortBy<'a> {
    fn new(batches: &[&'a RecordBatch], table: &Table, name: &str) -> Self {
        let at = table.position(name);
        let columns = batches.iter().map(|batch| batch.column(at));
        match table.columns[at].kind {
            Kind::Time => Self::Time(columns.map(AsArray::as_primitive).collect()),
            Kind::Integer => Self::Integer(columns.map(AsArray::as_primitive).collect()),
            Kind::Text => Self::Text(columns.map(AsArray::as_string).collect()),
            Kind::Bool | Kind::TextList | Kind::TextMap => unreachable!("no table is sorted by `{name}`"),
        }
    }

    /// Null comes first.
    fn compare(&self, (a, row_of_a): (usize, usize), (b, row_of_b): (usize, usize)) -> Ordering {
        match self {
            Self::Text(pieces) => value(&pieces[a], row_of_a).cmp(&value(&pieces[b], row_of_b)),
            Self::Time(pieces) => value(&pieces[a], row_of_a).cmp(&value(&pieces[b], row_of_b)),
            Self::Integer(pieces) => value(&pieces[a], row_of_a).cmp(&value(&pieces[b], row_of_b)),
        }
    }
}

fn value<A: ArrayAccessor>(values: &A, row: usize) -> Option<A::Item> {
    values.is_valid(row).then(|| values.value(row))
}

/// Rows with every column of the table: a part that was written before the table got one lacks it.
pub(crate) fn whole(table: &Table, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let column = |column: &Column| match rows.column_by_name(column.name) {
        Some(array) => ArrayRef::clone(array),
        None => new_null_array(&column.kind.data_type(), rows.num_rows()),
    };
    RecordBatch::try_new(table.schema(), table.columns.iter().map(column).collect())
}

/// The (chunk, row) of every row, in the table's order.
fn order(batches: &[&RecordBatch], table: &Table) -> Vec<(usize, usize)> {
    let others = TIE_BREAKERS.iter().filter(|column| !table.sort_by.contains(column));
    let by: Vec<SortBy<'_>> =
        table.sort_by.iter().chain(others).map(|name| SortBy::new(batches, table, name)).collect();
    // Times stand beside the places, because they tell nearly all rows apart.
    let time = |(chunk, row)| match &by[0] {
        SortBy::Time(pieces) => value(&pieces[chunk], row),
        SortBy::Text(_) | SortBy::Integer(_) => None,
    };
    let places = (0..).zip(batches).flat_map(|(chunk, batch)| (0..batch.num_rows()).map(move |row| (chunk, row)));
    let mut order: Vec<(Option<i64>, (usize, usize))> = places.map(|place| (time(place), place)).collect();
    order.sort_unstable_by(|(time, a), (other, b)| {
        let ties = || by.iter().map(|column| column.compare(*a, *b)).find(|order| order.is_ne());
        time.cmp(other).then_with(|| ties().unwrap_or(Ordering::Equal))
    });
    order.into_iter().map(|(_, place)| place).collect()
}
