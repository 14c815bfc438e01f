//! Objects beside a trail's ordinary ones: other folders, other names, what exports and Firehose make of them.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use serde_json::json;

use crate::program::query;
use crate::program::trailweave;
use crate::program::utf8;

const DAY: &str = "eu-west-1/2026/09/01";
const KEY: &str = "arn:aws:kms:eu-west-1:444455556666:key/0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9";

/// Makes a grant for a volume of an instance.
fn grant(id: &str) -> Value {
    json!({
        "eventVersion": "1.11", "eventTime": "2026-09-01T06:04:26Z", "eventSource": "kms.amazonaws.com",
        "eventName": "CreateGrant", "awsRegion": "eu-west-1", "eventID": id, "recipientAccountId": "444455556666",
        "userIdentity": { "type": "AWSService", "invokedBy": "ec2.amazonaws.com" },
        "requestParameters": {
            "keyId": KEY, "granteePrincipal": "444455556666:aws:ec2-infrastructure:i-0a1b2c3d4e5f60718",
            "constraints": { "encryptionContextSubset": { "aws:ebs:id": "vol-0f1e2d3c4b5a69788" } },
        },
        "responseElements": { "grantId": "00ff" },
    })
}

fn put(trail: &Path, name: &str, content: &[u8]) {
    let path = trail.join("AWSLogs/444455556666").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn records(records: &[Value]) -> Vec<u8> {
    gzip(json!({ "Records": records }).to_string().as_bytes())
}

/// Runs `ingest`; returns the exit code, its summary, and its log.
fn ingest(folder: &Path, more: &[&str]) -> (i32, Value, String) {
    let (trail, lake) = (folder.join("trail"), folder.join("lake"));
    let said = trailweave(&[&["ingest", "--json", "--source", utf8(&trail), "--lake", utf8(&lake)], more].concat());
    let mut report: Value = serde_json::from_str(&said.stdout).unwrap();
    (said.code, report["ingested"].take(), said.stderr)
}

fn event_ids(folder: &Path) -> Vec<String> {
    let rows = query(&folder.join("lake"), "SELECT event_id FROM events ORDER BY 1");
    rows.iter().map(|row| row["event_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_folder_beside_a_trail_is_read_or_counted_by_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let trail = folder.path().join("trail");
    for (place, id) in [
        ("CloudTrail", "own"),
        ("CloudTrail-NetworkActivity", "network"),
        ("CloudTrail-Insight", "insight"),
        ("CloudTrail-Aggregated", "own"),
        ("CloudTrail-Digest", "digest"),
        ("vpcflowlogs", "flow"),
    ] {
        put(&trail, &format!("{place}/{DAY}/a.json.gz"), &records(&[grant(id)]));
    }
    let (code, summary, logged) = ingest(folder.path(), &[]);
    assert_eq!(code, 0, "{logged}");
    assert_eq!((&summary["objects_listed"], &summary["objects_skipped"]), (&json!(6), &json!(4)));
    for kind in ["digest", "insight", "aggregated", "other_log"] {
        assert_eq!(summary["skipped"][kind]["objects"], 1, "{kind}: {summary}");
    }
    assert_eq!(event_ids(folder.path()), ["network", "own"]);
}

#[test]
fn objects_of_other_names_are_named_and_read_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let trail = folder.path().join("trail");
    // Firehose delivers events of EventBridge one after the other, and gives their object no ending.
    let event = |id| json!({ "detail-type": "AWS API Call via CloudTrail", "detail": grant(id) }).to_string();
    put(&trail, &format!("CloudTrail/{DAY}/firehose-1-2026-09-01"), (event("a") + &event("b")).as_bytes());
    // Firehose compresses what CloudWatch Logs sends, which is gzip already.
    let message = |id| json!({ "id": "1", "timestamp": 1, "message": grant(id).to_string() });
    let events =
        json!({ "messageType": "DATA_MESSAGE", "logGroup": "trail", "logEvents": [message("c"), message("d")] });
    let events = gzip(events.to_string().as_bytes());
    put(&trail, &format!("CloudTrail/{DAY}/logs-1-2026-09-01"), &gzip(&events.repeat(2)));

    let (code, summary, logged) = ingest(folder.path(), &[]);
    assert_eq!((code, &summary["skipped"]["other_name"]["objects"]), (7, &json!(2)), "{logged}");
    assert!(logged.contains("firehose-1-2026-09-01") && logged.contains("--all-names"), "{logged}");
    let (trail, lake) = (utf8(&trail), folder.path().join("lake"));
    let foreseen = trailweave(&["plan", "--source", trail, "--lake", utf8(&lake)]);
    assert!(foreseen.stdout.contains("skipped      other name: 2 objects, such as"), "{}", foreseen.stdout);
    let (code, summary, logged) = ingest(folder.path(), &["--all-names"]);
    assert_eq!((code, &summary["objects_done"]), (0, &json!(2)), "{logged}");
    assert_eq!(summary["tally"]["duplicates"], 2);
    assert_eq!(event_ids(folder.path()), ["a", "b", "c", "d"]);
    let status = trailweave(&["status", "--source", trail, "--lake", utf8(&lake)]);
    assert!(status.stdout.contains("skipped      other name: 2 objects, such as"), "{}", status.stdout);
}

#[test]
fn a_run_whose_records_are_all_rejected_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let trail = folder.path().join("trail");
    let mut moved = grant("a");
    moved["@timestamp"] = moved["eventTime"].take();
    put(&trail, &format!("CloudTrail/{DAY}/a.json.gz"), &records(&[moved]));
    let (code, summary, _) = ingest(folder.path(), &[]);
    assert_eq!((code, &summary["tally"]["rejects"]), (3, &json!(1)));
    // Another that holds a row changes nothing about it.
    put(&trail, &format!("CloudTrail/{DAY}/b.json.gz"), &records(&[grant("b"), json!({ "eventTime": "never" })]));
    let (code, summary, _) = ingest(folder.path(), &[]);
    assert_eq!((code, &summary["tally"]["rows"], &summary["tally"]["rejects"]), (3, &json!(1), &json!(1)));
    assert_eq!(summary["in_quarantine"], json!({ "refused": 0, "rejected": 1 }));
}

#[test]
fn what_exports_write_as_text_is_read_and_notifications_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let trail = folder.path().join("trail");
    let texts = [grant("a").to_string(), grant("b").to_string()];
    put(&trail, &format!("CloudTrail/{DAY}/lookup.json"), json!(texts).to_string().as_bytes());
    let mut exported = grant("c");
    for payload in ["userIdentity", "requestParameters", "responseElements"] {
        exported[payload] = exported[payload].to_string().into();
    }
    put(&trail, &format!("CloudTrail/{DAY}/exported.json.gz"), &records(&[exported]));
    let notification = json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventTime": "2026-09-01T06:04:26.748Z",
        "eventName": "ObjectCreated:Put", "s3": { "bucket": { "name": "b" }, "object": { "key": "k" } },
    });
    put(&trail, &format!("CloudTrail/{DAY}/notified.json.gz"), &records(&[notification]));
    let (code, summary, logged) = ingest(folder.path(), &["--events", "all"]);
    assert_eq!((code, &summary["in_quarantine"]["rejected"]), (3, &json!(1)), "{logged}");
    let read = query(
        &folder.path().join("lake"),
        "SELECT count(DISTINCT event_id) AS n FROM events WHERE grant_id = '00ff' AND invoked_by = 'ec2.amazonaws.com' \
         AND volume_ids[1] = 'vol-0f1e2d3c4b5a69788' AND instance_ids[1] = 'i-0a1b2c3d4e5f60718'",
    );
    assert_eq!(read[0]["n"], 3);
    assert_eq!(event_ids(folder.path()), ["a", "b", "c"]);
    let rejects = query(&folder.path().join("lake"), "SELECT reason FROM rejects");
    assert_eq!(rejects, [json!({ "reason": "notification" })]);
}
