//! Athena: external tables, in the words of Hive.

use std::fmt;
use std::fmt::Write;

use super::spark::kind;
use super::words::escaped;
use super::words::projection;
use crate::column::Table;
use crate::layout::DATE_PARTITION;

pub(super) fn table(out: &mut String, folder: &str, table: &Table) -> fmt::Result {
    writeln!(out, "CREATE EXTERNAL TABLE IF NOT EXISTS {} (", table.name)?;
    for (position, column) in table.columns.iter().enumerate() {
        let comma = if position + 1 < table.columns.len() { "," } else { "" };
        writeln!(out, "  `{}` {} COMMENT {}{comma}", column.name, kind(column.kind), escaped(column.doc))?;
    }
    writeln!(out, ")\nCOMMENT {}", escaped(table.doc))?;
    if table.dated_by.is_some() {
        writeln!(out, "PARTITIONED BY (`{DATE_PARTITION}` date)")?;
    }
    write!(out, "STORED AS PARQUET\nLOCATION {}", escaped(&format!("{folder}/")))?;
    if table.dated_by.is_some() {
        write!(out, "\nTBLPROPERTIES (")?;
        for (position, (key, value)) in projection(folder).into_iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            write!(out, "{comma}\n  '{key}' = {}", escaped(&value))?;
        }
        write!(out, "\n)")?;
    }
    writeln!(out, ";\n")
}
