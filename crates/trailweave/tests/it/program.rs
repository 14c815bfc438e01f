//! Runs the program and takes what it said.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The python that `make test` sets up: it has DuckDB, a server that answers as S3 and SQS do, and the messages of OTLP.
pub(crate) const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/venv/bin/python");

/// The output of a run of the program.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program with `arguments`.
pub(crate) fn trailweave(arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_trailweave")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs a source into a lake and returns the summary.
pub(crate) fn run(source: &Path, lake: &Path, expected_code: i32) -> Value {
    let said = trailweave(&["run", "--json", "--source", utf8(source), "--lake", utf8(lake)]);
    assert_eq!(said.code, expected_code, "{}", said.stderr);
    serde_json::from_str(&said.stdout).unwrap()
}

/// Asks the lake a question; one JSON object per row.
pub(crate) fn query(lake: &Path, sql: &str) -> Vec<Value> {
    let said = trailweave(&["query", "--json", "--lake", utf8(lake), sql]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes an object into the folder of its trail layout.
pub(crate) fn deliver(trail: &Path, account: &str, region: &str, day: &str, content: &[u8]) {
    let folder = trail.join("AWSLogs").join(account).join("CloudTrail").join(region).join(day.replace('-', "/"));
    fs::create_dir_all(&folder).unwrap();
    let compact = day.replace('-', "");
    let n = fs::read_dir(&folder).unwrap().count();
    let name = format!("{account}_CloudTrail_{region}_{compact}T0000Z_{n:016}.json.gz");
    fs::write(folder.join(name), content).unwrap();
}

pub(crate) fn utf8(path: &Path) -> &str {
    path.to_str().unwrap()
}
