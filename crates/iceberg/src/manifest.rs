//! Manifests: the data files of a month, with their metrics.

use std::collections::BTreeMap;

use apache_avro::Codec;
use apache_avro::DeflateSettings;
use apache_avro::Reader;
use apache_avro::Schema;
use apache_avro::Writer;
use apache_avro::types::Value;
use trailweave_table::Column;
use trailweave_table::DATE_PARTITION;
use trailweave_table::Kind;
use trailweave_table::Lookup;
use trailweave_table::Table;

use crate::FormatError;
use crate::schema::{PARTITION_FIELD_ID, SPEC_ID, fields, schema, spec_fields};
use crate::value::{Record, bytes, integer, optional, record};

/// The longest text of a bound, in characters.
const BOUND_CHARS: usize = 16;

/// A data file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where it stands: a path or a URL.
    pub path: String,
    /// The day of its partition, counted from 1970-01-01; `None` where the table is not partitioned.
    pub day: Option<i32>,
    /// Its rows.
    pub n_rows: i64,
    /// Its size.
    pub bytes: i64,
    /// Metrics of columns, by the ids of their fields.
    pub columns: BTreeMap<i32, ColumnMetrics>,
}

/// The metrics of a column in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnMetrics {
    /// Its values, nulls included.
    pub n_values: i64,
    /// Its nulls.
    pub n_nulls: i64,
    /// At most its least value, as Iceberg writes single values.
    pub lower: Option<Vec<u8>>,
    /// At least its greatest value, likewise.
    pub upper: Option<Vec<u8>>,
}

/// The state of a data file in the snapshot that wrote its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Existing,
    Added,
    Deleted,
}

/// An entry of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) status: Status,
    /// The snapshot that added the file, or that removed it.
    pub(crate) snapshot_id: i64,
    pub(crate) sequence: i64,
    pub(crate) file: DataFile,
}

/// Tells whether manifests have metrics of a column: those that readers look for by value, and times.
pub fn is_measured(column: &Column) -> bool {
    column.kind == Kind::Time || column.kind == Kind::Text && column.lookup == Lookup::Needle
}

/// Cuts a text that no value is below.
pub fn lower_bound(text: &str) -> Vec<u8> {
    text.chars().take(BOUND_CHARS).collect::<String>().into_bytes()
}

/// Cuts a text that no value is above, and raises its last character that can be. None where none can.
pub fn upper_bound(text: &str) -> Option<Vec<u8>> {
    let mut chars: Vec<char> = text.chars().take(BOUND_CHARS).collect();
    if chars.len() == text.chars().count() {
        return Some(text.as_bytes().to_vec());
    }
    while let Some(last) = chars.pop() {
        // After the last character before the surrogates comes the first behind them.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect::<String>().into_bytes());
        }
    }
    None
}

/// Writes a manifest of a table whose columns are the schema `schema_id`.
pub(crate) fn write(table: &Table, schema_id: i64, entries: &[Entry]) -> Result<Vec<u8>, FormatError> {
    let avro = avro_schema(table)?;
    let mut writer = Writer::with_codec(&avro, Vec::new(), Codec::Deflate(DeflateSettings::default()));
    for (key, value) in [
        ("schema", schema(&fields(table), schema_id).to_string()),
        ("schema-id", schema_id.to_string()),
        ("partition-spec", spec_fields(table).to_string()),
        ("partition-spec-id", SPEC_ID.to_string()),
        ("format-version", "2".to_owned()),
        ("content", "data".to_owned()),
    ] {
        writer.add_user_metadata(key.to_owned(), value)?;
    }
    for entry in entries {
        writer.append(value_of(entry))?;
    }
    Ok(writer.into_inner()?)
}

/// Reads the entries of a manifest.
pub(crate) fn read(text: &[u8]) -> Result<Vec<Entry>, FormatError> {
    Reader::new(text)?.map(|value| entry_of(Record::new(value?)?)).collect()
}

fn avro_schema(table: &Table) -> Result<Schema, FormatError> {
    let partition = match table.dated_by {
        Some(_) => format!(
            r#"{{"name": "{DATE_PARTITION}", "type": ["null", {{"type": "int", "logicalType": "date"}}], "default": null,
                "field-id": {PARTITION_FIELD_ID}}}"#
        ),
        None => String::new(),
    };
    let counts = |key: i32, value: i32| map(key, value, r#""long""#);
    let bounds = |key: i32, value: i32| map(key, value, r#""bytes""#);
    let text = format!(
        r#"{{"type": "record", "name": "manifest_entry", "fields": [
            {{"name": "status", "type": "int", "field-id": 0}},
            {{"name": "snapshot_id", "type": ["null", "long"], "default": null, "field-id": 1}},
            {{"name": "sequence_number", "type": ["null", "long"], "default": null, "field-id": 3}},
            {{"name": "file_sequence_number", "type": ["null", "long"], "default": null, "field-id": 4}},
            {{"name": "data_file", "field-id": 2, "type": {{"type": "record", "name": "r2", "fields": [
                {{"name": "content", "type": "int", "field-id": 134}},
                {{"name": "file_path", "type": "string", "field-id": 100}},
                {{"name": "file_format", "type": "string", "field-id": 101}},
                {{"name": "partition", "field-id": 102,
                    "type": {{"type": "record", "name": "r102", "fields": [{partition}]}}}},
                {{"name": "record_count", "type": "long", "field-id": 103}},
                {{"name": "file_size_in_bytes", "type": "long", "field-id": 104}},
                {{"name": "value_counts", "type": ["null", {}], "default": null, "field-id": 109}},
                {{"name": "null_value_counts", "type": ["null", {}], "default": null, "field-id": 110}},
                {{"name": "lower_bounds", "type": ["null", {}], "default": null, "field-id": 125}},
                {{"name": "upper_bounds", "type": ["null", {}], "default": null, "field-id": 128}}
            ]}}}}
        ]}}"#,
        counts(119, 120),
        counts(121, 122),
        bounds(126, 127),
        bounds(129, 130),
    );
    Ok(Schema::parse_str(&text)?)
}

/// Writes the type of a map whose keys are numbers.
fn map(key: i32, value: i32, of: &str) -> String {
    format!(
        r#"{{"type": "array", "logicalType": "map", "items": {{"type": "record", "name": "k{key}_v{value}", "fields": [
            {{"name": "key", "type": "int", "field-id": {key}}},
            {{"name": "value", "type": {of}, "field-id": {value}}}
        ]}}}}"#
    )
}

fn value_of(entry: &Entry) -> Value {
    let Entry { status, snapshot_id, sequence, file } = entry;
    let partition = match file.day {
        Some(day) => record([(DATE_PARTITION, optional(Some(Value::Date(day))))]),
        None => Value::Record(Vec::new()),
    };
    let metrics = |value: fn(&ColumnMetrics) -> Option<Value>| {
        let of_column =
            |(id, column): (&i32, &ColumnMetrics)| Some(record([("key", Value::Int(*id)), ("value", value(column)?)]));
        optional(Some(Value::Array(file.columns.iter().filter_map(of_column).collect())))
    };
    let data_file = record([
        ("content", Value::Int(0)),
        ("file_path", Value::String(file.path.clone())),
        ("file_format", Value::String("PARQUET".to_owned())),
        ("partition", partition),
        ("record_count", Value::Long(file.n_rows)),
        ("file_size_in_bytes", Value::Long(file.bytes)),
        ("value_counts", metrics(|it| Some(Value::Long(it.n_values)))),
        ("null_value_counts", metrics(|it| Some(Value::Long(it.n_nulls)))),
        ("lower_bounds", metrics(|it| it.lower.clone().map(Value::Bytes))),
        ("upper_bounds", metrics(|it| it.upper.clone().map(Value::Bytes))),
    ]);
    record([
        ("status", Value::Int(*status as i32)),
        ("snapshot_id", optional(Some(Value::Long(*snapshot_id)))),
        ("sequence_number", optional(Some(Value::Long(*sequence)))),
        ("file_sequence_number", optional(Some(Value::Long(*sequence)))),
        ("data_file", data_file),
    ])
}

fn entry_of(mut entry: Record) -> Result<Entry, FormatError> {
    let status = match entry.integer("status")? {
        0 => Status::Existing,
        1 => Status::Added,
        _ => Status::Deleted,
    };
    let mut file = entry.record("data_file")?;
    let mut columns: BTreeMap<i32, ColumnMetrics> = BTreeMap::new();
    for (name, set) in [
        (
            "value_counts",
            (|it, value| it.n_values = integer(&value).unwrap_or_default()) as fn(&mut ColumnMetrics, Value),
        ),
        ("null_value_counts", |it, value| it.n_nulls = integer(&value).unwrap_or_default()),
        ("lower_bounds", |it, value| it.lower = bytes(value)),
        ("upper_bounds", |it, value| it.upper = bytes(value)),
    ] {
        for pair in file.list(name)? {
            let mut pair = Record::new(pair)?;
            let id = i32::try_from(pair.integer("key")?).map_err(|_| FormatError::Field("key"))?;
            set(columns.entry(id).or_default(), pair.take("value").ok_or(FormatError::Field("value"))?);
        }
    }
    let day = file.record("partition")?.take(DATE_PARTITION).and_then(|day| integer(&day));
    Ok(Entry {
        status,
        snapshot_id: entry.integer("snapshot_id")?,
        sequence: entry.integer("sequence_number")?,
        file: DataFile {
            path: file.text("file_path")?,
            day: day.and_then(|day| i32::try_from(day).ok()),
            n_rows: file.integer("record_count")?,
            bytes: file.integer("file_size_in_bytes")?,
            columns,
        },
    })
}
