//! The join asked of DuckDB, another engine with another formulation: `tests/duckdb`.

use std::path::Path;
use std::process::Command;

/// The python that `make duckdb` sets up.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/venv/bin/python");

/// Compares the `correlated` of the lake in `folder` with DuckDB's answer.
pub(crate) fn assert_duckdb_agrees(folder: &Path) {
    let compare = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/duckdb/compare.py");
    let output = Command::new(PYTHON).arg(compare).arg(folder).output().expect("`make duckdb` sets up a python");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
