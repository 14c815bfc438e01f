//! The hours of the trail, and which of them are proven.

use std::collections::BTreeMap;

use serde::Serialize;
use trailweave_digest::{Digest, Judged, Kind, LogName, SpanKind, seconds};
use trailweave_lake::{Lake, LakeError};
use trailweave_table::DIGESTS;

use super::had::HadLogs;
use super::logs::Logs;
use super::rows::read_rows;
use super::verdict::LogVerdict;
use super::verification::Verification;

const HOUR_SECS: i64 = 3_600;

/// The hours, UTC, in which digests say that log files were delivered or not, or in which log files lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HoursProven {
    /// Those in which all that was delivered, in all accounts and regions, is in the lake, unchanged.
    pub proven: u64,
    /// All of them.
    pub total: u64,
}

/// Hours since 1970; true: proven so far.
#[derive(Default)]
struct Hours(BTreeMap<i64, bool>);

impl Hours {
    fn count(&self) -> HoursProven {
        let proven = self.0.values().filter(|is_proven| **is_proven).count() as u64;
        HoursProven { proven, total: self.0.len() as u64 }
    }

    /// Takes a window, which mostly is an hour, though it may begin anywhere in one of the clock.
    fn take(&mut self, from: i64, to: i64, is_proven: bool) {
        let nearest = |secs: i64| (secs + HOUR_SECS / 2).div_euclid(HOUR_SECS);
        let (mut first, mut last) = (nearest(from), nearest(to) - 1);
        if last < first {
            first = (to - 1).div_euclid(HOUR_SECS);
            last = first;
        }
        for hour in first..=last {
            *self.0.entry(hour).or_insert(true) &= is_proven;
        }
    }
}

/// The hours that earlier verifications looked at, as the table `digests` says.
#[derive(Default)]
pub(crate) struct Proof {
    all: Hours,
    /// By account and region.
    places: BTreeMap<(String, String), Hours>,
}

impl Proof {
    /// Reads the table.
    pub(crate) fn read(lake: &Lake) -> Result<Self, LakeError> {
        let mut proof = Self::default();
        for part in lake.parts(&DIGESTS)? {
            read_rows(lake, &part.path, |row| {
                let (from, to, is_proven) = (row.digest_start_time, row.digest_end_time, row.is_proven());
                proof.all.take(from, to, is_proven);
                proof.places.entry((row.aws_account_id, row.aws_region)).or_default().take(from, to, is_proven);
            })?;
        }
        Ok(proof)
    }

    /// Counts the hours; `None` where no verification ever found a digest.
    pub(crate) fn hours(&self) -> Option<HoursProven> {
        (!self.all.0.is_empty()).then(|| self.all.count())
    }

    /// Counts the hours of a day, `YYYY-MM-DD`, that are proven of an account and a region.
    pub(crate) fn hours_of(&self, account: &str, region: &str, day: &str) -> Option<u64> {
        let hours = self.places.get(&(account.to_owned(), region.to_owned()))?;
        let first = seconds(&format!("{day}T00:00:00Z"))?.div_euclid(HOUR_SECS);
        Some(hours.0.range(first..first + 24).filter(|(_, is_proven)| **is_proven).count() as u64)
    }
}

/// Counts the hours that verifications of a lake have proven, of those that they looked at; `None` where there was none.
pub fn proven(lake: &Lake) -> Result<Option<HoursProven>, LakeError> {
    Ok(Proof::read(lake)?.hours())
}

impl Verification<'_> {
    /// Counts the hours.
    pub(super) fn hours(&self, digests: &[Digest], judged: &Judged, logs: &Logs, had: &HadLogs) -> HoursProven {
        let mut hours = Hours::default();
        let mut is_proven: Vec<bool> = judged.verdicts.iter().map(|verdict| verdict.state.is_trusted()).collect();
        for log in logs.asked(judged) {
            is_proven[log.digest as usize] &= log.verdict == LogVerdict::Valid;
        }
        for ((digest, verdict), is_proven) in digests.iter().zip(&judged.verdicts).zip(is_proven) {
            if verdict.is_asked {
                hours.take(digest.start, digest.end, is_proven);
            }
        }
        let range = self.verify.range;
        for span in judged.spans.values().flatten().filter(|span| span.kind == SpanKind::Broken) {
            if range.overlaps(span.from, span.to) {
                hours.take(span.from, span.to, false);
            }
        }
        for window in judged.findings.iter().filter(|it| it.kind == Kind::NotCovered).filter_map(|it| it.window) {
            hours.take(window.from, window.to, false);
        }
        for (position, _) in &logs.others {
            let key = self.copies.location(&had.object(*position).source_object);
            if let Some(time) = key.as_ref().and_then(|(_, key)| Some(LogName::of(key)?.time)) {
                let hour = time.div_euclid(HOUR_SECS) * HOUR_SECS;
                hours.take(hour, hour + HOUR_SECS, false);
            }
        }
        hours.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_follow_each_other_are_hours_that_do() {
        let taken = |windows: &[(i64, i64)]| {
            let mut hours = Hours::default();
            for (from, to) in windows {
                hours.take(*from, *to, true);
            }
            hours.0.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(taken(&[(0, 3600), (3600, 7200)]), [0, 1]);
        assert_eq!(taken(&[(1763, 5363), (5363, 8963)]), [0, 1]);
        assert_eq!(taken(&[(1900, 5500), (5500, 9100)]), [1, 2]);
        assert_eq!(taken(&[(3600, 4000)]), [1]);
        assert_eq!(taken(&[(7200, 7200)]), [1]);
        assert_eq!(taken(&[(0, 4 * 3600)]), [0, 1, 2, 3]);
    }
}
