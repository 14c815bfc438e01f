//! Takes over what Spark has made: checked against what the run says, and written anew as the join in memory writes.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::ListArray;
use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::datatypes::Schema;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use arrow::row::OwnedRow;
use arrow::row::RowConverter;
use arrow::row::SortField;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use serde::Deserialize;
use trailweave_correlate::Made;
use trailweave_correlate::RULES;
use trailweave_correlate::Summary;
use trailweave_correlate::standing;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::date_of_partition;
use trailweave_lake::read;
use trailweave_table::PRODUCTS;
use trailweave_table::Table;
use trailweave_table::day_of_date;
use trailweave_table::day_of_time;
use trailweave_table::ms_of_time;

use crate::ClusterError;
use crate::Stage;
use crate::stage::DONE;

/// The end mark of a run: the files of each product.
#[derive(Debug, Deserialize)]
struct Done {
    run: String,
    products: BTreeMap<String, Vec<DoneFile>>,
}

/// A file of a product, by its path below the product's folder.
#[derive(Debug, Clone, Deserialize)]
struct DoneFile {
    path: PathBuf,
    bytes: u64,
    rows: u64,
}

/// Makes the products of a run those of the lake. Where they are that already, nothing changes.
///
/// Needs: the lake's lock, held by the caller.
pub fn adopt(lake: &Lake, stage: &Stage, run: &str, threads: NonZeroUsize) -> Result<Summary, ClusterError> {
    let job = stage.job(run)?;
    let path = stage.of(run);
    if job.rules != RULES {
        return Err(ClusterError::OtherRules { path, found: job.rules, known: RULES });
    }
    if let Some(part) = job.gone(lake)? {
        return Err(ClusterError::PartGone { run: path, part });
    }
    if job.is_known(lake)? {
        return Ok(standing(lake, threads)?);
    }
    let mut files = Vec::new();
    for (table, done) in PRODUCTS.into_iter().zip(done(stage, run)?) {
        files.extend(files_of(stage, run, table, &done)?);
    }
    let made = files.iter().map(|file| Ok(Made { table: file.table, day: file.day, rows: file.rows(stage)? }));
    trailweave_correlate::adopt(lake, job.covers(lake)?, made, threads)
}

/// Reads the end mark of a run: the files of each product, in the order of the tables.
fn done(stage: &Stage, run: &str) -> Result<Vec<Vec<DoneFile>>, ClusterError> {
    let path = stage.of(run).join(DONE);
    let text = stage.folder().read(&format!("{run}/{DONE}"))?;
    let text = text.ok_or_else(|| ClusterError::NotDone { path: stage.of(run) })?;
    let mut done: Done = serde_json::from_slice(&text)
        .map_err(|error| ClusterError::stage(&path, format!("cannot be read: {error}")))?;
    if done.run != run {
        return Err(ClusterError::stage(&path, format!("is of the run {}", done.run)));
    }
    let mut products = Vec::new();
    for table in PRODUCTS {
        let files = done.products.remove(table.name);
        products.push(files.ok_or_else(|| ClusterError::stage(&path, format!("lacks the product `{}`", table.name)))?);
    }
    match done.products.keys().next() {
        Some(name) => Err(ClusterError::stage(&path, format!("names `{name}`, which is not a product"))),
        None => Ok(products),
    }
}

/// The file of a product on a day.
#[derive(Debug)]
struct DayFile {
    table: &'static Table,
    day: i32,
    path: PathBuf,
    n_rows: u64,
}

/// Finds the files of a product, which must be those that the end mark names, and one for each day.
fn files_of(stage: &Stage, run: &str, table: &'static Table, done: &[DoneFile]) -> Result<Vec<DayFile>, ClusterError> {
    let folder = stage.of(run).join("products").join(table.name);
    let mut named: BTreeMap<PathBuf, &DoneFile> = done.iter().map(|file| (folder.join(&file.path), file)).collect();
    let mut days = BTreeMap::new();
    for listed in stage.folder().files(&format!("{run}/products/{}", table.name))? {
        let below = listed.path.strip_prefix(&folder).unwrap_or(&listed.path);
        if is_hidden(below) {
            continue;
        }
        let refuse = |fault: &str| ClusterError::stage(&listed.path, fault);
        let file = named.remove(&listed.path).ok_or_else(|| refuse("is not a file that done.json names"))?;
        if file.bytes != listed.bytes {
            return Err(refuse(&format!("has {} bytes, and done.json says {}", listed.bytes, file.bytes)));
        }
        let day = day(below).ok_or_else(|| refuse("does not stand in the folder of a date"))?;
        let found = DayFile { table, day, path: listed.path.clone(), n_rows: file.rows };
        if days.insert(day, found).is_some() {
            return Err(refuse("is the second file of its date"));
        }
    }
    match named.into_keys().next() {
        Some(path) => Err(ClusterError::stage(&path, "is not there, and done.json names it")),
        None => Ok(days.into_values().collect()),
    }
}

fn is_hidden(below: &Path) -> bool {
    below.iter().any(|part| matches!(part.as_encoded_bytes().first(), Some(b'.' | b'_')))
}

/// Returns the day of a file that stands in the folder of a date.
fn day(below: &Path) -> Option<i32> {
    let folder = below.parent()?.to_str()?;
    day_of_date(date_of_partition(folder)?)
}

impl DayFile {
    /// Reads the rows, each of which is checked on its way.
    fn rows<'f>(&'f self, stage: &Stage) -> Result<CheckedRows<'f>, ClusterError> {
        let file = stage.folder().open(&self.path)?;
        let failed = |source| ClusterError::from(LakeError::parquet(&self.path)(source));
        let reader = read::Reader::try_new(file).map_err(failed)?;
        let n_rows = reader.metadata().file_metadata().num_rows().unsigned_abs();
        if n_rows != self.n_rows || n_rows == 0 {
            let fault = format!("has {n_rows} rows, and done.json says {}", self.n_rows);
            return Err(ClusterError::stage(&self.path, fault));
        }
        self.check_columns(reader.schema())?;
        let fields = self.table.sort_by.iter().map(|name| {
            let column = &self.table.columns[self.table.position(name)];
            SortField::new(self.table.data_type(column))
        });
        let order = RowConverter::new(fields.collect()).map_err(|error| self.unreadable(&error))?;
        Ok(CheckedRows { file: self, rows: reader.build().map_err(failed)?, order, last: None })
    }

    fn check_columns(&self, found: &Schema) -> Result<(), ClusterError> {
        let expected = self.table.schema();
        let names = |schema: &Schema| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        if names(found) != names(&expected) {
            let fault = format!("has the columns {}, and not those of the table", names(found).join(", "));
            return Err(ClusterError::stage(&self.path, fault));
        }
        for (found, expected) in found.fields().iter().zip(expected.fields()) {
            if !is_type(found.data_type(), expected.data_type()) {
                let fault =
                    format!("has `{}` as {}, and not as {}", found.name(), found.data_type(), expected.data_type());
                return Err(ClusterError::stage(&self.path, fault));
            }
        }
        Ok(())
    }

    fn unreadable(&self, error: &ArrowError) -> ClusterError {
        ClusterError::stage(&self.path, format!("cannot be read: {error}"))
    }
}

/// Tells whether a type is the table's, whose nested fields have ids besides.
fn is_type(found: &DataType, expected: &DataType) -> bool {
    match (found, expected) {
        (DataType::List(found), DataType::List(expected)) => is_type(found.data_type(), expected.data_type()),
        _ => found == expected,
    }
}

/// Gives the elements of lists the field that has their id in the table. Arrow's casts would do so too, and are five
/// megabytes of program.
fn with_ids(column: &ArrayRef, expected: &DataType) -> ArrayRef {
    match (column.as_list_opt::<i32>(), expected) {
        (Some(lists), DataType::List(element)) => {
            let (_, offsets, values, nulls) = lists.clone().into_parts();
            Arc::new(ListArray::new(Arc::clone(element), offsets, values, nulls))
        }
        _ => Arc::clone(column),
    }
}

/// The rows of a file, in the table's types. It ends with an error where one is of another day or out of order.
struct CheckedRows<'f> {
    file: &'f DayFile,
    rows: ParquetRecordBatchReader,
    order: RowConverter,
    last: Option<OwnedRow>,
}

impl Iterator for CheckedRows<'_> {
    type Item = Result<RecordBatch, ClusterError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.rows.next()?;
        Some(rows.and_then(|rows| self.checked(&rows)).map_err(|error| self.file.unreadable(&error)).and_then(|it| it))
    }
}

impl CheckedRows<'_> {
    fn checked(&mut self, rows: &RecordBatch) -> Result<Result<RecordBatch, ClusterError>, ArrowError> {
        let table = self.file.table;
        let schema = table.schema();
        let typed = rows.columns().iter().zip(schema.fields());
        let columns = typed.map(|(column, field)| with_ids(column, field.data_type())).collect();
        let rows = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        let refuse = |fault| Ok(Err(ClusterError::stage(&self.file.path, fault)));
        let dated_by = table.dated_by.expect("every product is partitioned by date");
        let times = rows[dated_by].as_primitive::<TimestampMicrosecondType>();
        if !times.iter().all(|time| time.is_some_and(|time| day_of_time(ms_of_time(time)) == self.file.day)) {
            return refuse("has a row of another date");
        }
        let keys: Vec<ArrayRef> =
            table.sort_by.iter().map(|name| Arc::clone(rows.column(table.position(name)))).collect();
        let keys = self.order.convert_columns(&keys)?;
        let follows = self.last.as_ref().is_none_or(|last| keys.iter().next().is_none_or(|first| last.row() <= first));
        if !follows || !keys.iter().zip(keys.iter().skip(1)).all(|(one, next)| one <= next) {
            return refuse("has rows out of order");
        }
        self.last = keys.iter().next_back().map(|row| row.owned()).or_else(|| self.last.take());
        Ok(Ok(rows))
    }
}
