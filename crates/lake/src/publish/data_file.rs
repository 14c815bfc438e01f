//! A part as Iceberg knows it, read off the end of its file.

use std::collections::BTreeMap;

use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::statistics::Statistics;
use trailweave_iceberg::{ColumnMetrics, DataFile, is_measured, lower_bound, upper_bound};
use trailweave_table::Kind;
use trailweave_table::Table;
use trailweave_table::day_of_date;

use crate::Lake;
use crate::LakeError;
use crate::Part;

/// Describes a part that Iceberg knows as `path`.
pub(super) fn data_file(lake: &Lake, table: &Table, part: &Part, path: &str) -> Result<DataFile, LakeError> {
    let file = lake.open_listed(part)?;
    let end = ParquetMetaDataReader::new().parse_and_finish(&file);
    let end = end.map_err(|source: ParquetError| LakeError::parquet(&part.path)(source))?;
    Ok(DataFile {
        path: path.to_owned(),
        day: part.event_date.as_deref().and_then(day_of_date),
        n_rows: end.file_metadata().num_rows(),
        bytes: i64::try_from(part.bytes).unwrap_or(i64::MAX),
        columns: columns(table, &end),
    })
}

/// Reads the metrics of the columns that have some.
fn columns(table: &Table, end: &ParquetMetaData) -> BTreeMap<i32, ColumnMetrics> {
    let leaves = end.file_metadata().schema_descr();
    let mut found = BTreeMap::new();
    for column in table.columns.iter().filter(|column| is_measured(column)) {
        let leaf = leaves.columns().iter().position(|leaf| leaf.path().string() == column.name);
        let metrics =
            leaf.and_then(|leaf| metrics(end.row_groups().iter().map(|group| group.column(leaf)), column.kind));
        if let Some(metrics) = metrics {
            found.insert(table.field_id(column.name), metrics);
        }
    }
    found
}

/// Puts the statistics of a column's row groups together; none where one lacks them.
fn metrics<'c>(chunks: impl Iterator<Item = &'c ColumnChunkMetaData>, kind: Kind) -> Option<ColumnMetrics> {
    let mut all = ColumnMetrics::default();
    let (mut times, mut texts): (Vec<i64>, Vec<&str>) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let statistics = chunk.statistics()?;
        let n_nulls = i64::try_from(statistics.null_count_opt()?).ok()?;
        all.n_values += chunk.num_values();
        all.n_nulls += n_nulls;
        if n_nulls == chunk.num_values() {
            continue;
        }
        match (kind, statistics) {
            (Kind::Time, Statistics::Int64(it)) => times.extend([*it.min_opt()?, *it.max_opt()?]),
            (Kind::Text, Statistics::ByteArray(it)) => {
                texts.extend([
                    std::str::from_utf8(it.min_opt()?.data()).ok()?,
                    std::str::from_utf8(it.max_opt()?.data()).ok()?,
                ]);
            }
            _ => return None,
        }
    }
    if let (Some(min), Some(max)) = (times.iter().min(), times.iter().max()) {
        (all.lower, all.upper) = (Some(min.to_le_bytes().to_vec()), Some(max.to_le_bytes().to_vec()));
    }
    if let (Some(min), Some(max)) = (texts.iter().min(), texts.iter().max()) {
        (all.lower, all.upper) = (Some(lower_bound(min)), upper_bound(max));
    }
    Some(all)
}
