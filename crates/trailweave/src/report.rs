//! The final summary, as text for people and as JSON for programs.

use std::collections::BTreeMap;
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
use trailweave_ingest::InQuarantine;
use trailweave_ingest::PlanSummary;
use trailweave_ingest::PublishedTable;
use trailweave_ingest::Severity;
use trailweave_ingest::SkipReason;
use trailweave_ingest::Skipped;
use trailweave_ingest::SkippedObjects;
use trailweave_ingest::Span;
use trailweave_ingest::Status;
use trailweave_ingest::UnfinishedRun;
use trailweave_ingest::Verified;
use trailweave_ingest::rfc3339;

use crate::coverage::write_coverage;
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
    /// Tells how the run ended.
    pub(crate) fn outcome(&self) -> Outcome {
        let Some(ingested) = &self.ingested else { return Outcome::Done };
        Outcome::heaviest(|outcome| match outcome {
            Outcome::NothingMatched => ingested.nothing_matched.is_some(),
            Outcome::Unread => ingested.objects_left > 0,
            Outcome::Quarantined => !ingested.in_quarantine.is_empty(),
            _ => false,
        })
    }

    /// Returns the summary with the time that it took.
    pub(crate) fn timed(&self, elapsed: SignedDuration) -> impl Serialize {
        let megabytes_per_second = self.ingested.as_ref().map(|ingested| rate(ingested.bytes, elapsed));
        Timed { report: self, seconds: elapsed.as_secs_f64(), megabytes_per_second }
    }

    /// Writes the summary as text.
    pub(crate) fn write_text(&self, out: &mut impl Write, elapsed: SignedDuration) -> io::Result<()> {
        writeln!(out, "# this run")?;
        if let Some(ingested) = &self.ingested {
            write_ingested(out, ingested)?;
        }
        if let Some(correlated) = &self.correlated {
            write_changed(out, correlated)?;
        }
        if let Some(pruned) = &self.pruned {
            write_pruned(out, pruned)?;
        }
        if let Some(published) = &self.published {
            write_published(out, published)?;
        }
        write!(out, "time         {:.1} s", elapsed.as_secs_f64())?;
        match &self.ingested {
            Some(ingested) if ingested.bytes > 0 => {
                writeln!(out, ", {:.1} MB/s as stored", rate(ingested.bytes, elapsed))
            }
            _ => writeln!(out),
        }?;
        self.write_lake(out)
    }

    /// Writes what the lake holds after the run.
    fn write_lake(&self, out: &mut impl Write) -> io::Result<()> {
        let in_quarantine = self.ingested.as_ref().map(|it| it.in_quarantine).filter(|it| !it.is_empty());
        if in_quarantine.is_none() && self.correlated.is_none() && self.proven.is_none() {
            return Ok(());
        }
        writeln!(out, "# the lake")?;
        if let Some(in_quarantine) = in_quarantine {
            write_in_quarantine(out, in_quarantine)?;
        }
        if let Some(correlated) = &self.correlated {
            write_correlated(out, correlated)?;
        }
        if let Some(proven) = &self.proven {
            write_proven(out, proven)?;
        }
        Ok(())
    }
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
    write_nothing_matched(out, it.nothing_matched.as_ref())?;
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

/// The days that would leave the lake.
#[derive(Debug, Serialize)]
pub(crate) struct PrunableDays {
    /// The first date that the lake would keep.
    pub(crate) before: String,
    pub(crate) days: u64,
    pub(crate) files: u64,
    /// Rows of `events` and `sessions`.
    pub(crate) rows: u64,
    pub(crate) rejects: u64,
}

/// Writes which days would leave the lake, as text.
pub(crate) fn write_prunable(out: &mut impl Write, it: &PrunableDays) -> io::Result<()> {
    writeln!(
        out,
        "would go     {} before {}: {}, {} and {}; nothing was removed",
        counted(it.days, "day", "days"),
        it.before,
        counted(it.files, "file", "files"),
        counted(it.rows, "row", "rows"),
        counted(it.rejects, "reject", "rejects")
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
    )?;
    writeln!(
        out,
        "ledger       {} before, {} after",
        counted(it.ledger_files_before, "file", "files"),
        it.ledger_files_after
    )
}

/// Writes what the lake holds: a table, unless that is left out, and totals.
pub(crate) fn write_status(out: &mut impl Write, it: &Status) -> io::Result<()> {
    if !it.coverage.is_empty() {
        write_coverage(out, &it.coverage)?;
    }
    if it.days > 0 {
        writeln!(out, "coverage     {} with deliveries, {}", counted(it.days, "day", "days"), it.span)?;
    }
    writeln!(
        out,
        "objects      {} done, {} pruned, {} quarantined, {} of nothing but rejects, {} dismissed, {} unread",
        it.done, it.pruned, it.quarantined, it.rejected, it.dismissed, it.unread
    )?;
    writeln!(
        out,
        "records      {} = {} rows + {} others; {} as stored",
        it.records,
        it.rows,
        it.records - it.rows,
        ByteSize(it.bytes)
    )?;
    if it.quarantined + it.rejected > 0 {
        writeln!(out, "             `trailweave quarantine list` names what gave no row, and says why")?;
    }
    for UnfinishedRun { run_id, objects } in &it.unfinished {
        let objects = counted(*objects, "object", "objects");
        writeln!(out, "unfinished   {run_id}: died or is at work, with {objects} of its plan to read")?;
    }
    if it.left > 0 {
        let objects = counted(it.left, "object", "objects");
        writeln!(out, "left         {objects} that the last run could not read; the next tries again")?;
    }
    if let Some(proven) = &it.proven {
        write_proven(out, proven)?;
    }
    write_skipped(out, &it.skipped)?;
    write_nothing_matched(out, it.nothing_matched.as_ref())
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
    let hours = counted(*total, "hour", "hours");
    writeln!(out, "proven       {proven} of {hours} of which there are digests, when `verify` last looked")
}

/// Faults that are written as text; JSON holds them all.
const SHOWN: usize = 20;

/// Writes what is proven, and what is not.
pub(crate) fn write_verified(out: &mut impl Write, it: &Verified) -> io::Result<()> {
    let (failing, notes): (Vec<&Finding>, Vec<&Finding>) =
        it.findings.iter().partition(|finding| finding.severity == Severity::Fail);
    for finding in failing.iter().take(SHOWN) {
        let window = finding.window.map(|it| match (rfc3339(it.from), rfc3339(it.to)) {
            (from, to) if from == to => format!(", at {from}"),
            (from, to) => format!(", {from} to {to}"),
        });
        let detail = finding.detail.as_ref().map(|it| format!(": {it}"));
        let (kind, uri) = (finding.kind.name(), &finding.uri);
        writeln!(out, "{kind:<24} {uri}{}{}", window.unwrap_or_default(), detail.unwrap_or_default())?;
    }
    if failing.len() > SHOWN {
        writeln!(out, "             and {} more; --json names them all", failing.len() - SHOWN)?;
    }
    if !notes.is_empty() {
        let mut kinds = BTreeMap::new();
        for note in notes {
            *kinds.entry(note.kind.name()).or_insert(0_u64) += 1;
        }
        writeln!(out, "notes        {}; --json names each", counts(&kinds))?;
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

/// Says how many objects of the lake gave no row.
fn write_in_quarantine(out: &mut impl Write, it: InQuarantine) -> io::Result<()> {
    let refused = (it.refused > 0).then(|| format!("{} refused as a whole", it.refused));
    let rejected = (it.rejected > 0).then(|| format!("{} of nothing but rejects", it.rejected));
    let kinds = refused.into_iter().chain(rejected).collect::<Vec<_>>().join(", ");
    let objects = counted(it.refused + it.rejected, "object", "objects");
    writeln!(out, "quarantine   {objects} of the lake: {kinds}; `trailweave quarantine list` names them")
}

/// Says where the trail is, if nothing of what was asked for is in the sources.
fn write_nothing_matched(out: &mut impl Write, span: Option<&Span>) -> io::Result<()> {
    match span {
        None => Ok(()),
        Some(span) if *span == Span::default() => writeln!(
            out,
            "no match     the sources hold no trail object; name the folder or prefix that holds AWSLogs, or one below it"
        ),
        Some(span) => writeln!(
            out,
            "no match     the trail spans {span}; widen --from, --to, --account or --region to reach into it"
        ),
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
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
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
    write_nothing_matched(out, it.nothing_matched.as_ref())?;
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
        writeln!(out, "             and {} more", it.objects_quarantined - shown)?;
    }
    Ok(())
}

fn write_correlated(out: &mut impl Write, it: &trailweave_correlate::Summary) -> io::Result<()> {
    writeln!(out, "events       {}, and {}", it.events, counted(it.sessions, "session", "sessions"))?;
    writeln!(out, "tables       {}", counts(&it.products))?;
    writeln!(out, "links        {}", counts(&it.links))?;
    writeln!(out, "confidence   {}", counts(&it.confidence))?;
    writeln!(out, "no EC2 cause {}", counts(&it.unmatched))
}

/// Says what a run changed of the tables of the join.
fn write_changed(out: &mut impl Write, it: &trailweave_correlate::Summary) -> io::Result<()> {
    let of = match it.scope {
        Scope::New => "what new events can change",
        Scope::Whole => "all events",
    };
    let slices = if it.slices > 1 { format!(", in {} slices of time", it.slices) } else { String::new() };
    writeln!(out, "changed      {} of the tables, from {of}{slices}", counted(it.files, "file", "files"))
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
    use trailweave_ingest::InQuarantine;
    use trailweave_ingest::Summary;

    use super::*;

    #[test]
    fn a_run_that_left_objects_or_found_none_says_so_by_its_code() {
        let outcome = |ingested: Summary| Report { ingested: Some(ingested), ..Report::default() }.outcome();
        let of = |objects_left, objects_done, rejected| {
            let in_quarantine = InQuarantine { refused: 0, rejected };
            outcome(Summary { objects_left, objects_done, in_quarantine, ..Summary::default() })
        };
        assert_eq!(of(0, 0, 0), Outcome::Done);
        assert_eq!([of(2, 0, 0), of(2, 1, 0), of(2, 0, 1)], [Outcome::Unread; 3]);
        assert_eq!(of(0, 0, 1), Outcome::Quarantined);
        let nothing = Summary { nothing_matched: Some(Span::default()), ..Summary::default() };
        assert_eq!(outcome(nothing), Outcome::NothingMatched);
    }
}
