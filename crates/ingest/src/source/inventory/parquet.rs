//! Files of an inventory as Parquet, which names its columns itself.

use std::fs::File;

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::BooleanArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::datatypes::Int64Type;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::row::Columns;
use super::row::InventoryRow;
use super::row::Unusable;

/// Gives every row to `take`.
pub(super) fn read(
    name: &str,
    stored: File,
    take: &mut impl FnMut(InventoryRow<'_>) -> Result<(), Unusable>,
) -> Result<(), Unusable> {
    let damaged = |error: ParquetError| Unusable::File(name.to_owned(), error.into());
    let builder = ParquetRecordBatchReaderBuilder::try_new(stored).map_err(damaged)?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let columns = Columns::find(names.iter().map(String::as_str))?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns.all());
    for rows in builder.with_projection(mask).build().map_err(damaged)? {
        let rows = rows.map_err(|error| Unusable::File(name.to_owned(), error.into()))?;
        read_batch(&rows, &names, &columns, take)
            .unwrap_or_else(|| Err(damaged(ParquetError::General("a column has another type".to_owned()))))?;
    }
    Ok(())
}

/// `None` where a column is of a type that S3 does not give it.
fn read_batch(
    rows: &RecordBatch,
    names: &[String],
    columns: &Columns,
    take: &mut impl FnMut(InventoryRow<'_>) -> Result<(), Unusable>,
) -> Option<Result<(), Unusable>> {
    let text = |column: usize| rows.column_by_name(&names[column])?.as_string_opt::<i32>();
    let flag = |column: Option<usize>| match column {
        Some(column) => rows.column_by_name(&names[column])?.as_boolean_opt().map(Some),
        None => Some(None),
    };
    let (buckets, keys, etags) = (text(columns.bucket)?, text(columns.key)?, text(columns.etag)?);
    let sizes = rows.column_by_name(&names[columns.size])?.as_primitive_opt::<Int64Type>()?;
    let (latest, markers) = (flag(columns.is_latest)?, flag(columns.is_delete_marker)?);
    for row in 0..rows.num_rows() {
        let bytes = sizes.is_valid(row).then(|| u64::try_from(sizes.value(row)).ok()).flatten();
        let taken = take(InventoryRow {
            bucket: value(buckets, row),
            key: value(keys, row),
            bytes,
            etag: value(etags, row),
            is_current: says(latest, row, true) && !says(markers, row, false),
        });
        if taken.is_err() {
            return Some(taken);
        }
    }
    Some(Ok(()))
}

fn value(texts: &StringArray, row: usize) -> &str {
    if texts.is_valid(row) { texts.value(row) } else { "" }
}

fn says(flags: Option<&BooleanArray>, row: usize, default: bool) -> bool {
    flags.filter(|flags| flags.is_valid(row)).map_or(default, |flags| flags.value(row))
}

impl Columns {
    fn all(&self) -> impl Iterator<Item = usize> {
        let versions = self.is_latest.into_iter().chain(self.is_delete_marker);
        [self.bucket, self.key, self.size, self.etag].into_iter().chain(versions)
    }
}
