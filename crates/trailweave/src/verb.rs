//! The verbs: each resolves, calls the library, and reports.

mod ask;
mod correlate;
mod demo;
mod doctor;
mod ingest;
mod prune;
mod publish;
mod quarantine;
#[cfg_attr(not(feature = "query"), path = "verb/query/lacking.rs")]
mod query;
mod read;
mod report;
mod shell;
mod spark;
mod sql;
mod status;
mod tidy;
mod verify;

use jiff::Timestamp;
use trailweave_correlate::Scope;

use crate::args::Cli;
use crate::args::IngestArgs;
use crate::args::JoinEngine;
use crate::args::Verb;
use crate::figures::Subject;
use crate::job::Job;
use crate::outcome::Outcome;

/// Carries out the verb that was typed. `now` reads the clock.
pub(crate) fn carry_out(cli: Cli, now: fn() -> Timestamp) -> anyhow::Result<Outcome> {
    let Cli { verb, common } = cli;
    match verb {
        Verb::Run { args, publish, lock } => {
            let set_up = |common| Ok(Job::new(common, &args, now)?.publishing(publish)?.waiting(&lock)?);
            Job::telling(Subject::Run, common, now, set_up)?.report(ingest::run)
        }
        Verb::Ingest { args, lock } => {
            let set_up = |common| Ok(Job::new(common, &args, now)?.waiting(&lock)?);
            Job::telling(Subject::Run, common, now, set_up)?.report(ingest::ingest)
        }
        Verb::Plan(args) => ingest::plan(&Job::new(common, &args, now)?),
        Verb::Status { args, max_age, summary } => {
            let set_up = |common| Job::new(common, &args, now);
            status::status(&Job::telling(Subject::Status, common, now, set_up)?, max_age.as_deref(), summary)
        }
        Verb::Doctor { args, lock } => doctor::doctor(&Job::new(common, &args, now)?.waiting(&lock)?),
        Verb::Quarantine { verb } => quarantine::quarantine(common, verb, now),
        Verb::Verify(args) => verify::verify(common, &args, now),
        Verb::Correlate { whole, engine, publish, lock } => {
            let scope = if whole { Scope::Whole } else { Scope::New };
            let set_up =
                |common| Ok(Job::new(common, &IngestArgs::default(), now)?.publishing(publish)?.waiting(&lock)?);
            let job = Job::telling(Subject::Correlate, common, now, set_up)?;
            match engine.engine {
                JoinEngine::Memory => job.report(|job| correlate::correlate(job, scope)),
                JoinEngine::Spark => spark::correlate(&job, scope, &engine),
            }
        }
        Verb::Compact { publish, lock } => {
            let job = Job::new(common, &IngestArgs::default(), now)?.publishing(publish)?.waiting(&lock)?;
            tidy::compact(&job)
        }
        Verb::Prune { before, dry_run, publish, lock } => {
            let job = Job::new(common, &IngestArgs::default(), now)?.publishing(publish)?.waiting(&lock)?;
            if dry_run { prune::plan(&job, &before) } else { prune::prune(&job, &before) }
        }
        Verb::Publish { keep, glue, no_glue, lock } => {
            let job = Job::new(common, &IngestArgs::default(), now)?.publishing_in(glue)?.waiting(&lock)?;
            publish::publish(&job, keep.as_deref(), no_glue)
        }
        Verb::Gc { dry_run, orphans, lock } => {
            tidy::gc(&Job::new(common, &IngestArgs::default(), now)?.waiting(&lock)?, dry_run, orphans)
        }
        Verb::Query { sql, file, format } => {
            let sql = sql::read(sql, file.as_deref())?;
            query::query(&Job::new(common, &IngestArgs::default(), now)?, &sql, format)?;
            Ok(Outcome::Done)
        }
        Verb::Ask(args) => ask::ask(common, &args, now),
        Verb::Report(args) => report::report(common, &args, now),
        Verb::Trace(args) => read::trace(&Job::new(common, &IngestArgs::default(), now)?, &args),
        Verb::Ddl { engine, database } => {
            read::ddl(&Job::new(common, &IngestArgs::default(), now)?, engine, database.as_deref())
        }
        Verb::Completions { shell } => shell::completions(shell),
        Verb::Man { out } => shell::man(out.as_deref()),
        Verb::Demo(args) => demo::demo(common, &args, now),
    }
}
