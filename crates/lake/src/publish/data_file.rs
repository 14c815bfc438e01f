//! A part as Iceberg knows it.

use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;
use trailweave_iceberg::DataFile;
use trailweave_table::Table;
use trailweave_table::day_of_date;

use crate::Lake;
use crate::LakeError;
use crate::Part;
use crate::metrics::Metrics;

/// Describes a part that Iceberg knows as `path`.
pub(super) fn data_file(lake: &Lake, table: &Table, part: &Part, path: &str) -> Result<DataFile, LakeError> {
    let Metrics { n_rows, columns } = match lake.written().metrics(&part.path) {
        Some(metrics) => metrics,
        None => read(lake, table, part)?,
    };
    Ok(DataFile {
        path: path.to_owned(),
        day: part.event_date.as_deref().and_then(day_of_date),
        n_rows,
        bytes: i64::try_from(part.bytes).unwrap_or(i64::MAX),
        columns,
    })
}

/// Reads the metrics off the end of a file.
fn read(lake: &Lake, table: &Table, part: &Part) -> Result<Metrics, LakeError> {
    let file = lake.open_listed(part)?;
    let end = ParquetMetaDataReader::new().parse_and_finish(&file);
    let end = end.map_err(|source: ParquetError| LakeError::parquet(&part.path)(source))?;
    Ok(Metrics::new(table, end.row_groups()))
}
