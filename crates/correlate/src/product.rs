//! Products: one file per date, replaced as a whole.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use arrow::array::Array;
use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::Date32Type;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use jiff::ToSpan;
use jiff::civil::Date;
use trailweave_lake::Change;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::TableWriter;
use trailweave_table::PRODUCT_FILE;
use trailweave_table::Table;
use trailweave_table::partition_dir;

use crate::Correlate;
use crate::CorrelateError;
use crate::plan::Product;

/// Rows in each batch that a file's writer gets. Where its pages end depends on it, so it is fixed: the same rows are
/// the same bytes.
pub(crate) const BATCH_ROWS: usize = 8192;

/// What was written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written {
    pub(crate) rows: u64,
    pub(crate) files: u64,
}

/// The files of all products, which replace those of the lake together.
pub(crate) struct Replacement<'a> {
    lake: &'a Lake,
    change: Mutex<Change<'a>>,
}

impl<'a> Replacement<'a> {
    pub(crate) fn new(lake: &'a Lake) -> Self {
        Self { lake, change: Mutex::new(Change::new(lake, "products")) }
    }

    /// Makes them the lake's.
    pub(crate) fn commit(self) -> Result<(), LakeError> {
        self.change.into_inner().unwrap_or_else(PoisonError::into_inner).commit()
    }

    /// Lets vanish what a product has besides the files of `dates`.
    pub(crate) fn remove_others(&self, table: &Table, dates: &BTreeSet<String>) -> Result<(), LakeError> {
        let mut change = self.change.lock().unwrap_or_else(PoisonError::into_inner);
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
/// more. May be done again.
pub(crate) async fn write(
    context: &SessionContext,
    products: &Replacement<'_>,
    product: &Product,
    options: &Correlate,
) -> Result<Written, CorrelateError> {
    let table = product.table;
    let failed = || CorrelateError::step(table.name, options.memory_bytes);
    let rows = context.sql(&product.sql()).await.map_err(failed())?;
    check(table, rows.schema().as_arrow())?;
    let mut rows = rows.execute_stream().await.map_err(failed())?;
    let mut dates = Dates { products, table, open: None, done: BTreeSet::new(), rows: 0 };
    while let Some(batch) = rows.next().await {
        dates.write(&batch.map_err(failed())?)?;
    }
    let (done, rows) = dates.finish()?;
    products.remove_others(table, &done)?;
    Ok(Written { rows, files: done.len() as u64 })
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
    rows: u64,
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
            self.done.insert(date(file.day));
            self.rows += file.commit()?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(BTreeSet<String>, u64), CorrelateError> {
        let last = self.open.take();
        self.end(last)?;
        Ok((self.done, self.rows))
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
        let path = products.lake.table_dir(table).join(partition_dir(&date(day))).join(PRODUCT_FILE);
        let path = products.change.lock().unwrap_or_else(PoisonError::into_inner).promise(&path);
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
        CorrelateError::Step { step: self.table.name, source: Box::new(DataFusionError::from(error)) }
    }
}

/// The name of the day that is `day` days after 1970-01-01.
pub(crate) fn date(day: i32) -> String {
    Date::constant(1970, 1, 1).saturating_add(day.days()).to_string()
}
