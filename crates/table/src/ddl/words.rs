//! Words that the statements of several engines are made of.

use crate::column::Kind;
use crate::column::Table;
use crate::layout::DATE_PARTITION;

pub(super) const VIEW: &str = "CREATE OR REPLACE VIEW";
pub(super) const TEMPORARY_VIEW: &str = "CREATE OR REPLACE TEMPORARY VIEW";

/// Returns the files of a table, as a glob below its folder.
pub(super) fn files(table: &Table) -> &'static str {
    if table.dated_by.is_some() { "*/*.parquet" } else { "*.parquet" }
}

/// Lists the columns of a table with its date, and their types as `kind` names them.
pub(super) fn columns(table: &Table, kind: fn(Kind) -> &'static str) -> Vec<(&'static str, &'static str)> {
    let date = table.dated_by.map(|_| (DATE_PARTITION, "DATE"));
    table.columns.iter().map(|column| (column.name, kind(column.kind))).chain(date).collect()
}

/// Returns the properties by which Athena finds the dates of a table in `folder`, so that no partition is ever added.
pub(super) fn projection(folder: &str) -> [(String, String); 5] {
    let of_date = |name: &str| format!("projection.{DATE_PARTITION}.{name}");
    [
        ("projection.enabled".to_owned(), "true".to_owned()),
        (of_date("type"), "date".to_owned()),
        (of_date("format"), "yyyy-MM-dd".to_owned()),
        (of_date("range"), "2013-11-01,NOW+1DAY".to_owned()),
        ("storage.location.template".to_owned(), format!("{folder}/{DATE_PARTITION}=${{{DATE_PARTITION}}}/")),
    ]
}

/// Quotes a text for engines in whose literals a backslash is an ordinary character.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Quotes a text for engines in whose literals a backslash escapes the next character. Hive loses a quote that is
/// doubled.
pub(super) fn escaped(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

/// Replaces each character of a text for which there is an `escape`.
pub(super) fn replaced(text: &str, escape: impl Fn(char) -> Option<String>) -> String {
    text.chars().map(|char| escape(char).unwrap_or_else(|| char.to_string())).collect()
}
