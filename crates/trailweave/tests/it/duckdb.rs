//! The join asked in DuckDB's SQL gives the same rows.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::PYTHON;
use crate::program::trailweave;
use crate::program::utf8;

#[test]
fn duckdb_reads_the_demo_and_finds_the_same_links() {
    let folder = tempfile::tempdir().unwrap();
    let demo = folder.path().join("demo");
    let said = trailweave(&["demo", "--dir", utf8(&demo), "--records", "6000", "--seed", "3"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("RunInstances") && said.stdout.contains("[request_id, exact]"), "{}", said.stdout);
    let again = trailweave(&["demo", "--dir", utf8(&demo), "--records", "6000", "--seed", "3"]);
    assert_eq!(again.code, 0, "a demo replaces the one before: {}", again.stderr);
    let lake = demo.join("lake");

    let compare = Path::new(env!("CARGO_MANIFEST_DIR")).join("../correlate/tests/duckdb/compare.py");
    let answer = ask(&[utf8(&compare), utf8(&lake)]);
    assert!(answer.0, "{}", answer.1);
}

#[test]
fn a_folder_that_no_demo_made_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    let said = trailweave(&["demo", "--dir", utf8(folder.path())]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("--dir"), "{}", said.stderr);
    assert!(folder.path().join("thesis.txt").exists());
}

/// Runs python with DuckDB; whether it succeeded, and what it said.
fn ask(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(PYTHON).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
