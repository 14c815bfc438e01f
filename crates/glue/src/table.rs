//! A table as Glue has it.

use std::collections::BTreeMap;

use aws_sdk_glue::types::Column;
use aws_sdk_glue::types::StorageDescriptor;
use aws_sdk_glue::types::Table as GlueTable;
use aws_sdk_glue::types::TableInput;
use trailweave_lake::CatalogEntry;
use trailweave_lake::TableMetadata;
use trailweave_table::DATE_PARTITION;
use trailweave_table::GlueColumn;
use trailweave_table::Table;
use trailweave_table::glue_columns;

const TABLE_TYPE: &str = "table_type";
const ICEBERG: &str = "ICEBERG";
const METADATA: &str = "metadata_location";
const PREVIOUS: &str = "previous_metadata_location";

/// Reads an entry.
pub(crate) fn entry(table: &GlueTable) -> CatalogEntry {
    let parameters: BTreeMap<String, String> =
        table.parameters().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
    let is_iceberg = parameters.get(TABLE_TYPE).is_some_and(|it| it.eq_ignore_ascii_case(ICEBERG));
    CatalogEntry {
        version_id: table.version_id().unwrap_or_default().to_owned(),
        metadata_location: parameters.get(METADATA).filter(|_| is_iceberg).cloned(),
        parameters,
    }
}

/// Writes an entry, which keeps the parameters of others.
pub(crate) fn input(table: &Table, before: Option<&CatalogEntry>, to: &TableMetadata<'_>) -> TableInput {
    let mut parameters = before.map(|entry| entry.parameters.clone()).unwrap_or_default();
    if let Some(previous) = parameters.insert(METADATA.to_owned(), to.metadata_location.to_owned()) {
        parameters.insert(PREVIOUS.to_owned(), previous);
    }
    parameters.insert(TABLE_TYPE.to_owned(), ICEBERG.to_owned());
    parameters.insert("EXTERNAL".to_owned(), "TRUE".to_owned());
    let date = table.dated_by.map(|_| GlueColumn { name: DATE_PARTITION, kind: "date", comment: "" });
    let columns = glue_columns(table).chain(date).map(|it| column(table, it)).collect();
    let storage = StorageDescriptor::builder().location(to.location).set_columns(Some(columns));
    TableInput::builder()
        .name(table.name)
        .description(table.doc)
        .table_type("EXTERNAL_TABLE")
        .set_parameters(Some(parameters.into_iter().collect()))
        .storage_descriptor(storage.build())
        .build()
        .expect("it has a name")
}

fn column(table: &Table, GlueColumn { name, kind, comment }: GlueColumn) -> Column {
    let column = Column::builder().name(name).r#type(kind).comment(comment);
    let column = column.parameters("iceberg.field.id", table.field_id(name).to_string());
    let column = column.parameters("iceberg.field.optional", "true").parameters("iceberg.field.current", "true");
    column.build().expect("it has a name")
}
