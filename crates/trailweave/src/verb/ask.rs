//! `ask`: named questions with parameters.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use trailweave_table::Dialect;
use trailweave_table::Limits;
use trailweave_table::ParameterKind;
use trailweave_table::QUESTIONS;
use trailweave_table::Question;
use trailweave_table::Value;

use super::query;
use crate::args::AskArgs;
use crate::args::Common;
use crate::args::IngestArgs;
use crate::args::SqlEngine;
use crate::config;
use crate::config::ConfigError;
use crate::job::Job;
use crate::outcome::Outcome;

/// Answers a named question, prints its SQL, or lists all questions.
pub(super) fn ask(common: Common, args: &AskArgs, now: fn() -> Timestamp) -> anyhow::Result<Outcome> {
    let Some(name) = &args.name else {
        return list(&common);
    };
    let question = Question::named(name).ok_or_else(|| ConfigError::NoQuestion {
        name: name.clone(),
        names: QUESTIONS.iter().map(|it| it.name).collect(),
    })?;
    let values = values(&question, args, now())?;
    let limits = limits(&question, args, now())?;
    if let Some(engine) = args.sql {
        let mut out = io::stdout().lock();
        writeln!(out, "-- {}\n{};", question.doc, question.sql(dialect(engine), &values, &limits))?;
        out.flush()?;
        return Ok(Outcome::Done);
    }
    // The engine of `query` takes the words of standard SQL, as Athena does.
    let sql = question.sql(Dialect::Athena, &values, &limits);
    let job = Job::new(common, &IngestArgs::default(), now)?;
    let n_rows = query::query(&job, &sql, args.format)?;
    let lake = job.lake()?;
    if question.is_of_all_events() && lake.format().events == "relevant" {
        tracing::warn!(
            "this lake keeps the calls that touch EC2 or EBS: others on the key are not in the answer; a lake made with \
             `ingest --events all` has them"
        );
    }
    let is_asked = |day: &i32| limits.since.is_none_or(|since| since < i64::from(*day) * 86_400);
    if let Some(day) = lake.pruned_before()?.filter(is_asked) {
        let before = trailweave_table::date_of_day(day);
        tracing::warn!(
            "days before {before} were pruned: their events are not in the answer, instances, volumes and grants are"
        );
    }
    if n_rows == 0 && !args.values.is_empty() {
        tracing::warn!("no row: the lake holds nothing of `{}` that this asks for", args.values.join(" "));
    }
    Ok(Outcome::Done)
}

fn dialect(engine: SqlEngine) -> Dialect {
    match engine {
        SqlEngine::Duckdb => Dialect::DuckDb,
        SqlEngine::Athena => Dialect::Athena,
        SqlEngine::Clickhouse => Dialect::ClickHouse,
        SqlEngine::Spark => Dialect::Spark,
    }
}

/// Reads what a question wants to be told: its time from --at, everything else in the order of its parameters.
fn values(question: &Question, args: &AskArgs, now: Timestamp) -> Result<Vec<Value>, ConfigError> {
    let otherwise = || ConfigError::AskedOtherwise { usage: question.usage() };
    let mut typed = args.values.iter();
    let mut at = args.at.as_deref();
    let mut values = Vec::new();
    for parameter in question.parameters {
        values.push(match parameter.kind {
            ParameterKind::Time => Value::Seconds(config::time(parameter.name, at.take().unwrap_or_default(), now)?),
            kind => {
                let value = typed.next().ok_or_else(otherwise)?;
                let (key, expected) = (parameter.name, kind.expected());
                let wrong = || ConfigError::Value { key, value: value.clone(), expected };
                Value::Text(kind.read(value).ok_or_else(wrong)?)
            }
        });
    }
    if typed.next().is_some() || at.is_some() { Err(otherwise()) } else { Ok(values) }
}

/// Reads which of its rows are meant.
fn limits(question: &Question, args: &AskArgs, now: Timestamp) -> Result<Limits, ConfigError> {
    let range = config::range(("since", args.time.since.as_deref()), ("until", args.time.until.as_deref()), now)?;
    let limits = Limits {
        since: range.from,
        until: range.to,
        accounts: config::accounts(args.account.clone())?.into_iter().collect(),
        regions: config::regions(args.region.clone())?.into_iter().collect(),
    };
    if limits.is_empty() || question.is_limited() {
        Ok(limits)
    } else {
        Err(ConfigError::AskedWhole { name: question.name })
    }
}

/// A question, as the list has it.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    usage: String,
    asks: &'static str,
}

/// Lists the questions.
fn list(common: &Common) -> anyhow::Result<Outcome> {
    let mut out = io::stdout().lock();
    for question in QUESTIONS {
        let listed = Listed { name: question.name, usage: question.usage(), asks: question.doc };
        if common.json {
            writeln!(out, "{}", serde_json::to_string(&listed)?)?;
        } else {
            writeln!(out, "{:<28} {}", listed.usage, listed.asks)?;
        }
    }
    out.flush()?;
    Ok(Outcome::Done)
}
