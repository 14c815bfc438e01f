//! Products: one file per date, replaced as a whole.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use ahash::RandomState;
use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::BooleanArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::compute::BatchCoalescer;
use arrow::compute::filter_record_batch;
use arrow::compute::interleave_record_batch;
use arrow::error::ArrowError;
use arrow::row::RowConverter;
use arrow::row::Rows;
use arrow::row::SortField;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;
use trailweave_lake::Change;
use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::LakeFile;
use trailweave_lake::Part;
use trailweave_lake::TableWriter;
use trailweave_lake::read;
use trailweave_table::PRODUCT_FILE;
use trailweave_table::PRODUCTS;
use trailweave_table::Table;
use trailweave_table::{date_of_day, day_of_date, partition_dir};

use crate::CorrelateError;

/// Rows in each batch that a file's writer gets. Where its pages end depends on it, so it is fixed: the same rows are
/// the same bytes.
pub(crate) const BATCH_ROWS: usize = 1024;

/// The name of the change that puts products in their place.
const NAME: &str = "products";

/// The files of products that replace those of the lake together, and how the products stand meanwhile.
pub(crate) struct Replacement<'a> {
    lake: &'a Lake,
    so_far: Mutex<SoFar<'a>>,
}

/// What a replacement has come to.
struct SoFar<'a> {
    change: Change<'a>,
    /// By table and day, where the file is that will stand in the lake.
    files: BTreeMap<(&'static str, i32), PathBuf>,
}

impl<'a> Replacement<'a> {
    /// Begins with the products as they stand in the lake.
    pub(crate) fn of_what_is(lake: &'a Lake) -> Result<Self, LakeError> {
        let mut files = BTreeMap::new();
        for table in PRODUCTS {
            let dated = |part: Part| Some(((table.name, day_of_date(&part.event_date?)?), part.path));
            files.extend(lake.parts(table)?.into_iter().filter_map(dated));
        }
        Ok(Self { lake, so_far: Mutex::new(SoFar { change: Change::new(lake, NAME), files }) })
    }

    /// Begins with empty products: what stands in the lake goes.
    pub(crate) fn of_nothing(lake: &'a Lake) -> Result<Self, LakeError> {
        let mut change = Change::new(lake, NAME);
        for table in PRODUCTS {
            lake.parts(table)?.iter().for_each(|part| change.remove(&part.path));
        }
        Ok(Self { lake, so_far: Mutex::new(SoFar { change, files: BTreeMap::new() }) })
    }

    pub(crate) fn lake(&self) -> &'a Lake {
        self.lake
    }

    /// Makes them the lake's, and notes what its products cover then. Returns how many files that changes.
    pub(crate) fn commit(self, covered: Covered) -> Result<u64, LakeError> {
        let SoFar { mut change, .. } = self.so_far.into_inner().unwrap_or_else(PoisonError::into_inner);
        let n_files = change.n_files();
        covered.stage(self.lake, &mut change)?;
        change.commit()?;
        Ok(n_files)
    }

    /// The days on which a product has rows so far, and the files of these.
    pub(crate) fn files(&self, table: &Table) -> Vec<(i32, PathBuf)> {
        let so_far = self.so_far();
        let of_table = so_far.files.range((table.name, i32::MIN)..=(table.name, i32::MAX));
        of_table.map(|((_, day), path)| (*day, path.clone())).collect()
    }

    fn file(&self, table: &'static Table, day: i32) -> Option<PathBuf> {
        self.so_far().files.get(&(table.name, day)).cloned()
    }

    /// Returns where the file of a day is to be written.
    fn promise(&self, table: &'static Table, day: i32) -> PathBuf {
        let mut so_far = self.so_far();
        let path = so_far.change.promise(&self.place(table, day));
        so_far.files.insert((table.name, day), path.clone());
        path
    }

    /// Lets a product have no row on a day.
    fn remove(&self, table: &'static Table, day: i32) {
        let mut so_far = self.so_far();
        so_far.change.remove(&self.place(table, day));
        so_far.files.remove(&(table.name, day));
    }

    fn place(&self, table: &Table, day: i32) -> PathBuf {
        self.lake.table_dir(table).join(partition_dir(&date_of_day(day))).join(PRODUCT_FILE)
    }

    fn so_far(&self) -> MutexGuard<'_, SoFar<'a>> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file of one date.
pub(crate) struct DateFile {
    writer: TableWriter,
    table: &'static Table,
    batches: BatchCoalescer,
}

impl DateFile {
    pub(crate) fn create(products: &Replacement<'_>, table: &'static Table, day: i32) -> Result<Self, LakeError> {
        let path = products.promise(table, day);
        let writer = TableWriter::new(products.lake.create_file(&path)?, table)?;
        Ok(Self { writer, table, batches: BatchCoalescer::new(table.schema(), BATCH_ROWS) })
    }

    pub(crate) fn write(&mut self, rows: RecordBatch) -> Result<(), CorrelateError> {
        self.batches.push_batch(rows).map_err(|error| self.failed(error))?;
        Ok(self.write_completed()?)
    }

    pub(crate) fn commit(mut self) -> Result<u64, CorrelateError> {
        let finished = self.batches.finish_buffered_batch();
        finished.map_err(|error| self.failed(error))?;
        self.write_completed()?;
        Ok(self.writer.commit()?)
    }

    fn write_completed(&mut self) -> Result<(), LakeError> {
        while let Some(batch) = self.batches.next_completed_batch() {
            self.writer.write(&batch)?;
        }
        Ok(())
    }

    fn failed(&self, error: ArrowError) -> CorrelateError {
        CorrelateError::Rows { table: self.table.name, source: error }
    }
}

/// Rows of a product that are computed anew.
#[derive(Debug)]
pub(crate) struct Replaced {
    columns: &'static [&'static str],
    instead: Option<&'static str>,
    /// The values of these columns, put together, of the rows that go.
    pub(crate) keys: HashSet<String, RandomState>,
    /// The days on which such rows stand or may come to stand.
    pub(crate) days: BTreeSet<i32>,
}

impl Replaced {
    /// No row yet; rows are told apart by `columns`.
    pub(crate) fn by(columns: &'static [&'static str]) -> Self {
        Self { columns, instead: None, keys: HashSet::default(), days: BTreeSet::new() }
    }

    /// Rows that lack the last of the columns are told apart by another one besides.
    pub(crate) fn or_by(self, instead: &'static str) -> Self {
        Self { instead: Some(instead), ..self }
    }

    pub(crate) fn add_key(&mut self, values: &[Option<&str>]) {
        self.keys.insert(key(values.iter().copied()));
    }

    /// Puts rows of a day, as many as `n_new` and in the order of the table, in the place of the replaced ones of that
    /// day. Neither those that stand nor the new ones are held whole. Leaves the file as it is where nothing changes.
    pub(crate) fn write<R: Iterator<Item = RecordBatch>>(
        &self,
        products: &Replacement<'_>,
        table: &'static Table,
        day: i32,
        n_new: usize,
        new: impl Fn() -> R,
    ) -> Result<(), CorrelateError> {
        let Some(path) = products.file(table, day) else {
            return write(products, table, day, new());
        };
        let file = products.lake.open_part(&path)?;
        let damaged = |source| CorrelateError::from(LakeError::parquet(&path)(source));
        let end = read::load(&file).map_err(damaged)?;
        let standing = Standing { file, end, replaced: self };
        let n_standing = standing.end.metadata().file_metadata().num_rows().unsigned_abs();
        let goes = standing.goes().map_err(damaged)?;
        if goes.len() == n_new && standing.is_same(&goes, new()).map_err(damaged)? {
            return Ok(());
        }
        if goes.len() as u64 == n_standing && n_new == 0 {
            products.remove(table, day);
            return Ok(());
        }
        let kept = standing.rows(None).map_err(damaged)?;
        let kept = kept.map(|rows| rows.and_then(|rows| filter_record_batch(&rows, &self.keeps(&rows))));
        merge(products, table, day, kept, new())
    }

    fn keeps(&self, rows: &RecordBatch) -> BooleanArray {
        let text = |name: &str| rows[name].as_string::<i32>();
        let columns: Vec<&StringArray> = self.columns.iter().map(|name| text(name)).collect();
        let instead = self.instead.map(text);
        let value = |column: &&'_ StringArray, row: usize| column.is_valid(row).then(|| column.value(row).to_owned());
        let is_kept = |row: usize| {
            let mut values: Vec<_> = columns.iter().map(|column| value(column, row)).collect();
            if let (Some(instead), Some(None)) = (&instead, values.last()) {
                values.push(value(instead, row));
            }
            !self.keys.contains(&key(values.iter().map(Option::as_deref)))
        };
        (0..rows.num_rows()).map(|row| Some(is_kept(row))).collect()
    }
}

fn key<'v>(values: impl Iterator<Item = Option<&'v str>>) -> String {
    values.map(Option::unwrap_or_default).collect::<Vec<_>>().join("/")
}

/// The rows of a day as they stand.
struct Standing<'r> {
    file: LakeFile,
    end: ArrowReaderMetadata,
    replaced: &'r Replaced,
}

impl Standing<'_> {
    /// The positions of the rows that are replaced.
    fn goes(&self) -> Result<Vec<u32>, ParquetError> {
        let columns = self.replaced.columns.iter().copied().chain(self.replaced.instead);
        let columns = ProjectionMask::columns(self.end.parquet_schema(), columns);
        let (mut goes, mut first) = (Vec::new(), 0);
        for rows in self.reader()?.with_projection(columns).build()? {
            let keeps = self.replaced.keeps(&rows?);
            goes.extend((first..).zip(keeps.values()).filter(|(_, is_kept)| !is_kept).map(|(row, _): (u32, _)| row));
            first += u32::try_from(keeps.len()).expect("a file has fewer rows than numbers");
        }
        Ok(goes)
    }

    /// Tells whether the rows at these positions are the new ones.
    fn is_same(&self, goes: &[u32], new: impl Iterator<Item = RecordBatch>) -> Result<bool, ParquetError> {
        let (mut goes, mut left) = (self.rows(Some(goes))?, None::<RecordBatch>);
        for new in new {
            let mut at = 0;
            while at < new.num_rows() {
                let rows = match left.take() {
                    Some(rows) => rows,
                    None => goes.next().expect("there are as many rows as new ones")?,
                };
                let n = rows.num_rows().min(new.num_rows() - at);
                if rows.slice(0, n) != new.slice(at, n) {
                    return Ok(false);
                }
                at += n;
                left = (n < rows.num_rows()).then(|| rows.slice(n, rows.num_rows() - n));
            }
        }
        Ok(true)
    }

    /// All rows, or those at some positions.
    fn rows(&self, at: Option<&[u32]>) -> Result<ParquetRecordBatchReader, ParquetError> {
        let reader = self.reader()?;
        match at {
            None => reader.build(),
            Some(at) => {
                let n_rows = self.end.metadata().file_metadata().num_rows();
                reader.with_row_selection(read::selection(at, usize::try_from(n_rows).unwrap_or(usize::MAX))).build()
            }
        }
    }

    fn reader(&self) -> Result<read::Reader, ParquetError> {
        let reader = read::Reader::new_with_metadata(self.file.try_clone()?, self.end.clone());
        Ok(reader.with_batch_size(BATCH_ROWS))
    }
}

/// Writes the file of a day of rows in the order of the table.
pub(crate) fn write(
    products: &Replacement<'_>,
    table: &'static Table,
    day: i32,
    rows: impl Iterator<Item = RecordBatch>,
) -> Result<(), CorrelateError> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let mut file = DateFile::create(products, table, day)?;
    for rows in rows {
        file.write(rows)?;
    }
    file.commit()?;
    Ok(())
}

/// The columns by which rows of a product are ordered: those of the table, then the account and event of each row, or its
/// account and the object of an event without an id, or its account and region.
fn order_of(table: &Table) -> Vec<usize> {
    const LAST: [&str; 5] =
        ["recipient_account_id", "launch_event_id", "create_event_id", "kms_source_object", "aws_region"];
    let is_column = |name: &&&str| table.columns.iter().any(|column| column.name == **name);
    table.sort_by.iter().chain(LAST.iter().filter(is_column)).map(|name| table.position(name)).collect()
}

/// Writes the file of a day of two streams of rows, each in the order of the table. Of equal rows those that stood before
/// come first.
fn merge(
    products: &Replacement<'_>,
    table: &'static Table,
    day: i32,
    kept: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    new: impl Iterator<Item = RecordBatch>,
) -> Result<(), CorrelateError> {
    let failed = |source| CorrelateError::Rows { table: table.name, source };
    let schema = table.schema();
    let fields = order_of(table).into_iter().map(|column| SortField::new(schema.field(column).data_type().clone()));
    let order = RowConverter::new(fields.collect()).map_err(failed)?;
    let mut kept = Stream { batches: kept, table, order: &order, now: None };
    let mut new = Stream { batches: new.map(Ok), table, order: &order, now: None };
    let mut file = DateFile::create(products, table, day)?;
    loop {
        let rows = match (kept.now().map_err(failed)?, new.now().map_err(failed)?) {
            (None, None) => break,
            (Some(now), None) | (None, Some(now)) => now.rest(),
            (Some(kept), Some(new)) => interleaved(kept, new).map_err(failed)?,
        };
        file.write(rows)?;
    }
    file.commit()?;
    Ok(())
}

/// Rows in the order of their table.
struct Stream<'o, I> {
    batches: I,
    table: &'static Table,
    order: &'o RowConverter,
    now: Option<Now>,
}

/// The batch of a stream that is being merged, up to a row.
struct Now {
    rows: RecordBatch,
    keys: Rows,
    at: usize,
}

impl<I: Iterator<Item = Result<RecordBatch, ArrowError>>> Stream<'_, I> {
    /// The batch of which rows are left; nothing at the end.
    fn now(&mut self) -> Result<Option<&mut Now>, ArrowError> {
        while self.now.as_ref().is_none_or(|now| now.at == now.rows.num_rows()) {
            let Some(rows) = self.batches.next().transpose()? else { return Ok(None) };
            let columns = order_of(self.table).into_iter().map(|column| Arc::clone(rows.column(column)));
            let keys = self.order.convert_columns(&columns.collect::<Vec<_>>())?;
            // The reader names its columns as the file does; the table says what may be null.
            let rows = RecordBatch::try_new(self.table.schema(), rows.columns().to_vec())?;
            self.now = Some(Now { rows, keys, at: 0 });
        }
        Ok(self.now.as_mut())
    }
}

impl Now {
    /// Takes all rows that are left.
    fn rest(&mut self) -> RecordBatch {
        let rows = self.rows.slice(self.at, self.rows.num_rows() - self.at);
        self.at = self.rows.num_rows();
        rows
    }
}

/// Takes rows of both, in order, until one of them has none left.
fn interleaved(kept: &mut Now, new: &mut Now) -> Result<RecordBatch, ArrowError> {
    let mut places = Vec::new();
    while kept.at < kept.rows.num_rows() && new.at < new.rows.num_rows() {
        let (batch, from) =
            if kept.keys.row(kept.at) <= new.keys.row(new.at) { (0, &mut *kept) } else { (1, &mut *new) };
        places.push((batch, from.at));
        from.at += 1;
    }
    interleave_record_batch(&[&kept.rows, &new.rows], &places)
}
