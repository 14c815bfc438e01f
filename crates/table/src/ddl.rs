//! The statements that make the lake's tables known to a query engine.

use std::fmt::Write;

use crate::column::{Kind, Table};
use crate::layout::DATE_PARTITION;

/// A query engine that reads the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Views over `read_parquet`.
    DuckDb,
    /// External tables with partition projection, so that no partition is ever added by hand.
    Athena,
}

/// The statements for `tables` of the lake at `root` (a path or an `s3://` URL), one per table. DuckDB refuses to read a
/// table without files, so one that `has_files` denies becomes an empty view of the same columns.
pub fn ddl(dialect: Dialect, root: &str, tables: &[&Table], has_files: impl Fn(&Table) -> bool) -> String {
    let root = root.trim_end_matches('/');
    let mut out = String::new();
    for table in tables {
        match dialect {
            Dialect::DuckDb if has_files(table) => duckdb(&mut out, root, table),
            Dialect::DuckDb => duckdb_empty(&mut out, table),
            Dialect::Athena => athena(&mut out, root, table),
        }
        .expect("writing to a String cannot fail");
    }
    out
}

fn duckdb(out: &mut String, root: &str, table: &Table) -> std::fmt::Result {
    let files = if table.dated_by.is_some() { "*/*.parquet" } else { "*.parquet" };
    let path = format!("{root}/{}/{files}", table.name).replace('\'', "''");
    writeln!(out, "-- {}", table.doc)?;
    writeln!(out, "CREATE OR REPLACE VIEW {} AS", table.name)?;
    match table.dated_by {
        Some(_) => writeln!(
            out,
            "SELECT * FROM read_parquet('{path}', hive_partitioning = true, hive_types = {{'{DATE_PARTITION}': DATE}});\n"
        ),
        None => writeln!(out, "SELECT * FROM read_parquet('{path}');\n"),
    }
}

fn duckdb_empty(out: &mut String, table: &Table) -> std::fmt::Result {
    writeln!(out, "-- {} It has no file yet: print these statements again when it has.", table.doc)?;
    writeln!(out, "CREATE OR REPLACE VIEW {} AS\nSELECT", table.name)?;
    for column in table.columns {
        writeln!(out, "  NULL::{} AS {},", duckdb_type(column.kind), column.name)?;
    }
    if table.dated_by.is_some() {
        writeln!(out, "  NULL::DATE AS {DATE_PARTITION},")?;
    }
    writeln!(out, "WHERE false;\n")
}

fn duckdb_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "VARCHAR",
        Kind::Time => "TIMESTAMP WITH TIME ZONE",
        Kind::Bool => "BOOLEAN",
        Kind::Integer => "BIGINT",
        Kind::TextList => "VARCHAR[]",
        Kind::TextMap => "MAP(VARCHAR, VARCHAR)",
    }
}

fn athena(out: &mut String, root: &str, table: &Table) -> std::fmt::Result {
    let location = format!("{root}/{}/", table.name).replace('\'', "''");
    writeln!(out, "CREATE EXTERNAL TABLE IF NOT EXISTS {} (", table.name)?;
    for (position, column) in table.columns.iter().enumerate() {
        let comma = if position + 1 < table.columns.len() { "," } else { "" };
        let doc = column.doc.replace('\'', "''");
        writeln!(out, "  `{}` {} COMMENT '{doc}'{comma}", column.name, athena_type(column.kind))?;
    }
    writeln!(out, ")\nCOMMENT '{}'", table.doc.replace('\'', "''"))?;
    if table.dated_by.is_some() {
        writeln!(out, "PARTITIONED BY (`{DATE_PARTITION}` date)")?;
    }
    writeln!(out, "STORED AS PARQUET\nLOCATION '{location}'")?;
    if table.dated_by.is_some() {
        writeln!(out, "TBLPROPERTIES (")?;
        writeln!(out, "  'projection.enabled' = 'true',")?;
        writeln!(out, "  'projection.{DATE_PARTITION}.type' = 'date',")?;
        writeln!(out, "  'projection.{DATE_PARTITION}.format' = 'yyyy-MM-dd',")?;
        writeln!(out, "  'projection.{DATE_PARTITION}.range' = '2013-11-01,NOW+1DAY',")?;
        writeln!(out, "  'storage.location.template' = '{location}{DATE_PARTITION}=${{{DATE_PARTITION}}}/'\n);\n")
    } else {
        writeln!(out, ";\n")
    }
}

fn athena_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::Time => "timestamp",
        Kind::Bool => "boolean",
        Kind::Integer => "bigint",
        Kind::TextList => "array<string>",
        Kind::TextMap => "map<string,string>",
    }
}
