//! Days that were pruned stay away, and rows that were lost come back.

use trailweave_ingest::{Retry, SkipReason, plan, prune, quarantined, status};
use trailweave_lake::Change;
use trailweave_table::{EVENTS, LEDGER, REJECTS, day_of_date};

use super::*;
use crate::trail::{ACCOUNT, event, texts};

const FIRST: &str = "2026-09-01T12:00:00Z";
const SECOND: &str = "2026-09-02T12:00:00Z";

/// Lets the days before the second leave, but for those of `events`, which the join prunes.
fn pruned(lake: &Lake) -> u64 {
    let mut change = Change::new(lake, "prune");
    let n_rejects = prune(lake, day_of_date("2026-09-02").unwrap(), &mut change).unwrap();
    for part in lake.parts(&EVENTS).unwrap() {
        if part.event_date.as_deref() == Some("2026-09-01") {
            change.remove(&part.path);
        }
    }
    change.commit().unwrap();
    n_rejects
}

#[tokio::test]
async fn nothing_of_a_pruned_day_comes_in_and_the_ledger_remembers_what_was_there() {
    let trail = Trail::new();
    let reject = || "7".to_owned();
    trail.deliver("eu-west-1", "2026/09/01", "a", &[event("a", FIRST), reject()]);
    trail.deliver("eu-west-1", "2026/09/02", "b", &[event("b", FIRST), event("c", SECOND), reject()]);
    let lake = trail.lake("lake");
    let options = options(&trail);
    ingest(&lake, &options).await;
    let ledger = texts(&lake, &LEDGER, "sha256");
    assert_eq!(pruned(&lake), 1);
    assert_eq!(texts(&lake, &LEDGER, "sha256"), ledger);
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ["c"]);
    assert_eq!(texts(&lake, &REJECTS, "record"), ["7"]);
    let seen = status(&lake, &options, false).await.unwrap();
    assert_eq!((seen.done, seen.pruned, seen.coverage[0].pruned, seen.coverage[0].rows), (1, 1, 1, 1));
    assert_eq!((seen.records, seen.rows), (5, 3), "what was pruned was read, too");

    trail.deliver("eu-west-1", "2026/09/01", "late", &[event("d", FIRST), event("e", SECOND)]);
    trail.deliver("eu-west-1", "2026/09/03", "later", &[event("f", FIRST), event("g", SECOND)]);
    let planned = plan(Some(&lake), &options).await.unwrap();
    assert_eq!((planned.objects, planned.objects_known, planned.objects_skipped), (1, 2, 1));
    let summary = ingest(&lake, &options).await;
    assert_eq!(summary.skipped.get(SkipReason::Pruned).map(|it| it.objects), Some(1));
    assert_eq!((summary.tally.records, summary.tally.rows, summary.tally.filtered), (2, 1, 1));
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ["c", "g"]);
    let seen = status(&lake, &options, true).await.unwrap();
    assert_eq!((seen.done, seen.pruned, seen.unread), (2, 1, 0));
    assert_eq!(seen.skipped.get(SkipReason::Pruned).map(|it| it.objects), Some(1));
}

#[tokio::test]
async fn a_quarantined_object_of_a_pruned_day_waits_for_nobody() {
    let trail = Trail::new();
    let key = format!("AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/09/01/cut.json.gz");
    trail.put(&key, b"cut");
    let lake = trail.lake("lake");
    let options = IngestOptions { retry: Retry::Standing, ..options(&trail) };
    assert_eq!(ingest(&lake, &options).await.objects_quarantined, 1);
    pruned(&lake);
    assert_eq!(ingest(&lake, &options).await.objects_known, 1);
    let seen = status(&lake, &options, false).await.unwrap();
    assert_eq!((seen.quarantined, seen.pruned), (0, 1));
    assert_eq!(quarantined(&lake).unwrap(), []);
}

#[tokio::test]
async fn lost_parts_are_read_again_and_counted_once() {
    let trail = Trail::new();
    trail.deliver("eu-west-1", "2026/09/01", "a", &[event("a", FIRST), event("b", FIRST), "7".to_owned()]);
    trail.deliver("eu-west-1", "2026/09/02", "b", &[event("c", SECOND)]);
    let lake = trail.lake("lake");
    let options = IngestOptions { batch_bytes: 1, ..options(&trail) };
    ingest(&lake, &options).await;
    let seen = status(&lake, &options, false).await.unwrap();
    for n in 1..3 {
        let part = lake.parts(&EVENTS).unwrap().remove(0);
        lake.remove(&part.path).unwrap();
        assert_eq!(texts(&lake, &EVENTS, "event_id"), ["c"]);
        let again = IngestOptions { again: true, run_id: format!("again-{n}"), ..options.clone() };
        let summary = ingest(&lake, &again).await;
        assert_eq!((summary.objects_done, summary.tally.rows, summary.tally.duplicates), (2, 2, 1));
        assert_eq!(texts(&lake, &EVENTS, "event_id"), ["a", "b", "c"]);
        assert_eq!(texts(&lake, &REJECTS, "record"), ["7"]);
        assert_eq!(texts(&lake, &LEDGER, "status").iter().filter(|status| *status == "again").count(), 2 * n);
        assert_eq!(status(&lake, &options, false).await.unwrap(), seen);
    }
}
