//! Files of an inventory as CSV in gzip, without a head; the manifest names the columns.

use std::fs::File;
use std::io::BufReader;

use csv::ReaderBuilder;
use csv::StringRecord;
use flate2::bufread::MultiGzDecoder;

use super::row::Columns;
use super::row::InventoryRow;
use super::row::Unusable;
use crate::source::url_decoded;

/// Gives every row to `take`.
pub(super) fn read(
    name: &str,
    stored: File,
    schema: &str,
    take: &mut impl FnMut(InventoryRow<'_>) -> Result<(), Unusable>,
) -> Result<(), Unusable> {
    let columns = Columns::find(schema.split(','))?;
    // A stream needs no cap: a row is all that is ever in memory.
    let text = MultiGzDecoder::new(BufReader::new(stored));
    let mut rows = ReaderBuilder::new().has_headers(false).from_reader(text);
    let mut row = StringRecord::new();
    while rows.read_record(&mut row).map_err(|error| Unusable::File(name.to_owned(), error.into()))? {
        let cell = |column: usize| row.get(column).unwrap_or_default();
        let says = |column: Option<usize>, default| column.map_or(default, |column| cell(column) == "true");
        let key = url_decoded(cell(columns.key)).map_err(|error| Unusable::File(name.to_owned(), error.into()))?;
        take(InventoryRow {
            bucket: cell(columns.bucket),
            key: &key,
            bytes: cell(columns.size).parse().ok(),
            etag: cell(columns.etag),
            is_current: says(columns.is_latest, true) && !says(columns.is_delete_marker, false),
        })?;
    }
    Ok(())
}
