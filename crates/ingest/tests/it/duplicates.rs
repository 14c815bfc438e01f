//! A record is kept once, however often and wherever it is delivered.

use std::num::NonZeroUsize;

use trailweave_ingest::CompactOptions;
use trailweave_ingest::IngestError;
use trailweave_ingest::IngestOptions;
use trailweave_ingest::Progress;
use trailweave_ingest::compact;
use trailweave_lake::LakeError;
use trailweave_lake::PublishOptions;
use trailweave_lake::publish;
use trailweave_table::EVENTS;
use trailweave_table::LEDGER;
use trailweave_table::TABLES;

use crate::ingest;
use crate::options;
use crate::trail::Trail;
use crate::trail::event;
use crate::trail::object;
use crate::trail::texts;

fn events(ids: impl IntoIterator<Item = u32>) -> Vec<String> {
    ids.into_iter().map(|id| event(&format!("id-{id:04}"), &format!("2026-09-01T12:00:{:02}Z", id % 60))).collect()
}

fn ids(ids: impl IntoIterator<Item = u32>) -> Vec<String> {
    ids.into_iter().map(|id| format!("id-{id:04}")).collect()
}

#[tokio::test]
async fn late_files_bring_only_what_is_new() {
    let trail = Trail::new();
    trail.put("a.json", &object(&events((0..300).chain(0..10))));
    let lake = trail.lake("lake");
    let summary = ingest(&lake, &options(&trail)).await;
    assert_eq!((summary.tally.rows, summary.tally.duplicates), (300, 10));
    trail.put("b.json", &object(&events(200..500)));
    let summary = ingest(&lake, &options(&trail)).await;
    assert_eq!((summary.tally.rows, summary.tally.duplicates, summary.parts), (200, 100, 1));
    trail.put("c.json", &object(&events(0..500)));
    let summary = ingest(&lake, &options(&trail)).await;
    assert_eq!((summary.tally.rows, summary.tally.duplicates, summary.parts), (0, 500, 0));
    assert!(summary.event_dates.is_empty());
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ids(0..500));
    assert_eq!(texts(&lake, &LEDGER, "source_object").len(), 3);
}

#[tokio::test]
async fn batches_of_one_run_see_each_other() {
    let trail = Trail::new();
    for (name, from) in [("a", 0), ("b", 50), ("c", 100)] {
        trail.put(&format!("{name}.json"), &object(&events(from..from + 100)));
    }
    let mut options = options(&trail);
    options.batch_bytes = 1;
    let lake = trail.lake("lake");
    let summary = ingest(&lake, &options).await;
    assert_eq!((summary.tally.rows, summary.tally.duplicates, summary.parts), (200, 100, 3));
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ids(0..200));
}

#[tokio::test]
async fn copies_for_two_accounts_and_records_without_an_id_are_all_kept() {
    let trail = Trail::new();
    let ours = event("shared", "2026-09-01T12:00:00Z");
    let theirs = ours.replace("210987654321", "109876543210");
    let nameless = ours.replace("\"eventID\":\"shared\",", "");
    trail.put("a.json", &object(&[ours.clone(), theirs, nameless.clone(), nameless.clone()]));
    let lake = trail.lake("lake");
    assert_eq!(ingest(&lake, &options(&trail)).await.tally.rows, 4);
    trail.put("b.json", &object(&[ours, nameless]));
    let summary = ingest(&lake, &options(&trail)).await;
    assert_eq!((summary.tally.rows, summary.tally.duplicates), (1, 1));
}

#[tokio::test]
async fn the_same_id_in_another_account_is_no_duplicate() {
    let trail = Trail::new();
    trail.put("a.json", &object(&events([1])));
    let lake = trail.lake("lake");
    ingest(&lake, &options(&trail)).await;
    // The Bloom filter knows ids alone.
    let theirs: Vec<_> = events([1]).iter().map(|it| it.replace("210987654321", "310987654321")).collect();
    trail.put("b.json", &object(&theirs));
    assert_eq!(ingest(&lake, &options(&trail)).await.tally.rows, 1);
}

#[tokio::test]
async fn a_damaged_part_is_named_and_its_remedy_works() {
    let trail = Trail::new();
    trail.put("a.json", &object(&events(0..10)));
    let lake = trail.lake("lake");
    ingest(&lake, &options(&trail)).await;
    let part = lake.parts(&EVENTS).unwrap().remove(0).path;
    std::fs::write(&part, b"PAR1 no more").unwrap();
    trail.put("b.json", &object(&events(5..15)));
    let error = trailweave_ingest::ingest(&lake, &options(&trail), &Progress::default()).await.unwrap_err();
    let IngestError::Lake(LakeError::Damaged { path, .. }) = error else { panic!("{error}") };
    assert_eq!(path, part);
    std::fs::remove_file(part).unwrap();
    ingest(&lake, &IngestOptions { again: true, ..options(&trail) }).await;
    ingest(&lake, &options(&trail)).await;
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ids(0..15));
}

/// Files that older snapshots keep have the same rows, and no reader of the lake counts them.
#[tokio::test]
async fn rows_that_only_a_snapshot_keeps_come_back() {
    let trail = Trail::new();
    let lake = trail.lake("lake");
    let options_of_lake = PublishOptions { keep_secs: Some(3_600), ..PublishOptions::default() };
    lake.begin_publishing(&options_of_lake).unwrap();
    for (name, first) in [("a", 0), ("b", 5)] {
        trail.put(&format!("{name}.json"), &object(&events(first..first + 5)));
        ingest(&trail.lake("lake"), &options(&trail)).await;
    }
    let lake = trail.lake("lake");
    for table in TABLES {
        publish(&lake, table, &lake.parts(table).unwrap(), "publish").unwrap();
    }
    {
        let _lock = lake.lock().unwrap();
        compact(&lake, &CompactOptions { memory_bytes: 64 << 20, threads: NonZeroUsize::MIN }).unwrap();
    }
    let parts = lake.parts(&EVENTS).unwrap();
    assert_eq!((parts.len(), texts(&lake, &EVENTS, "event_id")), (1, ids(0..10)));
    std::fs::remove_file(&parts[0].path).unwrap();
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ids(0..0));
    ingest(&lake, &IngestOptions { again: true, ..options(&trail) }).await;
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ids(0..10));
}
