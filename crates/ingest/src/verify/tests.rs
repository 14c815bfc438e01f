//! A verification that is killed is made whole by the next.

use std::num::NonZeroUsize;
use std::path::Path;

use trailweave_corpus::{BUCKET, CorpusOptions, DIGEST_METADATA, PUBLIC_KEYS, Tampering, generate};

use super::*;
use crate::Progress;
use crate::Source;
use crate::ingest;
use crate::trail::files;

fn options(trail: &Path) -> IngestOptions {
    IngestOptions {
        sources: vec![Source::Local(trail.join("AWSLogs"))],
        memory_bytes: 64 << 20,
        threads: NonZeroUsize::new(2).unwrap(),
        fetches: NonZeroUsize::new(64).unwrap(),
        cap_bytes: 1 << 20,
        batch_bytes: 1 << 16,
        ..IngestOptions::default()
    }
}

#[tokio::test]
async fn a_verification_killed_at_any_crash_point_gives_the_same_verdicts_when_it_is_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let trail = folder.path().join("trail");
    let corpus = CorpusOptions {
        days: 1,
        records: 600,
        accounts: 1,
        regions: 1,
        records_per_object: 5,
        digests: true,
        tampering: Some(Tampering::LogByte),
        ..CorpusOptions::default()
    };
    generate(&corpus, &trail).unwrap();
    let options = options(&trail);
    let verify = VerifyOptions {
        buckets: vec![BUCKET.to_owned()],
        public_keys: Some(trail.join(PUBLIC_KEYS)),
        digest_metadata: Some(trail.join(DIGEST_METADATA)),
        ..VerifyOptions::default()
    };
    let mut whole = None;
    for n_passed in [usize::MAX, 0, 1] {
        let lake = Lake::open_or_create(&folder.path().join(format!("lake-{n_passed}")), Some("all")).unwrap();
        let lock = lake.lock().unwrap();
        ingest(&lake, &options, &Progress::default()).await.unwrap();
        if n_passed < usize::MAX {
            let before = files(&lake);
            let killed = verify_until(&CrashPoints::end_after(n_passed), &lake, &options, &verify).await;
            assert!(matches!(killed, Err(IngestError::Stopped)));
            assert_eq!(files(&lake) == before, n_passed == 0, "before the note nothing happened");
        }
        drop(lock);
        let _lock = lake.lock().unwrap();
        let verified = super::verify(&lake, &options, &verify).await.unwrap();
        assert!(verified.is_harmed());
        let (expected, kept) = whole.get_or_insert_with(|| (verified.clone(), files(&lake)));
        assert!((&verified, &files(&lake)) == (expected, kept), "killed at crash point {n_passed}");
        assert_eq!(super::verify(&lake, &options, &verify).await.unwrap(), verified);
    }
}
