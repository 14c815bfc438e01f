//! One correlation: the steps, then the products.

use std::fs::File;
use std::num::NonZeroUsize;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::disk_manager::DiskManagerMode;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::basic::ZstdLevel;
use datafusion::parquet::file::properties::EnabledStatistics;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use tokio::task::JoinSet;
use trailweave_lake::Lake;
use trailweave_table::EVENTS;

use crate::CorrelateError;
use crate::Summary;
use crate::in_memory;
use crate::plan::PRODUCTS;
use crate::plan::STEPS;
use crate::plan::Step;
use crate::product;
use crate::product::Replacement;
use crate::scratch::Scratch;
use crate::session::context;
use crate::session::listing;
use crate::session::narrower;
use crate::session::register_store;
use crate::session::register_table;
use crate::summary;

/// How much of a step's part is buffered before it is written.
const ROW_GROUP_BYTES: usize = 8 << 20;

/// What a correlation may use.
#[derive(Debug, Clone, Copy)]
pub struct Correlate {
    /// Memory for the engine. What does not fit is spilled to disk.
    pub memory_bytes: u64,
    /// How many parts of a step run at once.
    pub threads: NonZeroUsize,
    /// How the events are joined.
    pub join: Way,
}

/// How events are joined. The products are the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// In memory where they fit, else spilling.
    #[default]
    Fitting,
    /// As steps in SQL, which spill.
    Spilling,
}

/// How far a correlation is; read it from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    /// Steps of the plan, products included; 0 until it begins.
    pub steps: AtomicU64,
    /// Steps that are done.
    pub steps_done: AtomicU64,
    /// Rows of products written so far.
    pub rows: AtomicU64,
}

/// Computes every product of `lake` from its events, and replaces all products together, so that a kill leaves the old
/// ones or the new ones. The products of the same events are the same bytes, whatever `options` say.
///
/// Needs: the lake's lock, held by the caller, and a Tokio runtime.
pub async fn correlate(lake: &Lake, options: &Correlate, progress: &Progress) -> Result<Summary, CorrelateError> {
    if options.join != Way::Spilling
        && let Some(files) = in_memory::correlate(lake, options, progress)?
    {
        return summary::read(lake, options, files).await;
    }
    progress.steps.store((STEPS.len() + PRODUCTS.len()) as u64, Ordering::Relaxed);
    progress.steps_done.store(0, Ordering::Relaxed);
    let scratch = Scratch::create(lake)?;
    let spill = DiskManagerMode::Directories(vec![scratch.spill()]);
    let opened = context(options, spill).and_then(|context| {
        register_store(&context, lake)?;
        register_table(&context, lake, &EVENTS)?;
        Ok(context)
    });
    let engines = Engines::new(opened.map_err(|source| CorrelateError::Open(Box::new(source)))?);
    for step in &STEPS {
        engines
            .first_that_fits(async |context| {
                let ran = run(context, step, &scratch.emptied(step.name)?).await;
                ran.map_err(CorrelateError::step(step.name, options.memory_bytes))
            })
            .await?;
        progress.steps_done.fetch_add(1, Ordering::Relaxed);
    }
    let products = Replacement::new(lake);
    let mut files = 0;
    for it in &PRODUCTS {
        let write = async |context: &SessionContext| product::write(context, &products, it, options).await;
        let written = engines.first_that_fits(write).await?;
        files += written.files;
        progress.rows.fetch_add(written.rows, Ordering::Relaxed);
        progress.steps_done.fetch_add(1, Ordering::Relaxed);
    }
    products.commit()?;
    summary::read(lake, options, files).await
}

/// The same engine, each time narrower: fewer parts of a step at once, and smaller batches, so that fewer and smaller
/// things ask for a share of the same memory.
struct Engines([SessionContext; 3]);

impl Engines {
    fn new(context: SessionContext) -> Self {
        let narrow = narrower(&context);
        let narrowest = narrower(&narrow);
        Self([context, narrow, narrowest])
    }

    /// What `work` gives on the widest engine on which it fits into memory. It must be repeatable.
    async fn first_that_fits<T>(
        &self,
        work: impl AsyncFn(&SessionContext) -> Result<T, CorrelateError>,
    ) -> Result<T, CorrelateError> {
        let [wider @ .., narrowest] = &self.0;
        for context in wider {
            match work(context).await {
                Err(error @ CorrelateError::Memory { .. }) => tracing::info!(error = ?error, "again, narrower"),
                outcome => return outcome,
            }
        }
        work(narrowest).await
    }
}

/// Runs a step, and makes its rows known under its name.
async fn run(context: &SessionContext, step: &Step, folder: &Path) -> Result<(), DataFusionError> {
    let rows = context.sql(&step.sql()).await?;
    let schema = Arc::clone(rows.schema().inner());
    let mut parts = JoinSet::new();
    for (n, part) in rows.execute_stream_partitioned().await?.into_iter().enumerate() {
        parts.spawn(write(part, folder.join(format!("part-{n}.parquet"))));
    }
    while let Some(written) = parts.join_next().await {
        written.map_err(|error| DataFusionError::External(Box::new(error)))??;
    }
    tracing::debug!(step = step.name, "written");
    context.register_table(step.name, Arc::new(listing(folder, schema, Vec::new())?))?;
    Ok(())
}

/// Writes the rows of one part of a step. The engine's own sink would count what it buffers against the pool, which
/// the sorts need, and buffers more.
async fn write(mut rows: SendableRecordBatchStream, path: PathBuf) -> Result<(), DataFusionError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .build();
    let mut writer = ArrowWriter::try_new(File::create(path)?, rows.schema(), Some(properties))?;
    while let Some(batch) = rows.next().await {
        writer.write(&batch?)?;
        if writer.memory_size() > ROW_GROUP_BYTES {
            writer.flush()?;
        }
    }
    writer.close()?;
    Ok(())
}
