//! Spark: temporary views over folders, whose dates Spark finds itself.

use std::fmt;
use std::fmt::Write;

use super::words::TEMPORARY_VIEW;
use super::words::columns;
use super::words::escaped;
use super::words::replaced;
use crate::column::Kind;
use crate::column::Table;

pub(super) fn table(out: &mut String, folder: &str, table: &Table) -> fmt::Result {
    write!(out, "-- {}\n{TEMPORARY_VIEW} {} ", table.doc, table.name)?;
    for (position, (name, kind)) in columns(table, kind).into_iter().enumerate() {
        let lead = if position == 0 { "(" } else { "," };
        write!(out, "{lead}\n  {name} {kind}")?;
    }
    // A path without a scheme may be one of HDFS.
    let scheme = if folder.contains("://") { "" } else { "file:" };
    let path = escaped(&format!("{scheme}{}", replaced(folder, literal)));
    writeln!(out, "\n) USING parquet OPTIONS (path {path});\n")
}

/// Escapes a character to which Hadoop's globs give a meaning.
fn literal(char: char) -> Option<String> {
    matches!(char, '*' | '?' | '[' | ']' | '{' | '}' | '\\').then(|| format!(r"\{char}"))
}

/// Names a type as Hive does, and so Athena.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::Time => "timestamp",
        Kind::Bool => "boolean",
        Kind::Integer => "bigint",
        Kind::TextList => "array<string>",
        Kind::TextMap => "map<string,string>",
    }
}
