//! A verb at work: its settings, its threads, its report.

use std::error::Error;
use std::io;
use std::io::StdoutLock;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;
use tokio::runtime::Runtime;
use trailweave_correlate::CorrelateOptions;
use trailweave_correlate::Scope;
use trailweave_ingest::Source;
use trailweave_lake::GlueTables;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::LakeLock;
use trailweave_lake::LakePlace;
use trailweave_lake::LeaseTimes;

use crate::allocator;
use crate::args::Common;
use crate::args::GlueArgs;
use crate::args::IngestArgs;
use crate::args::LockArgs;
use crate::args::PublishArgs;
use crate::config;
use crate::config::Config;
use crate::config::ConfigError;
use crate::figures;
use crate::figures::Figure;
use crate::figures::Subject;
use crate::glue;
use crate::metrics;
use crate::outcome::Outcome;
use crate::progress;
use crate::report;
use crate::report::Report;

/// The time between two attempts to take a lake that another run holds.
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// A verb's surroundings: its settings, its threads, the time at which it began.
pub(crate) struct Job {
    pub(crate) config: Config,
    pub(crate) common: Common,
    pub(crate) retry_quarantined: bool,
    pub(crate) again: bool,
    pub(crate) began: Timestamp,
    now: fn() -> Timestamp,
    pub(crate) runtime: Runtime,
    /// The subject of its figures; none are told without it.
    subject: Option<Subject>,
}

impl Job {
    pub(crate) fn new(common: Common, args: &IngestArgs, now: fn() -> Timestamp) -> anyhow::Result<Self> {
        let began = now();
        let config = Config::resolve(&common, args, began)?;
        allocator::keep_little(config.threads, config.memory.as_u64());
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let runtime =
            threads.worker_threads(config.threads.get()).enable_all().build().context("cannot start threads")?;
        let (retry_quarantined, again) = (args.retry_quarantined, args.again);
        Ok(Self { config, common, retry_quarantined, again, began, now, runtime, subject: None })
    }

    /// Sets up a job that tells its figures. Where its settings make no sense, the metrics file says so, if it is known
    /// without the configuration.
    pub(crate) fn telling(
        subject: Subject,
        common: Common,
        now: fn() -> Timestamp,
        set_up: impl FnOnce(Common) -> anyhow::Result<Self>,
    ) -> anyhow::Result<Self> {
        let (began, file) = (now(), common.metrics_file.clone());
        let refused = |error: &anyhow::Error| {
            if let Some(path) = file.filter(|path| !path.as_os_str().is_empty()) {
                write_metrics(&path, &figures::of(subject, outcome(error), (began, now()), Vec::new()));
            }
        };
        Ok(Self { subject: Some(subject), ..set_up(common).inspect_err(refused)? })
    }

    /// Follows the flags of a verb that changes tables.
    pub(crate) fn publishing(mut self, args: PublishArgs) -> Result<Self, ConfigError> {
        self.config.publish = args.publish.unwrap_or(self.config.publish);
        self.publishing_in(args.glue)
    }

    /// Follows the flags of a verb that writes the lake.
    pub(crate) fn waiting(mut self, args: &LockArgs) -> Result<Self, ConfigError> {
        if let Some(wait) = args.wait.as_deref() {
            self.config.wait = config::wait(wait)?;
        }
        Ok(self)
    }

    /// Follows the flags of a verb that publishes.
    pub(crate) fn publishing_in(mut self, args: GlueArgs) -> Result<Self, ConfigError> {
        self.config.glue_database = args.glue_database.filter(|name| !name.is_empty()).or(self.config.glue_database);
        match (&self.config.glue_database, &self.config.lake) {
            (Some(_), Source::Local(_)) => Err(ConfigError::GlueWithFolder),
            #[cfg(not(feature = "glue"))]
            (Some(_), Source::S3(_)) => Err(ConfigError::BuiltWithoutGlue),
            _ => Ok(self),
        }
    }

    /// Returns the tables of Glue that follow the lake's.
    pub(crate) fn glue_tables(&self) -> GlueTables {
        self.config.glue_database.clone().map_or(GlueTables::AsBefore, GlueTables::Of)
    }

    /// Finds the place where the lake is, or is to be.
    pub(crate) fn place(&self) -> anyhow::Result<LakePlace> {
        let now = self.now;
        let place = self.place_at(&self.config.lake, "lake")?;
        Ok(place.with_catalog(glue::catalog(&self.config)?).with_clock(move || now().as_millisecond()))
    }

    /// Finds a place of files, which errors call `what`.
    pub(crate) fn place_at(&self, place: &Source, what: &str) -> anyhow::Result<LakePlace> {
        match place {
            Source::Local(folder) => Ok(LakePlace::local(folder)),
            Source::S3(location) => {
                let store = self.runtime.block_on(trailweave_ingest::object_store(location, &self.config.s3));
                let store = store.with_context(|| format!("cannot reach the {what} `{location}`"))?;
                Ok(LakePlace::remote(&location.to_string(), store, LeaseTimes::default())?)
            }
        }
    }

    /// Opens the lake.
    pub(crate) fn lake(&self) -> anyhow::Result<Lake> {
        Ok(Lake::open_at(&self.place()?)?)
    }

    /// Takes the right to write the lake, and waits for it as long as that is asked for.
    pub(crate) fn lock(&self, lake: &Lake) -> Result<LakeLock, LakeError> {
        self.wait_for(|| lake.lock())
    }

    /// Takes a lock by `take`, again and again while another run has it and `--wait` is not over.
    pub(crate) fn wait_for(&self, take: impl Fn() -> Result<LakeLock, LakeError>) -> Result<LakeLock, LakeError> {
        let began = Instant::now();
        let mut is_said = false;
        loop {
            match take() {
                Err(LakeError::Locked { root }) if began.elapsed() < self.config.wait => {
                    if !is_said {
                        let (lake, wait) = (root.display(), self.config.wait);
                        tracing::info!(target: progress::TARGET, %lake, ?wait, "another run is writing the lake; waiting for it");
                        is_said = true;
                    }
                    let left = self.config.wait.saturating_sub(began.elapsed());
                    thread::sleep(TRY_AGAIN.min(left));
                }
                taken => return taken,
            }
        }
    }

    /// Returns the options of the join.
    pub(crate) fn correlate_options(&self) -> CorrelateOptions {
        CorrelateOptions {
            memory_bytes: self.config.memory.as_u64(),
            threads: self.config.threads,
            slice_rows: None,
            scope: Scope::New,
            give_back: allocator::give_back,
        }
    }

    /// Does the work of a run, tells its figures, and prints its report.
    pub(crate) fn report(&self, work: impl FnOnce(&Self) -> anyhow::Result<Report>) -> anyhow::Result<Outcome> {
        let (report, outcome) = self.told(work, |report| (report.outcome(), figures::of_report(report)))?;
        self.print(&report)?;
        Ok(outcome)
    }

    /// Does the work of a verb, and tells its figures, if its job tells any, whether it ends well or not.
    pub(crate) fn told<T>(
        &self,
        work: impl FnOnce(&Self) -> anyhow::Result<T>,
        end: impl FnOnce(&T) -> (Outcome, Vec<Figure>),
    ) -> anyhow::Result<(T, Outcome)> {
        let worked = work(self);
        let (outcome, figures) = match &worked {
            Ok(result) => end(result),
            Err(error) => (outcome(error), Vec::new()),
        };
        if let Some(subject) = self.subject {
            let ended = (self.now)();
            self.tell(&figures::of(subject, outcome, (self.began, ended), figures), ended);
        }
        Ok((worked?, outcome))
    }

    /// Tells figures. What cannot be told is logged, and changes nothing about how the job ended.
    fn tell(&self, figures: &[Figure], ended: Timestamp) {
        if let Some(path) = &self.config.metrics_file {
            write_metrics(path, figures);
        }
        if let Some(endpoint) = &self.config.otlp_endpoint
            && let Err(error) = endpoint.send(&self.runtime, figures, ended)
        {
            tracing::error!(%endpoint, error = format!("{error:#}"), "the metrics are not sent");
        }
    }

    /// Prints a result, as JSON or by `text`.
    pub(crate) fn put<T: Serialize>(
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
    pub(crate) fn print(&self, report: &Report) -> io::Result<()> {
        let elapsed = (self.now)().duration_since(self.began);
        self.put(&report.timed(elapsed), |out, _| report.write_text(out, elapsed))
    }
}

fn write_metrics(path: &Path, figures: &[Figure]) {
    if let Err(error) = metrics::write(path, figures) {
        tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "the metrics are not written");
    }
}

/// Tells how a verb ended that ended by an error.
pub(crate) fn outcome(error: &anyhow::Error) -> Outcome {
    let is_locked = |it: &(dyn Error + 'static)| matches!(it.downcast_ref(), Some(LakeError::Locked { .. }));
    if error.is::<ConfigError>() {
        Outcome::Usage
    } else if error.chain().any(is_locked) {
        Outcome::Locked
    } else {
        Outcome::Failed
    }
}

/// Names a place for a program that runs in another folder.
pub(crate) fn absolute(place: &Source) -> anyhow::Result<String> {
    match place {
        Source::S3(location) => Ok(location.to_string()),
        Source::Local(folder) => {
            let path = std::path::absolute(folder).context("cannot find the current folder")?;
            let text = path.to_str().with_context(|| format!("the path is not UTF-8: `{}`", path.display()))?;
            Ok(text.to_owned())
        }
    }
}
