//! Real readers of Iceberg see in a published lake what `query` sees, in every snapshot.

use std::path::Path;
use std::process::Command;

use crate::program::PYTHON;

/// The place where `make readers` puts a DuckDB and its extensions, which know one version of it.
const DUCKDB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/venv/duckdb-iceberg");

#[test]
fn readers_of_iceberg_see_every_cell_as_query_does() {
    check("iceberg.py", "cells");
}

#[test]
fn each_snapshot_of_a_lake_that_keeps_them_is_read_as_it_was() {
    check("iceberg.py", "snapshots");
}

#[test]
fn a_reader_beside_twenty_runs_sees_committed_snapshots_alone() {
    check("iceberg.py", "loop");
}

#[test]
fn glue_takes_the_tables_that_ddl_prints() {
    check("glue.py", "");
}

fn check(script: &str, test: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers").join(script);
    let mut command = Command::new(PYTHON);
    command.arg(&script).arg(env!("CARGO_BIN_EXE_trailweave")).arg(test);
    let output =
        command.env("DUCKDB_WITH_ICEBERG", DUCKDB).env("POLARS_ICEBERG_PLANNER", "pyiceberg").output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
}
