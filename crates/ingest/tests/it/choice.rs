//! Which objects a run reads.

use std::fs;

use jiff::civil::date;
use trailweave_ingest::plan;
use trailweave_table::EVENTS;

use crate::ingest;
use crate::options;
use crate::trail::ACCOUNT;
use crate::trail::Trail;
use crate::trail::event;
use crate::trail::files;
use crate::trail::object;
use crate::trail::texts;

const TIME: &str = "2026-09-01T12:00:00Z";

fn deliver(trail: &Trail, region: &str, day: &str, id: &str) {
    trail.deliver(region, day, id, &[event(id, TIME)]);
}

#[tokio::test]
async fn a_filter_chooses_objects_by_key_and_the_rest_is_read_later() {
    let trail = Trail::new();
    deliver(&trail, "eu-west-1", "2026/09/01", "first");
    deliver(&trail, "eu-west-1", "2026/09/02", "second");
    deliver(&trail, "eu-west-2", "2026/09/02", "elsewhere");
    trail.put("unplaced.json", &object(&[event("unplaced", TIME)]));
    trail.put(&format!("{ACCOUNT}_CloudTrail_eu-west-1_20260902T0005Z_x.json"), &object(&[event("named", TIME)]));
    trail.put(&format!("AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-west-1/2026/09/02/digest.json.gz"), b"");
    let lake = trail.lake("lake");
    let mut options = options(&trail);
    options.filter.from = Some(date(2026, 9, 2));
    options.filter.to = Some(date(2026, 9, 2));
    options.filter.regions.insert("eu-west-1".to_owned());
    let foreseen = plan(Some(&lake), &options).await.unwrap();
    assert_eq!((foreseen.objects, foreseen.objects_filtered, foreseen.objects_skipped), (2, 3, 1));
    let summary = ingest(&lake, &options).await;
    assert_eq!((summary.objects_done, summary.objects_filtered, summary.objects_skipped), (2, 3, 1));
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ["named", "second"]);
    options.filter = trailweave_ingest::Filter::default();
    let summary = ingest(&lake, &options).await;
    assert_eq!((summary.objects_done, summary.objects_known, summary.objects_listed), (3, 2, 6));
    assert_eq!(texts(&lake, &EVENTS, "event_id").len(), 5);
}

#[tokio::test]
async fn a_plan_writes_nothing() {
    let trail = Trail::new();
    deliver(&trail, "eu-west-1", "2026/09/01", "first");
    let lake = trail.lake("lake");
    let foreseen = plan(Some(&lake), &options(&trail)).await.unwrap();
    assert_eq!((foreseen.objects, foreseen.batches), (1, 1));
    assert!(!lake.state_dir().join("runs").exists());
}

#[tokio::test]
async fn the_same_trail_gives_the_same_bytes_whatever_the_threads() {
    let trail = Trail::new();
    for n in 0..40 {
        let records: Vec<_> = (0..n).map(|m| event(&format!("{n}-{}", m * 7 % 10), TIME)).collect();
        trail.deliver("eu-west-1", "2026/09/01", &n.to_string(), &records);
    }
    let mut options = options(&trail);
    let (one, other) = (trail.lake("one"), trail.lake("other"));
    ingest(&one, &options).await;
    options.threads = std::num::NonZeroUsize::MIN;
    ingest(&other, &options).await;
    assert!(files(&one) == files(&other));
}

#[tokio::test]
async fn an_object_that_changed_is_read_again_without_doubling_its_rows() {
    let trail = Trail::new();
    let path = trail.put("a.json", &object(&[event("a", TIME)]));
    let lake = trail.lake("lake");
    ingest(&lake, &options(&trail)).await;
    fs::write(path, object(&[event("a", TIME), event("b", TIME)])).unwrap();
    let summary = ingest(&lake, &options(&trail)).await;
    assert_eq!((summary.objects_done, summary.tally.rows, summary.tally.duplicates), (1, 1, 1));
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ["a", "b"]);
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_left_for_the_next_run() {
    let trail = Trail::new();
    let path = trail.put("a.json", &object(&[event("a", TIME)]));
    trail.put("b.json", &object(&[event("b", TIME)]));
    let lake = trail.lake("lake");
    let options = options(&trail);
    // A plan whose object is gone when it is carried out.
    let run = lake.state_dir().join("runs/earlier");
    fs::create_dir_all(&run).unwrap();
    let gone = trail.source().join("gone.json").display().to_string();
    let plan = format!(
        "{{\"run_id\":\"earlier\",\"batches\":[{{\"batch_id\":\"0123456789abcdef\",\"objects\":\
         [{{\"source_object\":\"{gone}\",\"version\":\"1\",\"bytes\":1}},\
         {{\"source_object\":\"{}\",\"version\":\"another\",\"bytes\":1}}]}}]}}",
        path.display()
    );
    fs::write(run.join("plan.json"), plan).unwrap();
    let summary = ingest(&lake, &options).await;
    assert_eq!((summary.objects_left, summary.objects_gone, summary.objects_done), (1, 1, 2));
    assert_eq!(ingest(&lake, &options).await.objects_known, 2);
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ["a", "b"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_loop_of_links_is_read_once() {
    let trail = Trail::new();
    deliver(&trail, "eu-west-1", "2026/09/01", "first");
    std::os::unix::fs::symlink(trail.source(), trail.source().join("AWSLogs/loop")).unwrap();
    let summary = ingest(&trail.lake("lake"), &options(&trail)).await;
    assert_eq!((summary.objects_listed, summary.objects_done), (1, 1));
}
