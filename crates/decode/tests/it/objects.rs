//! Fixtures, and ways to make objects of them and to look at what they decode to.

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use trailweave_decode::DecodeError;
use trailweave_decode::DecodeOptions;
use trailweave_decode::Decoded;
use trailweave_decode::Decoder;
use trailweave_decode::Selection;

pub(crate) const LAUNCH: &str = include_str!("fixtures/launch.json");
pub(crate) const VOLUMES: &str = include_str!("fixtures/volumes.json");
pub(crate) const NEW_OPERATIONS: &str = include_str!("fixtures/new_operations.json");
pub(crate) const ODD_TYPES: &str = include_str!("fixtures/odd_types.json");
pub(crate) const FIXTURES: [&str; 4] = [LAUNCH, VOLUMES, NEW_OPERATIONS, ODD_TYPES];

/// The least that is a row.
pub(crate) const LEAST: &str =
    r#"{"eventTime":"2026-09-01T06:04:25Z","eventSource":"kms.amazonaws.com","eventName":"CreateGrant"}"#;

pub(crate) fn decode(selection: Selection, stored: impl AsRef<[u8]>) -> Result<Decoded, DecodeError> {
    let options = DecodeOptions { selection, ..DecodeOptions::default() };
    Decoder::new(options).decode("trail/object.json.gz", stored.as_ref())
}

pub(crate) fn all(stored: impl AsRef<[u8]>) -> Decoded {
    decode(Selection::All, stored).unwrap()
}

/// All events as one batch.
pub(crate) fn events(decoded: &Decoded) -> RecordBatch {
    concat_batches(&decoded.events[0].schema(), &decoded.events).unwrap()
}

/// A text, `-` for null.
pub(crate) fn text(batch: &RecordBatch, column: &str, row: usize) -> String {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    if column.is_null(row) { "-".to_owned() } else { column.value(row).to_owned() }
}

/// A list of texts, spaces between them, `-` for null.
pub(crate) fn texts(batch: &RecordBatch, column: &str, row: usize) -> String {
    let column = batch.column_by_name(column).unwrap().as_list::<i32>();
    if column.is_null(row) {
        return "-".to_owned();
    }
    let values = column.value(row);
    values.as_string::<i32>().iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The reasons of the rejects.
pub(crate) fn reasons(decoded: &Decoded) -> Vec<String> {
    let rows = |batch: &RecordBatch| (0..batch.num_rows()).map(|row| text(batch, "reason", row)).collect::<Vec<_>>();
    decoded.rejects.iter().flat_map(rows).collect()
}
