//! `ClickHouse`: views over the table functions `file` and `s3`.

use std::fmt;
use std::fmt::Write;

use super::words::VIEW;
use super::words::escaped;
use super::words::files;
use super::words::replaced;
use crate::column::Kind;
use crate::column::Table;
use crate::layout::DATE_PARTITION;

/// Writes a view that cuts the date from the file's own folder, as in DuckDB. Over no file it has no row.
pub(super) fn table(out: &mut String, folder: &str, table: &Table) -> fmt::Result {
    writeln!(out, "-- {}\n{VIEW} {} AS", table.doc, table.name)?;
    match table.dated_by {
        Some(_) => writeln!(out, "SELECT *, toDate(right(splitByChar('/', _path)[-2], 10)) AS {DATE_PARTITION}")?,
        None => writeln!(out, "SELECT *")?,
    }
    let (function, path) = match folder.strip_prefix("s3://") {
        Some(path) => ("s3", path),
        None => ("file", folder),
    };
    let is_glob = folder.contains(['*', '?', '{', '}']);
    let glob = if is_glob { replaced(folder, any) } else { folder.to_owned() };
    writeln!(out, "FROM {function}({}, 'Parquet', '", escaped(&format!("{glob}/{}", files(table))))?;
    for (position, column) in table.columns.iter().enumerate() {
        let comma = if position + 1 < table.columns.len() { "," } else { "')" };
        writeln!(out, "  {} {}{comma}", column.name, kind(column.kind))?;
    }
    if is_glob {
        writeln!(out, "WHERE startsWith(_path, {})", escaped(&format!("{path}/")))?;
    }
    writeln!(out, "SETTINGS use_hive_partitioning = 0;\n")
}

/// Replaces a character that may have a meaning in a glob. Nothing escapes it, so the glob takes any character in its place,
/// and a condition on the path leaves out the files of other folders.
fn any(char: char) -> Option<String> {
    let is_itself = char.is_alphanumeric() || matches!(char, '/' | '=' | '-' | '_' | '.' | ':');
    (!is_itself).then(|| "?".to_owned())
}

/// Names a type. Lists and maps cannot be null there.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "Nullable(String)",
        Kind::Time => r"Nullable(DateTime64(6, \'UTC\'))",
        Kind::Bool => "Nullable(Bool)",
        Kind::Integer => "Nullable(Int64)",
        Kind::TextList => "Array(Nullable(String))",
        Kind::TextMap => "Map(String, Nullable(String))",
    }
}
