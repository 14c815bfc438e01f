//! Uploads to a lake in S3 that a killed run has begun.

use serde_json::Value;
use serde_json::json;

use crate::aws::Aws;
use crate::aws::program_on;

#[test]
fn gc_aborts_uploads_below_the_lake_and_no_others() {
    aborts_uploads_below_the_lake(&Aws::moto());
}

#[test]
fn gc_aborts_uploads_to_seaweedfs() {
    aborts_uploads_below_the_lake(&Aws::seaweedfs());
}

fn aborts_uploads_below_the_lake(aws: &Aws) {
    let home = tempfile::tempdir().unwrap();
    let object = json!({ "Records": [] }).to_string();
    let key = "AWSLogs/210987654321/CloudTrail/eu-west-1/2026/09/01/a.json";
    let begin = |key: &str| ("s3", "create_multipart_upload", json!({ "Bucket": "bucket", "Key": key }));
    let part = "lake/events/event_date=2026-09-01/part-0123456789abcdef-0.parquet";
    aws.call(&[
        ("s3", "create_bucket", json!({ "Bucket": "bucket" })),
        ("s3", "put_object", json!({ "Bucket": "bucket", "Key": key, "Body": object })),
        begin(part),
        begin("lakes/another"),
    ]);
    let run = |arguments: &[&str]| {
        let arguments = [arguments, &["--endpoint-url", &aws.url]].concat();
        let output = program_on("s3://bucket/lake", home.path(), &arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let pending = || {
        let answer = aws.call(&[("s3", "list_multipart_uploads", json!({ "Bucket": "bucket" }))]).remove(0);
        answer["Uploads"].as_array().unwrap().iter().map(|it| it["Key"].clone()).collect::<Vec<_>>()
    };
    run(&["ingest", "--source", "s3://bucket/AWSLogs"]);
    let found = json!([format!("s3://bucket/{part}")]);
    assert_eq!(run(&["gc", "--dry-run"]), found);
    assert_eq!(pending().len(), 2);
    assert_eq!(run(&["gc"]), found);
    assert_eq!(pending(), ["lakes/another"]);
    assert_eq!(run(&["gc"]), json!([]));
}
