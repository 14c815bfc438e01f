//! A table's columns and partition as Iceberg writes them.

use serde_json::Value;
use serde_json::json;
use trailweave_table::Column;
use trailweave_table::DATE_PARTITION;
use trailweave_table::Kind;
use trailweave_table::Table;

/// The id of the one partition spec, and of its field.
pub(crate) const SPEC_ID: i32 = 0;
pub(crate) const PARTITION_FIELD_ID: i32 = 1000;

/// Writes the fields of a table: its columns, then the date of its partition.
pub(crate) fn fields(table: &Table) -> Value {
    let field = |column: &Column| {
        json!({
            "id": table.field_id(column.name), "name": column.name, "required": false,
            "type": kind(table, column), "doc": column.doc,
        })
    };
    let mut fields: Vec<Value> = table.columns.iter().map(field).collect();
    if table.dated_by.is_some() {
        let id = table.field_id(DATE_PARTITION);
        fields.push(json!({ "id": id, "name": DATE_PARTITION, "required": false, "type": "date" }));
    }
    fields.into()
}

fn kind(table: &Table, column: &Column) -> Value {
    let id = |nested: &str| table.field_id(&format!("{}.{nested}", column.name));
    match column.kind {
        Kind::Text => "string".into(),
        Kind::Time => "timestamptz".into(),
        Kind::Bool => "boolean".into(),
        Kind::Integer => "long".into(),
        Kind::TextList => json!({
            "type": "list", "element-id": id("element"), "element": "string", "element-required": false,
        }),
        Kind::TextMap => json!({
            "type": "map", "key-id": id("key"), "key": "string", "value-id": id("value"), "value": "string",
            "value-required": false,
        }),
    }
}

/// Writes a schema of a table.
pub(crate) fn schema(fields: &Value, schema_id: i64) -> Value {
    json!({ "type": "struct", "schema-id": schema_id, "fields": fields })
}

/// Writes the fields of the partition spec: the date as it is, whose value stands in the manifests alone.
pub(crate) fn spec_fields(table: &Table) -> Value {
    let date = table.dated_by.map(|_| {
        json!({
            "source-id": table.field_id(DATE_PARTITION), "field-id": PARTITION_FIELD_ID, "name": DATE_PARTITION,
            "transform": "identity",
        })
    });
    date.into_iter().collect::<Vec<_>>().into()
}
