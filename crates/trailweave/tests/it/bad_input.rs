//! A folder of good and bad objects: every record is accounted for, and every fault is named.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use serde_json::json;

use crate::program::deliver;
use crate::program::query;
use crate::program::run;
use crate::program::trailweave;
use crate::program::utf8;

const ACCOUNT: &str = "444455556666";

#[test]
fn every_record_of_good_and_bad_objects_is_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let (trail, lake) = (folder.path().join("trail"), folder.path().join("lake"));
    deliver_mixed(&trail);
    let summary = run(&trail, &lake, 3);

    let number =
        |path: &str| summary.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path}: {summary:#}"));
    assert_eq!(number("/ingested/objects_done"), 7);
    assert_eq!(number("/ingested/objects_quarantined"), 5);
    let tally = ["rows", "duplicates", "filtered", "rejects"].map(|part| number(&format!("/ingested/tally/{part}")));
    assert_eq!(number("/ingested/tally/records"), tally.iter().sum::<u64>());
    assert_eq!(tally, [6, 1, 1, 3]);
    assert_eq!(query(&lake, "SELECT count(*) AS n FROM events")[0]["n"], 6);
    let reasons = query(&lake, "SELECT reason FROM rejects ORDER BY reason");
    let reasons: Vec<_> = reasons.iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["invalid_event_time", "not_an_object", "too_deep"]);
    let refused = query(&lake, "SELECT error FROM ledger WHERE status = 'quarantined'");
    assert!(refused.len() == 5 && refused.iter().all(|row| row["error"].is_string()), "{refused:?}");
}

#[test]
fn a_rerun_reads_nothing_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (trail, lake) = (folder.path().join("trail"), folder.path().join("lake"));
    deliver_mixed(&trail);
    run(&trail, &lake, 3);
    let before = files(&lake);
    let summary = run(&trail, &lake, 3);
    assert_eq!(summary["ingested"]["objects_done"], 0);
    assert_eq!(summary["ingested"]["objects_known"], 12);
    assert_eq!(files(&lake), before);

    let said = trailweave(&["ingest", "--source", utf8(&trail), "--lake", utf8(&lake), "--retry-quarantined"]);
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stdout.contains("5 quarantined"), "{}", said.stdout);
}

#[test]
fn what_a_killed_run_did_not_commit_is_never_joined() {
    let folder = tempfile::tempdir().unwrap();
    let (trail, lake) = (folder.path().join("trail"), folder.path().join("lake"));
    deliver_mixed(&trail);
    run(&trail, &lake, 3);
    let events = || query(&lake, "SELECT event_id FROM events");
    let before = events();
    let (part, content) = files(&lake).into_iter().find(|(path, _)| path.contains("/events/")).unwrap();
    let uncommitted = Path::new(&part).with_file_name("part-0123456789abcdef-0.parquet");
    fs::write(&uncommitted, content).unwrap();
    let plan = lake.join("_trailweave/runs/killed/plan.json");
    fs::create_dir_all(plan.parent().unwrap()).unwrap();
    fs::write(&plan, "{\"run_id\":\"killed\",\"objects\":0}\n{\"batch_id\":\"0123456789abcdef\",\"objects\":[]}\n")
        .unwrap();
    assert!(events().len() > before.len());
    let said = trailweave(&["correlate", "--lake", utf8(&lake)]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!((events(), uncommitted.exists()), (before, false));
}

#[test]
fn a_second_run_on_the_same_lake_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (trail, lake) = (folder.path().join("trail"), folder.path().join("lake"));
    deliver(&trail, ACCOUNT, "eu-west-1", "2026-09-01", br#"{"Records":[]}"#);
    run(&trail, &lake, 0);
    let _lock = trailweave_lake::Lake::open(&lake).unwrap().lock().unwrap();
    let said = trailweave(&["run", "--source", utf8(&trail), "--lake", utf8(&lake)]);
    assert_eq!(said.code, 8);
    assert!(said.stderr.contains("another run is writing the lake"), "{}", said.stderr);
}

#[test]
fn a_lake_keeps_the_choice_of_events_that_it_was_made_with() {
    let folder = tempfile::tempdir().unwrap();
    let (trail, lake) = (folder.path().join("trail"), folder.path().join("lake"));
    deliver(&trail, ACCOUNT, "eu-west-1", "2026-09-01", br#"{"Records":[]}"#);
    let ingest = |events| trailweave(&["ingest", "--source", utf8(&trail), "--lake", utf8(&lake), "--events", events]);
    assert_eq!(ingest("all").code, 0);
    let said = ingest("relevant");
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("keeps `all` events"), "{}", said.stderr);
}

/// Twelve objects: seven that can be read, with 11 records of which one is double, one not relevant and three no
/// rows; and five that cannot.
fn deliver_mixed(trail: &Path) {
    let put = |content: &[u8]| deliver(trail, ACCOUNT, "eu-west-1", "2026-09-01", content);
    let records = |records: &[Value]| serde_json::to_vec(&json!({ "Records": records })).unwrap();
    let bare = serde_json::to_vec(&stop(3)).unwrap();
    let event_bridge = json!({"detail-type": "AWS API Call via CloudTrail", "detail": stop(4)});
    let mut deep = stop(90);
    deep["requestParameters"] = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let mut undated = stop(91);
    undated["eventTime"] = json!("yesterday");
    let mut describe = stop(92);
    describe["eventName"] = json!("DescribeInstances");

    put(&gzip(&records(&[stop(1), describe])));
    put(&[gzip(&records(&[stop(2)])[..20]), gzip(&records(&[stop(2)])[20..])].concat());
    put(&bare);
    put(&gzip(&[b"\xef\xbb\xbf", &serde_json::to_vec(&event_bridge).unwrap()[..]].concat()));
    put(&gzip(&[stop(5), stop(6)].map(|record| record.to_string() + "\n").concat().into_bytes()));
    put(&gzip(&records(&[stop(1), json!("no object"), deep, undated])));
    put(&gzip(b"{\"Records\":[]}"));

    let sound = gzip(&records(&[stop(7)]));
    let mut corrupt = sound.clone();
    let checksum = corrupt.len() - 8;
    corrupt[checksum] ^= 1;
    put(&corrupt);
    put(&sound[..sound.len() / 2]);
    put(&[&sound[..], b"trailing"].concat());
    put(b"neither gzip nor JSON");
    put(&gzip(b"{\"Digest\": true}"));
}

fn stop(n: u32) -> Value {
    json!({
        "eventVersion": "1.11", "eventTime": format!("2026-09-01T00:{:02}:00Z", n % 60),
        "eventSource": "ec2.amazonaws.com", "eventName": "StopInstances", "awsRegion": "eu-west-1",
        "eventID": format!("00000000-0000-4000-8000-{n:012}"), "recipientAccountId": ACCOUNT,
        "requestParameters": {"instancesSet": {"items": [{"instanceId": "i-0a1b2c3d4e5f60718"}]}},
    })
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Every file of the lake's tables and ledger, with its content.
fn files(lake: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![lake.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().unwrap() != "runs" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                found.push((utf8(&path).to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
