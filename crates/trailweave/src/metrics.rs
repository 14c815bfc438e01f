//! The figures of the last run as Prometheus text, for the textfile collector of a node exporter.
//!
//! The file appears whole. A run that failed says so, and says nothing of what it did before.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use trailweave_lake::LakeError;
use trailweave_lake::WholeFile;

use crate::report::Report;

/// Writes the figures of a run that began and ended; `report` is nothing where it failed.
pub(crate) fn write(
    path: &Path,
    report: Option<&Report>,
    exit_code: u8,
    began: Timestamp,
    ended: Timestamp,
) -> Result<(), LakeError> {
    WholeFile::write_all_at(path, text(report, exit_code, began, ended).as_bytes())
}

fn text(report: Option<&Report>, exit_code: u8, began: Timestamp, ended: Timestamp) -> String {
    let mut out = Text::default();
    out.one("exit_code", "Exit code of the last run: 0, 1 failed, 3 objects were quarantined.", exit_code);
    out.one("end_timestamp_seconds", "When the last run ended.", ended.as_second());
    out.one("duration_seconds", "How long the last run took.", ended.duration_since(began).as_secs_f64());
    if let Some(it) = report.and_then(|report| report.ingested.as_ref()) {
        let objects = [
            ("done", it.objects_done),
            ("known", it.objects_known),
            ("filtered", it.objects_filtered),
            ("skipped", it.objects_skipped),
            ("quarantined", it.objects_quarantined),
            ("gone", it.objects_gone),
            ("left", it.objects_left),
        ];
        out.many("objects", "Objects that the last run listed, by what became of them.", "outcome", objects);
        let messages = [("deleted", it.messages_deleted), ("left", it.messages_received - it.messages_deleted)];
        out.many("messages", "Messages that the last run received, by what became of them.", "outcome", messages);
        let records = [
            ("rows", it.tally.rows),
            ("duplicates", it.tally.duplicates),
            ("filtered", it.tally.filtered),
            ("rejects", it.tally.rejects),
        ];
        out.many("records", "Records that the last run read, by what became of them.", "outcome", records);
        let help = "Rows of earlier runs that records of the last run amended, and that left events.";
        out.one("rows_amended", help, it.rows_amended);
        let bytes = [("gzip", it.bytes), ("json", it.inflated_bytes)];
        out.many("bytes", "Size of the objects that the last run read.", "form", bytes);
    }
    if let Some(it) = report.and_then(|report| report.correlated.as_ref()) {
        out.many("links", "Rows of correlated, by the rule that linked them.", "link", counts(&it.links));
        let reasons = counts(&it.unmatched);
        out.many("unmatched", "Rows of correlated without a cause, by the reason.", "reason", reasons);
        out.many("rows", "Rows of the tables that the join makes.", "table", counts(&it.products));
    }
    out.0
}

fn counts(counts: &BTreeMap<String, u64>) -> impl Iterator<Item = (&str, u64)> {
    counts.iter().map(|(name, count)| (name.as_str(), *count))
}

/// Prometheus text; every name begins with `trailweave_last_run_`.
#[derive(Default)]
struct Text(String);

impl Text {
    fn one(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, help);
        writeln!(self.0, "trailweave_last_run_{name} {value}").expect("a text takes every line");
    }

    fn many<'a>(&mut self, name: &str, help: &str, label: &str, values: impl IntoIterator<Item = (&'a str, u64)>) {
        self.head(name, help);
        for (of, value) in values {
            let line = writeln!(self.0, "trailweave_last_run_{name}{{{label}=\"{of}\"}} {value}");
            line.expect("a text takes every line");
        }
    }

    fn head(&mut self, name: &str, help: &str) {
        let head =
            writeln!(self.0, "# HELP trailweave_last_run_{name} {help}\n# TYPE trailweave_last_run_{name} gauge");
        head.expect("a text takes every line");
    }
}

#[cfg(test)]
mod tests;
