//! The options of a corpus.

use jiff::civil::{Date, date};

use crate::Error;
use crate::clock::{DAY_SECS, midnight};
use crate::tampering::Tampering;

/// Regions that accounts may use, the first ones first.
pub(crate) const REGION_NAMES: [&str; 8] = [
    "eu-central-1",
    "us-east-1",
    "us-west-2",
    "eu-west-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "sa-east-1",
    "ca-central-1",
];

/// The options of a corpus. Equal options give equal bytes.
#[derive(Debug, Clone)]
pub struct CorpusOptions {
    /// Seed of every choice.
    pub seed: u64,
    /// Accounts; when there are several, all but the last are in one organization with one trail.
    pub accounts: usize,
    /// Regions of each account, 8 at most.
    pub regions: usize,
    /// Days that the events cover.
    pub days: u32,
    /// The first of these days (UTC).
    pub first_day: Date,
    /// Distinct events. Every flow occurs at least once, which needs about 400 events, whatever is said here.
    pub records: usize,
    /// Records that one object holds at most.
    pub records_per_object: usize,
    /// Share of the records that flows make; the rest is noise.
    pub flows: f64,
    /// Share of the noise that is `AssumeRole`, beside the tenth of the rest that is so anyway.
    pub assume_role: f64,
    /// Share of the records that are delivered twice.
    pub doubled: f64,
    /// Share of the records that arrive in a later day's folder.
    pub late: f64,
    /// The years whose record shapes occur.
    pub generations: Generations,
    /// True if the trail has digest files.
    pub digests: bool,
    /// True if a second trail delivers every other log file of the first account and region, to the same folders.
    pub second_trail: bool,
    /// The change that is made to the trail after it was signed; needs digests.
    pub tampering: Option<Tampering>,
}

/// The years whose record shapes occur. All are dated by [`CorpusOptions::first_day`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generations {
    /// As in 2014: `eventVersion` 1.02, short ids, a request id of its own for nearly every KMS call.
    Legacy,
    /// As in 2026: `eventVersion` 1.08 to 1.11.
    Modern,
    /// Mostly as in 2026, some as in 2014.
    Both,
}

impl Default for CorpusOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            accounts: 3,
            regions: 2,
            days: 7,
            first_day: date(2026, 3, 2),
            records: 20_000,
            records_per_object: 50,
            flows: 0.08,
            assume_role: 0.0,
            doubled: 0.03,
            late: 0.02,
            generations: Generations::Both,
            digests: false,
            second_trail: false,
            tampering: None,
        }
    }
}

impl CorpusOptions {
    /// Returns the first second, and the second after the last, that events may have.
    pub(crate) fn span(&self) -> Result<(i64, i64), Error> {
        self.check()?;
        let start =
            midnight(self.first_day).ok_or(Error::Options { option: "first_day", allowed: "a year from 1 to 9998" })?;
        Ok((start, start + i64::from(self.days) * DAY_SECS))
    }

    fn check(&self) -> Result<(), Error> {
        let share = 0.0..=1.0;
        let rules = [
            ("accounts", (1..=10_000).contains(&self.accounts), "1 to 10000"),
            ("regions", (1..=REGION_NAMES.len()).contains(&self.regions), "1 to 8"),
            ("days", (1..=36_500).contains(&self.days), "1 to 36500"),
            ("first_day", (1..=9_800).contains(&self.first_day.year()), "a year from 1 to 9800"),
            ("records_per_object", self.records_per_object > 0, "1 or more"),
            ("flows", share.contains(&self.flows), "0 to 1"),
            ("assume_role", share.contains(&self.assume_role), "0 to 1"),
            ("doubled", share.contains(&self.doubled), "0 to 1"),
            ("late", share.contains(&self.late), "0 to 1"),
        ];
        match rules.iter().find(|(_, holds, _)| !holds) {
            Some(&(option, _, allowed)) => Err(Error::Options { option, allowed }),
            None => Ok(()),
        }
    }
}
