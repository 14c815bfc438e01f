//! `status`: what the lake holds, and whether it can be relied on.

use std::time::Duration;

use serde::Serialize;
use trailweave_correlate::Freshness;
use trailweave_ingest::Status;

use super::ingest::options;
use super::spark;
use crate::config;
use crate::figures;
use crate::freshness::Age;
use crate::job::Job;
use crate::outcome::Outcome;
use crate::report;
use crate::staged::StagedState;

/// The state of the lake, and the runs that it has staged for Spark.
#[derive(Serialize)]
struct Held {
    #[serde(flatten)]
    status: Status,
    #[serde(flatten)]
    age: Age,
    /// The age that was asked for.
    #[serde(skip)]
    max_age: Option<Duration>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    staged: Vec<StagedState>,
}

/// Says what the lake holds.
pub(super) fn status(job: &Job, max_age: Option<&str>, is_summary: bool) -> anyhow::Result<Outcome> {
    let end = |held: &Held| (held.outcome(), figures::of_status(&held.status, held.age.newest_delivery));
    let (held, outcome) = job.told(|job| hold(job, max_age, is_summary), end)?;
    job.put(&held, |out, held| {
        report::write_status(out, &held.status)?;
        held.age.write_text(out)?;
        if let Some(max) = held.max_age.filter(|max| held.age.is_beyond(*max)) {
            held.age.write_stale(out, max)?;
        }
        report::write_states(out, &held.staged)
    })?;
    Ok(outcome)
}

fn hold(job: &Job, max_age: Option<&str>, is_summary: bool) -> anyhow::Result<Held> {
    let max_age = max_age.map(|age| config::duration("max-age", age)).transpose()?;
    let lake = job.lake()?;
    let options = options(job);
    let mut status = job.runtime.block_on(trailweave_ingest::status(&lake, &options, job.config.has_source()))?;
    if is_summary {
        status.coverage = Vec::new();
    }
    let age = Age::new(&status, Freshness::read(&lake)?, trailweave_ingest::lost_parts(&lake)?, job.began);
    Ok(Held { status, age, max_age, staged: spark::states(job, &lake)? })
}

impl Held {
    fn outcome(&self) -> Outcome {
        let status = &self.status;
        if self.age.has_lost() {
            return Outcome::Failed;
        }
        Outcome::heaviest(|outcome| match outcome {
            Outcome::NothingMatched => status.nothing_matched.is_some(),
            Outcome::Stale => self.max_age.is_some_and(|max| self.age.is_beyond(max)),
            Outcome::Unread => status.unread + status.left > 0 || !status.unfinished.is_empty(),
            Outcome::Quarantined => status.quarantined + status.rejected > 0,
            _ => false,
        })
    }
}
