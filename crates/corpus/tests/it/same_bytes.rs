//! Equal options give equal bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use trailweave_corpus::{CorpusOptions, Error, generate};

use crate::{below, files_below, small};

fn bytes_of(options: &CorpusOptions) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    generate(options, folder.path()).unwrap();
    let mut paths = Vec::new();
    files_below(folder.path(), &mut paths);
    paths.into_iter().map(|path| (below(&folder, &path), fs::read(&path).unwrap())).collect()
}

#[test]
fn the_same_options_give_the_same_bytes() {
    assert!(bytes_of(&small()) == bytes_of(&small()), "two runs differ");
    let signed = CorpusOptions { digests: true, ..small() };
    assert!(bytes_of(&signed) == bytes_of(&signed), "two runs with digests differ");
}

#[test]
fn another_seed_gives_another_corpus() {
    let one = bytes_of(&small());
    let other = bytes_of(&CorpusOptions { seed: 2, ..small() });
    let truth = PathBuf::from("truth.jsonl");
    assert_ne!(one[&truth], other[&truth]);
    assert!(one.keys().filter(|path| **path != truth).all(|path| !other.contains_key(path)));
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = CorpusOptions { regions: 9, ..CorpusOptions::default() };
    let error = generate(&wrong, folder.path()).unwrap_err();
    assert!(matches!(error, Error::Options { option: "regions", .. }));
    assert_eq!(error.to_string(), "option `regions` must be 1 to 8");
}
