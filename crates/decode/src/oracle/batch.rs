//! Rows as maps, and the batch that they make.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::array::BooleanArray;
use arrow::array::Int64Array;
use arrow::array::ListArray;
use arrow::array::MapArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::array::StructArray;
use arrow::array::TimestampMicrosecondArray;
use arrow::buffer::NullBuffer;
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use trailweave_table::Column;
use trailweave_table::Kind;
use trailweave_table::Table;
use trailweave_table::time_of_ms;

/// A value of a column that is not null.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Time(i64),
    Bool(bool),
    Integer(i64),
    TextList(Vec<String>),
    TextMap(Vec<MapEntry>),
}

/// Cells by column; a column that is not there is null.
pub(super) type Row = BTreeMap<&'static str, Cell>;

type MapEntry = (String, Option<String>);

/// Makes one batch of all rows, or none.
pub(super) fn batches(table: &Table, rows: &[Row]) -> Vec<RecordBatch> {
    if rows.is_empty() {
        return Vec::new();
    }
    let columns = table.columns.iter().map(|column| array(column, &table.data_type(column), rows)).collect();
    vec![RecordBatch::try_new(table.schema(), columns).expect("one array per column of the table")]
}

fn array(column: &Column, data_type: &DataType, rows: &[Row]) -> ArrayRef {
    let cells = rows.iter().map(|row| row.get(column.name));
    match column.kind {
        Kind::Text => Arc::new(cells.map(|cell| cell.map(text)).collect::<StringArray>()),
        Kind::Bool => {
            let truth = |cell: &Cell| matches!(cell, Cell::Bool(true));
            Arc::new(cells.map(|cell| cell.map(truth)).collect::<BooleanArray>())
        }
        Kind::Integer => Arc::new(cells.map(|cell| cell.map(integer)).collect::<Int64Array>()),
        Kind::Time => {
            let times =
                cells.map(|cell| cell.map(|cell| time_of_ms(integer(cell)))).collect::<TimestampMicrosecondArray>();
            Arc::new(times.with_timezone("UTC"))
        }
        Kind::TextList => list(data_type, &cells.map(|cell| cell.map(texts)).collect::<Vec<_>>()),
        Kind::TextMap => map(data_type, &cells.map(|cell| cell.map(entries)).collect::<Vec<_>>()),
    }
}

fn text(cell: &Cell) -> &str {
    let Cell::Text(text) = cell else { panic!("{cell:?} is not a text") };
    text
}

fn integer(cell: &Cell) -> i64 {
    let (Cell::Integer(integer) | Cell::Time(integer)) = cell else { panic!("{cell:?} is not an integer") };
    *integer
}

fn texts(cell: &Cell) -> &[String] {
    let Cell::TextList(texts) = cell else { panic!("{cell:?} is not a list") };
    texts
}

fn entries(cell: &Cell) -> &[MapEntry] {
    let Cell::TextMap(entries) = cell else { panic!("{cell:?} is not a map") };
    entries
}

fn list(data_type: &DataType, lists: &[Option<&[String]>]) -> ArrayRef {
    let DataType::List(element) = data_type else { panic!("{data_type} is not a list") };
    let lengths = OffsetBuffer::from_lengths(lists.iter().map(|list| list.map_or(0, <[String]>::len)));
    let nulls = lists.iter().map(Option::is_some).collect::<NullBuffer>();
    let values = lists.iter().flatten().copied().flatten().map(Some).collect::<StringArray>();
    Arc::new(ListArray::new(Arc::clone(element), lengths, Arc::new(values), Some(nulls)))
}

fn map(data_type: &DataType, maps: &[Option<&[MapEntry]>]) -> ArrayRef {
    let DataType::Map(entry, _) = data_type else { panic!("{data_type} is not a map") };
    let DataType::Struct(fields) = entry.data_type() else { panic!("{entry} is not a struct") };
    let lengths = OffsetBuffer::from_lengths(maps.iter().map(|map| map.map_or(0, <[_]>::len)));
    let nulls = maps.iter().map(Option::is_some).collect::<NullBuffer>();
    let keys = maps.iter().flatten().copied().flatten().map(|(key, _)| Some(key)).collect::<StringArray>();
    let values = maps.iter().flatten().copied().flatten().map(|(_, value)| value.as_ref()).collect::<StringArray>();
    let entries = StructArray::new(fields.clone(), vec![Arc::new(keys), Arc::new(values)], None);
    Arc::new(MapArray::new(Arc::clone(entry), lengths, entries, Some(nulls), false))
}
