//! Access keys that STS issued, which a lake of relevant events keeps in a table of their own.

use std::num::NonZeroUsize;

use trailweave_ingest::CompactOptions;
use trailweave_ingest::compact;
use trailweave_ingest::gc;
use trailweave_lake::Lake;
use trailweave_table::EVENTS;
use trailweave_table::SESSIONS;

use crate::ingest;
use crate::leave_plan;
use crate::options;
use crate::trail::Trail;
use crate::trail::event;
use crate::trail::object;
use crate::trail::texts;

const OPTIONS: CompactOptions = CompactOptions { memory_bytes: 64 << 20, threads: NonZeroUsize::MIN };

/// The record of an STS event that issued a key, with these fields besides.
fn issued(id: &str, fields: &str) -> String {
    let response = format!(r#""responseElements":{{"credentials":{{"accessKeyId":"key-of-{id}"}}}}"#);
    let record = event(id, "2026-09-01T12:00:00Z").replace("RunInstances", "AssumeRole").replace("ec2.", "sts.");
    record.replacen('{', &format!("{{{response},{fields}"), 1)
}

fn lake(trail: &Trail) -> Lake {
    Lake::open_or_create(&trail.source().with_file_name("lake"), Some("relevant")).unwrap()
}

#[tokio::test]
async fn sessions_stand_beside_events_and_are_counted_once() {
    let trail = Trail::new();
    let lake = lake(&trail);
    let refused = r#""errorCode":"AccessDenied","#;
    let launch = event("launch", "2026-09-01T12:00:00Z");
    trail.put("a.json", &object(&[launch, issued("a", ""), issued("b", ""), issued("refused", refused)]));
    let summary = ingest(&lake, &options(&trail)).await;
    assert_eq!((summary.tally.rows, summary.tally.filtered, summary.parts), (3, 1, 2));
    assert!(summary.event_dates.iter().eq(["2026-09-01"]));
    trail.put("b.json", &object(&[issued("b", ""), issued("c", ""), issued("c", "")]));
    let summary = ingest(&lake, &options(&trail)).await;
    assert_eq!((summary.tally.rows, summary.tally.duplicates), (1, 2));
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ["launch"]);
    let keys = ["key-of-a", "key-of-b", "key-of-c"];
    assert_eq!(texts(&lake, &SESSIONS, "issued_access_key_id"), keys);

    let _lock = lake.lock().unwrap();
    assert_eq!(lake.parts(&SESSIONS).unwrap().len(), 2);
    compact(&lake, &OPTIONS).unwrap();
    assert_eq!(lake.parts(&SESSIONS).unwrap().len(), 1);
    assert_eq!(texts(&lake, &SESSIONS, "issued_access_key_id"), keys);
    let leftover = lake.parts(&SESSIONS).unwrap()[0].path.with_file_name("part-00ff00ff00ff00ff-0.parquet");
    lake.write(&leftover, b"of a killed run").unwrap();
    leave_plan(&lake, "00ff00ff00ff00ff");
    assert_eq!(gc(&lake, false, false).unwrap(), [leftover]);
}

#[tokio::test]
async fn a_lake_of_all_events_has_no_sessions() {
    let trail = Trail::new();
    let lake = trail.lake("all");
    trail.put("a.json", &object(&[issued("a", "")]));
    ingest(&lake, &options(&trail)).await;
    assert_eq!(texts(&lake, &EVENTS, "issued_access_key_id"), ["key-of-a"]);
    assert!(lake.parts(&SESSIONS).unwrap().is_empty());
}

#[tokio::test]
async fn an_amendment_takes_the_place_of_a_session() {
    let trail = Trail::new();
    let lake = lake(&trail);
    let amends = r#""addendum":{"reason":"UPDATED_DATA","originalEventID":"a"},"#;
    trail.put("a.json", &object(&[issued("a", ""), issued("b", "")]));
    ingest(&lake, &options(&trail)).await;
    trail.put("b.json", &object(&[issued("a2", amends)]));
    let summary = ingest(&lake, &options(&trail)).await;
    assert_eq!((summary.tally.rows, summary.rows_amended), (1, 1));
    assert_eq!(texts(&lake, &SESSIONS, "event_id"), ["a2", "b"]);
    trail.put("c.json", &object(&[issued("a", "")]));
    assert_eq!(ingest(&lake, &options(&trail)).await.tally.duplicates, 1);
    assert_eq!(texts(&lake, &SESSIONS, "event_id"), ["a2", "b"]);
}
