//! The statements that make the lake's tables known to a query engine.

mod athena;
mod clickhouse;
mod duckdb;
pub(crate) mod glue;
mod spark;
mod words;

use std::fmt;
use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::TABLES;
use crate::audit::AUDIT;
use crate::column::Kind;
use crate::column::Table;
use crate::ddl::words::TEMPORARY_VIEW;
use crate::ddl::words::VIEW;
use crate::ddl::words::columns;
use crate::ddl::words::escaped;
use crate::ddl::words::quoted;
use crate::layout::table_dir;
use crate::views::VIEWS;

/// A query engine that reads the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Views over `read_parquet`.
    DuckDb,
    /// External tables with partition projection, so that no partition is ever added by hand.
    Athena,
    /// Views over `file` or `s3`.
    ClickHouse,
    /// Temporary views over folders.
    Spark,
    /// The external tables of Athena as requests to Glue, one in a line. Views are none.
    Glue,
}

impl Dialect {
    /// Quotes a text for a question.
    pub(crate) fn text(self, text: &str) -> String {
        match self {
            Self::DuckDb | Self::Athena | Self::Glue => quoted(text),
            Self::ClickHouse | Self::Spark => escaped(text),
        }
    }

    /// Writes a time, in seconds since 1970, for a question. Times of Athena have no zone; they are of UTC.
    pub(crate) fn time(self, seconds: i64) -> String {
        let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let time = TimeZone::UTC.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S").to_string();
        match self {
            Self::DuckDb => format!("TIMESTAMPTZ '{time}+00'"),
            Self::Athena | Self::Glue => format!("TIMESTAMP '{time}'"),
            Self::Spark => format!("TIMESTAMP '{time}Z'"),
            Self::ClickHouse => format!("toDateTime64('{time}', 6, 'UTC')"),
        }
    }
}

/// Writes the statements for the tables, the ledger and the views of the lake at `root`, an absolute path or an `s3://` URL.
/// DuckDB and Spark refuse to read a table without files, so one that `has_files` denies becomes an empty view of the same
/// columns.
pub fn ddl(dialect: Dialect, root: &str, has_files: impl Fn(&Table) -> bool) -> String {
    let mut out = String::new();
    write_all(&mut out, dialect, root, has_files).expect("writing to a String cannot fail");
    out
}

fn write_all(out: &mut String, dialect: Dialect, root: &str, has_files: impl Fn(&Table) -> bool) -> fmt::Result {
    let zone = match dialect {
        Dialect::DuckDb => "SET TimeZone = 'UTC';",
        Dialect::Spark => "SET TIME ZONE 'UTC';",
        Dialect::Athena | Dialect::ClickHouse | Dialect::Glue => "",
    };
    if !zone.is_empty() {
        writeln!(out, "-- Without it, times are shown in the zone of the machine.\n{zone}\n")?;
    }
    for table in TABLES.into_iter().chain(AUDIT) {
        let folder = format!("{}/{}", root.trim_end_matches('/'), table_dir(table));
        match dialect {
            Dialect::DuckDb if has_files(table) => duckdb::table(out, &folder, table)?,
            Dialect::DuckDb => empty_view(out, VIEW, table, duckdb::kind)?,
            Dialect::Spark if has_files(table) => spark::table(out, &folder, table)?,
            Dialect::Spark => empty_view(out, TEMPORARY_VIEW, table, spark::kind)?,
            Dialect::Athena => athena::table(out, &folder, table)?,
            Dialect::ClickHouse => clickhouse::table(out, &folder, table)?,
            Dialect::Glue => glue::table(out, &folder, table)?,
        }
    }
    if dialect == Dialect::Glue {
        return Ok(());
    }
    let create = if dialect == Dialect::Spark { TEMPORARY_VIEW } else { VIEW };
    for view in VIEWS {
        writeln!(out, "-- {}\n{create} {} AS\n{};\n", view.doc, view.name, view.sql())?;
    }
    Ok(())
}

/// Writes the view of a table without files, `create` being its beginning.
fn empty_view(out: &mut String, create: &str, table: &Table, kind: fn(Kind) -> &'static str) -> fmt::Result {
    writeln!(out, "-- {} It has no file yet: print these statements again when it has.", table.doc)?;
    write!(out, "{create} {} AS\nSELECT", table.name)?;
    for (position, (name, kind)) in columns(table, kind).into_iter().enumerate() {
        let comma = if position == 0 { "" } else { "," };
        write!(out, "{comma}\n  CAST(NULL AS {kind}) AS {name}")?;
    }
    writeln!(out, "\nWHERE false;\n")
}
