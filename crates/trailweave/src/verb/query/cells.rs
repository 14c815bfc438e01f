//! Rows as a table of text, in which no control character of a record reaches the terminal.

use std::sync::Arc;

use arrow::array::Array;
use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::datatypes::DataType;
use arrow::datatypes::Field;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::util::pretty::pretty_format_batches;

/// Formats rows as a table.
pub(super) fn table(rows: &[RecordBatch]) -> Result<String, ArrowError> {
    let rows = rows.iter().map(escaped).collect::<Result<Vec<_>, _>>()?;
    // Those inside of lists are left, where a line break is none of the table's.
    let table = pretty_format_batches(&rows)?.to_string();
    Ok(table.split('\n').map(escape).collect::<Vec<_>>().join("\n"))
}

/// Escapes the texts of rows, and keeps columns of other types.
fn escaped(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| match texts(column) {
        Some(texts) => {
            let texts: ArrayRef = Arc::new(texts.map(|text| text.map(escape)).collect::<StringArray>());
            (Arc::new(Field::new(field.name(), DataType::Utf8, true)), texts)
        }
        None => (Arc::clone(field), Arc::clone(column)),
    });
    let (fields, columns): (Vec<_>, Vec<_>) = columns.unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn texts(column: &ArrayRef) -> Option<Box<dyn Iterator<Item = Option<&str>> + '_>> {
    match column.data_type() {
        DataType::Utf8 => Some(Box::new(column.as_string::<i32>().iter())),
        DataType::LargeUtf8 => Some(Box::new(column.as_string::<i64>().iter())),
        DataType::Utf8View => Some(Box::new(column.as_string_view().iter())),
        _ => None,
    }
}

/// Writes control characters as a string of Rust or JSON has them: `\n`, `\u{1b}`.
fn escape(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    text.chars().flat_map(|it| if it.is_control() { it.escape_default().collect() } else { vec![it] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_out() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a\u{1b}[31mred\nb"), None]));
        let rows = RecordBatch::try_from_iter([("text", texts)]).unwrap();
        let table = table(&[rows]).unwrap();
        assert!(table.contains(r"| a\u{1b}[31mred\nb |"), "{table}");
        assert_eq!(table.lines().count(), 6);
    }
}
