//! An inventory and a listing of the same bucket name the same objects in the same versions.

use std::fs::File;
use std::io;

use flate2::Compression;
use flate2::read::GzEncoder;
use serde_json::Value;
use serde_json::json;

use crate::aws::Aws;
use crate::aws::object;

const DAY: &str = "AWSLogs/210987654321/CloudTrail/eu-west-1/2026/09/01";

fn etag(answer: &Value) -> &str {
    answer["ETag"].as_str().unwrap().trim_matches('"')
}

/// Uploads an object at once, and one in parts; their keys, sizes and `ETag`s, as the answers say them.
fn upload(aws: &Aws) -> [(String, usize, String); 2] {
    let (whole, in_parts) = (format!("{DAY}/whole.json"), format!("{DAY}/in parts.json"));
    let answers = aws.call(&[
        ("s3", "create_bucket", json!({ "Bucket": "trail" })),
        ("s3", "put_object", json!({ "Bucket": "trail", "Key": whole, "Body": object("whole") })),
        ("s3", "create_multipart_upload", json!({ "Bucket": "trail", "Key": in_parts })),
    ]);
    let id = &answers[2]["UploadId"];
    let body = object("in-parts");
    let part = json!({ "Bucket": "trail", "Key": in_parts, "UploadId": id, "PartNumber": 1, "Body": body });
    let part = aws.call(&[("s3", "upload_part", part)]).remove(0);
    let parts = json!({ "Parts": [{ "PartNumber": 1, "ETag": part["ETag"] }] });
    let all = json!({ "Bucket": "trail", "Key": in_parts, "UploadId": id, "MultipartUpload": parts });
    let completed = aws.call(&[("s3", "complete_multipart_upload", all)]).remove(0);
    assert!(etag(&completed).ends_with("-1"), "{completed}");
    [(whole, object("whole").len(), etag(&answers[1]).to_owned()), (in_parts, body.len(), etag(&completed).to_owned())]
}

#[test]
fn what_was_read_by_an_inventory_is_known_to_a_listing_and_the_other_way_round() {
    let aws = Aws::moto();
    let folder = tempfile::tempdir().unwrap();
    let row = |(key, bytes, etag): &(String, usize, String)| {
        format!("\"trail\",\"{}\",\"{bytes}\",\"{etag}\"\n", key.replace(' ', "+"))
    };
    let rows: String = upload(&aws).iter().map(row).collect();
    let data = folder.path().join("data.csv.gz");
    io::copy(&mut GzEncoder::new(rows.as_bytes(), Compression::fast()), &mut File::create(&data).unwrap()).unwrap();
    let answers = aws.call(&[
        ("s3", "create_bucket", json!({ "Bucket": "inventories" })),
        ("s3", "upload_file", json!({ "Filename": data, "Bucket": "inventories", "Key": "data.csv.gz" })),
        ("s3", "head_object", json!({ "Bucket": "inventories", "Key": "data.csv.gz" })),
    ]);
    let manifest = json!({
        "destinationBucket": "arn:aws:s3:::inventories",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size, ETag",
        "files": [{ "key": "data.csv.gz", "MD5checksum": etag(&answers[2]) }],
    });
    let manifest = json!({ "Bucket": "inventories", "Key": "manifest.json", "Body": manifest.to_string() });
    aws.call(&[("s3", "put_object", manifest)]);
    let by_inventory = ["--inventory", "s3://inventories/manifest.json"];
    let by_listing = ["--source", "s3://trail/AWSLogs"];
    for (name, first, second) in [("a", by_inventory, by_listing), ("b", by_listing, by_inventory)] {
        let lake = folder.path().join(name);
        for (way, done, known) in [(first, 2, 0), (second, 0, 2)] {
            let (code, summary, logged) = aws.ingest(&lake, &way);
            assert_eq!(code, 0, "{logged}");
            assert_eq!((&summary["objects_done"], &summary["objects_known"]), (&json!(done), &json!(known)), "{way:?}");
        }
    }
}
