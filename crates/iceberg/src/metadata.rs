//! A table's metadata: its schemas, its snapshots, and which of them is current.

use std::path::Path;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use trailweave_table::Table;

use crate::FormatError;
use crate::schema::{PARTITION_FIELD_ID, SPEC_ID, fields, schema, spec_fields};

/// The key in a snapshot's summary that says which change of the lake it is. Snapshots of others lack it.
const CHANGE: &str = "trailweave.change";

/// So many earlier files of metadata are named by the next.
const MAX_LOG: usize = 100;

/// A table's metadata. What this crate does not know in it stays as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata(Map<String, Value>);

/// A snapshot of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: i64,
    /// The path of its manifest list.
    pub manifest_list: String,
    /// When it was committed, milliseconds since the epoch.
    pub time_ms: i64,
    /// The change of the lake that it is; `None` where somebody else committed it.
    pub change: Option<String>,
}

/// Names the `version`-th file of a table's metadata.
pub fn file_name(version: u64) -> String {
    format!("v{version}.metadata.json")
}

/// Returns the version of a file of metadata; none where it is another file.
pub fn version_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix('v')?.strip_suffix(".metadata.json")?.parse().ok()
}

impl Metadata {
    /// Begins a table without a snapshot.
    pub fn new(table: &Table, location: &str, uuid: &str) -> Self {
        let fields = fields(table);
        let last_partition_id = if table.dated_by.is_some() { PARTITION_FIELD_ID } else { PARTITION_FIELD_ID - 1 };
        let value = json!({
            "format-version": 2,
            "table-uuid": uuid,
            "location": location,
            "last-sequence-number": 0,
            "last-updated-ms": 0,
            "last-column-id": table.field_ids.len(),
            "current-schema-id": 0,
            "schemas": [schema(&fields, 0)],
            "default-spec-id": SPEC_ID,
            "partition-specs": [{ "spec-id": SPEC_ID, "fields": spec_fields(table) }],
            "last-partition-id": last_partition_id,
            "default-sort-order-id": 0,
            "sort-orders": [{ "order-id": 0, "fields": [] }],
            "properties": {
                "comment": table.doc,
                // Keeps Spark and others from removing files of the lake.
                "gc.enabled": "false",
                "write.parquet.compression-codec": "zstd",
            },
            "current-snapshot-id": -1,
            "refs": {},
            "snapshots": [],
            "snapshot-log": [],
            "metadata-log": [],
        });
        let Value::Object(value) = value else { unreachable!("it is written as an object") };
        Self(value)
    }

    /// Reads a file of metadata.
    pub fn parse(text: &[u8]) -> Result<Self, FormatError> {
        let it = Self(serde_json::from_slice(text)?);
        match it.integer("format-version")? {
            2 => Ok(it),
            other => Err(FormatError::Version(other)),
        }
    }

    /// Returns the text of the file.
    pub fn text(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).expect("JSON is text")
    }

    /// Returns where the table stands.
    pub fn location(&self) -> Result<&str, FormatError> {
        self.0.get("location").and_then(Value::as_str).ok_or(FormatError::Field("location"))
    }

    /// Returns the snapshot that readers see; `None` before the first.
    pub fn current(&self) -> Result<Option<Snapshot>, FormatError> {
        let current = self.0.get("current-snapshot-id").and_then(Value::as_i64);
        let mut snapshots = self.snapshots()?;
        snapshots.retain(|snapshot| Some(snapshot.id) == current);
        Ok(snapshots.pop())
    }

    /// Returns all snapshots, in the order in which they were committed.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, FormatError> {
        let of = |snapshot: &Value| {
            let change = snapshot.get("summary").and_then(|it| it.get(CHANGE)).and_then(Value::as_str);
            Ok(Snapshot {
                id: snapshot.get("snapshot-id").and_then(Value::as_i64).ok_or(FormatError::Field("snapshot-id"))?,
                manifest_list: text(snapshot, "manifest-list").ok_or(FormatError::Field("manifest-list"))?.to_owned(),
                time_ms: time(snapshot).ok_or(FormatError::Field("timestamp-ms"))?,
                change: change.map(str::to_owned),
            })
        };
        self.list("snapshots").iter().map(of).collect()
    }

    pub(crate) fn last_sequence(&self) -> Result<i64, FormatError> {
        self.integer("last-sequence-number")
    }

    /// Returns the id of the current schema, after making one of the table's columns where they have changed.
    pub(crate) fn set_schema(&mut self, table: &Table) -> Result<i64, FormatError> {
        let (fields, current) = (fields(table), self.integer("current-schema-id")?);
        let is_current = |it: &Value| it.get("schema-id").and_then(Value::as_i64) == Some(current);
        if self.list("schemas").iter().find(|it| is_current(it)).and_then(|it| it.get("fields")) == Some(&fields) {
            return Ok(current);
        }
        let ids = self.list("schemas").iter().filter_map(|it| it.get("schema-id")?.as_i64());
        let next = ids.max().unwrap_or(-1) + 1;
        self.push("schemas", schema(&fields, next));
        self.set("current-schema-id", next);
        self.set("last-column-id", table.field_ids.len());
        Ok(next)
    }

    /// Lets the table stand elsewhere, with the files of the current snapshot alone: the others name files by where
    /// they were.
    pub(crate) fn move_to(&mut self, location: &str) {
        self.set("location", location);
        self.set("metadata-log", Value::Array(Vec::new()));
        self.retain(|_| false);
    }

    /// Adds a snapshot, which becomes the current one. `summary` says how many files and rows it has and changes. Its time
    /// is `now_ms`, or just after the last, whatever the clock says.
    pub(crate) fn add_snapshot(&mut self, snapshot: &New<'_>) -> Result<(), FormatError> {
        let time_ms = snapshot.now_ms.max(self.integer("last-updated-ms")? + 1);
        let mut summary = snapshot.summary.clone();
        summary.insert(CHANGE.to_owned(), snapshot.change.into());
        let mut it = json!({
            "snapshot-id": snapshot.id,
            "sequence-number": snapshot.sequence,
            "timestamp-ms": time_ms,
            "manifest-list": snapshot.manifest_list,
            "summary": summary,
            "schema-id": snapshot.schema_id,
        });
        if let Some(parent) = snapshot.parent {
            it["parent-snapshot-id"] = parent.into();
        }
        self.push("snapshots", it);
        self.push("snapshot-log", json!({ "timestamp-ms": time_ms, "snapshot-id": snapshot.id }));
        self.set("current-snapshot-id", snapshot.id);
        self.set("refs", json!({ "main": { "snapshot-id": snapshot.id, "type": "branch" } }));
        self.set("last-sequence-number", snapshot.sequence);
        self.set("last-updated-ms", time_ms);
        Ok(())
    }

    /// Names the file that held the metadata before this.
    pub fn follow(&mut self, path: &str, before: &Self) {
        let time_ms = before.0.get("last-updated-ms").cloned().unwrap_or_default();
        self.push("metadata-log", json!({ "timestamp-ms": time_ms, "metadata-file": path }));
        if let Some(Value::Array(log)) = self.0.get_mut("metadata-log") {
            let n_over = log.len().saturating_sub(MAX_LOG);
            log.drain(..n_over);
        }
    }

    /// Forgets the snapshots whose successor was committed before `before_ms`, and the earlier files of metadata. Returns
    /// how many snapshots that are.
    pub fn expire(&mut self, before_ms: i64) -> Result<usize, FormatError> {
        let snapshots = self.snapshots()?;
        let current = self.current()?.map(|it| it.id);
        let is_gone = |(it, next): (&Snapshot, &Snapshot)| (next.time_ms < before_ms).then_some(it.id);
        let gone: Vec<i64> = snapshots.iter().zip(snapshots.iter().skip(1)).filter_map(is_gone).collect();
        let gone: Vec<i64> = gone.into_iter().filter(|id| Some(*id) != current).collect();
        if !gone.is_empty() {
            self.retain(|id| !gone.contains(&id));
            self.set("metadata-log", Value::Array(Vec::new()));
        }
        Ok(gone.len())
    }

    fn retain(&mut self, keep: impl Fn(i64) -> bool) {
        for list in ["snapshots", "snapshot-log"] {
            if let Some(Value::Array(list)) = self.0.get_mut(list) {
                list.retain(|it| it.get("snapshot-id").and_then(Value::as_i64).is_some_and(&keep));
            }
        }
    }

    fn integer(&self, name: &'static str) -> Result<i64, FormatError> {
        self.0.get(name).and_then(Value::as_i64).ok_or(FormatError::Field(name))
    }

    fn list(&self, name: &str) -> &[Value] {
        self.0.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn push(&mut self, name: &str, value: Value) {
        match self.0.get_mut(name) {
            Some(Value::Array(list)) => list.push(value),
            _ => self.set(name, vec![value]),
        }
    }
}

/// A snapshot to be.
pub(crate) struct New<'a> {
    pub(crate) id: i64,
    pub(crate) parent: Option<i64>,
    pub(crate) sequence: i64,
    pub(crate) schema_id: i64,
    pub(crate) manifest_list: &'a str,
    pub(crate) change: &'a str,
    pub(crate) now_ms: i64,
    pub(crate) summary: Map<String, Value>,
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

fn time(value: &Value) -> Option<i64> {
    value.get("timestamp-ms")?.as_i64()
}
