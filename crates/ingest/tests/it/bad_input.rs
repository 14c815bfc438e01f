//! Bad input costs what the design says, and nothing else.

use std::fs;

use trailweave_table::EVENTS;
use trailweave_table::LEDGER;
use trailweave_table::REJECTS;

use crate::ingest;
use crate::leave_plan;
use crate::options;
use crate::trail::Trail;
use crate::trail::event;
use crate::trail::files;
use crate::trail::gz;
use crate::trail::object;
use crate::trail::texts;

const TIME: &str = "2026-09-01T12:00:00Z";

fn one(id: &str) -> Vec<u8> {
    object(&[event(id, TIME)])
}

/// Objects that give rows, although they look odd.
fn put_odd_but_good(trail: &Trail) -> Vec<&'static str> {
    let members = [gz(b"{\"Records\":["), gz(event("members", TIME).as_bytes()), gz(b"]}")].concat();
    trail.put("members.json.gz", &members);
    trail.put("mark.json.gz", &gz(&[b"\xef\xbb\xbf".as_slice(), &one("mark")].concat()));
    trail.put("plain.json.gz", &one("plain"));
    trail.put("empty.json.gz", &gz(b"{\"Records\":[]}"));
    trail.put("array.json", format!("[{}]", event("array", TIME)).as_bytes());
    trail.put("bare.json", event("bare", TIME).as_bytes());
    trail.put("lines.ndjson", format!("{}\n{}\n", event("line-1", TIME), event("line-2", TIME)).as_bytes());
    let bridge = format!("{{\"detail-type\":\"AWS API Call via CloudTrail\",\"detail\":{}}}", event("bridge", TIME));
    trail.put("bridge.json", bridge.as_bytes());
    vec!["array", "bare", "bridge", "line-1", "line-2", "mark", "members", "plain"]
}

/// Objects that are refused as a whole.
fn put_bad(trail: &Trail) -> usize {
    let whole = gz(&one("never"));
    let mut corrupt = whole.clone();
    let checksum = corrupt.len() - 6;
    corrupt[checksum] ^= 1;
    let bomb = gz(&vec![b' '; 2 << 20]);
    let bad: [(&str, &[u8]); 7] = [
        ("cut", &whole[..whole.len() / 2]),
        ("corrupt", &corrupt),
        ("trailing", &[whole.as_slice(), b"more"].concat()),
        ("nonsense", b"not a trail"),
        ("ends-early", &gz(b"{\"Records\":[{\"eventID\":\"never\"")),
        ("no-envelope", &gz(b"{\"a\":1}")),
        ("bomb", &bomb),
    ];
    for (name, stored) in bad {
        trail.put(&format!("{name}.json.gz"), stored);
    }
    bad.len()
}

#[tokio::test]
async fn every_kind_of_bad_input_is_accounted_for() {
    let trail = Trail::new();
    let ids = put_odd_but_good(&trail);
    let n_bad = put_bad(&trail) as u64;
    let deep = format!("{{\"eventID\":\"deep\",\"requestParameters\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let timeless = event("timeless", "yesterday");
    trail.put("rejects.json", &object(&["7".to_owned(), deep, timeless, event("beside", TIME)]));
    let mut options = options(&trail);
    options.cap_bytes = 1 << 20;
    let lake = trail.lake("lake");
    let summary = ingest(&lake, &options).await;
    assert_eq!(summary.objects_listed, 9 + n_bad - 1 + 1);
    assert_eq!((summary.objects_done, summary.objects_quarantined), (9, n_bad));
    assert_eq!((summary.tally.records, summary.tally.rows, summary.tally.rejects), (12, 9, 3));
    let mut expected: Vec<_> = ids.into_iter().chain(["beside"]).collect();
    expected.sort_unstable();
    assert_eq!(texts(&lake, &EVENTS, "event_id"), expected);
    assert_eq!(texts(&lake, &REJECTS, "source_object").len(), 3);
    assert_eq!(texts(&lake, &LEDGER, "status").iter().filter(|it| *it == "quarantined").count() as u64, n_bad);
    assert!(summary.quarantined.iter().all(|it| !it.error.is_empty()), "{:?}", summary.quarantined);
}

#[tokio::test]
async fn a_rerun_changes_nothing() {
    let trail = Trail::new();
    put_odd_but_good(&trail);
    let n_bad = put_bad(&trail) as u64;
    let lake = trail.lake("lake");
    let options = options(&trail);
    let first = ingest(&lake, &options).await;
    let before = files(&lake);
    let second = ingest(&lake, &options).await;
    assert!(files(&lake) == before);
    assert_eq!(second.objects_known, first.objects_listed);
    assert_eq!((second.objects_done, second.objects_quarantined, second.parts), (0, 0, 0));
    assert_eq!(first.objects_quarantined, n_bad);
}

#[tokio::test]
async fn a_quarantined_object_is_read_again_when_asked_and_only_then() {
    let trail = Trail::new();
    trail.put("large.json.gz", &gz(&one("large")));
    trail.put("cut.json.gz", &gz(&one("cut"))[..30]);
    let lake = trail.lake("lake");
    let mut options = options(&trail);
    options.cap_bytes = 100;
    assert_eq!(ingest(&lake, &options).await.objects_quarantined, 2);
    options.cap_bytes = 1 << 20;
    assert_eq!(ingest(&lake, &options).await.objects_known, 2);
    options.retry = trailweave_ingest::Retry::Standing;
    for expected in [(1, 1), (0, 1), (0, 1)] {
        let summary = ingest(&lake, &options).await;
        assert_eq!((summary.objects_done, summary.objects_quarantined), expected);
    }
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ["large"]);
    options.retry = trailweave_ingest::Retry::None;
    assert_eq!(ingest(&lake, &options).await.objects_known, 2);
}

#[tokio::test]
async fn an_empty_source_is_fine_and_a_missing_one_is_named() {
    let trail = Trail::new();
    let lake = trail.lake("lake");
    let mut options = options(&trail);
    assert_eq!(ingest(&lake, &options).await.objects_listed, 0);
    options.sources = vec![trailweave_ingest::Source::Local(trail.source().join("nowhere"))];
    let error = trailweave_ingest::ingest(&lake, &options, &trailweave_ingest::Progress::default()).await.unwrap_err();
    assert!(error.to_string().contains("nowhere` does not exist"), "{error}");
}

#[tokio::test]
async fn what_an_earlier_run_did_not_commit_is_removed() {
    let trail = Trail::new();
    trail.put("a.json", &one("a"));
    let lake = trail.lake("lake");
    let folder = lake.table_dir(&EVENTS).join("event_date=2026-09-01");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("part-0123456789abcdef-0.parquet"), b"never committed").unwrap();
    fs::write(folder.join("notes.txt"), b"not ours").unwrap();
    leave_plan(&lake, "0123456789abcdef");
    ingest(&lake, &options(&trail)).await;
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ["a"]);
    assert!(folder.join("notes.txt").exists());
}
