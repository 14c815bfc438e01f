//! `status`: what the lake holds, and whether it can be relied on.

use std::time::Duration;

use serde::Serialize;
use trailweave_correlate::Freshness;
use trailweave_ingest::Status;

use super::ingest::options;
use super::spark;
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    staged: Vec<StagedState>,
}

/// Says what the lake holds.
pub(super) fn status(job: &Job, max_age: Option<Duration>, is_summary: bool) -> anyhow::Result<Outcome> {
    let lake = job.lake()?;
    let options = options(job);
    let mut status = job.runtime.block_on(trailweave_ingest::status(&lake, &options, job.config.has_source()))?;
    if is_summary {
        status.coverage = Vec::new();
    }
    let age = Age::new(&status, Freshness::read(&lake)?, job.began);
    let held = Held { status, age, staged: spark::states(job, &lake)? };
    job.put(&held, |out, held| {
        report::write_status(out, &held.status)?;
        held.age.write_text(out)?;
        report::write_states(out, &held.staged)
    })?;
    let status = &held.status;
    Ok(Outcome::heaviest(|outcome| match outcome {
        Outcome::NothingMatched => status.nothing_matched.is_some(),
        Outcome::Stale => max_age.is_some_and(|max| held.age.is_beyond(max)),
        Outcome::Unread => status.unread + status.left > 0 || !status.unfinished.is_empty(),
        Outcome::Quarantined => status.quarantined + status.rejected > 0,
        _ => false,
    }))
}
