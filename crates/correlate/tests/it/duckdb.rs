//! The join asked of DuckDB, another engine with another formulation: `tests/duckdb`.

use std::env;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// Compares the `correlated` of the lake in `folder` with DuckDB's answer.
pub(crate) fn assert_duckdb_agrees(folder: &Path) {
    let compare = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/duckdb/compare.py");
    let output = Command::new(python()).arg(compare).arg(folder).output().expect("`make duckdb` sets up a python");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// The python that `make duckdb` sets up.
#[expect(clippy::disallowed_methods, reason = "the Makefile tells the tests where it put DuckDB")]
fn python() -> PathBuf {
    match env::var("TRAILWEAVE_DUCKDB_PYTHON") {
        Ok(python) => PathBuf::from(python),
        Err(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/bin/python"),
    }
}
