//! Real readers of Iceberg see in a published lake what `query` sees, in every snapshot.

use std::path::Path;
use std::process::Command;

use crate::aws::Aws;
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
fn readers_of_iceberg_see_every_cell_of_a_lake_on_seaweedfs() {
    check_on(&Aws::seaweedfs(), "iceberg_s3.py", "cells");
}

#[test]
fn a_reader_beside_ten_runs_on_seaweedfs_sees_committed_snapshots_alone() {
    check_on(&Aws::seaweedfs(), "iceberg_s3.py", "loop");
}

#[test]
fn glue_takes_the_tables_that_ddl_prints() {
    check("glue.py", "");
}

#[cfg(feature = "glue")]
#[test]
fn readers_of_iceberg_see_every_cell_of_a_lake_in_glue() {
    check_on(&Aws::moto(), "iceberg_s3.py", "glue");
}

#[cfg(feature = "glue")]
#[test]
fn tables_in_glue_follow_whoever_changes_them_in_between() {
    check_on(&Aws::moto(), "glue_commits.py", "races");
}

#[cfg(feature = "glue")]
#[test]
fn a_table_in_glue_of_somebody_else_is_left_alone() {
    check_on(&Aws::moto(), "glue_commits.py", "foreign");
}

#[cfg(feature = "glue")]
#[test]
fn what_glue_refuses_is_said_with_the_way_out() {
    check_on(&Aws::moto(), "glue_commits.py", "refused");
}

fn check(script: &str, test: &str) {
    assert_passes(&mut command(script, test));
}

/// Runs a test with a lake on a server.
fn check_on(aws: &Aws, script: &str, test: &str) {
    assert_passes(command(script, test).env("S3_URL", &aws.url));
}

fn command(script: &str, test: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers").join(script);
    let mut command = Command::new(PYTHON);
    command.arg(&script).arg(env!("CARGO_BIN_EXE_trailweave")).arg(test);
    command
}

fn assert_passes(command: &mut Command) {
    let output =
        command.env("DUCKDB_WITH_ICEBERG", DUCKDB).env("POLARS_ICEBERG_PLANNER", "pyiceberg").output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
}
