//! Products: one file per date, replaced as a whole.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::error::ArrowError;
use trailweave_lake::Change;
use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Part;
use trailweave_lake::TableWriter;
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

/// The products as a replacement has made them so far.
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

    pub(crate) fn file(&self, table: &'static Table, day: i32) -> Option<PathBuf> {
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
    pub(crate) fn remove(&self, table: &'static Table, day: i32) {
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
