//! Several processes share out a job, and the lake is as one would make it.

use std::collections::BTreeSet;

use trailweave_ingest::IngestError;
use trailweave_ingest::IngestOptions;
use trailweave_ingest::Progress;
use trailweave_ingest::Summary;
use trailweave_lake::Lake;
use trailweave_table::EVENTS;
use trailweave_table::LEDGER;

use crate::ingest;
use crate::options;
use crate::trail::Trail;
use crate::trail::event;
use crate::trail::object;
use crate::trail::texts;

const REGIONS: [&str; 5] = ["eu-west-1", "eu-west-2", "us-east-1", "us-west-2", "ap-south-1"];

/// Objects of five regions and two days, each event delivered on both days.
fn trail() -> Trail {
    let trail = Trail::new();
    for region in REGIONS {
        let records = |from: u32| {
            let ids = (from..from + 20).map(|n| event(&format!("{region}-{n:03}"), "2026-09-01T12:00:00Z"));
            ids.collect::<Vec<_>>()
        };
        trail.deliver(region, "2026/09/01", "first", &records(0));
        trail.deliver(region, "2026/09/02", "late", &records(10));
    }
    trail
}

async fn shard(lake: &Lake, options: &IngestOptions, index: u32, count: u32) -> Result<Summary, IngestError> {
    let name = format!("{index}/{count}");
    let _lock = lake.lock_shard(&format!("{index}-of-{count}"), count)?;
    let shard = Some(name.parse().unwrap());
    let options = IngestOptions { shard, run_id: format!("run-{index}-of-{count}"), ..options.clone() };
    trailweave_ingest::ingest(lake, &options, &Progress::default()).await
}

fn relevant(trail: &Trail, name: &str) -> Lake {
    Lake::open_or_create(&trail.source().with_file_name(name), None).unwrap()
}

#[tokio::test]
async fn shards_side_by_side_make_the_lake_that_one_run_makes() {
    let trail = trail();
    let whole = relevant(&trail, "whole");
    let expected = ingest(&whole, &options(&trail)).await;
    let lake = relevant(&trail, "lake");
    let options = options(&trail);
    let shards = futures::future::join_all((0..4).map(|index| shard(&lake, &options, index, 4))).await;
    let shards: Vec<Summary> = shards.into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(shards.iter().map(|it| it.tally).sum::<trailweave_table::Tally>(), expected.tally);
    assert!(shards.iter().filter(|it| it.objects_done > 0).count() > 1, "the regions fell to one shard");
    for (table, column) in [(&EVENTS, "event_id"), (&LEDGER, "source_object")] {
        assert_eq!(texts(&lake, table, column), texts(&whole, table, column));
    }
    let again = shard(&lake, &options, 0, 4).await.unwrap();
    assert_eq!(again.objects_done, 0);
    let names: BTreeSet<_> = texts(&lake, &LEDGER, "run_id").into_iter().collect();
    assert!(names.iter().all(|name| name.ends_with("-of-4")), "{names:?}");
}

#[tokio::test]
async fn an_object_without_a_place_is_of_no_share() {
    let trail = trail();
    trail.put("elsewhere.json", &object(&[event("x", "2026-09-01T12:00:00Z")]));
    let refused = shard(&relevant(&trail, "lake"), &options(&trail), 0, 2).await;
    assert!(matches!(refused, Err(IngestError::NotToShare { .. })), "{refused:?}");
}
