//! `verify`.

use jiff::Timestamp;
use trailweave_ingest::{Range, Verified, VerifyOptions};

use super::ingest::options;
use crate::args::{Common, IngestArgs, VerifyArgs};
use crate::config;
use crate::config::ConfigError;
use crate::job::Job;
use crate::outcome::Outcome;

/// Proves what the lake holds.
pub(super) fn verify(common: Common, args: &VerifyArgs, now: fn() -> Timestamp) -> anyhow::Result<Outcome> {
    let sources = IngestArgs { source: args.source.clone(), place: args.place.clone(), ..IngestArgs::default() };
    let job = Job::new(common, &sources, now)?.waiting(&args.lock)?;
    let range = config::range(("from", args.from.as_deref()), ("to", args.to.as_deref()), job.began)?;
    job.verified(|job| prove(job, args, range))
}

/// Verifies, and keeps the verdicts in the lake.
pub(super) fn prove(job: &Job, args: &VerifyArgs, range: Range) -> anyhow::Result<Verified> {
    if job.config.sources.is_empty() {
        return Err(ConfigError::NoTrail.into());
    }
    let verify = VerifyOptions {
        range,
        buckets: args.bucket.clone(),
        public_keys: args.public_keys.clone(),
        digest_metadata: args.digest_metadata.clone(),
        names_valid: job.common.json,
        is_reread: args.reread,
    };
    let lake = job.lake()?;
    let _lock = job.lock(&lake)?;
    Ok(job.runtime.block_on(trailweave_ingest::verify(&lake, &options(job), &verify))?)
}
