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
use rayon::ThreadPoolBuilder;
use serde::Serialize;
use tokio::task::JoinSet;
use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::Part;
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

/// The version of the rules of `docs/join.md` and of the products' columns. Products of another are made anew.
const RULES: u32 = 4;

/// New events below this are followed through the lake, whatever share of it they are.
const MANY_BYTES: u64 = 64 << 20;

/// What a correlation may use.
#[derive(Debug, Clone, Copy)]
pub struct Correlate {
    /// Memory for the engine. What does not fit is spilled to disk.
    pub memory_bytes: u64,
    /// How many parts of a step run at once.
    pub threads: NonZeroUsize,
    /// How the events are joined.
    pub join: Way,
    /// Which products are computed.
    pub scope: Scope,
}

/// Which products are computed. The rows are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// What events can change that have come since the products were made, where that can be told and fits into memory.
    #[default]
    New,
    /// All of them.
    Whole,
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
}

/// Brings the products of `lake` up to its events, and replaces what that changes together, so that a kill leaves the old
/// products or the new ones. The products of the same events are the same rows, whatever `options` say and however
/// often it was done while the events came.
///
/// Needs: the lake's lock, held by the caller, and a Tokio runtime.
pub async fn correlate(lake: &Lake, options: &Correlate, progress: &Progress) -> Result<Summary, CorrelateError> {
    let parts = lake.parts(&EVENTS)?;
    let covers = Covered::of(lake, RULES, &parts);
    let covered = Covered::read(lake)?.filter(|it| options.scope == Scope::New && it.rules == RULES);
    let covered = match covered {
        Some(mut covered) if covered.has_its_products(lake)? => {
            covered.follow(lake, &parts)?;
            warn_of_gone(&covered, &covers);
            Some(covered)
        }
        _ => None,
    };
    let threads = options.threads.get();
    let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("correlate-{n}")).build();
    let pool = pool.map_err(|source| CorrelateError::Threads { threads, source })?;
    let summary = |scope, files| pool.install(|| summary::read(lake, scope, files));
    if covered.as_ref().is_some_and(|it| it.has_parts_of(&covers)) {
        return summary(Scope::New, 0);
    }
    let products = Replacement::new(lake);
    if let Some(covered) = covered.filter(|it| is_worth_it(lake, it, &parts))
        && let Some(files) =
            pool.install(|| in_memory::correlate_new(&products, &parts, &covered, options.memory_bytes, progress))?
    {
        products.commit(covers)?;
        return summary(Scope::New, files);
    }
    drop(products);
    let products = Replacement::new(lake);
    let in_memory = match options.join {
        Way::Fitting => pool.install(|| in_memory::correlate(&products, &parts, options.memory_bytes, progress))?,
        Way::Spilling => None,
    };
    let files = if let Some(files) = in_memory {
        files
    } else {
        if options.join == Way::Fitting {
            tracing::warn!(
                "the events do not fit into --memory, where each takes 360 bytes: the join through files is far slower"
            );
        }
        spilling(lake, &products, options, progress).await?
    };
    products.commit(covers)?;
    summary(Scope::Whole, files)
}

/// Warns that the rows of parts that are gone leave the products: somebody removed the parts, by intent or not.
fn warn_of_gone(covered: &Covered, covers: &Covered) {
    let mut gone = covered.gone(covers);
    if let Some(path) = gone.next() {
        tracing::warn!(
            parts = 1 + gone.count(),
            path = %path.display(),
            "parts of `events` are gone, such as this one, and with them what the tables had of their rows; where that was \
             not meant, restore them from a copy"
        );
    }
}

/// Whether the parts that `covered` lacks are few enough to be followed through the lake, and none of its own is gone or
/// is another now: what is not there any more leads nowhere.
fn is_worth_it(lake: &Lake, covered: &Covered, parts: &[Part]) -> bool {
    let (old, new): (Vec<&Part>, Vec<&Part>) =
        parts.iter().partition(|part| covered.has(lake.below(&part.path), part.bytes));
    let bytes = |parts: &[&Part]| parts.iter().map(|part| part.bytes).sum::<u64>();
    old.len() == covered.len() && (bytes(&new) < MANY_BYTES || bytes(&new) < bytes(&old) / 2)
}

/// Computes every product by the steps; returns how many files.
async fn spilling(
    lake: &Lake,
    products: &Replacement<'_>,
    options: &Correlate,
    progress: &Progress,
) -> Result<u64, CorrelateError> {
    progress.steps.store((STEPS.len() + PRODUCTS.len()) as u64, Ordering::Relaxed);
    progress.steps_done.store(0, Ordering::Relaxed);
    let scratch = Scratch::create(lake)?;
    let spill = DiskManagerMode::Directories(vec![scratch.spill()]);
    let opened = context(options, spill).and_then(|context| {
        register_store(&context, lake)?;
        register_table(&context, lake, &EVENTS)?;
        Ok(context)
    });
    let engines = Engines::new(opened.map_err(|source| CorrelateError::Open(source.into()))?);
    for step in &STEPS {
        engines
            .first_that_fits(async |context| {
                let ran = run(context, step, &scratch.emptied(step.name)?).await;
                ran.map_err(CorrelateError::step(step.name, options.memory_bytes))
            })
            .await?;
        progress.steps_done.fetch_add(1, Ordering::Relaxed);
    }
    let mut files = 0;
    for it in &PRODUCTS {
        let write = async |context: &SessionContext| product::write(context, products, it, options).await;
        files += engines.first_that_fits(write).await?;
        progress.steps_done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(files)
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
