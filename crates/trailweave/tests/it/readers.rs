//! Real readers see in a lake what `query` sees, to the cell.

use std::path::Path;
use std::process::Command;

use crate::program::PYTHON;

/// The place where `make readers` puts the DuckDB before the newest.
const OLDER_DUCKDB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/venv/duckdb-1.5");

#[test]
fn every_reader_sees_every_cell_as_query_does() {
    compare(&["duckdb", "clickhouse", "polars", "pyarrow", "pandas"], "");
}

#[test]
fn the_duckdb_before_the_newest_sees_every_cell_as_query_does() {
    let said = compare(&["duckdb"], OLDER_DUCKDB);
    assert!(said.contains("duckdb is 1.5"), "{said}");
}

/// Runs the comparison with other modules of python before the usual ones; returns what it says.
fn compare(readers: &[&str], modules: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/compare.py");
    let mut command = Command::new(PYTHON);
    command.arg(&script).arg(env!("CARGO_BIN_EXE_trailweave")).args(readers).env("PYTHONPATH", modules);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    said
}
