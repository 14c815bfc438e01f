//! DuckDB: views over `read_parquet`.

use std::fmt;
use std::fmt::Write;

use super::words::VIEW;
use super::words::files;
use super::words::quoted;
use super::words::replaced;
use crate::column::Kind;
use crate::column::Table;
use crate::layout::DATE_PARTITION;

/// Writes a view that cuts the date from the file's own folder; DuckDB still skips files by it. Hive partitions would be taken
/// from the whole path: a folder `aws_region=x` above the lake would replace that column.
pub(super) fn table(out: &mut String, folder: &str, table: &Table) -> fmt::Result {
    writeln!(out, "-- {}\n{VIEW} {} AS", table.doc, table.name)?;
    let path = quoted(&format!("{}/{}", replaced(folder, literal), files(table)));
    if table.dated_by.is_some() {
        let date = "CAST(right(split_part(filename, '/', -2), 10) AS DATE)";
        writeln!(out, "SELECT * EXCLUDE (filename), {date} AS {DATE_PARTITION}")?;
        writeln!(out, "FROM read_parquet({path}, filename = true, hive_partitioning = false);\n")
    } else {
        writeln!(out, "SELECT * FROM read_parquet({path}, hive_partitioning = false);\n")
    }
}

/// Escapes a character to which globs give a meaning.
fn literal(char: char) -> Option<String> {
    matches!(char, '*' | '?' | '[').then(|| format!("[{char}]"))
}

pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "VARCHAR",
        Kind::Time => "TIMESTAMP WITH TIME ZONE",
        Kind::Bool => "BOOLEAN",
        Kind::Integer => "BIGINT",
        Kind::TextList => "VARCHAR[]",
        Kind::TextMap => "MAP(VARCHAR, VARCHAR)",
    }
}
