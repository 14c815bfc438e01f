//! Inventories name the objects of a bucket as a listing does, at the price of their own files.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::array::BooleanArray;
use arrow::array::Int64Array;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use jiff::civil::date;
use md5::Digest;
use md5::Md5;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::json;
use trailweave_table::EVENTS;

use super::*;
use crate::s3::Gate;
use crate::s3::options_for;
use crate::s3::serve_behind;
use crate::trail::event;
use crate::trail::gz;
use crate::trail::texts;

const CSV_SCHEMA: &str = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag";
const DAY: &str = "AWSLogs/210987654321/CloudTrail/eu-west-1/2026/09/01";

/// An inventory's words about a version of an object.
struct Version {
    key: String,
    is_latest: bool,
    is_delete_marker: bool,
    /// None of a delete marker.
    content: Option<(usize, String)>,
}

fn md5(bytes: &[u8]) -> String {
    format!("{:032x}", u128::from_be_bytes(Md5::digest(bytes).into()))
}

/// The latest version of a file of a trail.
fn latest(trail: &Trail, path: &Path) -> Version {
    let stored = fs::read(path).unwrap();
    let key = path.strip_prefix(trail.source()).unwrap().to_str().unwrap().to_owned();
    Version { key, is_latest: true, is_delete_marker: false, content: Some((stored.len(), md5(&stored))) }
}

/// Three objects; an older version of the first, a delete marker, a digest, and what is of no trail.
fn versions(trail: &Trail) -> Vec<Version> {
    let deliver = |day: &str, id: &str| trail.deliver("eu-west-1", day, id, &[event(id, "2026-09-01T12:00:00Z")]);
    let objects = [deliver("2026/09/01", "a b+c"), deliver("2026/09/01", "e1"), deliver("2026/09/02", "e2")];
    let mut versions: Vec<_> = objects.iter().map(|path| latest(trail, path)).collect();
    let of = |key: String| Version { key, ..latest(trail, &objects[0]) };
    versions.push(Version { is_latest: false, ..latest(trail, &objects[1]) });
    versions.push(Version { is_delete_marker: true, content: None, ..of(format!("{DAY}/gone.json.gz")) });
    versions.push(of(DAY.replace("CloudTrail", "CloudTrail-Digest") + "/digest.json.gz"));
    versions.push(of("reports/2026.csv.gz".to_owned()));
    versions
}

fn encoded(key: &str) -> String {
    key.replace('+', "%2B").replace(' ', "+")
}

fn csv(versions: &[Version]) -> Vec<u8> {
    let row = |it: &Version| {
        let (bytes, etag) =
            it.content.as_ref().map_or_else(Default::default, |(bytes, etag)| (bytes.to_string(), etag.clone()));
        let (key, latest, marker) = (encoded(&it.key), it.is_latest, it.is_delete_marker);
        let time = "2026-09-01T12:05:00.000Z";
        format!("\"trail\",\"{key}\",\"v\",\"{latest}\",\"{marker}\",\"{bytes}\",\"{time}\",\"{etag}\"\n")
    };
    gz(versions.iter().map(row).collect::<String>().as_bytes())
}

fn parquet(versions: &[Version]) -> Vec<u8> {
    let texts = |value: fn(&Version) -> Option<&str>| -> ArrayRef {
        Arc::new(versions.iter().map(value).collect::<StringArray>())
    };
    let flags = |value: fn(&Version) -> bool| -> ArrayRef {
        Arc::new(versions.iter().map(|it| Some(value(it))).collect::<BooleanArray>())
    };
    let bytes = |it: &Version| it.content.as_ref().map(|(bytes, _)| i64::try_from(*bytes).unwrap());
    let columns = [
        ("bucket", texts(|_| Some("trail"))),
        ("key", texts(|it| Some(&it.key))),
        ("is_latest", flags(|it| it.is_latest)),
        ("is_delete_marker", flags(|it| it.is_delete_marker)),
        ("size", Arc::new(versions.iter().map(bytes).collect::<Int64Array>()) as ArrayRef),
        ("storage_class", texts(|_| Some("STANDARD"))),
        ("e_tag", texts(|it| it.content.as_ref().map(|(_, etag)| etag.as_str()))),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.into_inner().unwrap()
}

/// Stores an inventory in a bucket beside the trail's; returns the name of its manifest in it.
fn put(trail: &Trail, format: &str, schema: &str, stored: &[&[u8]]) -> String {
    let folder = trail.source().with_file_name("inventories").join("trail/daily");
    let (data, manifests) = (folder.join("data"), folder.join(format));
    fs::create_dir_all(&data).unwrap();
    fs::create_dir_all(&manifests).unwrap();
    let files: Vec<_> = stored
        .iter()
        .map(|stored| {
            let name = format!("{}.{}", md5(stored), format.to_lowercase());
            fs::write(data.join(&name), stored).unwrap();
            json!({ "key": format!("trail/daily/data/{name}"), "size": stored.len(), "MD5checksum": md5(stored) })
        })
        .collect();
    let manifest = json!({
        "sourceBucket": "trail",
        "destinationBucket": "arn:aws:s3:::inventories",
        "version": "2016-11-30",
        "fileFormat": format,
        "fileSchema": schema,
        "files": files,
    });
    fs::write(manifests.join("manifest.json"), manifest.to_string()).unwrap();
    format!("trail/daily/{format}/manifest.json")
}

fn of_inventory(trail: &Trail, url: &str, manifest: &str) -> IngestOptions {
    let manifest = format!("s3://inventories/{manifest}").parse().unwrap();
    IngestOptions { sources: Vec::new(), inventories: vec![manifest], ..options_for(trail, url, "") }
}

#[tokio::test]
async fn an_inventory_names_what_a_listing_names_without_a_request_for_each() {
    let trail = Trail::new();
    let versions = versions(&trail);
    let gate = Gate::default();
    let url = serve_behind(&trail, gate.clone()).await;
    let (first, rest) = versions.split_at(2);
    let csv = put(&trail, "CSV", CSV_SCHEMA, &[&csv(first), &csv(rest)]);
    let parquet = put(&trail, "Parquet", "message s3.inventory { .. }", &[&parquet(first), &parquet(rest)]);
    for (name, manifest) in [("csv", &csv), ("parquet", &parquet)] {
        let lake = trail.lake(name);
        gate.asked.lock().unwrap().clear();
        let summary = ingest(&lake, &of_inventory(&trail, &url, manifest)).await;
        assert_eq!((summary.objects_done, summary.objects_skipped, summary.objects_left), (3, 2, 0), "{name}");
        // The manifest, two files, three objects.
        assert_eq!(*gate.asked.lock().unwrap(), ["GetObject"; 6], "{name}");
        assert_eq!(texts(&lake, &EVENTS, "event_id"), ["a b+c", "e1", "e2"], "{name}");
        let again = ingest(&lake, &of_inventory(&trail, &url, &csv)).await;
        assert_eq!((again.objects_done, again.objects_known), (0, 3), "{name}");
    }
}

#[tokio::test]
async fn what_the_filter_passes_over_is_counted() {
    let trail = Trail::new();
    let versions = versions(&trail);
    let url = serve_behind(&trail, Gate::default()).await;
    let manifest = put(&trail, "CSV", CSV_SCHEMA, &[&csv(&versions)]);
    let mut options = of_inventory(&trail, &url, &manifest);
    options.filter.from = Some(date(2026, 9, 2));
    let summary = ingest(&trail.lake("lake"), &options).await;
    assert_eq!((summary.objects_done, summary.objects_filtered, summary.objects_listed), (1, 2, 5));
}

#[tokio::test]
async fn an_inventory_that_was_copied_is_read_where_it_stands() {
    let trail = Trail::new();
    let versions = versions(&trail);
    let url = serve_behind(&trail, Gate::default()).await;
    put(&trail, "CSV", CSV_SCHEMA, &[&csv(&versions)]);
    let inventory = trail.source().with_file_name("inventories").join("trail/daily");
    let manifest = inventory.join("data/manifest.json");
    fs::copy(inventory.join("CSV/manifest.json"), &manifest).unwrap();
    let options = IngestOptions { inventories: vec![Source::Local(manifest)], ..of_inventory(&trail, &url, "") };
    assert_eq!(ingest(&trail.lake("lake"), &options).await.objects_done, 3);
}

#[tokio::test]
async fn an_inventory_that_cannot_be_used_is_refused_with_a_remedy() {
    let trail = Trail::new();
    let versions = versions(&trail);
    let url = serve_behind(&trail, Gate::default()).await;
    let whole = csv(&versions);
    let cut = &whole[..whole.len() / 2];
    let folder = trail.source().with_file_name("inventories").join("trail/daily");
    for (format, schema, stored, said) in [
        ("ORC", "struct<..>", &whole[..], "it is written as ORC; only CSV and Parquet are read"),
        ("CSV", "Bucket, Key, Size", &whole, "it lacks the column ETag; add it in its configuration"),
        ("CSV", "Bucket, Key, A, B, C, D, Size, ETag", &whole, "has no Size for `AWSLogs/"),
        ("CSV", CSV_SCHEMA, cut, "cannot be read as what its manifest says"),
        ("Parquet", "", &whole, "cannot be read as what its manifest says"),
        ("changed", "", &whole, "the MD5 of `trail/daily/data/"),
        ("junk", "", &whole, "it is not a manifest of S3 Inventory"),
    ] {
        let manifest = put(&trail, format, schema, &[stored]);
        let path = folder.join(format).join("manifest.json");
        match format {
            "changed" => {
                let text = fs::read_to_string(&path).unwrap();
                fs::write(&path, text.replace(&md5(stored), &md5(b"")).replace("changed", "CSV")).unwrap();
                fs::write(folder.join("data").join(md5(b"") + ".CSV"), stored).unwrap();
            }
            "junk" => fs::write(&path, "{}").unwrap(),
            _ => {}
        }
        let options = of_inventory(&trail, &url, &manifest);
        let error = trailweave_ingest::ingest(&trail.lake("lake"), &options, &Progress::default()).await.unwrap_err();
        let because = std::error::Error::source(&error).unwrap().to_string();
        assert!(error.to_string().contains(&manifest) && because.contains(said), "{error}: {because}");
    }
}
