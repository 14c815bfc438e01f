//! The tables' documentation, written from the tables.

use std::fmt::Write;

use crate::column::Column;
use crate::column::Kind;
use crate::column::Lookup;
use crate::column::Table;
use crate::layout::DATE_PARTITION;
use crate::remembered::REMEMBERED;

/// Writes a Markdown section per table, with a line per column.
pub fn markdown(tables: &[&Table]) -> String {
    let mut out = String::new();
    for table in tables {
        section(&mut out, table).expect("writing to a String cannot fail");
    }
    out
}

fn section(out: &mut String, table: &Table) -> std::fmt::Result {
    writeln!(out, "\n## {}\n\n{}", table.name, table.doc)?;
    let order = match table.sort_by {
        [] => "in no order".to_owned(),
        columns => format!("sorted by `{}`", columns.join("`, `")),
    };
    match table.dated_by {
        Some(column) => writeln!(
            out,
            "Partitioned by `{DATE_PARTITION}` (id {}), the UTC date of `{column}`; {order} inside a file.",
            table.field_id(DATE_PARTITION)
        )?,
        None => writeln!(out, "Not partitioned; {order} inside a file.")?,
    }
    if table.name == REMEMBERED.name {
        return writeln!(
            out,
            "Its columns and their ids are those of `events`; only those that the join reads hold anything."
        );
    }
    writeln!(out, "\n| id | column | type | Bloom filter | meaning |\n|---|---|---|---|---|")?;
    for column in table.columns {
        let bloom = if column.lookup == Lookup::Needle { "yes" } else { "" };
        let (ids, name, doc) = (ids(table, column), column.name, column.doc);
        writeln!(out, "| {ids} | `{name}` | {} | {bloom} | {doc} |", word(column.kind))?;
    }
    Ok(())
}

/// Writes the id of a column, and of what is nested in it.
fn ids(table: &Table, column: &Column) -> String {
    let mut ids = table.field_id(column.name).to_string();
    for nested in column.kind.nested() {
        write!(ids, ", {nested} {}", table.field_id(&format!("{}.{nested}", column.name)))
            .expect("writing to a String cannot fail");
    }
    ids
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Time => "timestamp (us, UTC)",
        Kind::Bool => "boolean",
        Kind::Integer => "64-bit integer",
        Kind::TextList => "list of text",
        Kind::TextMap => "map of text to text",
    }
}
