//! The row groups of `events` and `sessions`: all rows that are joined, or those that have one of some keys.
//!
//! ```text
//!  keys --Bloom filter of each row group--> columns of the keys --> places of rows --> all columns of these
//!         (most hold none)                  (false hits fall out)
//! ```

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::PoisonError;

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::StringArray;
use arrow::datatypes::TimestampMicrosecondType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use rayon::iter::IndexedParallelIterator;
use rayon::iter::IntoParallelIterator;
use rayon::iter::ParallelIterator;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::LakeFile;
use trailweave_lake::Part;
use trailweave_lake::read::{Ask, Reader, leaf, load_shared, rows_with, seek_in, selection};
use trailweave_table::Table;
use trailweave_table::ms_of_time;

use crate::CorrelateError;
use crate::events::{Batch, CHOOSING, JOINED_BY, are_joined, columns, is_shared};
use crate::ids::NONE;
use crate::replacement::Replacement;

/// Rows that are read at once.
const BATCH_ROWS: usize = 1 << 15;

/// More milliseconds than lie between 1970 and any event.
pub(crate) const BEYOND_MS: i64 = 1 << 60;

/// The parts of `events` and `sessions`, in which slices of time are joined one after the other. While one is joined, the rows of later
/// ones cannot be seen; within it, a row is given out once, whoever asks for it.
pub(crate) struct Parts<'l> {
    lake: &'l Lake,
    open: Vec<OpenPart>,
    /// When the slice begins, and when the next one does: milliseconds since the epoch.
    slice: Range<i64>,
    memory_bytes: u64,
    /// How many parts are read at once.
    n_readers: NonZeroUsize,
    room: Room,
}

/// A part, and which rows of each row group have been given out.
struct OpenPart {
    part: Part,
    metadata: ArrowReaderMetadata,
    /// Its rows are to be joined, in slices; all others can always be seen.
    is_new: bool,
    /// The first and the last time of each row group.
    times: Vec<(i64, i64)>,
    /// The rows of each row group that were found for the slice, in order.
    given: Vec<Vec<u32>>,
}

/// The share of a row group that can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    None,
    Some,
    All,
}

/// The memory and the numbers that are left for rows.
#[derive(Debug, Clone, Copy)]
struct Room {
    bytes: u64,
    rows: usize,
}

/// Rows as they are read, each batch with the position of its part, as long as there is room.
struct Sink {
    room: Option<Room>,
    batches: Vec<(usize, Batch)>,
}

impl<'l> Parts<'l> {
    /// Opens the parts, of which those that `is_new` takes are to be joined. Their ends, and the rows that are read
    /// for a slice, may take `memory_bytes` together. `n_readers` read at once.
    pub(crate) fn open(
        lake: &'l Lake,
        parts: Vec<Part>,
        is_new: impl Fn(&Part) -> bool + Sync,
        memory_bytes: u64,
        n_readers: NonZeroUsize,
    ) -> Result<Self, CorrelateError> {
        let open = |part: Part| {
            let is_new = is_new(&part);
            OpenPart::open(lake, part, is_new)
        };
        let open = parts.into_par_iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let ends: usize = open.iter().map(|part| part.metadata.metadata().memory_size()).sum();
        let memory_bytes = memory_bytes.saturating_sub(ends as u64);
        Ok(Self { lake, open, slice: 0..0, memory_bytes, n_readers, room: Room { bytes: 0, rows: 0 } })
    }

    /// Tells when the first row that is to be joined happened, and when the last one did; nothing where there is none.
    pub(crate) fn times(&self) -> Option<RangeInclusive<i64>> {
        let new = || self.open.iter().filter(|part| part.is_new).flat_map(|part| &part.times);
        let first = new().map(|(first, _)| *first).min()?;
        Some(first..=new().map(|(_, last)| *last).max()?)
    }

    /// Estimates how many rows of a range of time are to be joined, as if those of a row group lay evenly in its time.
    pub(crate) fn n_rows(&self, range: &Range<i64>) -> u64 {
        let of_group = |(n_rows, (first, last)): (i64, &(i64, i64))| {
            let (begin, end) = (range.start.max(*first), range.end.min(last.saturating_add(1)));
            let length = |from: i64, until: i64| u128::from(until.saturating_sub(from).max(0).unsigned_abs());
            let share = u128::from(n_rows.unsigned_abs()) * length(begin, end);
            u64::try_from(share / length(*first, last.saturating_add(1)).max(1)).unwrap_or(u64::MAX)
        };
        let of_part = |part: &OpenPart| {
            let n_rows = part.metadata.metadata().row_groups().iter().map(RowGroupMetaData::num_rows);
            n_rows.zip(&part.times).map(of_group).sum::<u64>()
        };
        self.open.iter().filter(|part| part.is_new).map(of_part).sum()
    }

    /// Tells before which time the rows are that can be seen but are not to be joined with the slice; the earliest of all
    /// where there are none.
    pub(crate) fn until(&self) -> i64 {
        let of_part =
            |part: &OpenPart| part.times.iter().filter_map(|times| part.until(*times, self.slice.start)).max();
        self.open.iter().filter_map(of_part).max().unwrap_or(i64::MIN)
    }

    /// Begins a slice, and reads its rows; nothing if they do not fit.
    pub(crate) fn begin(&mut self, slice: Range<i64>) -> Result<Option<Vec<Batch>>, CorrelateError> {
        self.slice = slice.clone();
        self.room = Room { bytes: self.memory_bytes, rows: NONE as usize };
        self.each(|lake, part, push| {
            part.given.iter_mut().for_each(Vec::clear);
            for group in 0..part.times.len() {
                let (first, last) = part.times[group];
                if part.is_new && first < slice.end && last >= slice.start {
                    let is_whole = slice.contains(&first) && slice.contains(&last);
                    part.read(lake, group, None, (!is_whole).then(|| slice.clone()), push)?;
                }
            }
            Ok(())
        })
    }

    /// Finds the rows that can be seen, answer a question, and have not been given out; nothing if they do not fit.
    pub(crate) fn find(&mut self, asks: &[Ask<'_>]) -> Result<Option<Vec<Batch>>, CorrelateError> {
        let until = self.slice.start;
        self.each(|lake, part, push| {
            let file = lake.open_listed(&part.part)?;
            for group in 0..part.given.len() {
                let share = part.seen(group, until);
                if share == Share::None {
                    continue;
                }
                let failed = |source| LakeError::parquet(&part.part.path)(source);
                let mut found = rows_with(&file, &part.metadata, group, asks).map_err(failed)?;
                if share == Share::Some && !found.is_empty() {
                    let times = times(&file, &part.metadata, group).map_err(failed)?;
                    found.retain(|row| times[*row as usize] < until);
                }
                found.retain(|row| part.given[group].binary_search(row).is_err());
                if !found.is_empty() {
                    let n_rows = part.metadata.metadata().row_group(group).num_rows();
                    let selection = selection(&found, usize::try_from(n_rows).unwrap_or(usize::MAX));
                    part.given[group].extend(found);
                    part.given[group].sort_unstable();
                    part.read(lake, group, Some(selection), None, push)?;
                }
            }
            Ok(())
        })
    }

    /// Tells how many bytes the rows of the slice have taken.
    pub(crate) fn taken_bytes(&self) -> u64 {
        self.memory_bytes - self.room.bytes
    }

    /// Tells how many they may take.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Lets threads read from the parts, each from others, as long as there is room.
    fn each(
        &mut self,
        read: impl Fn(&Lake, &mut OpenPart, &mut dyn FnMut(Batch) -> bool) -> Result<(), CorrelateError> + Sync,
    ) -> Result<Option<Vec<Batch>>, CorrelateError> {
        let sink = Mutex::new(Sink { room: Some(self.room), batches: Vec::new() });
        let lake = self.lake;
        let parts = Mutex::new(self.open.iter_mut().enumerate());
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
        let has_room = || sink.lock().unwrap_or_else(PoisonError::into_inner).room.is_some();
        (0..self.n_readers.get()).into_par_iter().with_max_len(1).try_for_each(|_| {
            while let Some((at, part)) = next().filter(|_| has_room()) {
                let push = |batch| sink.lock().unwrap_or_else(PoisonError::into_inner).push(at, batch);
                read(lake, part, &mut { push })?;
            }
            Ok::<_, CorrelateError>(())
        })?;
        let Sink { room, mut batches } = sink.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(room) = room else { return Ok(None) };
        self.room = room;
        // Stable: the batches of a part stay in their order.
        batches.sort_by_key(|(at, _)| *at);
        Ok(Some(batches.into_iter().map(|(_, batch)| batch).collect()))
    }
}

impl Sink {
    /// Takes a batch; tells whether there was room for it, as there must be for all.
    fn push(&mut self, at: usize, batch: Batch) -> bool {
        self.room = self.room.and_then(|room| {
            let bytes = room.bytes.checked_sub(batch.memory_bytes())?;
            Some(Room { bytes, rows: room.rows.checked_sub(batch.len())? })
        });
        if self.room.is_some() && batch.len() > 0 {
            self.batches.push((at, batch));
        }
        self.room.is_some()
    }
}

impl OpenPart {
    fn open(lake: &Lake, part: Part, is_new: bool) -> Result<Self, CorrelateError> {
        let file = lake.open_part(&part.path)?;
        let metadata = load_shared(&file, is_shared).map_err(LakeError::parquet(&part.path))?;
        let times: Vec<_> = (0..metadata.metadata().num_row_groups()).map(|group| bounds(&metadata, group)).collect();
        let given = vec![Vec::new(); times.len()];
        Ok(Self { part, metadata, is_new, times, given })
    }

    /// Tells before which time the rows of a row group are that can be seen in a slice that begins at `begin`.
    fn until(&self, (first, last): (i64, i64), begin: i64) -> Option<i64> {
        let until = last.saturating_add(1);
        if self.is_new { (first < begin).then(|| until.min(begin)) } else { Some(until) }
    }

    /// Tells how much of a row group can be seen in a slice that begins at `until`.
    fn seen(&self, group: usize, until: i64) -> Share {
        match self.times[group] {
            _ if !self.is_new => Share::All,
            (_, last) if last < until => Share::All,
            (first, _) if first < until => Share::Some,
            _ => Share::None,
        }
    }

    /// Reads the joined rows of a row group, or of some of its rows, or of those of some time, until there is no room.
    fn read(
        &self,
        lake: &Lake,
        group: usize,
        selection: Option<RowSelection>,
        time: Option<Range<i64>>,
        push: &mut dyn FnMut(Batch) -> bool,
    ) -> Result<(), CorrelateError> {
        let file = lake.open_listed(&self.part)?;
        let rows = joined_rows(file, &self.metadata, group, selection, time);
        for rows in rows.map_err(LakeError::parquet(&self.part.path))? {
            let rows = rows.map_err(|source| LakeError::parquet(&self.part.path)(source.into()))?;
            if !push(Batch::new(rows)) {
                break;
            }
        }
        Ok(())
    }
}

/// Returns the first and the last time of a row group, as its statistics say; else times beyond all others, between which
/// can still be reckoned.
pub(crate) fn bounds(metadata: &ArrowReaderMetadata, group: usize) -> (i64, i64) {
    let columns = metadata.metadata().row_group(group).columns();
    let column = columns.iter().find(|column| column.column_path().string() == "event_time");
    match column.and_then(|column| column.statistics()) {
        Some(Statistics::Int64(times)) => {
            let ms = |time: Option<&i64>| time.map(|time| ms_of_time(*time));
            (ms(times.min_opt()).unwrap_or(-BEYOND_MS), ms(times.max_opt()).unwrap_or(BEYOND_MS))
        }
        _ => (-BEYOND_MS, BEYOND_MS),
    }
}

/// Reads the times of the rows of a row group.
fn times(file: &LakeFile, metadata: &ArrowReaderMetadata, group: usize) -> Result<Vec<i64>, ParquetError> {
    let reader = Reader::new_with_metadata(file.try_clone()?, metadata.clone())
        .with_projection(ProjectionMask::columns(metadata.parquet_schema(), ["event_time"]))
        .with_row_groups(vec![group]);
    let mut times = Vec::new();
    for rows in reader.build()? {
        let rows = rows?;
        let of_rows = rows.column(0).as_primitive::<TimestampMicrosecondType>().values();
        times.extend(of_rows.iter().copied().map(ms_of_time));
    }
    Ok(times)
}

/// Rows that were found in a table.
#[derive(Debug)]
pub(crate) struct Found<const N: usize> {
    /// The values of the columns that were asked for; nothing for those that are null.
    pub(crate) values: Vec<[Option<String>; N]>,
    /// The days of the files.
    pub(crate) days: BTreeSet<i32>,
}

/// Looks up text columns of the rows of a product, as it stands so far, that answer a question.
pub(crate) fn look_up<const N: usize>(
    products: &Replacement<'_>,
    table: &Table,
    columns: [&str; N],
    asks: &[Ask<'_>],
) -> Result<Found<N>, CorrelateError> {
    let mut found = Found { values: Vec::new(), days: BTreeSet::new() };
    if asks.iter().all(|ask| ask.keys.is_empty()) {
        return Ok(found);
    }
    for (day, path) in products.files(table) {
        let file = products.lake().open_part(&path)?;
        for rows in seek_in(&file, &path, &columns, asks)? {
            let columns = columns.map(|column| rows[column].as_string::<i32>());
            let value = |column: &StringArray, row| column.is_valid(row).then(|| column.value(row).to_owned());
            let values = |row| columns.map(|column| value(column, row));
            found.values.extend((0..rows.num_rows()).map(values));
            found.days.insert(day);
        }
    }
    Ok(found)
}

/// Reads the rows of a row group that are joined, in the columns that are.
fn joined_rows(
    file: LakeFile,
    metadata: &ArrowReaderMetadata,
    group: usize,
    selection: Option<RowSelection>,
    time: Option<Range<i64>>,
) -> Result<ParquetRecordBatchReader, ParquetError> {
    let mut reader = Reader::new_with_metadata(file, metadata.clone())
        .with_projection(ProjectionMask::columns(metadata.parquet_schema(), columns().filter(|it| *it != CHOOSING)))
        .with_row_groups(vec![group])
        .with_batch_size(BATCH_ROWS);
    if let Some(selection) = selection {
        reader = reader.with_row_selection(selection);
    }
    if let Some(time) = time {
        reader = reader.with_rows_that(&["event_time"], |rows| {
            let times = rows.column(0).as_primitive::<TimestampMicrosecondType>().values();
            times.iter().map(|it| Some(time.contains(&ms_of_time(*it)))).collect()
        })?;
    }
    // All rows of `sessions` are joined.
    if leaf(metadata, "event_source").is_some() {
        reader = reader.with_rows_that(&JOINED_BY, |rows| are_joined(rows).into())?;
    }
    reader.build()
}
