//! The count that every object, batch and run must balance.

use std::iter::Sum;
use std::ops::AddAssign;

use serde::Serialize;

/// The counts of the records of an object, a batch or a run, by what became of them.
///
/// ```
/// let tally = trailweave_table::Tally { records: 5, rows: 2, duplicates: 1, filtered: 1, rejects: 1 };
/// assert!(tally.balances());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Records found.
    pub records: u64,
    /// Records that became rows of `events` or `sessions`.
    pub rows: u64,
    /// Records that the lake already had, or that others have amended.
    pub duplicates: u64,
    /// Records outside the lake's choice of events, or of pruned days.
    pub filtered: u64,
    /// Records that became rows of `rejects`.
    pub rejects: u64,
}

impl Tally {
    /// Tells whether every record is accounted for.
    pub fn balances(&self) -> bool {
        self.records == self.rows + self.duplicates + self.filtered + self.rejects
    }

    /// Says that so many rows turned out to be duplicates.
    pub fn count_duplicates(&mut self, n: u64) {
        self.rows -= n;
        self.duplicates += n;
    }

    /// Says that so many rows are not kept by the lake after all.
    pub fn count_filtered(&mut self, n: u64) {
        self.rows -= n;
        self.filtered += n;
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.rows += other.rows;
        self.duplicates += other.duplicates;
        self.filtered += other.filtered;
        self.rejects += other.rejects;
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        let mut total = Self::default();
        for tally in tallies {
            total += tally;
        }
        total
    }
}
