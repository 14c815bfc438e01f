//! `publish`.

use trailweave_ingest::PublishedTable;
use trailweave_lake::GlueTables;
use trailweave_lake::Lake;
use trailweave_lake::PublishOptions;

use crate::config;
use crate::job::Job;
use crate::outcome::Outcome;
use crate::report;

/// Publishes the lake's tables.
pub(super) fn publish(job: &Job, keep: Option<&str>, no_glue: bool) -> anyhow::Result<Outcome> {
    let keep_secs = keep.map(config::keep).transpose()?;
    let glue = if no_glue { GlueTables::Leave } else { job.glue_tables() };
    let lake = job.lake()?;
    let options = PublishOptions { keep_secs, glue };
    let _lock = job.wait_for(|| lake.lock_to_publish(&options.glue))?;
    trailweave_ingest::remove_uncommitted(&lake)?;
    let published = trailweave_ingest::publish(&lake, &options)?;
    job.put(&published, |out, published| report::write_published(out, published))?;
    Ok(Outcome::Done)
}

/// Publishes them at the end of another verb, if that is asked for. Needs: the lock of the lake.
pub(super) fn publish_locked(job: &Job, lake: &Lake) -> anyhow::Result<Option<Vec<PublishedTable>>> {
    let options = PublishOptions { keep_secs: None, glue: job.glue_tables() };
    let published = job.config.publish.then(|| trailweave_ingest::publish(lake, &options));
    Ok(published.transpose()?)
}
