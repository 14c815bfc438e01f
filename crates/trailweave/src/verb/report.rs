//! `report`: one page of what the lake holds.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;
use trailweave_ingest::Filter;
use trailweave_report::{Choice, ReportOptions};

use crate::args::{Common, IngestArgs, ReportArgs};
use crate::freshness;
use crate::job;
use crate::job::Job;
use crate::outcome::Outcome;

/// The page that was written.
#[derive(Serialize)]
struct Written<'p> {
    report: &'p Path,
    bytes: usize,
}

/// Writes the page.
pub(super) fn report(common: Common, args: &ReportArgs, now: fn() -> Timestamp) -> anyhow::Result<Outcome> {
    let choice =
        IngestArgs { from: args.from.clone(), to: args.to.clone(), place: args.place.clone(), ..IngestArgs::default() };
    write(&Job::new(common, &choice, now)?, &args.out, &args.instance)?;
    Ok(Outcome::Done)
}

/// Writes the page of a job's lake to `out`, with the chains of `ids`.
pub(super) fn write(job: &Job, out: &Path, ids: &[String]) -> anyhow::Result<()> {
    let lake = job.lake()?;
    freshness::warn(&lake, true);
    let Filter { from, to, accounts, regions, .. } = &job.config.filter;
    let options = ReportOptions {
        lake: job::absolute(&job.config.lake)?,
        made_at: job.began.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        choice: Choice {
            from: from.map(|day| day.to_string()),
            to: to.map(|day| day.to_string()),
            accounts: accounts.iter().cloned().collect(),
            regions: regions.iter().cloned().collect(),
        },
        ids: ids.to_vec(),
        threads: job.config.threads,
    };
    let page = trailweave_report::report(&lake, &options)?;
    fs::write(out, &page).with_context(|| format!("cannot write the report `{}`", out.display()))?;
    let written = Written { report: out, bytes: page.len() };
    job.put(&written, |text, it| {
        writeln!(text, "The report is {} ({} KiB): open it in a browser", it.report.display(), it.bytes / 1024)
    })?;
    Ok(())
}
