//! The row groups of `events`: all rows that are joined, or those that have one of some keys.
//!
//! ```text
//!  keys --Bloom filter of each row group--> columns of the keys --> places of rows --> all columns of these
//!         (most hold none)                  (false hits fall out)
//! ```

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use arrow::array::AsArray;
use arrow::datatypes::Int32Type;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowPredicateFn;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_reader::RowFilter;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::errors::ParquetError;
use rayon::iter::IndexedParallelIterator;
use rayon::iter::IntoParallelIterator;
use rayon::iter::IntoParallelRefMutIterator;
use rayon::iter::ParallelIterator;
use trailweave_lake::Lake;
use trailweave_lake::LakeFile;
use trailweave_lake::Part;
use trailweave_lake::read::{Ask, damaged, load_shared, rows_with, selection};
use trailweave_table::Table;

use crate::CorrelateError;
use crate::in_memory::ids::NONE;
use crate::in_memory::read::{Batch, columns, is_joined, is_shared};

/// Rows that are read at once.
const BATCH_ROWS: usize = 1 << 16;

/// The parts of `events`. A row is given out once, whoever asks for it.
pub(super) struct Parts<'l> {
    lake: &'l Lake,
    open: Vec<OpenPart>,
    room: Room,
}

/// A part, and which rows of each row group have been given out.
struct OpenPart {
    part: Part,
    metadata: ArrowReaderMetadata,
    given: Vec<Given>,
}

/// Rows of a row group, in order.
#[derive(Debug)]
enum Given {
    All,
    Rows(Vec<u32>),
}

/// What rows may still take.
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
    /// The parts, whose rows may take `max_bytes` together.
    pub(super) fn open(lake: &'l Lake, parts: Vec<Part>, max_bytes: u64) -> Result<Self, CorrelateError> {
        let open = parts.into_par_iter().map(|part| OpenPart::open(lake, part)).collect::<Result<_, _>>()?;
        Ok(Self { lake, open, room: Room { bytes: max_bytes, rows: NONE as usize } })
    }

    /// All rows of the parts that `is_wanted` takes; nothing if they do not fit.
    pub(super) fn all(
        &mut self,
        is_wanted: impl Fn(&Part) -> bool + Sync,
    ) -> Result<Option<Vec<Batch>>, CorrelateError> {
        self.each(|lake, part, push| {
            let groups = if is_wanted(&part.part) { part.given.len() } else { 0 };
            for group in 0..groups {
                part.given[group] = Given::All;
                part.read(lake, group, None, push)?;
            }
            Ok(())
        })
    }

    /// The rows that answer a question and have not been given out; nothing if they do not fit.
    pub(super) fn find(&mut self, asks: &[Ask<'_>]) -> Result<Option<Vec<Batch>>, CorrelateError> {
        self.each(|lake, part, push| {
            let file = lake.open_listed(&part.part)?;
            for group in 0..part.given.len() {
                let Given::Rows(given) = &mut part.given[group] else { continue };
                let found = rows_with(&file, &part.metadata, group, asks);
                let mut found = found.map_err(|source| damaged(&part.part.path, source))?;
                found.retain(|row| given.binary_search(row).is_err());
                if !found.is_empty() {
                    let n_rows = part.metadata.metadata().row_group(group).num_rows();
                    let selection = selection(&found, usize::try_from(n_rows).unwrap_or(usize::MAX));
                    given.extend(found);
                    given.sort_unstable();
                    part.read(lake, group, Some(selection), push)?;
                }
            }
            Ok(())
        })
    }

    /// Lets all threads read from the parts, each from another.
    fn each(
        &mut self,
        read: impl Fn(&Lake, &mut OpenPart, &mut dyn FnMut(Batch) -> bool) -> Result<(), CorrelateError> + Sync,
    ) -> Result<Option<Vec<Batch>>, CorrelateError> {
        let sink = Mutex::new(Sink { room: Some(self.room), batches: Vec::new() });
        let lake = self.lake;
        self.open.par_iter_mut().enumerate().try_for_each(|(at, part)| {
            let push = |batch| sink.lock().unwrap_or_else(PoisonError::into_inner).push(at, batch);
            read(lake, part, &mut { push })
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
    /// Takes a batch; whether there was room for it, as there must be for all.
    fn push(&mut self, at: usize, batch: Batch) -> bool {
        self.room = self.room.and_then(|room| {
            let bytes = room.bytes.checked_sub(batch.memory_bytes())?;
            Some(Room { bytes, rows: room.rows.checked_sub(batch.len())? })
        });
        if self.room.is_some() {
            self.batches.push((at, batch));
        }
        self.room.is_some()
    }
}

impl OpenPart {
    fn open(lake: &Lake, part: Part) -> Result<Self, CorrelateError> {
        let file = lake.open_part(&part.path)?;
        let metadata = load_shared(&file, is_shared).map_err(|source| damaged(&part.path, source))?;
        let given = (0..metadata.metadata().num_row_groups()).map(|_| Given::Rows(Vec::new())).collect();
        Ok(Self { part, metadata, given })
    }

    /// Reads the joined rows of a row group, or of some of its rows, until there is no room.
    fn read(
        &self,
        lake: &Lake,
        group: usize,
        selection: Option<RowSelection>,
        push: &mut dyn FnMut(Batch) -> bool,
    ) -> Result<(), CorrelateError> {
        let file = lake.open_listed(&self.part)?;
        let rows = joined_rows(file, &self.metadata, group, selection);
        for rows in rows.map_err(|source| damaged(&self.part.path, source))? {
            let rows = rows.map_err(|source| damaged(&self.part.path, source.into()))?;
            if !push(Batch::new(rows)) {
                break;
            }
        }
        Ok(())
    }
}

/// What was found in a table.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The values of the column that was asked for; nothing for those that are null.
    pub(super) values: Vec<Option<String>>,
    /// The dates of the files.
    pub(super) dates: BTreeSet<String>,
}

/// A text column of the rows of a product that answer a question.
pub(super) fn look_up(lake: &Lake, table: &Table, column: &str, asks: &[Ask<'_>]) -> Result<Found, CorrelateError> {
    let mut found = Found::default();
    for part in lake.parts(table)? {
        let file = lake.open_listed(&part)?;
        let mut read = || {
            let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
            let n_before = found.values.len();
            for group in 0..metadata.metadata().num_row_groups() {
                let rows = rows_with(&file, &metadata, group, asks)?;
                let n_rows = usize::try_from(metadata.metadata().row_group(group).num_rows()).unwrap_or(usize::MAX);
                let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.try_clone()?, metadata.clone())
                    .with_projection(ProjectionMask::columns(metadata.parquet_schema(), [column]))
                    .with_row_groups(vec![group])
                    .with_row_selection(selection(&rows, n_rows));
                for rows in reader.build()? {
                    let values = rows?;
                    let values = values.column(0).as_string::<i32>();
                    found.values.extend(values.iter().map(|value| value.map(str::to_owned)));
                }
            }
            Ok(found.values.len() > n_before)
        };
        let has_some = read().map_err(|source| damaged(&part.path, source))?;
        found.dates.extend(part.event_date.filter(|_| has_some));
    }
    Ok(found)
}

/// The rows of a row group that are joined, in the columns that are.
fn joined_rows(
    file: LakeFile,
    metadata: &ArrowReaderMetadata,
    group: usize,
    selection: Option<RowSelection>,
) -> Result<ParquetRecordBatchReader, ParquetError> {
    let schema = metadata.parquet_schema();
    let is_joined = ArrowPredicateFn::new(ProjectionMask::columns(schema, ["event_source"]), |rows| {
        let sources = rows.column(0).as_dictionary::<Int32Type>();
        let passed: Vec<bool> =
            sources.values().as_string::<i32>().iter().map(|it| it.is_some_and(is_joined)).collect();
        let pass = |key: Option<i32>| key.and_then(|key| passed.get(usize::try_from(key).ok()?)).copied();
        Ok(sources.keys().iter().map(|key| Some(pass(key).unwrap_or(false))).collect())
    });
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
        .with_projection(ProjectionMask::columns(schema, columns()))
        .with_row_groups(vec![group])
        .with_row_filter(RowFilter::new(vec![Box::new(is_joined)]))
        .with_batch_size(BATCH_ROWS);
    match selection {
        Some(selection) => reader.with_row_selection(selection).build(),
        None => reader.build(),
    }
}
