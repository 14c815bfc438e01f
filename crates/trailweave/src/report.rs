//! The final summary, as text for people and as JSON for programs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::io::Write;

use bytesize::ByteSize;
use jiff::SignedDuration;
use serde::Serialize;
use trailweave_cluster::Progress;
use trailweave_cluster::StagedRun;
use trailweave_correlate::Scope;
use trailweave_ingest::Compacted;
use trailweave_ingest::Finding;
use trailweave_ingest::HoursProven;
use trailweave_ingest::PlanSummary;
use trailweave_ingest::PublishedTable;
use trailweave_ingest::Severity;
use trailweave_ingest::SkipReason;
use trailweave_ingest::Skipped;
use trailweave_ingest::SkippedObjects;
use trailweave_ingest::Status;
use trailweave_ingest::Verified;
use trailweave_ingest::rfc3339;

use crate::outcome::Outcome;
use crate::price::Price;
use crate::staged::StagedState;

/// The results of a run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// The write arm's part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ingested: Option<trailweave_ingest::Summary>,
    /// The read arm's part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correlated: Option<trailweave_correlate::Summary>,
    /// The days that left the lake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pruned: Option<PrunedDays>,
    /// The tables that were published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) published: Option<Vec<PublishedTable>>,
    /// The hours that `verify` proved, if it ever ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proven: Option<HoursProven>,
    /// The result of `verify`, which is printed by itself.
    #[serde(skip)]
    pub(crate) verified: Option<Verified>,
}

/// The days that left the lake, and what stays of them.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PrunedDays {
    /// The first date that the lake keeps.
    pub(crate) before: String,
    /// Rows of `rejects` that went.
    pub(crate) rejects: u64,
    #[serde(flatten)]
    pub(crate) pruned: trailweave_correlate::Pruned,
}

/// The report with the time that it took.
#[derive(Serialize)]
struct Timed<'a> {
    #[serde(flatten)]
    report: &'a Report,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    megabytes_per_second: Option<f64>,
}

impl Report {
    /// Tells how the run ended. Where nothing of what it found could be read, it did nothing.
    pub(crate) fn outcome(&self) -> Outcome {
        if let Some(verified) = &self.verified {
            return match (verified.is_harmed(), verified.is_unproven()) {
                (true, _) => Outcome::Harmed,
                (false, true) => Outcome::Unproven,
                (false, false) => Outcome::Done,
            };
        }
        match &self.ingested {
            Some(ingested) if is_unread(ingested) => Outcome::Unread,
            Some(ingested) if ingested.objects_quarantined > 0 => Outcome::Quarantined,
            _ => Outcome::Done,
        }
    }

    /// Returns the summary with the time that it took.
    pub(crate) fn timed(&self, elapsed: SignedDuration) -> impl Serialize {
        let megabytes_per_second = self.ingested.as_ref().map(|ingested| rate(ingested.bytes, elapsed));
        Timed { report: self, seconds: elapsed.as_secs_f64(), megabytes_per_second }
    }

    /// Writes the summary as text.
    pub(crate) fn write_text(&self, out: &mut impl Write, elapsed: SignedDuration) -> io::Result<()> {
        if let Some(ingested) = &self.ingested {
            write_ingested(out, ingested)?;
        }
        if let Some(correlated) = &self.correlated {
            write_correlated(out, correlated)?;
        }
        if let Some(pruned) = &self.pruned {
            write_pruned(out, pruned)?;
        }
        if let Some(published) = &self.published {
            write_published(out, published)?;
        }
        if let Some(proven) = &self.proven {
            write_proven(out, proven)?;
        }
        write!(out, "time         {:.1} s", elapsed.as_secs_f64())?;
        match &self.ingested {
            Some(ingested) if ingested.bytes > 0 => {
                writeln!(out, ", {:.1} MB/s as stored", rate(ingested.bytes, elapsed))
            }
            _ => writeln!(out),
        }?;
        if self.outcome() == Outcome::Unread {
            writeln!(out, "failed       nothing of what was found could be read: exit code 1")?;
        }
        Ok(())
    }
}

/// Tells whether a run could read none of the objects that it found, such as for lack of a permission, or none of their
/// records.
fn is_unread(it: &trailweave_ingest::Summary) -> bool {
    let n_read = it.objects_done + it.objects_quarantined;
    let n_passed = it.objects_known + it.objects_filtered;
    // A queue may well tell of nothing but digests for a while.
    let is_foreign = it.objects_skipped > 0 && n_passed == 0 && it.messages_received == 0;
    let is_rejected = it.tally.rejects > 0 && it.tally.rejects == it.tally.records && it.objects_quarantined == 0;
    n_read == 0 && (it.objects_left > 0 || is_foreign) || is_rejected
}

/// Writes a result as one JSON object.
pub(crate) fn write_json(out: &mut impl Write, result: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, result)?;
    writeln!(out)
}

/// Writes what a run would do, as text.
pub(crate) fn write_plan(out: &mut impl Write, it: &PlanSummary, price: Option<&Price>) -> io::Result<()> {
    writeln!(
        out,
        "objects      {} listed = {} to read + {} known + {} outside the filter + {} skipped",
        it.objects_listed, it.objects, it.objects_known, it.objects_filtered, it.objects_skipped
    )?;
    write_skipped(out, &it.skipped)?;
    writeln!(out, "bytes        {} as stored, in {}", ByteSize(it.bytes), counted(it.batches, "batch", "batches"))?;
    match price {
        Some(price) => price.write(out)?,
        None => writeln!(out, "price        none: nothing is asked of S3")?,
    }
    for run_id in &it.unfinished_runs {
        writeln!(out, "unfinished   {run_id}: its plan is finished first")?;
    }
    Ok(())
}

/// Writes what was published, as text.
pub(crate) fn write_published(out: &mut impl Write, tables: &[PublishedTable]) -> io::Result<()> {
    let n_files: u64 = tables.iter().map(|it| it.files).sum();
    let n_new = tables.iter().filter(|it| it.committed).count();
    writeln!(out, "published    {n_files} files in {} tables, {n_new} of which have a new snapshot", tables.len())
}

/// Writes which days left the lake, as text.
pub(crate) fn write_pruned(out: &mut impl Write, it: &PrunedDays) -> io::Result<()> {
    let PrunedDays { before, rejects, pruned } = it;
    writeln!(
        out,
        "pruned       {} before {before}: {}, {} and {rejects} rejects; {} stay in `remembered`",
        counted(pruned.days, "day", "days"),
        counted(pruned.files, "file", "files"),
        counted(pruned.rows, "row", "rows"),
        pruned.remembered
    )
}

/// Writes what was merged, as text.
pub(crate) fn write_compacted(out: &mut impl Write, it: &Compacted) -> io::Result<()> {
    writeln!(
        out,
        "parts        {} before, {} after; {} rewritten, {} to {}",
        it.parts_before,
        it.parts_after,
        counted(it.rows, "row", "rows"),
        ByteSize(it.bytes_before),
        ByteSize(it.bytes_after)
    )
}

/// Writes what the lake holds, as a table.
pub(crate) fn write_status(out: &mut impl Write, it: &Status) -> io::Result<()> {
    let heads =
        ["day", "account", "region", "done", "pruned", "quarantined", "unread", "bytes", "records", "rows", "proven"];
    let [day, account, region, done, pruned, quarantined, unread, bytes, records, rows, proven] = heads;
    writeln!(
        out,
        "{day:10}  {account:12}  {region:14}  {done:>8}  {pruned:>8}  {quarantined:>11}  {unread:>7}  {bytes:>10}  {records:>10}  {rows:>10}  {proven:>6}  hours without an object"
    )?;
    for row in &it.coverage {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        writeln!(
            out,
            "{:10}  {:12}  {:14}  {:>8}  {:>8}  {:>11}  {:>7}  {:>10}  {:>10}  {:>10}  {:>6}  {}",
            text(&row.day),
            text(&row.account),
            text(&row.region),
            row.done,
            row.pruned,
            row.quarantined,
            row.unread,
            ByteSize(row.bytes).to_string(),
            row.records,
            row.rows,
            row.proven_hours.map_or_else(|| "-".to_owned(), |n| format!("{n}/24")),
            ranges(&row.missing_hours),
        )?;
    }
    writeln!(
        out,
        "objects      {} done, {} pruned, {} quarantined, {} unread",
        it.done, it.pruned, it.quarantined, it.unread
    )?;
    if let Some(proven) = &it.proven {
        write_proven(out, proven)?;
    }
    write_skipped(out, &it.skipped)
}

/// Writes how far staged runs have come, a line for each.
pub(crate) fn write_states(out: &mut impl Write, states: &[StagedState]) -> io::Result<()> {
    for StagedState { staged: StagedRun { run, stage }, progress } in states {
        match progress {
            Progress::Running { done, of } => {
                writeln!(out, "staged       {run} in {stage}: {done} of {of} statements done by Spark")
            }
            Progress::Done => writeln!(
                out,
                "staged       {run} in {stage}: waits for `trailweave correlate --engine spark --stage {stage} --adopt`"
            ),
            Progress::Dead => {
                writeln!(out, "staged       {run} in {stage}: needed no more; `trailweave gc` removes it")
            }
        }?;
    }
    Ok(())
}

/// Writes how many hours `verify` proved when it last looked at them.
fn write_proven(out: &mut impl Write, HoursProven { proven, total }: &HoursProven) -> io::Result<()> {
    writeln!(out, "proven       {proven} of {}, when `verify` last looked", counted(*total, "hour", "hours"))
}

/// Faults that are written as text; JSON holds them all.
const SHOWN: usize = 20;

/// Writes what is proven, and what is not.
pub(crate) fn write_verified(out: &mut impl Write, it: &Verified) -> io::Result<()> {
    let (failing, notes): (Vec<&Finding>, Vec<&Finding>) =
        it.findings.iter().partition(|finding| finding.severity == Severity::Fail);
    for finding in failing.iter().take(SHOWN) {
        let window = finding.window.map(|it| format!(", {} to {}", rfc3339(it.from), rfc3339(it.to)));
        let detail = finding.detail.as_ref().map(|it| format!(": {it}"));
        let (kind, uri) = (finding.kind.name(), &finding.uri);
        writeln!(out, "{kind:<24} {uri}{}{}", window.unwrap_or_default(), detail.unwrap_or_default())?;
    }
    if failing.len() > SHOWN {
        writeln!(out, "             and {} more; --json names them all", failing.len() - SHOWN)?;
    }
    if !notes.is_empty() {
        writeln!(out, "notes        {}, which --json names", counted(notes.len() as u64, "note", "notes"))?;
    }
    let logs = it.log_files;
    writeln!(out, "digests      {}", it.digests)?;
    writeln!(
        out,
        "log files    {} listed, {} valid, {} changed, {} missing, {} not ingested; {} unlisted, {} unproven",
        logs.listed, logs.valid, logs.changed, logs.missing, logs.not_ingested, logs.unlisted, logs.unproven
    )?;
    let HoursProven { proven, total } = it.hours;
    if proven == total && failing.is_empty() && total > 0 {
        writeln!(out, "all {} proven", counted(total, "hour", "hours"))
    } else {
        writeln!(out, "{proven} of {} proven", counted(total, "hour", "hours"))
    }
}

/// Writes what was passed over, a line for each reason.
fn write_skipped(out: &mut impl Write, skipped: &Skipped) -> io::Result<()> {
    for (reason, SkippedObjects { objects, folders, example }) in skipped.iter() {
        let objects = (*objects > 0).then(|| counted(*objects, "object", "objects"));
        let folders = (*folders > 0).then(|| format!("{} not looked into", counted(*folders, "folder", "folders")));
        let found = objects.into_iter().chain(folders).collect::<Vec<_>>().join(" and ");
        let remedy = if reason == SkipReason::OtherName { "; --all-names reads them by their content" } else { "" };
        writeln!(out, "skipped      {reason}: {found}, such as {example}{remedy}")?;
    }
    Ok(())
}

/// Writes a number with what it counts.
fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Writes hours as `0-3 7 22-23`.
fn ranges(hours: &BTreeSet<u8>) -> String {
    let mut ranges: Vec<(u8, u8)> = Vec::new();
    for &hour in hours {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == hour => *last = hour,
            _ => ranges.push((hour, hour)),
        }
    }
    let text = |(first, last): &(u8, u8)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
    ranges.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn write_ingested(out: &mut impl Write, it: &trailweave_ingest::Summary) -> io::Result<()> {
    writeln!(
        out,
        "objects      {} listed = {} read + {} known + {} outside the filter + {} skipped + {} quarantined + {} gone + {} left",
        it.objects_listed,
        it.objects_done,
        it.objects_known,
        it.objects_filtered,
        it.objects_skipped,
        it.objects_quarantined,
        it.objects_gone,
        it.objects_left,
    )?;
    write_skipped(out, &it.skipped)?;
    if it.messages_received > 0 {
        let left = it.messages_received - it.messages_deleted;
        writeln!(
            out,
            "messages     {} received = {} deleted + {left} left in the queue",
            it.messages_received, it.messages_deleted
        )?;
    }
    if it.objects_left > 0 {
        writeln!(out, "             what was left could not be read; the next run tries it again")?;
    }
    writeln!(out, "bytes        {} as stored, {} inflated", ByteSize(it.bytes), ByteSize(it.inflated_bytes))?;
    let tally = it.tally;
    writeln!(
        out,
        "records      {} = {} rows + {} duplicates + {} filtered + {} rejects",
        tally.records, tally.rows, tally.duplicates, tally.filtered, tally.rejects
    )?;
    if tally.rejects > 0 {
        writeln!(out, "             the table `rejects` of `trailweave query` holds what was rejected, and says why")?;
    }
    if it.rows_amended > 0 {
        writeln!(
            out,
            "             {} of earlier runs left the lake, as amended",
            counted(it.rows_amended, "row", "rows")
        )?;
    }
    for quarantined in &it.quarantined {
        writeln!(out, "quarantined  {}: {}", quarantined.source_object, quarantined.error)?;
    }
    let shown = it.quarantined.len() as u64;
    if it.objects_quarantined > shown {
        writeln!(
            out,
            "             and {} more; the table `ledger` of `trailweave query` names them all",
            it.objects_quarantined - shown
        )?;
    }
    Ok(())
}

fn write_correlated(out: &mut impl Write, it: &trailweave_correlate::Summary) -> io::Result<()> {
    writeln!(out, "links        {}", counts(&it.links))?;
    writeln!(out, "confidence   {}", counts(&it.confidence))?;
    writeln!(out, "unmatched    {}", counts(&it.unmatched))?;
    writeln!(out, "lake         events {}, sessions {}", it.events, it.sessions)?;
    writeln!(out, "tables       {}", counts(&it.products))?;
    let of = match it.scope {
        Scope::New => "what new events can change",
        Scope::Whole => "all events",
    };
    let slices = if it.slices > 1 { format!(", in {} slices of time", it.slices) } else { String::new() };
    writeln!(out, "changed      {}, from {of}{slices}", counted(it.files, "file", "files"))
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// Returns megabytes (10^6) a second.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn rate(bytes: u64, elapsed: SignedDuration) -> f64 {
    bytes as f64 / 1e6 / elapsed.as_secs_f64().max(1e-3)
}

#[cfg(test)]
mod tests {
    use trailweave_ingest::Summary;
    use trailweave_table::Tally;

    use super::*;

    #[test]
    fn a_run_fails_if_it_could_read_nothing_and_not_if_it_left_a_part() {
        let of = |ingested: Summary| Report { ingested: Some(ingested), ..Report::default() }.outcome();
        let outcome = |objects_left, objects_done, objects_quarantined| {
            of(Summary { objects_left, objects_done, objects_quarantined, ..Summary::default() })
        };
        assert_eq!(outcome(0, 0, 0), Outcome::Done);
        assert_eq!(outcome(2, 0, 0), Outcome::Unread);
        assert_eq!(outcome(2, 1, 0), Outcome::Done);
        assert_eq!(outcome(2, 0, 1), Outcome::Quarantined);
        let skipped = Summary { objects_skipped: 2, ..Summary::default() };
        assert_eq!(of(skipped.clone()), Outcome::Unread);
        assert_eq!(of(Summary { objects_known: 1, ..skipped.clone() }), Outcome::Done);
        assert_eq!(of(Summary { messages_received: 2, ..skipped }), Outcome::Done);
        let rejected = |rejects| {
            of(Summary {
                objects_done: 1,
                tally: Tally { records: 2, rejects, filtered: 2 - rejects, ..Tally::default() },
                ..Summary::default()
            })
        };
        assert_eq!([rejected(2), rejected(1)], [Outcome::Unread, Outcome::Done]);
    }

    #[test]
    fn hours_in_a_row_are_one_range() {
        assert_eq!(ranges(&[0, 1, 2, 5, 22, 23].into()), "0-2 5 22-23");
        assert_eq!(ranges(&BTreeSet::new()), "");
    }
}
