//! `trace` and `ddl`: what only reads.

use std::io;
use std::io::Write;

use anyhow::{anyhow, bail};
use trailweave_correlate::CorrelateError;
use trailweave_correlate::Question;
use trailweave_ingest::Source;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_table::AUDIT;
use trailweave_table::Dialect;
use trailweave_table::TABLES;
use trailweave_table::Table;
use trailweave_table::ddl as statements;

use crate::args::{Engine, TimeArgs, TraceArgs};
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
    let id = args.id.trim();
    if id.is_empty() || id.ends_with(['/', ':']) {
        let expected = "an id or an ARN is expected, such as i-0a1b2c3d4e5f60718";
        return Err(ConfigError::Value { key: "id", value: args.id.clone(), expected }.into());
    }
    let range = config::range(("since", args.time.since.as_deref()), ("until", args.time.until.as_deref()), job.began)?;
    let lake = job.lake()?;
    freshness::warn(&lake, true);
    let question = Question { id, since: range.from, until: range.to };
    let chain = trailweave_correlate::trace(&lake, job.config.threads, &question);
    let chain = chain.map_err(|error| with_time(error, &args.time))?;
    if args.dot {
        trace::dot(&mut io::stdout().lock(), &chain)?;
    } else {
        job.put(&chain, |out, chain| trace::draw(out, chain, Look::of_stdout(args.full)))?;
    }
    Ok(Outcome::Done)
}

/// Names the time that was asked about, where nothing was found in it.
fn with_time(error: CorrelateError, time: &TimeArgs) -> anyhow::Error {
    let CorrelateError::NothingKnown { id, pruned_before } = &error else { return error.into() };
    let is_typed = |it: &&str| !it.is_empty();
    let (when, flags) = match (time.since.as_deref().filter(is_typed), time.until.as_deref().filter(is_typed)) {
        (Some(since), Some(until)) => (format!("between {since} and {until}"), "--since and --until"),
        (Some(since), None) => (format!("since {since}"), "--since"),
        (None, Some(until)) => (format!("until {until}"), "--until"),
        (None, None) => return error.into(),
    };
    let pruned = pruned_before.as_ref().map(|day| format!(", and days before {day} were pruned")).unwrap_or_default();
    anyhow!("no event of `{id}` {when}{pruned}; leave out {flags} to look at all days")
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
    if let Some(lake) = &opened {
        freshness::warn(lake, true);
    }
    // Only a view over files that are not there is an error.
    let (dialect, opened) = match engine {
        Engine::Duckdb => (Dialect::DuckDb, opened),
        Engine::Spark => (Dialect::Spark, opened),
        Engine::Athena => (Dialect::Athena, None),
        Engine::Clickhouse => (Dialect::ClickHouse, None),
        Engine::Glue => (Dialect::Glue, None),
    };
    let mut empty = Vec::new();
    for table in TABLES.into_iter().chain(AUDIT) {
        if opened.as_ref().map(|lake| lake.parts(table)).transpose()?.is_some_and(|parts| parts.is_empty()) {
            empty.push(table.name);
        }
    }
    let has_files = |table: &Table| !empty.contains(&table.name);
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
