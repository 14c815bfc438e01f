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
mod omit;
mod prune;
mod regrouped;
mod s3;
mod scale;
mod servers;
mod sessions;
mod shards;
mod trail;

use std::num::NonZeroUsize;

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
        memory_bytes: 64 << 20,
        threads: NonZeroUsize::new(2).unwrap(),
        fetches: NonZeroUsize::new(64).unwrap(),
        cap_bytes: 64 << 20,
        ..IngestOptions::default()
    }
}

async fn ingest(lake: &Lake, options: &IngestOptions) -> Summary {
    let _lock = lake.lock().unwrap();
    let summary = trailweave_ingest::ingest(lake, options, &Progress::default()).await.unwrap();
    assert!(summary.tally.balances());
    summary
}

/// Leaves the plan of a run that was killed, of a batch with an object that is there no more.
fn leave_plan(lake: &Lake, batch_id: &str) {
    let object = r#"{"source_object":"gone.json","version":"1","bytes":1}"#;
    let text =
        format!("{{\"run_id\":\"killed\",\"objects\":1}}\n{{\"batch_id\":\"{batch_id}\",\"objects\":[{object}]}}\n");
    let folder = lake.state_dir().join("runs/killed");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("plan.json"), text).unwrap();
}
