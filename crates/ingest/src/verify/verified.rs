//! The result of a verification.

use serde::Serialize;
use trailweave_digest::{Digest, Finding, Judged, Severity, rfc3339};

use super::had::HadLogs;
use super::hours::HoursProven;
use super::logs::Logs;
use super::verdict::LogVerdict;
use super::verification::Verification;

/// The result of a verification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The hours that are proven.
    pub hours: HoursProven,
    /// Digests of the time that was asked for.
    pub digests: u64,
    /// Log files, by verdict.
    pub log_files: LogFileCounts,
    /// All faults, and what explains something.
    pub findings: Vec<Finding>,
    /// The times that digests cover without a hole.
    pub covered: Vec<CoveredTime>,
    /// The URLs of digests and log files that are as they were delivered, if they were asked for.
    pub valid: Vec<String>,
}

/// Log files by their verdicts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LogFileCounts {
    /// Those that digests list.
    pub listed: u64,
    /// Those of them that the lake has as they were delivered.
    pub valid: u64,
    /// Those whose text is another, or damaged.
    pub changed: u64,
    /// Those that no source has.
    pub missing: u64,
    /// Those that a source has and the lake has not.
    pub not_ingested: u64,
    /// Those that no digest lists, of a time of which all are there.
    pub unlisted: u64,
    /// Those of which no digest tells that can be trusted.
    pub unproven: u64,
}

/// A time that the digests of an account and a region cover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoveredTime {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// Its first second.
    pub from: String,
    /// Its last second.
    pub to: String,
}

impl Verified {
    /// Tells whether something is missing or was changed.
    pub fn is_harmed(&self) -> bool {
        self.fails().any(|finding| finding.kind.is_harm())
    }

    /// Tells whether something is not proven.
    pub fn is_unproven(&self) -> bool {
        self.fails().next().is_some() || self.log_files.unproven > 0
    }

    fn fails(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Fail)
    }
}

impl LogFileCounts {
    fn take(&mut self, verdict: LogVerdict) {
        *match verdict {
            LogVerdict::Valid => &mut self.valid,
            LogVerdict::Changed | LogVerdict::BadGzip | LogVerdict::TrailingBytes => &mut self.changed,
            LogVerdict::Missing => &mut self.missing,
            LogVerdict::NotIngested => &mut self.not_ingested,
            LogVerdict::Unlisted => &mut self.unlisted,
            LogVerdict::Unproven => &mut self.unproven,
        } += 1;
    }
}

impl Verification<'_> {
    /// Puts the result together, but for the findings.
    pub(super) fn verified(&self, digests: &[Digest], judged: &Judged, logs: &Logs, had: &HadLogs) -> Verified {
        let hours = self.hours(digests, judged, logs, had);
        let asked = digests.iter().zip(&judged.verdicts).filter(|(_, verdict)| verdict.is_asked);
        let trusted = asked.clone().filter(|(_, verdict)| verdict.state.is_trusted());
        let whole = trusted.filter(|(_, verdict)| verdict.is_linked());
        let names_valid = self.verify.names_valid;
        let mut valid: Vec<String> = whole.filter(|_| names_valid).map(|(digest, _)| digest.uri()).collect();
        let mut log_files = LogFileCounts::default();
        for log in logs.asked(judged) {
            log_files.listed += 1;
            log_files.take(log.verdict);
            if names_valid && log.verdict == LogVerdict::Valid {
                valid.push(self.uri(&log.listed, had));
            }
        }
        for (_, verdict) in &logs.others {
            log_files.take(*verdict);
        }
        valid.sort_unstable();
        let covered = judged.covered.iter().map(|it| CoveredTime {
            account: it.account.to_string(),
            region: it.region.to_string(),
            from: rfc3339(it.from),
            to: rfc3339(it.to),
        });
        let (n_digests, covered) = (asked.count() as u64, covered.collect());
        Verified { hours, digests: n_digests, log_files, findings: Vec::new(), covered, valid }
    }
}
