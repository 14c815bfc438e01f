//! Runs the steps in DataFusion, all rows in memory: the plain way.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::compute::concat_batches;
use arrow::datatypes::Date32Type;
use arrow::datatypes::FieldRef;
use arrow::datatypes::SchemaRef;
use arrow::util::display::ArrayFormatter;
use arrow::util::display::FormatOptions;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionConfig;
use datafusion::prelude::SessionContext;
use trailweave_cluster::PRODUCTS;
use trailweave_cluster::Product;
use trailweave_cluster::STEPS;
use trailweave_lake::Lake;
use trailweave_lake::TableWriter;
use trailweave_table::EVENTS;
use trailweave_table::SESSIONS;
use trailweave_table::partition_dir;
use trailweave_table::product_name;

/// Rows in each batch that a file's writer gets, as the join in memory gives them: pages end there.
const BATCH_ROWS: usize = 8192;

/// Makes the products of rows of `events` and of `sessions`, and writes them as those of `lake`.
pub(crate) fn run(events: &[RecordBatch], sessions: &[RecordBatch], lake: &Lake) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let context = context();
        register(&context, EVENTS.name, EVENTS.schema(), events.to_vec());
        register(&context, SESSIONS.name, SESSIONS.schema(), sessions.to_vec());
        for step in &STEPS {
            let (schema, rows) = ask(&context, &step.sql()).await;
            register(&context, step.name, schema, rows);
        }
        for product in &PRODUCTS {
            let (schema, rows) = ask(&context, &product.sql()).await;
            write(lake, product, &concat_batches(&schema, &rows).unwrap());
        }
    });
}

/// An engine whose texts are of the tables' type.
fn context() -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(2);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    SessionContext::new_with_config(config)
}

/// Returns the rows of an answer in the schema of the rows, which may know better than that of the plan what is never null.
async fn ask(context: &SessionContext, sql: &str) -> (SchemaRef, Vec<RecordBatch>) {
    let rows = context.sql(sql).await.unwrap();
    let schema = Arc::clone(rows.schema().inner());
    let rows = rows.collect().await.unwrap();
    (rows.first().map_or(schema, RecordBatch::schema), rows)
}

fn register(context: &SessionContext, name: &str, schema: SchemaRef, rows: Vec<RecordBatch>) {
    let table = MemTable::try_new(schema, vec![rows]).unwrap();
    context.register_table(name, Arc::new(table)).unwrap();
}

/// Writes the rows of each date to a file. A product's statement makes the date, the table's columns, and `rid`.
fn write(lake: &Lake, product: &Product, rows: &RecordBatch) {
    let table = product.table;
    let columns: Vec<usize> = (1..=table.columns.len()).collect();
    let made = rows.project(&columns).unwrap();
    let (ours, theirs) = (table.schema(), made.schema());
    for (ours, theirs) in ours.fields().iter().zip(theirs.fields()) {
        assert_eq!(ours.name(), theirs.name(), "{}", table.name);
        assert!(ours.data_type().equals_datatype(theirs.data_type()), "{}.{ours} is {theirs}", table.name);
    }
    assert_eq!(rows.num_columns(), ours.fields().len() + 2, "{}", table.name);
    let days = rows.column(0);
    let dates = ArrayFormatter::try_new(days, &FormatOptions::new()).unwrap();
    let mut from = 0;
    for of_day in days.as_primitive::<Date32Type>().values().chunk_by(|one, next| one == next) {
        let path = lake.table_dir(table).join(partition_dir(&dates.value(from).to_string())).join("part.parquet");
        let mut writer = TableWriter::new(lake.create_file(&path).unwrap(), table).unwrap();
        let until = from + of_day.len();
        for at in (from..until).step_by(BATCH_ROWS) {
            let batch = made.slice(at, BATCH_ROWS.min(until - at));
            // A table's types carry the ids of nested fields, which no engine knows.
            let with_ids = |(column, field): (&ArrayRef, &FieldRef)| cast(column, field.data_type()).unwrap();
            let columns = batch.columns().iter().zip(ours.fields()).map(with_ids).collect();
            writer.write(&RecordBatch::try_new(table.schema(), columns).unwrap()).unwrap();
        }
        let name = product_name(&writer.commit().unwrap().digest);
        std::fs::rename(&path, path.with_file_name(name)).unwrap();
        from = until;
    }
}
