//! AWS Glue: the tables as `aws glue create-table --cli-input-json` takes them, one in a line.

use std::fmt;
use std::fmt::Write;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::spark::kind;
use super::words::projection;
use crate::column::Column;
use crate::column::Table;
use crate::layout::DATE_PARTITION;

/// The longest comment that Glue takes, in bytes.
const COMMENT_BYTES: usize = 255;

const HIVE: &str = "org.apache.hadoop.hive.ql.io.parquet";

/// A column as Glue has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlueColumn {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: &'static str,
    /// Its description, as far as Glue takes it.
    pub comment: &'static str,
}

/// Returns the columns of a table, but not the date of its partition.
pub fn glue_columns(table: &Table) -> impl Iterator<Item = GlueColumn> {
    let column = |it: &Column| GlueColumn { name: it.name, kind: kind(it.kind), comment: comment(it.doc) };
    table.columns.iter().map(column)
}

pub(super) fn table(out: &mut String, folder: &str, table: &Table) -> fmt::Result {
    let column = |it: GlueColumn| json!({ "Name": it.name, "Type": it.kind, "Comment": it.comment });
    let date = table.dated_by.map(|_| json!({ "Name": DATE_PARTITION, "Type": "date" }));
    let mut parameters = Map::from_iter([("classification".to_owned(), Value::from("parquet"))]);
    if table.dated_by.is_some() {
        parameters.extend(projection(folder).map(|(key, value)| (key, value.into())));
    }
    let input = json!({ "TableInput": {
        "Name": table.name,
        "Description": table.doc,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": date.into_iter().collect::<Vec<_>>(),
        "Parameters": parameters,
        "StorageDescriptor": {
            "Columns": glue_columns(table).map(column).collect::<Vec<_>>(),
            "Location": format!("{folder}/"),
            "InputFormat": format!("{HIVE}.MapredParquetInputFormat"),
            "OutputFormat": format!("{HIVE}.MapredParquetOutputFormat"),
            "SerdeInfo": {
                "SerializationLibrary": format!("{HIVE}.serde.ParquetHiveSerDe"),
                "Parameters": { "serialization.format": "1" },
            },
        },
    } });
    writeln!(out, "{input}")
}

fn comment(doc: &'static str) -> &'static str {
    &doc[..doc.floor_char_boundary(COMMENT_BYTES)]
}
