//! `run` and `ingest`.

use std::num::NonZeroUsize;

use serde::Serialize;
use trailweave_correlate::Scope;
use trailweave_ingest::IngestOptions;
use trailweave_ingest::ListedSources;
use trailweave_ingest::PlanSummary;
use trailweave_ingest::Retry;
use trailweave_lake::Choices;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;

use super::correlate::correlate_locked;
use super::prune::prune_locked;
use super::publish::publish_locked;
use crate::config::ConfigError;
use crate::job::Job;
use crate::outcome::Outcome;
use crate::price::Price;
use crate::progress;
use crate::report;
use crate::report::Report;

/// Parts are made of objects of at most this size together, as stored.
const BATCH_BYTES: u64 = 256 << 20;
/// Objects of S3 that are fetched at once. A thread decodes some ten thousand small ones in a second, and S3 answers
/// after some ten milliseconds.
const FETCHES_PER_THREAD: usize = 128;
const MIN_FETCHES: usize = 256;
const MAX_FETCHES: usize = 2048;

/// Ingests, then correlates, under one lock.
pub(super) fn run(job: &Job) -> anyhow::Result<Report> {
    if job.config.shard.is_some() {
        return Err(ConfigError::RunShard.into());
    }
    let (lake, listed) = match open(job)? {
        Opened::Lake(lake, listed) => (lake, listed),
        Opened::NothingMatched(report) => return Ok(report),
    };
    let _lock = job.lock(&lake)?;
    let ingested = ingest_locked(job, &lake, listed, &options(job))?;
    let mut correlated = correlate_locked(job, &lake, Scope::New)?;
    let pruned = job.config.retain.map(|first| prune_locked(&lake, first)).transpose()?;
    if pruned.as_ref().is_some_and(|it| it.pruned.files > 0) {
        correlated = correlated.recounted(&lake, job.config.threads)?;
    }
    let published = publish_locked(job, &lake)?;
    Ok(Report {
        ingested: Some(ingested),
        correlated: Some(correlated),
        pruned,
        published,
        proven: trailweave_ingest::proven(&lake)?,
    })
}

/// Ingests only.
pub(super) fn ingest(job: &Job) -> anyhow::Result<Report> {
    let (lake, listed) = match open(job)? {
        Opened::Lake(lake, listed) => (lake, listed),
        Opened::NothingMatched(report) => return Ok(report),
    };
    let _lock = match job.config.shard {
        Some(shard) => job.wait_for(|| lake.lock_shard(&shard.name(), shard.count()))?,
        None => job.lock(&lake)?,
    };
    let ingested = ingest_locked(job, &lake, listed, &options(job))?;
    Ok(Report { ingested: Some(ingested), proven: trailweave_ingest::proven(&lake)?, ..Report::default() })
}

/// A lake to read into, or why none was made.
enum Opened {
    /// With what was listed before it was made.
    Lake(Lake, Option<ListedSources>),
    /// The report of a run that found nothing to make a lake of.
    NothingMatched(Report),
}

/// Opens the lake. Where there is none, the sources are listed first: what holds nothing makes no lake.
fn open(job: &Job) -> anyhow::Result<Opened> {
    job.config.check_source()?;
    if job.again && (job.config.filter.from.is_none() || job.config.filter.to.is_none()) {
        return Err(ConfigError::AgainWithoutDays.into());
    }
    if job.again && job.config.shard.is_some() {
        return Err(ConfigError::AgainInShares.into());
    }
    let options = options(job);
    let place = job.place()?;
    let is_new = matches!(Lake::open_at(&place), Err(LakeError::NotALake { .. }));
    let listed = if is_new && options.queue_url.is_none() {
        Some(job.runtime.block_on(trailweave_ingest::list_sources(&options))?)
    } else {
        None
    };
    if let Some(ingested) = listed.as_ref().and_then(|listed| listed.nothing_matched(&options)) {
        return Ok(Opened::NothingMatched(Report { ingested: Some(ingested), ..Report::default() }));
    }
    let choices = Choices { events: job.config.events.as_deref(), omit: job.config.omit.as_ref() };
    Ok(Opened::Lake(Lake::open_or_create_with(&place, choices)?, listed))
}

/// Says what a run would do.
pub(super) fn plan(job: &Job) -> anyhow::Result<Outcome> {
    job.config.check_source()?;
    let options = options(job);
    if options.queue_url.is_some() {
        let because = "its messages would be hidden from others; plan with --source";
        return Err(ConfigError::QueueWith { with: "`plan`", because }.into());
    }
    let lake = match Lake::open_at(&job.place()?) {
        Ok(lake) => Some(lake),
        // Nothing is known about a lake that is not made yet.
        Err(LakeError::NotALake { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let plan = job.runtime.block_on(trailweave_ingest::plan(lake.as_ref(), &options))?;
    let events = lake.as_ref().map(|lake| lake.format().events.as_str()).or(job.config.events.as_deref());
    let price = Price::of(&plan, &job.config.lake, events.unwrap_or_default());
    job.put(&Planned { plan: &plan, price: price.as_ref() }, |out, it| report::write_plan(out, it.plan, it.price))?;
    Ok(if plan.nothing_matched.is_some() { Outcome::NothingMatched } else { Outcome::Done })
}

/// The objects that a run would read, and their price, if they have one.
#[derive(Serialize)]
struct Planned<'p> {
    #[serde(flatten)]
    plan: &'p PlanSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<&'p Price>,
}

pub(super) fn options(job: &Job) -> IngestOptions {
    IngestOptions {
        sources: job.config.sources.clone(),
        keys: job.config.keys.clone(),
        inventories: job.config.inventories.clone(),
        queue_url: job.config.queue_url.clone(),
        s3: job.config.s3.clone(),
        filter: job.config.filter.clone(),
        memory_bytes: job.config.memory.as_u64(),
        threads: job.config.threads,
        fetches: fetches(job.config.threads),
        cap_bytes: job.config.cap.as_u64(),
        sha256: job.config.sha256,
        batch_bytes: BATCH_BYTES,
        names: Vec::new(),
        retry: if job.retry_quarantined { Retry::Standing } else { Retry::None },
        again: job.again,
        shard: job.config.shard,
        run_id: run_id(job),
    }
}

/// Returns as many as the threads may want in the time that an answer takes, and as may be open beside the files of a
/// lake.
fn fetches(threads: NonZeroUsize) -> NonZeroUsize {
    let wanted = threads.get().saturating_mul(FETCHES_PER_THREAD).clamp(MIN_FETCHES, MAX_FETCHES);
    let open_files = rlimit::increase_nofile_limit(4 * MAX_FETCHES as u64);
    let allowed = open_files.map_or(wanted, |n| usize::try_from(n / 2).unwrap_or(usize::MAX));
    NonZeroUsize::new(wanted.min(allowed)).unwrap_or(NonZeroUsize::MIN)
}

/// Returns the time at which the run began, and its share, so that shards that begin together differ.
fn run_id(job: &Job) -> String {
    let began = job.began.strftime("%Y%m%dT%H%M%S%3fZ");
    match job.config.shard {
        Some(shard) => format!("{began}-{}", shard.name()),
        None => began.to_string(),
    }
}

/// Ingests, and shows how far it is. Needs: the lock of the lake.
pub(super) fn ingest_locked(
    job: &Job,
    lake: &Lake,
    listed: Option<ListedSources>,
    options: &IngestOptions,
) -> anyhow::Result<trailweave_ingest::Summary> {
    let state = trailweave_ingest::Progress::default();
    progress::ingesting(&job.common, &state, || {
        let ingested = job.runtime.block_on(async {
            match listed {
                Some(listed) => trailweave_ingest::ingest_listed(lake, listed, options, &state).await,
                None => trailweave_ingest::ingest(lake, options, &state).await,
            }
        });
        ingested.map_err(anyhow::Error::from)
    })
}
