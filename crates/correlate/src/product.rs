//! Products: one file per date, replaced as a whole.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use ahash::RandomState;
use arrow::array::Array;
use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::BooleanArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::compute::BatchCoalescer;
use arrow::compute::SortColumn;
use arrow::compute::SortOptions;
use arrow::compute::concat_batches;
use arrow::compute::filter_record_batch;
use arrow::compute::lexsort_to_indices;
use arrow::compute::take_record_batch;
use arrow::datatypes::Date32Type;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::errors::ParquetError;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use trailweave_lake::Change;
use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::TableWriter;
use trailweave_table::PRODUCT_FILE;
use trailweave_table::Table;
use trailweave_table::date_of_day;
use trailweave_table::day_of_time;
use trailweave_table::partition_dir;

use crate::Correlate;
use crate::CorrelateError;
use crate::plan::Product;

/// Rows in each batch that a file's writer gets. Where its pages end depends on it, so it is fixed: the same rows are
/// the same bytes.
pub(crate) const BATCH_ROWS: usize = 8192;

/// The files of products that replace those of the lake together.
pub(crate) struct Replacement<'a> {
    lake: &'a Lake,
    change: Mutex<Change<'a>>,
}

impl<'a> Replacement<'a> {
    pub(crate) fn new(lake: &'a Lake) -> Self {
        Self { lake, change: Mutex::new(Change::new(lake, "products")) }
    }

    pub(crate) fn lake(&self) -> &'a Lake {
        self.lake
    }

    /// Makes them the lake's, and notes what its products cover then.
    pub(crate) fn commit(self, covered: Covered) -> Result<(), LakeError> {
        let mut change = self.change.into_inner().unwrap_or_else(PoisonError::into_inner);
        covered.stage(self.lake, &mut change)?;
        change.commit()
    }

    fn file(&self, table: &Table, day: i32) -> PathBuf {
        self.lake.table_dir(table).join(partition_dir(&date_of_day(day))).join(PRODUCT_FILE)
    }

    fn change(&self) -> MutexGuard<'_, Change<'a>> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets vanish what a product has besides the files of `dates`.
    pub(crate) fn remove_others(&self, table: &Table, dates: &BTreeSet<String>) -> Result<(), LakeError> {
        let mut change = self.change();
        for part in self.lake.parts(table)? {
            let is_ours = part.path.file_name().is_some_and(|name| name == PRODUCT_FILE);
            if !is_ours || !part.event_date.as_ref().is_some_and(|date| dates.contains(date)) {
                change.remove(&part.path);
            }
        }
        Ok(())
    }
}

/// Makes the rows of a product, writes those of each date to its file, and lets the dates vanish that have no rows any
/// more. May be done again. Returns how many files.
pub(crate) async fn write(
    context: &SessionContext,
    products: &Replacement<'_>,
    product: &Product,
    options: &Correlate,
) -> Result<u64, CorrelateError> {
    let table = product.table;
    let failed = || CorrelateError::step(table.name, options.memory_bytes);
    let rows = context.sql(&product.sql()).await.map_err(failed())?;
    check(table, rows.schema().as_arrow())?;
    let mut rows = rows.execute_stream().await.map_err(failed())?;
    let mut dates = Dates { products, table, open: None, done: BTreeSet::new() };
    while let Some(batch) = rows.next().await {
        dates.write(&batch.map_err(failed())?)?;
    }
    let done = dates.finish()?;
    products.remove_others(table, &done)?;
    Ok(done.len() as u64)
}

/// The statement must make the date, the table's columns, and `rid`.
fn check(table: &Table, made: &Schema) -> Result<(), CorrelateError> {
    let expected = table.schema();
    let columns = made.fields().len().saturating_sub(2);
    if columns != expected.fields().len() {
        let (found, expected) = (format!("{columns} columns"), format!("{}", expected.fields().len()));
        return Err(CorrelateError::Columns { table: table.name, found, expected });
    }
    for (found, expected) in made.fields().iter().skip(1).zip(expected.fields()) {
        if found.name() != expected.name() || found.data_type() != expected.data_type() {
            let said = |field: &arrow::datatypes::Field| format!("`{}` as {}", field.name(), field.data_type());
            let (found, expected) = (said(found), said(expected));
            return Err(CorrelateError::Columns { table: table.name, found, expected });
        }
    }
    Ok(())
}

/// The files of a product while its rows arrive in the order of their dates.
struct Dates<'p, 'a> {
    products: &'p Replacement<'a>,
    table: &'static Table,
    open: Option<DateFile>,
    done: BTreeSet<String>,
}

impl Dates<'_, '_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), CorrelateError> {
        let days = batch.column(0).as_primitive::<Date32Type>();
        assert_eq!(days.null_count(), 0, "every event has a time");
        let mut from = 0;
        for days in days.values().chunk_by(|one, next| one == next) {
            let rows = batch.slice(from, days.len());
            from += days.len();
            let columns: Vec<ArrayRef> = rows.columns()[1..=self.table.columns.len()].to_vec();
            let rows = RecordBatch::try_new(self.table.schema(), columns);
            let file = self.file(days[0])?;
            file.write(rows.map_err(|error| file.failed(error))?)?;
        }
        Ok(())
    }

    /// The file of a date; the file of the date before is ended.
    fn file(&mut self, day: i32) -> Result<&mut DateFile, CorrelateError> {
        match self.open.take() {
            Some(file) if file.day == day => Ok(self.open.insert(file)),
            before => {
                self.end(before)?;
                Ok(self.open.insert(DateFile::create(self.products, self.table, day)?))
            }
        }
    }

    fn end(&mut self, file: Option<DateFile>) -> Result<(), CorrelateError> {
        if let Some(file) = file {
            self.done.insert(date_of_day(file.day));
            file.commit()?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<BTreeSet<String>, CorrelateError> {
        let last = self.open.take();
        self.end(last)?;
        Ok(self.done)
    }
}

/// The file of one date.
pub(crate) struct DateFile {
    day: i32,
    writer: TableWriter,
    table: &'static Table,
    batches: BatchCoalescer,
}

impl DateFile {
    pub(crate) fn create(products: &Replacement<'_>, table: &'static Table, day: i32) -> Result<Self, LakeError> {
        let path = products.change().promise(&products.file(table, day));
        let writer = TableWriter::new(products.lake.create_file(&path)?, table)?;
        Ok(Self { day, writer, table, batches: BatchCoalescer::new(table.schema(), BATCH_ROWS) })
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
        CorrelateError::Step { step: self.table.name, source: DataFusionError::from(error).into() }
    }
}

/// Rows of a product that are computed anew.
#[derive(Debug)]
pub(crate) struct Replaced {
    columns: &'static [&'static str],
    /// The values of these columns, put together, of the rows that go.
    pub(crate) keys: HashSet<String, RandomState>,
    /// The days on which such rows stand or may come to stand.
    pub(crate) days: BTreeSet<i32>,
}

impl Replaced {
    /// No row yet; rows are told apart by `columns`.
    pub(crate) fn by(columns: &'static [&'static str]) -> Self {
        Self { columns, keys: HashSet::default(), days: BTreeSet::new() }
    }

    pub(crate) fn add(&mut self, values: &[Option<&str>], time_ms: i64) {
        self.add_key(values);
        self.add_time(time_ms);
    }

    pub(crate) fn add_key(&mut self, values: &[Option<&str>]) {
        self.keys.insert(key(values.iter().copied()));
    }

    pub(crate) fn add_time(&mut self, time_ms: i64) {
        self.days.insert(day_of_time(time_ms));
    }

    /// Puts `rows`, those of one day, in the place of the replaced ones of that day. Whether that changed the file.
    pub(crate) fn write(
        &self,
        products: &Replacement<'_>,
        table: &'static Table,
        day: i32,
        rows: &[RecordBatch],
    ) -> Result<bool, CorrelateError> {
        let path = products.file(table, day);
        let failed =
            |error: ArrowError| CorrelateError::Step { step: table.name, source: DataFusionError::from(error).into() };
        let old = read(products.lake, table, &path)?;
        let new = concat_batches(&table.schema(), rows).map_err(failed)?;
        let kept = filter_record_batch(&old, &self.keeps(&old)).map_err(failed)?;
        let all = concat_batches(&table.schema(), [&kept, &new]).and_then(|rows| sorted(table, &rows));
        let all = all.map_err(failed)?;
        if all == old {
            return Ok(false);
        }
        if all.num_rows() == 0 {
            products.change().remove(&path);
            return Ok(true);
        }
        let mut file = DateFile::create(products, table, day)?;
        file.write(all)?;
        file.commit()?;
        Ok(true)
    }

    fn keeps(&self, rows: &RecordBatch) -> BooleanArray {
        let columns: Vec<&StringArray> = self.columns.iter().map(|column| rows[*column].as_string::<i32>()).collect();
        let value = |column: &StringArray, row: usize| column.is_valid(row).then(|| column.value(row).to_owned());
        let is_kept = |row: usize| {
            let values: Vec<_> = columns.iter().map(|column| value(column, row)).collect();
            !self.keys.contains(&key(values.iter().map(Option::as_deref)))
        };
        (0..rows.num_rows()).map(|row| Some(is_kept(row))).collect()
    }
}

fn key<'v>(values: impl Iterator<Item = Option<&'v str>>) -> String {
    values.map(Option::unwrap_or_default).collect::<Vec<_>>().join("/")
}

/// The rows of a product's file; none where there is no file.
fn read(lake: &Lake, table: &Table, path: &Path) -> Result<RecordBatch, CorrelateError> {
    let Some(file) = lake.open_file(path)? else {
        return Ok(RecordBatch::new_empty(table.schema()));
    };
    let read = || {
        let rows = ParquetRecordBatchReaderBuilder::try_new(file)?.build()?.collect::<Result<Vec<_>, _>>()?;
        Ok(concat_batches(&table.schema(), &rows)?)
    };
    read().map_err(|source: ParquetError| LakeError::parquet(path)(source).into())
}

/// Sorts rows as the table's files are: in the table's order, then by the account and event of each row, or by its account
/// and region.
fn sorted(table: &Table, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    const EVENTS: [&str; 3] = ["recipient_account_id", "launch_event_id", "create_event_id"];
    let is_column = |name: &&&str| table.columns.iter().any(|column| column.name == **name);
    let by = table.sort_by.iter().chain(EVENTS.iter().filter(is_column)).chain(["aws_region"].iter().filter(is_column));
    let options = Some(SortOptions { descending: false, nulls_first: true });
    let columns: Vec<_> =
        by.map(|name| SortColumn { values: Arc::clone(rows.column(table.position(name))), options }).collect();
    take_record_batch(rows, &lexsort_to_indices(&columns, None)?)
}
