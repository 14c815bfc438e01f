//! What each verb does: resolve, call the library, report.

mod demo;
mod ingest;
#[cfg_attr(not(feature = "query"), path = "verb/query/lacking.rs")]
mod query;
mod read;
mod tidy;

use std::io;
use std::io::StdoutLock;
use std::io::Write;

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;
use tokio::runtime::Runtime;
use trailweave_correlate::Correlate;
use trailweave_correlate::Scope;
use trailweave_ingest::Source;
use trailweave_lake::Lake;
use trailweave_lake::LeaseTimes;
use trailweave_lake::Place;

use crate::allocator;
use crate::args::Cli;
use crate::args::Common;
use crate::args::IngestArgs;
use crate::args::Verb;
use crate::config::Config;
use crate::config::ConfigError;
use crate::figures;
use crate::metrics;
use crate::progress;
use crate::report;
use crate::report::Report;

/// How a verb ended, if not by an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is in the lake.
    Done,
    /// All but the quarantined objects is in the lake.
    Quarantined,
    /// The sources hold what is not in the lake, and a run could read none of it, or none of its records.
    Unread,
}

const FAILED: u8 = 1;
pub(crate) const USAGE: u8 = 2;

/// The exit code of a verb that ended by an error.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigError>() { USAGE } else { FAILED }
}

impl Outcome {
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unread => FAILED,
            Self::Quarantined => 3,
        }
    }
}

/// Carries out the verb that was typed.
pub(crate) fn carry_out(cli: Cli, now: Timestamp) -> anyhow::Result<Outcome> {
    let Cli { verb, common } = cli;
    match verb {
        Verb::Run(args) => Job::new(common, &args, now)?.report(ingest::run),
        Verb::Ingest(args) => Job::new(common, &args, now)?.report(ingest::ingest),
        Verb::Plan(args) => ingest::plan(&Job::new(common, &args, now)?),
        Verb::Status(args) => ingest::status(&Job::new(common, &args, now)?),
        Verb::Correlate { whole } => {
            let scope = if whole { Scope::Whole } else { Scope::New };
            Job::new(common, &IngestArgs::default(), now)?.report(|job| correlate(job, scope))
        }
        Verb::Compact => tidy::compact(&Job::new(common, &IngestArgs::default(), now)?),
        Verb::Gc { dry_run } => tidy::gc(&Job::new(common, &IngestArgs::default(), now)?, dry_run),
        Verb::Query { sql } => query::query(&Job::new(common, &IngestArgs::default(), now)?, &sql),
        Verb::Trace { id, dot } => read::trace(&Job::new(common, &IngestArgs::default(), now)?, &id, dot),
        Verb::Ddl { engine } => read::ddl(&Job::new(common, &IngestArgs::default(), now)?, engine),
        Verb::Demo(args) => demo::demo(common, &args, now),
    }
}

/// A verb's surroundings: its settings, its threads, the time at which it began.
struct Job {
    config: Config,
    common: Common,
    retry_quarantined: bool,
    began: Timestamp,
    runtime: Runtime,
}

impl Job {
    fn new(common: Common, args: &IngestArgs, now: Timestamp) -> anyhow::Result<Self> {
        let config = Config::resolve(&common, args, now)?;
        allocator::keep_little(config.threads, config.memory.as_u64());
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let runtime =
            threads.worker_threads(config.threads.get()).enable_all().build().context("cannot start threads")?;
        Ok(Self { config, common, retry_quarantined: args.retry_quarantined, began: now, runtime })
    }

    /// Where the lake is, or is to be.
    fn place(&self) -> anyhow::Result<Place> {
        match &self.config.lake {
            Source::Local(folder) => Ok(Place::local(folder)),
            Source::S3(location) => {
                let store = self.runtime.block_on(trailweave_ingest::object_store(location, &self.config.s3));
                let store = store.with_context(|| format!("cannot reach the lake `{location}`"))?;
                Ok(Place::remote(&location.to_string(), store, LeaseTimes::default())?)
            }
        }
    }

    /// The lake.
    fn lake(&self) -> anyhow::Result<Lake> {
        Ok(Lake::open_at(&self.place()?)?)
    }

    /// How the join is to work.
    fn correlate_options(&self) -> Correlate {
        Correlate { memory_bytes: self.config.memory.as_u64(), threads: self.config.threads, scope: Scope::New }
    }

    /// Does the work of a run, tells its figures where that is asked for, and prints its report.
    fn report(&self, work: impl FnOnce(&Self) -> anyhow::Result<Report>) -> anyhow::Result<Outcome> {
        let worked = work(self);
        self.tell(worked.as_ref());
        self.print(&worked?)
    }

    /// Tells the figures of a run. What cannot be told is logged, and changes nothing about how the run ended.
    fn tell(&self, worked: Result<&Report, &anyhow::Error>) {
        let code = worked.map_or_else(exit_code, |report| report.outcome().exit_code());
        let ended = Timestamp::now();
        let figures = figures::of(worked.ok(), code, self.began, ended);
        if let Some(path) = &self.config.metrics_file
            && let Err(error) = metrics::write(path, &figures)
        {
            tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "the metrics are not written");
        }
        if let Some(endpoint) = &self.config.otlp_endpoint
            && let Err(error) = endpoint.send(&self.runtime, &figures, ended)
        {
            tracing::error!(%endpoint, error = format!("{error:#}"), "the metrics are not sent");
        }
    }

    /// Prints a result, as JSON or by `text`.
    fn put<T: Serialize>(
        &self,
        result: &T,
        text: impl FnOnce(&mut StdoutLock<'_>, &T) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.common.json {
            report::write_json(&mut out, result)?;
        } else {
            text(&mut out, result)?;
        }
        out.flush()
    }

    /// Prints a report, as text or as JSON.
    fn print(&self, report: &Report) -> anyhow::Result<Outcome> {
        let elapsed = Timestamp::now().duration_since(self.began);
        self.put(&report.timed(elapsed), |out, _| report.write_text(out, elapsed))?;
        Ok(report.outcome())
    }
}

fn correlate(job: &Job, scope: Scope) -> anyhow::Result<Report> {
    let lake = job.lake()?;
    let _lock = lake.lock()?;
    trailweave_ingest::remove_uncommitted(&lake)?;
    let correlated = correlate_locked(job, &lake, scope)?;
    Ok(Report { ingested: None, correlated: Some(correlated) })
}

/// Needs: the lock of the lake.
fn correlate_locked(job: &Job, lake: &Lake, scope: Scope) -> anyhow::Result<trailweave_correlate::Summary> {
    trailweave_ingest::settle(lake)?;
    let state = trailweave_correlate::Progress::default();
    let options = Correlate { scope, ..job.correlate_options() };
    progress::correlating(&job.common, &state, || {
        trailweave_correlate::correlate(lake, &options, &state).map_err(anyhow::Error::from)
    })
}
