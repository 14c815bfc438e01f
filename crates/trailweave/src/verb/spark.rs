//! `correlate --engine spark`: a job for Spark, a command that runs it, and the tables that it hands back.

use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::bail;
use serde::Serialize;
use trailweave_cluster::Job as SparkJob;
use trailweave_cluster::Progress;
use trailweave_cluster::Stage;
use trailweave_cluster::StagedRun;
use trailweave_cluster::adopt;
use trailweave_cluster::staged_runs;
use trailweave_correlate::Scope;
use trailweave_ingest::Source;
use trailweave_lake::Covered;
use trailweave_lake::Lake;

use super::publish::publish_locked;
use crate::args::EngineArgs;
use crate::config;
use crate::config::ConfigError;
use crate::figures;
use crate::job;
use crate::job::Job;
use crate::outcome::Outcome;
use crate::report::Report;
use crate::staged::StagedState;

/// A run that was staged.
#[derive(Debug, Serialize)]
struct Staged {
    run: String,
    /// The folder of the run, and the program, as Spark names them.
    folder: String,
    join: String,
    /// Files of `events` and of `sessions` that it reads.
    files: usize,
    /// The command that runs it.
    submit: String,
    /// True if Spark has done it.
    is_done: bool,
}

/// The end of a verb that leaves a job to Spark.
enum Ended {
    Staged(Staged),
    /// The lake has its tables.
    Correlated(Box<Report>),
}

/// Stages a job, submits it, and adopts what came of it, as far as that is asked for.
pub(super) fn correlate(job: &Job, scope: Scope, args: &EngineArgs) -> anyhow::Result<Outcome> {
    let figures = |ended: &Ended| match ended {
        Ended::Staged(_) => (Outcome::Done, Vec::new()),
        Ended::Correlated(report) => (report.outcome(), figures::of_report(report)),
    };
    let (ended, outcome) = job.told(|job| carry_out(job, scope, args), figures)?;
    match ended {
        Ended::Staged(staged) => job.put(&staged, |out, staged| write_staged(out, staged, args.submit.is_some()))?,
        Ended::Correlated(report) => job.print(&report)?,
    }
    Ok(outcome)
}

fn carry_out(job: &Job, scope: Scope, args: &EngineArgs) -> anyhow::Result<Ended> {
    if scope == Scope::Whole {
        return Err(ConfigError::WholeSpark.into());
    }
    let stage = args.stage.as_deref().filter(|stage| !stage.is_empty()).ok_or(ConfigError::NoStage)?;
    let stage = absolute(config::place("stage", stage)?)?;
    if args.adopt && args.submit.is_none() {
        return Ok(Ended::Correlated(adopt_one(job, &stage, None)?.into()));
    }
    let staged = plan(job, &stage, args.submit.as_deref())?;
    let Some(staged) = staged else {
        // As `correlate` ends where nothing is new.
        return Ok(Ended::Correlated(super::correlate::correlate(job, scope)?.into()));
    };
    if args.submit.is_some() && !staged.is_done {
        submit(&staged.submit)?;
    }
    if args.adopt {
        return Ok(Ended::Correlated(adopt_one(job, &stage, Some(&staged.run))?.into()));
    }
    Ok(Ended::Staged(staged))
}

/// Stages the run of all events; none where the products know them all.
fn plan(job: &Job, place: &Source, command: Option<&str>) -> anyhow::Result<Option<Staged>> {
    let lake = job.lake()?;
    let _lock = job.lock(&lake)?;
    // Else the job would read parts that nobody has committed, or that are about to go.
    trailweave_ingest::remove_uncommitted(&lake)?;
    trailweave_ingest::settle(&lake)?;
    let stage = stage(job, place)?;
    let spark_job = SparkJob::of(&lake, &for_spark(&job.config.lake)?)?;
    if spark_job.is_known(&lake)? {
        return Ok(None);
    }
    stage.plan(&lake, &spark_job)?;
    let folder = format!("{}/{}", for_spark(place)?.trim_end_matches('/'), spark_job.run);
    // As a URL, spark-submit does not find a file with a space in its path.
    let join = format!("{}/join.py", folder.strip_prefix("file:").unwrap_or(&folder));
    let submit = command
        .unwrap_or("spark-submit {join} {run}")
        .replace("{join}", &quoted(&join))
        .replace("{run}", &quoted(&folder));
    let is_done = stage.progress(&lake, &spark_job.run)? == Progress::Done;
    let files = spark_job.n_files();
    Ok(Some(Staged { run: spark_job.run, folder, join, files, submit, is_done }))
}

/// Runs the user's command.
fn submit(command: &str) -> anyhow::Result<()> {
    tracing::info!(command, "submitting");
    let status = Command::new("sh").arg("-c").arg(command).stdout(io::stderr()).status();
    let status = status.with_context(|| format!("cannot run `{command}`"))?;
    if !status.success() {
        bail!("`{command}` has failed: {status}; run the same again, and it goes on where Spark stopped");
    }
    Ok(())
}

/// Adopts a run, else the one that waits in the stage.
fn adopt_one(job: &Job, place: &Source, run: Option<&str>) -> anyhow::Result<Report> {
    let lake = job.lake()?;
    let _lock = job.lock(&lake)?;
    trailweave_ingest::remove_uncommitted(&lake)?;
    trailweave_ingest::settle(&lake)?;
    let stage = stage(job, place)?;
    let run = match run {
        Some(run) => run.to_owned(),
        None => waiting(&lake, &stage, place)?,
    };
    let correlated = adopt(&lake, &stage, &run, job.config.threads)?;
    let published = publish_locked(job, &lake)?;
    Ok(Report { correlated: Some(correlated), published, ..Report::default() })
}

/// Finds the run of a stage that waits to be adopted; of several the one that covers what the others do, else most files.
fn waiting(lake: &Lake, stage: &Stage, place: &Source) -> anyhow::Result<String> {
    let mut runs = Vec::new();
    for staged in staged_runs(lake)?.into_iter().filter(|it| Path::new(&it.stage) == stage.root()) {
        let rank = match stage.progress(lake, &staged.run)? {
            Progress::Done => 2,
            Progress::Running { .. } => 1,
            Progress::Dead => 0,
        };
        let of = stage.job(&staged.run).ok();
        let covers = of.as_ref().map(|of| of.covers(lake)).transpose()?;
        runs.push((rank, covers, of.map_or(0, |of| of.n_files()), staged.run));
    }
    let has_all = |one: &Option<Covered>, other: &Option<Covered>| match (one, other) {
        (Some(one), Some(other)) => one.has_all_of(other),
        (one, _) => one.is_some(),
    };
    let best = runs.into_iter().reduce(|best, next| {
        let by_events = has_all(&next.1, &best.1).cmp(&has_all(&best.1, &next.1));
        let order = next.0.cmp(&best.0).then(by_events).then((next.2, &next.3).cmp(&(best.2, &best.3)));
        if order.is_gt() { next } else { best }
    });
    let (.., run) = best.with_context(|| {
        format!("the lake has staged no run in `{place}`; stage one, by the same command without --adopt")
    })?;
    Ok(run)
}

/// Tells how far the runs have come that a lake has staged; nothing of those whose stage cannot be reached.
pub(super) fn states(job: &Job, lake: &Lake) -> anyhow::Result<Vec<StagedState>> {
    let mut states = Vec::new();
    for staged in staged_runs(lake)? {
        let progress =
            place_of(&staged).and_then(|place| stage(job, &place)).and_then(|it| Ok(it.progress(lake, &staged.run)?));
        match progress {
            Ok(progress) => states.push(StagedState { staged, progress }),
            Err(error) => {
                let (run, stage, error) = (staged.run, staged.stage, format!("{error:#}"));
                tracing::warn!(run, stage, error, "the stage of a run cannot be reached");
            }
        }
    }
    Ok(states)
}

/// Finds the files of staged runs that nobody needs any more, and removes them unless `is_dry`.
///
/// Needs: the lock of the lake.
pub(super) fn dead(job: &Job, lake: &Lake, is_dry: bool) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for StagedState { staged, .. } in states(job, lake)?.into_iter().filter(|it| it.progress == Progress::Dead) {
        let stage = stage(job, &place_of(&staged)?)?;
        // A lake that was copied knows the runs of the other, which may still need them.
        let is_ours = match stage.job(&staged.run) {
            Ok(of) => of.is_of(&for_spark(&job.config.lake)?),
            Err(_) => true,
        };
        if is_ours {
            found.extend(stage.files(lake, &staged.run)?);
        }
        match (is_dry, is_ours) {
            (true, _) => {}
            (false, true) => stage.remove(lake, &staged.run)?,
            (false, false) => stage.forget(lake, &staged.run)?,
        }
    }
    Ok(found)
}

fn place_of(staged: &StagedRun) -> anyhow::Result<Source> {
    Ok(config::place("stage", &staged.stage)?)
}

/// Opens the stage at a place.
fn stage(job: &Job, place: &Source) -> anyhow::Result<Stage> {
    Ok(Stage::new(job.place_at(place, "stage")?.into_folder()))
}

/// Names a place in the same way wherever the program runs.
fn absolute(place: Source) -> anyhow::Result<Source> {
    let Source::Local(_) = &place else { return Ok(place) };
    Ok(Source::Local(job::absolute(&place)?.into()))
}

/// Names a place for Spark, to which a path without a scheme may be one of HDFS.
fn for_spark(place: &Source) -> anyhow::Result<String> {
    Ok(match place {
        Source::S3(location) => location.to_string().trim_end_matches('/').to_owned(),
        Source::Local(folder) => {
            // However it is spelled, a lake is one.
            let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            format!("file:{}", job::absolute(&Source::Local(folder))?)
        }
    })
}

/// Quotes a text for a shell.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:._-=".contains(&byte);
    if text.bytes().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn write_staged(out: &mut impl Write, it: &Staged, was_submitted: bool) -> io::Result<()> {
    writeln!(out, "run          {}, of {} files of `events` and `sessions`", it.run, it.files)?;
    writeln!(out, "folder       {}", it.folder)?;
    match (it.is_done, was_submitted) {
        (false, false) => writeln!(out, "submit       {}", it.submit)?,
        (false, true) => writeln!(out, "submitted    {}", it.submit)?,
        (true, _) => writeln!(out, "done         by Spark already")?,
    }
    writeln!(out, "then         the same command with --adopt makes what Spark has made the lake's tables")
}
