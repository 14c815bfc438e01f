//! The row groups of `events`: all rows that are joined, or those that have one of some keys.
//!
//! ```text
//!  keys --Bloom filter of each row group--> columns of the keys --> places of rows --> all columns of these
//!         (most hold none)                  (false hits fall out)
//! ```

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use ahash::RandomState;
use arrow::array::Array;
use arrow::array::AsArray;
use arrow::datatypes::DataType;
use arrow::datatypes::Field;
use arrow::datatypes::Int32Type;
use arrow::datatypes::Schema;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowPredicateFn;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_reader::RowFilter;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::statistics::Statistics;
use rayon::iter::IndexedParallelIterator;
use rayon::iter::IntoParallelIterator;
use rayon::iter::IntoParallelRefMutIterator;
use rayon::iter::ParallelIterator;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::LakeFile;
use trailweave_lake::Part;
use trailweave_table::Table;

use crate::CorrelateError;
use crate::in_memory::ids::NONE;
use crate::in_memory::read::{Batch, columns, is_joined, is_shared};

/// Rows that are read at once.
const BATCH_ROWS: usize = 1 << 16;

/// Keys to look for.
pub(super) type Keys = HashSet<String, RandomState>;

/// A question for rows that have one of `keys` in `column`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'k> {
    pub(super) column: &'static str,
    pub(super) keys: &'k Keys,
}

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

/// The end of a file, whose columns of few values, which `is_shared` takes, are read as dictionaries.
pub(crate) fn load_shared(
    file: &LakeFile,
    is_shared: impl Fn(&str) -> bool,
) -> Result<ArrowReaderMetadata, ParquetError> {
    let end = ArrowReaderMetadata::load(file, ArrowReaderOptions::new())?;
    let shared = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let field = |field: &Arc<Field>| {
        if is_shared(field.name()) {
            Arc::new(Field::new(field.name(), shared(), field.is_nullable()))
        } else {
            Arc::clone(field)
        }
    };
    let schema = Arc::new(Schema::new(end.schema().fields().iter().map(field).collect::<Vec<_>>()));
    ArrowReaderMetadata::try_new(Arc::clone(end.metadata()), ArrowReaderOptions::new().with_schema(schema))
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

fn selection(rows: &[u32], n_rows: usize) -> RowSelection {
    let ranges = rows.iter().map(|row| *row as usize..*row as usize + 1);
    RowSelection::from_consecutive_ranges(ranges, n_rows)
}

/// The rows of a row group, in order, that answer a question.
fn rows_with(
    file: &LakeFile,
    metadata: &ArrowReaderMetadata,
    group: usize,
    asks: &[Ask<'_>],
) -> Result<Vec<u32>, ParquetError> {
    let schema = metadata.parquet_schema();
    let mut likely = Vec::new();
    for ask in asks {
        // A part that was written before the table got a column lacks it.
        let Some(leaf) = schema.columns().iter().position(|leaf| leaf.path().parts()[0] == ask.column) else {
            continue;
        };
        let group = metadata.metadata().row_group(group);
        let n_nulls = group.column(leaf).statistics().and_then(Statistics::null_count_opt);
        if n_nulls.is_some_and(|n_nulls| i64::try_from(n_nulls) == Ok(group.column(leaf).num_values())) {
            continue;
        }
        let bloom = Sbbf::read_from_column_chunk(group.column(leaf), file)?;
        let may_hold = |key: &&String| bloom.as_ref().is_none_or(|bloom| bloom.check(key.as_str()));
        let keys: HashSet<&str, RandomState> = ask.keys.iter().filter(may_hold).map(String::as_str).collect();
        if !keys.is_empty() {
            likely.push((ask.column, keys));
        }
    }
    if likely.is_empty() {
        return Ok(Vec::new());
    }
    let columns = ProjectionMask::columns(schema, likely.iter().map(|(column, _)| *column));
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.try_clone()?, metadata.clone())
        .with_projection(columns)
        .with_row_groups(vec![group])
        .with_batch_size(BATCH_ROWS);
    let (mut found, mut first) = (Vec::new(), 0);
    for rows in reader.build()? {
        let rows = rows?;
        let mut hits = vec![false; rows.num_rows()];
        for (column, keys) in &likely {
            mark(&rows[*column], &|value| keys.contains(value), &mut hits);
        }
        found.extend((first..).zip(&hits).filter(|(_, hit)| **hit).map(|(row, _): (u32, _)| row));
        first += u32::try_from(rows.num_rows()).expect("a row group has fewer rows than numbers");
    }
    Ok(found)
}

/// Marks the rows of a column of texts, shared texts or lists of texts that have a value which passes.
fn mark(column: &dyn Array, is_key: &dyn Fn(&str) -> bool, hits: &mut [bool]) {
    let passing = |values: &dyn Array| -> Vec<bool> {
        values.as_string::<i32>().iter().map(|value| value.is_some_and(is_key)).collect()
    };
    match column.data_type() {
        DataType::Dictionary(_, _) => {
            let shared = column.as_dictionary::<Int32Type>();
            let passed = passing(shared.values());
            for (hit, key) in hits.iter_mut().zip(shared.keys()) {
                *hit |= key.and_then(|key| usize::try_from(key).ok()).is_some_and(|key| passed[key]);
            }
        }
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            let passed = passing(lists.values());
            let position = |at: i32| usize::try_from(at).expect("offsets are positions");
            for (hit, list) in hits.iter_mut().zip(lists.value_offsets().windows(2)) {
                *hit |= passed[position(list[0])..position(list[1])].contains(&true);
            }
        }
        _ => hits.iter_mut().zip(passing(column)).for_each(|(hit, passed)| *hit |= passed),
    }
}

pub(crate) fn damaged(path: &Path, source: ParquetError) -> CorrelateError {
    LakeError::parquet(path)(source).into()
}
