//! Digests of synthetic trails, whole and tampered with.

#![expect(clippy::unwrap_used, reason = "functions that tests share stand outside of `#[test]`")]

mod keys;
mod tampering;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::write::GzDecoder;
use trailweave_corpus::{BUCKET, Corpus, CorpusOptions, DIGEST_METADATA, PUBLIC_KEYS, Tampering, generate};
use trailweave_digest::{Digest, DigestName, Judged, Metadata, ObjectMetadata, PublicKeys, Range, check, judge};

/// A trail with digests, and what its generator says of it.
struct World {
    folder: tempfile::TempDir,
    corpus: Corpus,
    digests: Vec<Digest>,
    n_listed: usize,
    keys: PublicKeys,
}

impl World {
    fn new(tampering: Option<Tampering>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = CorpusOptions {
            days: 1,
            records: 1_500,
            records_per_object: 5,
            regions: 1,
            accounts: 2,
            digests: true,
            tampering,
            ..CorpusOptions::default()
        };
        let corpus = generate(&options, folder.path()).unwrap();
        let metadata = Metadata::read(fs::File::open(folder.path().join(DIGEST_METADATA)).unwrap()).unwrap();
        let keys = PublicKeys::parse(&fs::read(folder.path().join(PUBLIC_KEYS)).unwrap()).unwrap();
        let (mut digests, mut n_listed) = (Vec::new(), 0);
        for path in files(&folder.path().join("AWSLogs")) {
            let key = path.strip_prefix(folder.path()).unwrap().to_str().unwrap();
            let Some(name) = DigestName::of(key) else { continue };
            let mut decoder = GzDecoder::new(Vec::new());
            decoder.write_all(&fs::read(&path).unwrap()).unwrap();
            let text = decoder.finish().unwrap();
            let metadata = metadata.get(BUCKET, key).map(ObjectMetadata::of_digest).unwrap_or_default();
            let (digest, listed) = Digest::read(BUCKET, name, &text, metadata).unwrap();
            n_listed += listed.len();
            digests.push(digest);
        }
        Self { folder, corpus, digests, n_listed, keys }
    }

    fn judge(&self, range: Range) -> Judged {
        let own = self.digests.iter().map(|digest| check(digest, &self.keys)).collect();
        judge(&self.digests, own, &[], &self.keys, range)
    }
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
