//! The verbs: each resolves, calls the library, and reports.

mod correlate;
mod demo;
mod ingest;
mod prune;
mod publish;
#[cfg_attr(not(feature = "query"), path = "verb/query/lacking.rs")]
mod query;
mod read;
mod spark;
mod tidy;
mod verify;

use jiff::Timestamp;
use trailweave_correlate::Scope;

use crate::args::Cli;
use crate::args::IngestArgs;
use crate::args::JoinEngine;
use crate::args::Verb;
use crate::job::Job;
use crate::outcome::Outcome;

/// Carries out the verb that was typed. `now` reads the clock.
pub(crate) fn carry_out(cli: Cli, now: fn() -> Timestamp) -> anyhow::Result<Outcome> {
    let Cli { verb, common } = cli;
    match verb {
        Verb::Run { args, publish } => Job::new(common, &args, now)?.publishing(publish)?.report(ingest::run),
        Verb::Ingest(args) => Job::new(common, &args, now)?.report(ingest::ingest),
        Verb::Plan(args) => ingest::plan(&Job::new(common, &args, now)?),
        Verb::Status(args) => ingest::status(&Job::new(common, &args, now)?),
        Verb::Verify(args) => verify::verify(common, &args, now),
        Verb::Correlate { whole, engine, publish } => {
            let scope = if whole { Scope::Whole } else { Scope::New };
            let job = Job::new(common, &IngestArgs::default(), now)?.publishing(publish)?;
            match engine.engine {
                JoinEngine::Memory => job.report(|job| correlate::correlate(job, scope)),
                JoinEngine::Spark => spark::correlate(&job, scope, &engine),
            }
        }
        Verb::Compact(publish) => tidy::compact(&Job::new(common, &IngestArgs::default(), now)?.publishing(publish)?),
        Verb::Prune { before, publish } => {
            prune::prune(&Job::new(common, &IngestArgs::default(), now)?.publishing(publish)?, &before)
        }
        Verb::Publish { keep, glue, no_glue } => {
            let job = Job::new(common, &IngestArgs::default(), now)?.publishing_in(glue)?;
            publish::publish(&job, keep.as_deref(), no_glue)
        }
        Verb::Gc { dry_run } => tidy::gc(&Job::new(common, &IngestArgs::default(), now)?, dry_run),
        Verb::Query { sql } => query::query(&Job::new(common, &IngestArgs::default(), now)?, &sql),
        Verb::Trace { id, dot } => read::trace(&Job::new(common, &IngestArgs::default(), now)?, &id, dot),
        Verb::Ddl { engine } => read::ddl(&Job::new(common, &IngestArgs::default(), now)?, engine),
        Verb::Demo(args) => demo::demo(common, &args, now),
    }
}
