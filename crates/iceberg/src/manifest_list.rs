//! Manifest lists: the manifests of a snapshot.

use apache_avro::Codec;
use apache_avro::DeflateSettings;
use apache_avro::Reader;
use apache_avro::Schema;
use apache_avro::Writer;
use apache_avro::types::Value;

use crate::FormatError;
use crate::manifest::{Entry, Status};
use crate::schema::SPEC_ID;
use crate::value::{Record, bytes, optional, record};

/// A manifest as a list names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ManifestFile {
    pub(crate) path: String,
    pub(crate) bytes: i64,
    pub(crate) sequence: i64,
    pub(crate) min_sequence: i64,
    pub(crate) snapshot_id: i64,
    pub(crate) added: Count,
    pub(crate) existing: Count,
    pub(crate) deleted: Count,
    /// The first and the last day of its files; `None` where the table is not partitioned.
    pub(crate) days: Option<(i32, i32)>,
}

/// Files, and the rows in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) files: i64,
    pub(crate) rows: i64,
}

impl Count {
    pub(crate) fn of<'e>(files: impl Iterator<Item = &'e Entry>) -> Self {
        files.fold(Self::default(), |it, entry| Self { files: it.files + 1, rows: it.rows + entry.file.n_rows })
    }
}

impl ManifestFile {
    /// Describes a manifest that a snapshot wrote.
    pub(crate) fn new(path: String, bytes: usize, snapshot_id: i64, sequence: i64, entries: &[Entry]) -> Self {
        let count = |status| Count::of(entries.iter().filter(move |entry| entry.status == status));
        let live = entries.iter().filter(|entry| entry.status != Status::Deleted);
        let days = || entries.iter().filter_map(|entry| entry.file.day);
        Self {
            path,
            bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            sequence,
            min_sequence: live.map(|entry| entry.sequence).min().unwrap_or(sequence),
            snapshot_id,
            added: count(Status::Added),
            existing: count(Status::Existing),
            deleted: count(Status::Deleted),
            days: days().min().zip(days().max()),
        }
    }

    /// Returns the files that are in the snapshot.
    pub(crate) fn live(&self) -> Count {
        Count { files: self.added.files + self.existing.files, rows: self.added.rows + self.existing.rows }
    }
}

const SCHEMA: &str = r#"{"type": "record", "name": "manifest_file", "fields": [
    {"name": "manifest_path", "type": "string", "field-id": 500},
    {"name": "manifest_length", "type": "long", "field-id": 501},
    {"name": "partition_spec_id", "type": "int", "field-id": 502},
    {"name": "content", "type": "int", "field-id": 517},
    {"name": "sequence_number", "type": "long", "field-id": 515},
    {"name": "min_sequence_number", "type": "long", "field-id": 516},
    {"name": "added_snapshot_id", "type": "long", "field-id": 503},
    {"name": "added_files_count", "type": "int", "field-id": 504},
    {"name": "existing_files_count", "type": "int", "field-id": 505},
    {"name": "deleted_files_count", "type": "int", "field-id": 506},
    {"name": "added_rows_count", "type": "long", "field-id": 512},
    {"name": "existing_rows_count", "type": "long", "field-id": 513},
    {"name": "deleted_rows_count", "type": "long", "field-id": 514},
    {"name": "partitions", "default": null, "field-id": 507, "type": ["null", {"type": "array", "element-id": 508,
        "items": {"type": "record", "name": "r508", "fields": [
            {"name": "contains_null", "type": "boolean", "field-id": 509},
            {"name": "contains_nan", "type": ["null", "boolean"], "default": null, "field-id": 518},
            {"name": "lower_bound", "type": ["null", "bytes"], "default": null, "field-id": 510},
            {"name": "upper_bound", "type": ["null", "bytes"], "default": null, "field-id": 511}
        ]}
    }]}
]}"#;

/// Writes the list of a snapshot.
pub(crate) fn write(
    manifests: &[ManifestFile],
    snapshot_id: i64,
    parent_id: Option<i64>,
    sequence: i64,
) -> Result<Vec<u8>, FormatError> {
    let schema = Schema::parse_str(SCHEMA)?;
    let mut writer = Writer::with_codec(&schema, Vec::new(), Codec::Deflate(DeflateSettings::default()));
    for (key, value) in [
        ("snapshot-id", snapshot_id.to_string()),
        ("parent-snapshot-id", parent_id.map_or_else(|| "null".to_owned(), |id| id.to_string())),
        ("sequence-number", sequence.to_string()),
        ("format-version", "2".to_owned()),
    ] {
        writer.add_user_metadata(key.to_owned(), value)?;
    }
    for manifest in manifests {
        writer.append(value_of(manifest))?;
    }
    Ok(writer.into_inner()?)
}

/// Reads the list of a snapshot.
pub(crate) fn read(text: &[u8]) -> Result<Vec<ManifestFile>, FormatError> {
    Reader::new(text)?.map(|value| manifest_of(Record::new(value?)?)).collect()
}

fn value_of(manifest: &ManifestFile) -> Value {
    let files = |count: Count| Value::Int(i32::try_from(count.files).unwrap_or(i32::MAX));
    let day = |day: i32| optional(Some(Value::Bytes(day.to_le_bytes().to_vec())));
    let days = manifest.days.map(|(first, last)| {
        record([
            ("contains_null", Value::Boolean(false)),
            ("contains_nan", optional(Some(Value::Boolean(false)))),
            ("lower_bound", day(first)),
            ("upper_bound", day(last)),
        ])
    });
    record([
        ("manifest_path", Value::String(manifest.path.clone())),
        ("manifest_length", Value::Long(manifest.bytes)),
        ("partition_spec_id", Value::Int(SPEC_ID)),
        ("content", Value::Int(0)),
        ("sequence_number", Value::Long(manifest.sequence)),
        ("min_sequence_number", Value::Long(manifest.min_sequence)),
        ("added_snapshot_id", Value::Long(manifest.snapshot_id)),
        ("added_files_count", files(manifest.added)),
        ("existing_files_count", files(manifest.existing)),
        ("deleted_files_count", files(manifest.deleted)),
        ("added_rows_count", Value::Long(manifest.added.rows)),
        ("existing_rows_count", Value::Long(manifest.existing.rows)),
        ("deleted_rows_count", Value::Long(manifest.deleted.rows)),
        ("partitions", optional(Some(Value::Array(days.into_iter().collect())))),
    ])
}

fn manifest_of(mut it: Record) -> Result<ManifestFile, FormatError> {
    let days = match it.list("partitions")?.into_iter().next() {
        Some(summary) => {
            let mut summary = Record::new(summary)?;
            let mut day = |name| {
                let bytes = summary.take(name).and_then(bytes)?;
                Some(i32::from_le_bytes(bytes.as_slice().try_into().ok()?))
            };
            day("lower_bound").zip(day("upper_bound"))
        }
        None => None,
    };
    let mut count = |files, rows| Ok::<_, FormatError>(Count { files: it.integer(files)?, rows: it.integer(rows)? });
    Ok(ManifestFile {
        added: count("added_files_count", "added_rows_count")?,
        existing: count("existing_files_count", "existing_rows_count")?,
        deleted: count("deleted_files_count", "deleted_rows_count")?,
        path: it.text("manifest_path")?,
        bytes: it.integer("manifest_length")?,
        sequence: it.integer("sequence_number")?,
        min_sequence: it.integer("min_sequence_number")?,
        snapshot_id: it.integer("added_snapshot_id")?,
        days,
    })
}
