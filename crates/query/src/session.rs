//! The engine, set up for a lake, and questions to it.

use std::num::NonZeroUsize;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::datatypes::Field;
use arrow::datatypes::FieldRef;
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
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::disk_manager::DiskManagerMode;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SQLOptions;
use datafusion::prelude::SessionConfig;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use trailweave_lake::Lake;
use trailweave_table::AUDIT;
use trailweave_table::DATE_PARTITION;
use trailweave_table::TABLES;
use trailweave_table::Table;
use trailweave_table::VIEWS;

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

/// Opens the tables of `lake`, its ledger, and the views over them for questions. A table that has no files yet is empty; one
/// that cannot be listed is an error.
pub async fn open(lake: &Lake, options: &SessionOptions) -> Result<Session, QueryError> {
    let mut tables = Vec::new();
    for table in TABLES.into_iter().chain(AUDIT) {
        tables.push((table, !lake.parts(table)?.is_empty()));
    }
    let open = async || {
        let context = context(options)?;
        context.add_analyzer_rule(Arc::new(ExactTimes));
        register_store(&context, lake)?;
        for (table, has_files) in &tables {
            register_table(&context, lake, table, *has_files)?;
        }
        for view in VIEWS {
            context.sql(&format!("CREATE VIEW {} AS {}", view.name, view.sql())).await?;
        }
        Ok(Session { context })
    };
    open().await.map_err(|error: DataFusionError| QueryError::Open(error.into()))
}

impl Session {
    /// Answers one question in SQL. Whatever would change something is refused.
    pub async fn answer(&self, sql: &str) -> Result<Batches, QueryError> {
        let plan = self.context.state().create_logical_plan(sql).await.map_err(failed)?;
        let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        read_only.verify_plan(&plan).map_err(|source| QueryError::ReadOnly(source.into()))?;
        let answer = self.context.execute_logical_plan(plan).await.map_err(failed)?;
        Ok(Batches { rows: answer.execute_stream().await.map_err(failed)? })
    }

    /// Answers one question in SQL, as at least one batch.
    pub async fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, QueryError> {
        self.answer(sql).await?.all().await
    }
}

/// The rows of an answer, which are computed as they are taken.
pub struct Batches {
    rows: SendableRecordBatchStream,
}

impl Batches {
    /// Returns the columns.
    pub fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    /// Takes the next batch; none after the last.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        self.rows.try_next().await.map_err(failed)
    }

    /// Takes all batches that are left, at least one.
    pub async fn all(self) -> Result<Vec<RecordBatch>, QueryError> {
        let schema = self.schema();
        let mut all: Vec<_> = self.rows.try_collect().await.map_err(failed)?;
        if all.is_empty() {
            all.push(RecordBatch::new_empty(schema));
        }
        Ok(all)
    }
}

fn failed(error: DataFusionError) -> QueryError {
    QueryError::Query(error.into())
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Batches").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Session").finish_non_exhaustive()
    }
}

/// Makes an engine without tables, which spills to the system's folder for temporary files.
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
fn register_table(
    context: &SessionContext,
    lake: &Lake,
    table: &Table,
    has_files: bool,
) -> Result<(), DataFusionError> {
    let folder = lake.table_dir(table);
    let date = table.dated_by.map(|_| (DATE_PARTITION.to_owned(), DataType::Date32));
    let mut fields: Vec<_> = table.schema().fields().iter().map(with_bare_elements).collect();
    let provider: Arc<dyn TableProvider> = if has_files {
        Arc::new(listing(&folder, Arc::new(Schema::new(fields)), date.into_iter().collect())?)
    } else {
        fields.extend(date.map(|(name, kind)| Arc::new(Field::new(name, kind, true))));
        Arc::new(EmptyTable::new(Arc::new(Schema::new(fields))))
    };
    context.register_table(table.name, provider).map(|_| ())
}

/// Takes the field id from the elements of a column of lists. The engine loses it where it holds a list as a single value, which
/// then is of another type than its column. A column keeps its own: with another than in the file it would be cast, and no
/// Bloom filter be asked.
fn with_bare_elements(column: &FieldRef) -> FieldRef {
    let DataType::List(element) = column.data_type() else { return Arc::clone(column) };
    let element = Field::new(element.name(), element.data_type().clone(), element.is_nullable());
    Arc::new(column.as_ref().clone().with_data_type(DataType::List(Arc::new(element))))
}

/// Makes a table of the Parquet files in a folder, whose schema is known.
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

/// Makes the URL of a folder. The engine takes a bare path for a glob where it holds `*`, `?` or `[`.
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
