//! Rows as text, of which no control character of a record reaches a terminal.

use std::io::Write;
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
use arrow::util::display::ArrayFormatter;
use arrow::util::display::FormatOptions;
use arrow::util::pretty::pretty_format_batches_with_options;

use crate::escape::escape;

/// A value that is none. A text of these letters looks the same; --format json and csv tell them apart.
const NULL: &str = "NULL";

/// Formats rows as a table.
pub(super) fn table(rows: &[RecordBatch]) -> Result<String, ArrowError> {
    let rows = rows.iter().map(escaped).collect::<Result<Vec<_>, _>>()?;
    // Those inside of lists are left, where a line break is none of the table's.
    let table = pretty_format_batches_with_options(&rows, &FormatOptions::default().with_null(NULL))?.to_string();
    Ok(table.split('\n').map(escape).collect::<Vec<_>>().join("\n"))
}

/// Writes the head of comma-separated values.
pub(super) fn write_head(out: &mut impl Write, columns: &Schema) -> anyhow::Result<()> {
    let names: Vec<String> = columns.fields().iter().map(|field| quoted(field.name())).collect();
    Ok(write!(out, "{}\r\n", names.join(","))?)
}

/// Writes rows as comma-separated values. A value that is none is an empty field, an empty text is `""`.
pub(super) fn write_csv(out: &mut impl Write, rows: &RecordBatch, is_terminal: bool) -> anyhow::Result<()> {
    each_row(rows, "", |cells| {
        let cells = cells.iter().map(|cell| match cell {
            None => String::new(),
            Some(text) if is_terminal => quoted(&escape(text)),
            Some(text) => quoted(text),
        });
        Ok(write!(out, "{}\r\n", cells.collect::<Vec<_>>().join(","))?)
    })
}

/// Quotes a field where that is needed (RFC 4180).
fn quoted(text: &str) -> String {
    if text.is_empty() || text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Writes each row as lines of a name and a value; `n_before` rows were written before.
pub(super) fn write_vertical(out: &mut impl Write, rows: &RecordBatch, n_before: usize) -> anyhow::Result<()> {
    let schema = rows.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let mut nth = n_before;
    each_row(rows, NULL, |cells| {
        nth += 1;
        writeln!(out, "-- row {nth}")?;
        for (name, cell) in names.iter().zip(cells) {
            writeln!(out, "{name:<width$}  {}", cell.as_deref().map_or_else(|| NULL.to_owned(), escape))?;
        }
        Ok(())
    })
}

/// Says that there was no row, where there was none.
pub(super) fn end_vertical(out: &mut impl Write, n_rows: usize) -> anyhow::Result<()> {
    if n_rows == 0 {
        writeln!(out, "no rows")?;
    }
    Ok(())
}

/// Visits the rows of a batch as texts; inside of lists, `null` stands for what is none.
fn each_row(
    batch: &RecordBatch,
    null: &str,
    mut visit: impl FnMut(&[Option<String>]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let options = FormatOptions::default().with_null(null);
    let columns: Vec<_> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options)).collect::<Result<_, _>>()?;
    for row in 0..batch.num_rows() {
        let cell = |(column, text): (&ArrayRef, &ArrayFormatter<'_>)| {
            column.is_valid(row).then(|| text.value(row).try_to_string()).transpose()
        };
        let cells = batch.columns().iter().zip(&columns).map(cell).collect::<Result<Vec<_>, _>>()?;
        visit(&cells)?;
    }
    Ok(())
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
        assert!(table.contains("| NULL "), "{table}");
    }

    #[test]
    fn what_is_none_can_be_told_from_an_empty_text() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a,\"b\"\u{1b}"), Some(""), None]));
        let rows = RecordBatch::try_from_iter([("text", Arc::clone(&texts)), ("n", texts)]).unwrap();
        let mut csv = Vec::new();
        write_head(&mut csv, &rows.schema()).unwrap();
        write_csv(&mut csv, &rows, false).unwrap();
        let expected = "text,n\r\n\"a,\"\"b\"\"\u{1b}\",\"a,\"\"b\"\"\u{1b}\"\r\n\"\",\"\"\r\n,\r\n";
        assert_eq!(String::from_utf8(csv).unwrap(), expected);
        let mut vertical = Vec::new();
        write_vertical(&mut vertical, &rows, 7).unwrap();
        let expected = "-- row 8\ntext  a,\"b\"\\u{1b}\nn     a,\"b\"\\u{1b}\n-- row 9\ntext  \nn     \n-- row 10\ntext  NULL\nn     NULL\n";
        assert_eq!(String::from_utf8(vertical).unwrap(), expected);
    }
}
