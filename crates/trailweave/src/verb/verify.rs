//! `verify`.

use jiff::Timestamp;
use trailweave_ingest::{Verified, VerifyOptions};

use super::ingest::options;
use crate::args::{Common, IngestArgs, VerifyArgs};
use crate::config;
use crate::config::ConfigError;
use crate::figures;
use crate::figures::Subject;
use crate::job::Job;
use crate::outcome::Outcome;
use crate::report;

/// Proves what the lake holds.
pub(super) fn verify(common: Common, args: &VerifyArgs, now: fn() -> Timestamp) -> anyhow::Result<Outcome> {
    let sources = IngestArgs { source: args.source.clone(), place: args.place.clone(), ..IngestArgs::default() };
    let job =
        Job::telling(Subject::Verify, common, now, |common| Ok(Job::new(common, &sources, now)?.waiting(&args.lock)?))?;
    prove(&job, args)
}

/// Verifies, keeps the verdicts in the lake, and prints what came of it.
pub(super) fn prove(job: &Job, args: &VerifyArgs) -> anyhow::Result<Outcome> {
    let (verified, outcome) = job.told(|job| verified(job, args), |it| (outcome(it), figures::of_verified(it)))?;
    job.put(&verified, |out, verified| report::write_verified(out, verified))?;
    Ok(outcome)
}

fn outcome(verified: &Verified) -> Outcome {
    match (verified.is_harmed(), verified.is_unproven()) {
        (true, _) => Outcome::Harmed,
        (false, true) => Outcome::Unproven,
        (false, false) => Outcome::Done,
    }
}

fn verified(job: &Job, args: &VerifyArgs) -> anyhow::Result<Verified> {
    let [from, to] = &job.config.days;
    let (from, to) = (args.from.as_ref().unwrap_or(from), args.to.as_ref().unwrap_or(to));
    let range = config::range(("from", Some(from)), ("to", Some(to)), job.began)?;
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
