//! A row of any product table in a form that is easy to compare and to read.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use trailweave_table::Kind;
use trailweave_table::Table;

use crate::event::bool_at;
use crate::event::integer_at;
use crate::event::list_at;
use crate::event::text_at;
use crate::event::time_at;

/// A row as the text of its columns: times in milliseconds, lists joined by blanks. A column that is null, or an
/// empty list, is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row(pub BTreeMap<&'static str, String>);

impl Row {
    /// Adds a column to the row, if there is a value for it.
    #[must_use]
    pub fn with(mut self, column: &'static str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.0.insert(column, value.to_string());
        }
        self
    }

    /// Returns the text of a column, unless it is null.
    pub fn value(&self, column: &str) -> Option<&str> {
        self.0.get(column).map(String::as_str)
    }
}

/// Renders the rows of `table` in `batches`, in their order as rows.
///
/// # Panics
/// If a column of the table is missing or has another type.
pub fn rows_from(batches: &[RecordBatch], table: &Table) -> Vec<Row> {
    let rows = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| row_at(batch, table, row)));
    let mut rows: Vec<Row> = rows.collect();
    rows.sort();
    rows
}

fn row_at(batch: &RecordBatch, table: &Table, row: usize) -> Row {
    let mut rendered = Row::default();
    for column in table.columns {
        let name = column.name;
        rendered = match column.kind {
            Kind::Text => rendered.with(name, text_at(batch, name, row)),
            Kind::Time => rendered.with(name, time_at(batch, name, row)),
            Kind::Bool => rendered.with(name, bool_at(batch, name, row)),
            Kind::Integer => rendered.with(name, integer_at(batch, name, row)),
            Kind::TextList => rendered.with(name, joined(&list_at(batch, name, row))),
            Kind::TextMap => unreachable!("no product has a map"),
        };
    }
    rendered
}

/// Joins the texts of a list, unless it is empty.
pub(crate) fn joined(texts: &[String]) -> Option<String> {
    (!texts.is_empty()).then(|| texts.join(" "))
}
