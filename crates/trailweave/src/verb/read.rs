//! `trace` and `ddl`: what only reads.

use std::io;
use std::io::Write;

use anyhow::bail;
use trailweave_correlate::Question;
use trailweave_ingest::Source;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_table::Dialect;
use trailweave_table::Table;
use trailweave_table::ddl as statements;

use crate::args::{Engine, TraceArgs};
use crate::config;
use crate::config::ConfigError;
use crate::freshness;
use crate::job;
use crate::job::Job;
use crate::outcome::Outcome;
use crate::spoken::spoken;
use crate::trace;
use crate::trace::Look;

/// Draws a chain.
pub(super) fn trace(job: &Job, args: &TraceArgs) -> anyhow::Result<Outcome> {
    let lake = job.lake()?;
    freshness::warn(&lake, true);
    let range = config::range(("since", args.time.since.as_deref()), ("until", args.time.until.as_deref()), job.began)?;
    let question = Question { id: &args.id, since: range.from, until: range.to };
    let chain = trailweave_correlate::trace(&lake, job.config.threads, &question)?;
    if args.dot {
        trace::dot(&mut io::stdout().lock(), &chain)?;
    } else {
        job.put(&chain, |out, chain| trace::draw(out, chain, Look::of_stdout(args.full)))?;
    }
    Ok(Outcome::Done)
}

/// Prints statements; they may name a lake in S3 that cannot be reached from here, of which no table is taken to be empty.
pub(super) fn ddl(job: &Job, engine: Engine, database: Option<&str>) -> anyhow::Result<Outcome> {
    let begin = match (engine, database) {
        (Engine::Athena, database) => begin_of_athena(&job.config.lake, database.unwrap_or("trailweave"))?,
        (_, Some(_)) => return Err(ConfigError::DatabaseWithout.into()),
        (_, None) => String::new(),
    };
    let is_missing = |error: &anyhow::Error| matches!(error.downcast_ref(), Some(LakeError::NotALake { .. }));
    let opened = match job.lake() {
        Ok(lake) => Some(lake),
        Err(error) if is_missing(&error) || matches!(job.config.lake, Source::Local(_)) => return Err(error),
        Err(error) => {
            tracing::warn!(error = spoken(&error), "the lake cannot be looked at; the statements are of all tables");
            None
        }
    };
    if opened.as_ref().is_some_and(Lake::keeps_snapshots) {
        bail!(
            "the lake keeps its snapshots, so its folders hold files that its tables hold no longer; read its Iceberg tables, as \
             docs/warehouses.md says"
        );
    }
    // Only a view over files that are not there is an error.
    let (dialect, opened) = match engine {
        Engine::Duckdb => (Dialect::DuckDb, opened),
        Engine::Spark => (Dialect::Spark, opened),
        Engine::Athena => (Dialect::Athena, None),
        Engine::Clickhouse => (Dialect::ClickHouse, None),
        Engine::Glue => (Dialect::Glue, None),
    };
    let has_files =
        |table: &Table| opened.as_ref().is_none_or(|lake| lake.parts(table).is_ok_and(|parts| !parts.is_empty()));
    let mut out = io::stdout().lock();
    out.write_all(begin.as_bytes())?;
    out.write_all(statements(dialect, &job::absolute(&job.config.lake)?, has_files).as_bytes())?;
    out.flush()?;
    Ok(Outcome::Done)
}

/// Writes what comes before the tables of Athena: how to run the statements, and the first of them, which makes the database.
fn begin_of_athena(lake: &Source, database: &str) -> Result<String, ConfigError> {
    if matches!(lake, Source::Local(_)) {
        return Err(ConfigError::AthenaWithFolder);
    }
    let database = config::database(database)?;
    Ok(format!(
        "-- Athena takes one statement at a time; each ends with a semicolon and an empty line. For each in turn:\n\
         -- aws athena start-query-execution --query-string \"$statement\" \\\n\
         --   --query-execution-context Database={database} --result-configuration OutputLocation=s3://bucket/results/\n\
         -- The first makes the database: wait for its end before the others, and give it no context.\n\n\
         CREATE DATABASE IF NOT EXISTS `{database}`;\n\n"
    ))
}
