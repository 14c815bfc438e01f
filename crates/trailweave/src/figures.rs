//! The figures of the last run of a verb, as `--metrics-file` and `--otlp-endpoint` both tell them.
//!
//! A verb that failed says so, and says nothing of what it did before.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use trailweave_ingest::HoursProven;
use trailweave_ingest::Status;
use trailweave_ingest::Summary;
use trailweave_ingest::Verified;

use crate::outcome::Outcome;
use crate::report::Report;

/// The job that figures are of. Their names say it, so that a collector can take the files of several jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// `run` or `ingest`.
    Run,
    Correlate,
    Verify,
    Status,
}

/// A figure: one point without a label, or any number of points that a label tells apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) help: &'static str,
    pub(crate) points: Vec<Point>,
}

/// A value, and the label that it stands under.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub(crate) label: Option<(&'static str, String)>,
    pub(crate) value: Value,
}

/// The value of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Whole(i64),
    Fraction(f64),
}

/// Adds how a job ended to its figures, and names all after it.
pub(crate) fn of(
    subject: Subject,
    outcome: Outcome,
    (began, ended): (Timestamp, Timestamp),
    figures: Vec<Figure>,
) -> Vec<Figure> {
    let code = Value::Whole(outcome.exit_code().into());
    let seconds = ended.duration_since(began).as_secs_f64();
    let mut all = vec![
        Figure::one("exit_code", "Exit code, as `trailweave --help` lists them.", code),
        Figure::one("end_timestamp_seconds", "When it ended.", Value::Whole(ended.as_second())),
    ];
    if subject != Subject::Status {
        all.push(Figure::one("duration_seconds", "How long it took.", Value::Fraction(seconds)));
    }
    all.extend(figures);
    let subject = match subject {
        Subject::Run => "run",
        Subject::Correlate => "correlate",
        Subject::Verify => "verify",
        Subject::Status => "status",
    };
    for figure in &mut all {
        figure.name.insert_str(0, &format!("trailweave_last_{subject}_"));
    }
    all
}

/// Collects the figures of a run that ended well.
pub(crate) fn of_report(report: &Report) -> Vec<Figure> {
    let ingested = report.ingested.iter().flat_map(of_ingest);
    ingested.chain(report.correlated.iter().flat_map(of_correlate)).collect()
}

/// Collects those of a verification.
pub(crate) fn of_verified(it: &Verified) -> Vec<Figure> {
    let HoursProven { proven, total } = it.hours;
    let hours = [("proven", proven), ("unproven", total - proven)];
    let logs = it.log_files;
    let log_files = [
        ("valid", logs.valid),
        ("changed", logs.changed),
        ("missing", logs.missing),
        ("not_ingested", logs.not_ingested),
        ("unlisted", logs.unlisted),
        ("unproven", logs.unproven),
    ];
    vec![
        Figure::many("hours", "Hours that the last verify looked at, by verdict.", "verdict", hours),
        Figure::many("log_files", "Log files that the last verify looked at, by verdict.", "verdict", log_files),
    ]
}

/// Collects those of a status; nothing of the newest delivery where there is none.
pub(crate) fn of_status(it: &Status, newest_delivery: Option<Timestamp>) -> Vec<Figure> {
    let objects = [
        ("done", it.done),
        ("pruned", it.pruned),
        ("quarantined", it.quarantined),
        ("rejected", it.rejected),
        ("dismissed", it.dismissed),
        ("unread", it.unread),
    ];
    let newest_help = "When the newest object of the lake was delivered.";
    let newest = newest_delivery
        .map(|time| Figure::one("newest_delivery_timestamp_seconds", newest_help, Value::Whole(time.as_second())));
    let objects = Figure::many("objects", "Objects that the last status counted, by their state.", "state", objects);
    newest.into_iter().chain([objects]).collect()
}

fn of_ingest(it: &Summary) -> [Figure; 5] {
    let objects = [
        ("done", it.objects_done),
        ("known", it.objects_known),
        ("filtered", it.objects_filtered),
        ("skipped", it.objects_skipped),
        ("quarantined", it.objects_quarantined),
        ("gone", it.objects_gone),
        ("left", it.objects_left),
    ];
    let messages = [("deleted", it.messages_deleted), ("left", it.messages_received - it.messages_deleted)];
    let records = [
        ("rows", it.tally.rows),
        ("duplicates", it.tally.duplicates),
        ("filtered", it.tally.filtered),
        ("rejects", it.tally.rejects),
    ];
    let amended_help = "Rows of earlier runs that records of the last run amended, and that left events.";
    let bytes = [("stored", it.bytes), ("inflated", it.inflated_bytes)];
    [
        Figure::many("objects", "Objects that the last run listed, by what became of them.", "outcome", objects),
        Figure::many("messages", "Messages that the last run received, by what became of them.", "outcome", messages),
        Figure::many("records", "Records that the last run read, by what became of them.", "outcome", records),
        Figure::one("rows_amended", amended_help, Value::count(it.rows_amended)),
        Figure::many("bytes", "Size of the objects that the last run read.", "form", bytes),
    ]
}

fn of_correlate(it: &trailweave_correlate::Summary) -> [Figure; 3] {
    let reasons = counts(&it.unmatched);
    [
        Figure::many("links", "Rows of correlated, by the rule that linked them.", "link", counts(&it.links)),
        Figure::many("unmatched", "Rows of correlated without a cause, by the reason.", "reason", reasons),
        Figure::many("rows", "Rows of the tables that the join makes.", "table", counts(&it.products)),
    ]
}

fn counts(counts: &BTreeMap<String, u64>) -> impl Iterator<Item = (&str, u64)> {
    counts.iter().map(|(name, count)| (name.as_str(), *count))
}

impl Figure {
    fn one(name: &str, help: &'static str, value: Value) -> Self {
        Self::new(name, help, vec![Point { label: None, value }])
    }

    fn many<'a>(
        name: &str,
        help: &'static str,
        label: &'static str,
        counts: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> Self {
        let point =
            |(of, count): (&str, u64)| Point { label: Some((label, of.to_owned())), value: Value::count(count) };
        Self::new(name, help, counts.into_iter().map(point).collect())
    }

    fn new(name: &str, help: &'static str, points: Vec<Point>) -> Self {
        Self { name: name.to_owned(), help, points }
    }
}

impl Value {
    /// Makes a value of a count. OTLP knows no greater one than `i64::MAX`, which no run reaches.
    fn count(count: u64) -> Self {
        Self::Whole(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Fraction(value) => value.fmt(f),
        }
    }
}
