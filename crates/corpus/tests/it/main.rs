//! The promises of generated corpora, read back from the files.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its corpus has failed")]

mod contents;
mod same_bytes;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;
use serde_json::Value;
use tempfile::TempDir;
use trailweave_corpus::{Corpus, CorpusOptions, generate};

/// A corpus on disk, read back.
struct Read {
    folder: TempDir,
    corpus: Corpus,
    /// By path below the root: the records' texts as they stand in the object.
    objects: BTreeMap<PathBuf, Vec<Value>>,
    truth: Vec<Value>,
}

fn write_and_read(options: &CorpusOptions) -> Read {
    let folder = tempfile::tempdir().unwrap();
    let corpus = generate(options, folder.path()).unwrap();
    let mut paths = Vec::new();
    files_below(&folder.path().join("AWSLogs"), &mut paths);
    let objects = paths.into_iter().map(|path| (below(&folder, &path), records_of(&path))).collect();
    let truth = fs::read_to_string(folder.path().join("truth.jsonl")).unwrap();
    let truth = truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Read { folder, corpus, objects, truth }
}

fn below(folder: &TempDir, path: &Path) -> PathBuf {
    path.strip_prefix(folder.path()).unwrap().to_owned()
}

fn files_below(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, paths) } else { paths.push(path) }
    }
    paths.sort();
}

fn records_of(path: &Path) -> Vec<Value> {
    let mut json = String::new();
    GzDecoder::new(fs::read(path).unwrap().as_slice()).read_to_string(&mut json).unwrap();
    let envelope: Value = serde_json::from_str(&json).unwrap();
    envelope["Records"].as_array().unwrap().clone()
}

fn small() -> CorpusOptions {
    CorpusOptions { records: 2_000, days: 2, ..CorpusOptions::default() }
}
