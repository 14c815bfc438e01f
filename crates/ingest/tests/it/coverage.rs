//! The answers of `status` about a lake and its sources.

use jiff::civil::date;
use trailweave_ingest::Filter;
use trailweave_ingest::status;

use super::*;
use crate::trail::ACCOUNT;
use crate::trail::event;
use crate::trail::gz;
use crate::trail::object;

const TIME: &str = "2026-09-01T12:00:00Z";

fn key(day: u8, clock: &str, name: &str) -> String {
    let folder = format!("AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/09/0{day}");
    format!("{folder}/{ACCOUNT}_CloudTrail_eu-west-1_2026090{day}T{clock}Z_{name}.json.gz")
}

#[tokio::test]
async fn coverage_is_counted_by_place_and_a_quarantined_object_that_was_mended_is_done() {
    let trail = Trail::new();
    let whole = |id: &str| gz(&object(&[event(id, TIME), event(&format!("{id}-2"), TIME)]));
    trail.put(&key(1, "0005", "a"), &whole("a"));
    trail.put(&key(1, "2355", "b"), b"cut");
    trail.put(&key(2, "1200", "c"), b"cut");
    trail.put("unplaced.json", &object(&[event("unplaced", TIME)]));
    let lake = trail.lake("lake");
    let options = options(&trail);
    ingest(&lake, &options).await;
    trail.put(&key(1, "2355", "b"), &whole("b"));
    ingest(&lake, &options).await;
    trail.put(&key(2, "1300", "d"), &whole("d"));

    let seen = status(&lake, &options, false).await.unwrap();
    assert_eq!((seen.done, seen.quarantined, seen.unread), (3, 1, 0));
    let [unplaced, first, second] = &seen.coverage[..] else { panic!("{seen:?}") };
    assert_eq!((unplaced.day.as_deref(), unplaced.done, unplaced.missing_hours.len()), (None, 1, 0));
    assert_eq!((first.day.as_deref(), first.account.as_deref()), (Some("2026-09-01"), Some(ACCOUNT)));
    assert_eq!((first.done, first.quarantined, first.records, first.rows), (2, 0, 4, 4));
    assert_eq!(first.missing_hours, (1..23).collect());
    assert_eq!((second.done, second.quarantined, second.bytes), (0, 1, 0));

    let seen = status(&lake, &options, true).await.unwrap();
    assert_eq!((seen.unread, seen.coverage[2].unread), (1, 1));

    let filter = Filter { to: Some(date(2026, 9, 1)), ..Filter::default() };
    let of_first = IngestOptions { filter, ..options };
    let seen = status(&lake, &of_first, false).await.unwrap();
    // One without a day is in every window.
    assert_eq!((seen.coverage.len(), seen.done, seen.coverage[0].done), (2, 3, 1));
}

#[tokio::test]
async fn names_that_tell_no_hour_leave_none_missing() {
    let trail = Trail::new();
    let name = format!("AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/09/05/firehose-1.json");
    trail.put(&name, &object(&[event("a", TIME)]));
    let lake = trail.lake("lake");
    ingest(&lake, &options(&trail)).await;
    let seen = status(&lake, &options(&trail), false).await.unwrap();
    assert_eq!((seen.coverage[0].done, seen.coverage[0].missing_hours.len()), (1, 0));
}
