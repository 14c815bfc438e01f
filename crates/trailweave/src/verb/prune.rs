//! `prune`.

use jiff::civil::Date;
use trailweave_correlate::{CorrelateError, Pruned, Scope};
use trailweave_lake::Change;
use trailweave_lake::Lake;
use trailweave_table::day_of_date;

use super::correlate::correlate_locked;
use super::publish::publish_locked;
use crate::config;
use crate::job::Job;
use crate::outcome::Outcome;
use crate::report;
use crate::report::PrunableDays;
use crate::report::PrunedDays;
use crate::report::Report;

/// Removes the days before a date. Where the tables do not know all events of these yet, they are brought up first.
pub(super) fn prune(job: &Job, before: &str) -> anyhow::Result<Outcome> {
    let before = config::before("before", before, job.began)?;
    job.report(|job| {
        let lake = job.lake()?;
        let _lock = job.lock(&lake)?;
        trailweave_ingest::remove_uncommitted(&lake)?;
        trailweave_ingest::settle(&lake)?;
        let pruned = match prune_locked(&lake, before) {
            Err(error) if matches!(error.downcast_ref(), Some(CorrelateError::Behind)) => {
                correlate_locked(job, &lake, Scope::New)?;
                prune_locked(&lake, before)
            }
            pruned => pruned,
        }?;
        let published = publish_locked(job, &lake)?;
        Ok(Report { pruned: Some(pruned), published, ..Report::default() })
    })
}

/// Says which days would go.
pub(super) fn plan(job: &Job, before: &str) -> anyhow::Result<Outcome> {
    let before = config::before("before", before, job.began)?;
    let lake = job.lake()?;
    let _lock = job.lock(&lake)?;
    let day = first_day(before);
    let Pruned { days, files, rows, .. } = trailweave_correlate::prunable(&lake, day)?;
    let rejects = trailweave_ingest::prunable_rejects(&lake, day)?;
    let prunable = PrunableDays { before: before.to_string(), days, files, rows, rejects };
    job.put(&prunable, |out, prunable| report::write_prunable(out, prunable))?;
    Ok(Outcome::Done)
}

fn first_day(before: Date) -> i32 {
    day_of_date(&before.to_string()).unwrap_or(i32::MIN)
}

/// Removes them as one change, if the lake keeps such days. Needs: the lock of the lake, and tables that know all events.
pub(super) fn prune_locked(lake: &Lake, before: Date) -> anyhow::Result<PrunedDays> {
    let day = first_day(before);
    let mut days = PrunedDays { before: before.to_string(), ..PrunedDays::default() };
    if lake.pruned_before()?.is_none_or(|kept_from| kept_from < day) {
        let mut change = Change::new(lake, "prune");
        days.rejects = trailweave_ingest::prune(lake, day, &mut change)?;
        days.pruned = trailweave_correlate::prune(lake, day, &mut change)?;
        change.commit()?;
    }
    Ok(days)
}
