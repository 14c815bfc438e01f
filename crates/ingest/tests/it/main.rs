//! Trails become lakes as the documentation says.

#![expect(clippy::unwrap_used, reason = "functions that tests share stand outside of `#[test]`")]

mod amendments;
mod bad_input;
mod choice;
mod compact;
mod coverage;
mod duplicates;
mod faults;
mod hashes;
mod inventory;
mod regrouped;
mod s3;
mod scale;
mod servers;
mod sessions;
mod shards;
mod trail;

use std::num::NonZeroUsize;

use trailweave_ingest::Filter;
use trailweave_ingest::IngestOptions;
use trailweave_ingest::Progress;
use trailweave_ingest::S3Options;
use trailweave_ingest::Source;
use trailweave_ingest::Summary;
use trailweave_lake::Lake;

use crate::trail::Trail;

fn options(trail: &Trail) -> IngestOptions {
    IngestOptions {
        sources: vec![Source::Local(trail.source())],
        keys: Vec::new(),
        inventories: Vec::new(),
        queue_url: None,
        s3: S3Options::default(),
        filter: Filter::default(),
        memory_bytes: 64 << 20,
        threads: NonZeroUsize::new(2).unwrap(),
        fetches: NonZeroUsize::new(64).unwrap(),
        cap_bytes: 64 << 20,
        batch_bytes: 256 << 20,
        retry_quarantined: false,
        shard: None,
        run_id: "run".to_owned(),
    }
}

async fn ingest(lake: &Lake, options: &IngestOptions) -> Summary {
    let _lock = lake.lock().unwrap();
    let summary = trailweave_ingest::ingest(lake, options, &Progress::default()).await.unwrap();
    assert!(summary.tally.balances());
    summary
}
