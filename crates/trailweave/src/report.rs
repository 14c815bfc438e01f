//! The final summary, as text for people and as JSON for programs.

use std::collections::BTreeMap;
use std::io;
use std::io::Write;

use bytesize::ByteSize;
use jiff::SignedDuration;
use serde::Serialize;

use crate::verb::Outcome;

/// What a run did.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The write arm's part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ingested: Option<trailweave_ingest::Summary>,
    /// The read arm's part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correlated: Option<trailweave_correlate::Summary>,
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
    /// How the run ended.
    pub(crate) fn outcome(&self) -> Outcome {
        match &self.ingested {
            Some(ingested) if ingested.objects_quarantined > 0 => Outcome::Quarantined,
            _ => Outcome::Done,
        }
    }

    /// Writes the summary as one JSON object.
    pub(crate) fn write_json(&self, out: &mut impl Write, elapsed: SignedDuration) -> io::Result<()> {
        let megabytes_per_second = self.ingested.as_ref().map(|ingested| rate(ingested.bytes, elapsed));
        let timed = Timed { report: self, seconds: elapsed.as_secs_f64(), megabytes_per_second };
        serde_json::to_writer_pretty(&mut *out, &timed)?;
        writeln!(out)
    }

    /// Writes the summary as text.
    pub(crate) fn write_text(&self, out: &mut impl Write, elapsed: SignedDuration) -> io::Result<()> {
        if let Some(ingested) = &self.ingested {
            write_ingested(out, ingested)?;
        }
        if let Some(correlated) = &self.correlated {
            write_correlated(out, correlated)?;
        }
        write!(out, "time         {:.1} s", elapsed.as_secs_f64())?;
        match &self.ingested {
            Some(ingested) if ingested.bytes > 0 => {
                writeln!(out, ", {:.1} MB/s of gzip", rate(ingested.bytes, elapsed))
            }
            _ => writeln!(out),
        }
    }
}

fn write_ingested(out: &mut impl Write, it: &trailweave_ingest::Summary) -> io::Result<()> {
    writeln!(
        out,
        "objects      {} listed = {} read + {} known + {} outside the filter + {} no trail objects + {} quarantined + {} left",
        it.objects_listed,
        it.objects_done,
        it.objects_known,
        it.objects_filtered,
        it.objects_skipped,
        it.objects_quarantined,
        it.objects_left,
    )?;
    if it.objects_left > 0 {
        writeln!(out, "             what was left could not be read; the next run tries it again")?;
    }
    writeln!(out, "bytes        {} of gzip, {} of JSON", ByteSize(it.bytes), ByteSize(it.inflated_bytes))?;
    let tally = it.tally;
    writeln!(
        out,
        "records      {} = {} rows + {} duplicates + {} filtered + {} rejects",
        tally.records, tally.rows, tally.duplicates, tally.filtered, tally.rejects
    )?;
    for quarantined in &it.quarantined {
        writeln!(out, "quarantined  {}: {}", quarantined.source_object, quarantined.error)?;
    }
    let shown = it.quarantined.len() as u64;
    if it.objects_quarantined > shown {
        writeln!(out, "             and {} more; the ledger names them all", it.objects_quarantined - shown)?;
    }
    Ok(())
}

fn write_correlated(out: &mut impl Write, it: &trailweave_correlate::Summary) -> io::Result<()> {
    writeln!(out, "links        {}", counts(&it.links))?;
    writeln!(out, "confidence   {}", counts(&it.confidence))?;
    writeln!(out, "unmatched    {}", counts(&it.unmatched))?;
    writeln!(out, "tables       {}", counts(&it.products))
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// Megabytes (10^6) a second.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn rate(bytes: u64, elapsed: SignedDuration) -> f64 {
    bytes as f64 / 1e6 / elapsed.as_secs_f64().max(1e-3)
}
