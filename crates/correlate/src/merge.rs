//! A day of a product of which some rows are computed anew: the rows that stay and the new ones, merged in order.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::BooleanArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
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
use trailweave_lake::LakeError;
use trailweave_lake::LakeFile;
use trailweave_lake::read;
use trailweave_lake::read::Keys;
use trailweave_table::Table;

use crate::CorrelateError;
use crate::replacement::{DateFile, Replacement, write};

/// Rows that are held at once of a file that stands.
const BATCH_ROWS: usize = 1024;

/// Rows of a product that are computed anew.
#[derive(Debug)]
pub(crate) struct Replaced {
    columns: &'static [&'static str],
    instead: Option<&'static str>,
    /// The values of these columns, put together, of the rows that go.
    pub(crate) keys: Keys,
    /// The days on which such rows stand or may come to stand.
    pub(crate) days: BTreeSet<i32>,
}

impl Replaced {
    /// Begins with no row; rows are told apart by `columns`.
    pub(crate) fn by(columns: &'static [&'static str]) -> Self {
        Self { columns, instead: None, keys: Keys::default(), days: BTreeSet::new() }
    }

    /// Tells rows that lack the last of the columns apart by another one besides.
    pub(crate) fn or_by(self, instead: &'static str) -> Self {
        Self { instead: Some(instead), ..self }
    }

    pub(crate) fn add_key(&mut self, values: &[Option<&str>]) {
        let mut key = String::new();
        put_together(&mut key, values.iter().copied());
        self.keys.insert(&key);
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
            return Ok(write(products, table, day, new())?);
        };
        let file = products.lake().open_part(&path)?;
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
        let instead: Option<&StringArray> = self.instead.map(text);
        let mut key = String::new();
        let mut is_kept = |row: usize| {
            let is_nameless = columns.last().is_some_and(|column| column.is_null(row));
            let instead = instead.iter().filter(|_| is_nameless);
            put_together(&mut key, columns.iter().chain(instead).map(|column| value(column, row)));
            !self.keys.contains(&key)
        };
        (0..rows.num_rows()).map(|row| Some(is_kept(row))).collect()
    }
}

fn value(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

/// Puts values together in `key`, in the place of what stood there.
fn put_together<'v>(key: &mut String, values: impl Iterator<Item = Option<&'v str>>) {
    key.clear();
    for (at, value) in values.enumerate() {
        key.push_str(if at == 0 { "" } else { "/" });
        key.push_str(value.unwrap_or_default());
    }
}

/// The rows of a day as they stand.
struct Standing<'r> {
    file: LakeFile,
    end: ArrowReaderMetadata,
    replaced: &'r Replaced,
}

impl Standing<'_> {
    /// Finds the positions of the rows that are replaced.
    fn goes(&self) -> Result<Vec<u32>, ParquetError> {
        if self.replaced.keys.is_empty() {
            return Ok(Vec::new());
        }
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

    /// Reads all rows, or those at some positions.
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

/// Returns the columns by which rows of a product are ordered: those of the table, then the account and event of each row, or its
/// account and the object of an event without an id, or its account and region.
fn order_of(table: &Table) -> Vec<usize> {
    const LAST: [&str; 5] =
        ["recipient_account_id", "kms_source_object", "launch_event_id", "create_event_id", "aws_region"];
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
        file.write(&rows)?;
    }
    Ok(file.commit()?)
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
    /// Returns the batch of which rows are left; nothing at the end.
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
