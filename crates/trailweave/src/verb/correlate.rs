//! `correlate`.

use trailweave_correlate::CorrelateOptions;
use trailweave_correlate::Scope;
use trailweave_lake::Lake;

use super::publish::publish_locked;
use crate::job::Job;
use crate::progress;
use crate::report::Report;

/// Correlates only.
pub(super) fn correlate(job: &Job, scope: Scope) -> anyhow::Result<Report> {
    let lake = job.lake()?;
    let _lock = job.lock(&lake)?;
    trailweave_ingest::remove_uncommitted(&lake)?;
    let correlated = correlate_locked(job, &lake, scope)?;
    let published = publish_locked(job, &lake)?;
    Ok(Report { correlated: Some(correlated), published, ..Report::default() })
}

/// Settles amendments, then correlates. Needs: the lock of the lake.
pub(super) fn correlate_locked(job: &Job, lake: &Lake, scope: Scope) -> anyhow::Result<trailweave_correlate::Summary> {
    trailweave_ingest::settle(lake)?;
    let state = trailweave_correlate::Progress::default();
    let options = CorrelateOptions { scope, ..job.correlate_options() };
    progress::correlating(&job.common, &state, || {
        trailweave_correlate::correlate(lake, &options, &state).map_err(anyhow::Error::from)
    })
}
