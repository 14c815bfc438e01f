//! Small trails, and what a lake made of them.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::RecordBatch;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::FutureExt;
use futures::StreamExt;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use trailweave_lake::Lake;
use trailweave_table::Table;

pub(crate) const ACCOUNT: &str = "210987654321";

/// A trail and a lake in one folder that vanishes with it.
pub(crate) struct Trail {
    folder: tempfile::TempDir,
}

impl Trail {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("trail")).unwrap();
        Self { folder }
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.folder.path().join("trail")
    }

    /// A lake that keeps every record.
    pub(crate) fn lake(&self, name: &str) -> Lake {
        Lake::open_or_create(&self.folder.path().join(name), Some("all")).unwrap()
    }

    /// Stores bytes under a key.
    pub(crate) fn put(&self, key: &str, stored: &[u8]) -> PathBuf {
        let path = self.source().join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, stored).unwrap();
        path
    }

    /// Stores records as an object of the account's trail, delivered on a day `YYYY/MM/DD`.
    pub(crate) fn deliver(&self, region: &str, day: &str, name: &str, records: &[String]) -> PathBuf {
        self.put(&format!("AWSLogs/{ACCOUNT}/CloudTrail/{region}/{day}/{name}.json.gz"), &gz(&object(records)))
    }
}

pub(crate) fn object(records: &[String]) -> Vec<u8> {
    format!("{{\"Records\":[{}]}}", records.join(",")).into_bytes()
}

pub(crate) fn gz(text: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

/// A record of an event.
pub(crate) fn event(id: &str, time: &str) -> String {
    format!(
        "{{\"eventVersion\":\"1.11\",\"eventID\":\"{id}\",\"eventTime\":\"{time}\",\"eventSource\":\"ec2.amazonaws.com\",\
         \"eventName\":\"RunInstances\",\"awsRegion\":\"eu-west-1\",\"recipientAccountId\":\"{ACCOUNT}\"}}"
    )
}

/// The values of a text column in all files of a table, sorted.
pub(crate) fn texts(lake: &Lake, table: &Table, column: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for part in lake.parts(table).unwrap() {
        let reader = ParquetRecordBatchReaderBuilder::try_new(lake.open_part(&part.path).unwrap()).unwrap();
        for rows in reader.build().unwrap().map(Result::unwrap) {
            let values = rows.column(table.position(column)).as_string::<i32>().clone();
            texts.extend((0..values.len()).map(|row| values.value(row).to_owned()));
        }
    }
    texts.sort();
    texts
}

pub(crate) fn read(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

/// Every file of a lake but those of its runs and leases, with its bytes.
pub(crate) fn files(lake: &Lake) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut paths = Vec::new();
    if let Some(store) = lake.object_store().unwrap() {
        let objects = store.list(None).collect::<Vec<_>>().now_or_never().expect("memory answers at once");
        let root = lake.root().strip_prefix("s3://bucket").unwrap();
        paths.extend(objects.into_iter().map(|object| {
            let key = PathBuf::from(object.unwrap().location.to_string());
            key.strip_prefix(root).unwrap().to_owned()
        }));
    } else {
        let mut folders = vec![lake.root().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    paths.push(path.strip_prefix(lake.root()).unwrap().to_owned());
                }
            }
        }
    }
    let state = lake.state_dir().strip_prefix(lake.root()).unwrap().to_owned();
    paths.retain(|path| !path.starts_with(state.join("runs")) && !path.starts_with(state.join("leases")));
    paths.into_iter().map(|path| (path.clone(), lake.read(&lake.root().join(path)).unwrap().unwrap())).collect()
}
