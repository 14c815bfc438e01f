//! The engine, set up for a lake, and questions to it.

use std::num::NonZeroUsize;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::datatypes::Field;
use arrow::datatypes::Schema;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::ListingOptions;
use datafusion::datasource::listing::ListingTable;
use datafusion::datasource::listing::ListingTableConfig;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::disk_manager::DiskManagerMode;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SQLOptions;
use datafusion::prelude::SessionConfig;
use datafusion::prelude::SessionContext;
use trailweave_lake::Lake;
use trailweave_table::AUDIT;
use trailweave_table::DATE_PARTITION;
use trailweave_table::TABLES;
use trailweave_table::Table;
use trailweave_table::VIEWS;
use trailweave_table::View;

use crate::QueryError;
use crate::exact_times::ExactTimes;

/// The options of a session.
#[derive(Debug, Clone, Copy)]
pub struct SessionOptions {
    /// Memory for the engine. What does not fit is spilled to disk.
    pub memory_bytes: u64,
    /// The number of parts of an answer that are computed at once.
    pub threads: NonZeroUsize,
}

/// The tables of a lake under their names, for questions in SQL.
#[derive(Clone)]
pub struct Session {
    context: SessionContext,
}

/// Opens the tables of `lake`, its ledger, and the views over them for questions. A table that has no files yet is empty.
pub async fn open(lake: &Lake, options: &SessionOptions) -> Result<Session, QueryError> {
    let open = async || {
        let context = context(options)?;
        context.add_analyzer_rule(Arc::new(ExactTimes));
        register_store(&context, lake)?;
        for table in TABLES.into_iter().chain(AUDIT) {
            register_table(&context, lake, table)?;
        }
        for View { name, sql, .. } in VIEWS {
            context.sql(&format!("CREATE VIEW {name} AS {sql}")).await?;
        }
        Ok(Session { context })
    };
    open().await.map_err(|error: DataFusionError| QueryError::Open(error.into()))
}

impl Session {
    /// Answers one question in SQL, as at least one batch. Whatever would change something is refused.
    pub async fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, QueryError> {
        let failed = |error: DataFusionError| QueryError::Query(error.into());
        let plan = self.context.state().create_logical_plan(sql).await.map_err(failed)?;
        let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        read_only.verify_plan(&plan).map_err(|source| QueryError::ReadOnly(source.into()))?;
        let answer = self.context.execute_logical_plan(plan).await.map_err(failed)?;
        let schema = Arc::clone(answer.schema().inner());
        let mut rows = answer.collect().await.map_err(failed)?;
        if rows.is_empty() {
            rows.push(RecordBatch::new_empty(schema));
        }
        Ok(rows)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Session").finish_non_exhaustive()
    }
}

/// An engine without tables, which spills to the system's folder for temporary files.
fn context(options: &SessionOptions) -> Result<SessionContext, DataFusionError> {
    // A quarter is left for what the engine does not count: batches on their way, Parquet pages.
    let pool_bytes = usize::try_from(options.memory_bytes / 4 * 3).unwrap_or(usize::MAX);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(pool_bytes)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::OsTmpDirectory))
        .build_arc()?;
    Ok(SessionContext::new_with_config_rt(config(options, pool_bytes), runtime))
}

/// With one part of a step at a time the engine plans hash joins, whatever it is told.
const MIN_PARTITIONS: usize = 2;

fn partitions(options: &SessionOptions) -> usize {
    options.threads.get().max(MIN_PARTITIONS)
}

fn config(options: &SessionOptions, pool_bytes: usize) -> SessionConfig {
    // A sort needs room for a few batches to begin, and for merging to end. With small batches a step's many sorts
    // fit side by side into a small pool, each spilling beyond its share.
    let share = pool_bytes / partitions(options) / 128;
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions(options))
        .with_batch_size((share / 1024).clamp(64, 8192))
        .with_sort_spill_reservation_bytes(share.min(10 << 20))
        .with_information_schema(true);
    let engine = config.options_mut();
    // The tables' types are Utf8: a view would be another type to whoever reads an answer.
    engine.execution.parquet.schema_force_view_types = false;
    engine.sql_parser.map_string_types_to_utf8view = false;
    // A hash join keeps one side in memory whatever its size; a merge join sorts both sides, and sorts spill.
    engine.optimizer.prefer_hash_join = false;
    // Statistics would be read from every file of a table before the first row.
    engine.execution.collect_statistics = false;
    config
}

/// Makes the object store in which a lake stands known to the engine.
fn register_store(context: &SessionContext, lake: &Lake) -> Result<(), DataFusionError> {
    let store = lake.object_store().map_err(|error| DataFusionError::External(error.into()))?;
    if let Some(store) = store {
        let url = folder_url(lake.root())?;
        let url = ListingTableUrl::parse(url)?.object_store();
        context.register_object_store(url.as_ref(), store);
    }
    Ok(())
}

/// Makes a table of the lake known under its name.
fn register_table(context: &SessionContext, lake: &Lake, table: &Table) -> Result<(), DataFusionError> {
    let folder = lake.table_dir(table);
    let date = table.dated_by.map(|_| (DATE_PARTITION.to_owned(), DataType::Date32));
    let has_files = || lake.parts(table).is_ok_and(|parts| !parts.is_empty());
    let provider: Arc<dyn TableProvider> = if has_files() {
        Arc::new(listing(&folder, table.schema(), date.into_iter().collect())?)
    } else {
        let mut fields = table.schema().fields().to_vec();
        fields.extend(date.map(|(name, kind)| Arc::new(Field::new(name, kind, true))));
        Arc::new(EmptyTable::new(Arc::new(Schema::new(fields))))
    };
    context.register_table(table.name, provider).map(|_| ())
}

/// The Parquet files in a folder, whose schema is known.
fn listing(
    folder: &Path,
    schema: SchemaRef,
    partitions: Vec<(String, DataType)>,
) -> Result<ListingTable, DataFusionError> {
    let options = ListingOptions::new(Arc::new(ParquetFormat::default()))
        .with_file_extension(".parquet")
        .with_table_partition_cols(partitions);
    let url = ListingTableUrl::parse(folder_url(folder)?)?;
    ListingTable::try_new(ListingTableConfig::new(url).with_listing_options(options).with_schema(schema))
}

/// The URL of a folder. The engine takes a bare path for a glob where it holds `*`, `?` or `[`.
fn folder_url(folder: &Path) -> Result<String, DataFusionError> {
    use std::fmt::Write;
    let (scheme, path) = match folder.to_str().and_then(|folder| folder.split_once("://")) {
        Some((scheme, path)) => (scheme, PathBuf::from(path)),
        None => ("file", std::path::absolute(folder)?),
    };
    let mut url = format!("{scheme}://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'=' => url.push(char::from(*byte)),
            _ => write!(url, "%{byte:02X}").expect("writing to a String cannot fail"),
        }
    }
    url.push('/');
    Ok(url)
}
