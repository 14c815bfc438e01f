//! The results of a run, done or planned.

use std::collections::BTreeSet;

use serde::Serialize;
use trailweave_table::Tally;

use crate::ledger::LedgerEntry;
use crate::quarantine::QuarantinedObject;
use crate::source::skipped::Skipped;
use crate::source::span::Span;

/// How many quarantined objects a summary names; the ledger names all.
const NAMED: usize = 20;

/// The results of a run. Each object that it met is counted once: `objects_listed` is the sum of the other counts of
/// objects.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// The span of the trail, where the sources hold nothing that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing_matched: Option<Span>,
    /// Objects that the sources hold, and those that only the plan of an unfinished run named.
    pub objects_listed: u64,
    /// Objects that the ledger already knew.
    pub objects_known: u64,
    /// Objects outside the filter; of S3 only those in folders that had to be listed.
    pub objects_filtered: u64,
    /// Objects that are not CloudTrail objects, or not named so.
    pub objects_skipped: u64,
    /// The same by reason, with the folders that were passed over as a whole.
    pub skipped: Skipped,
    /// Objects whose rows were committed.
    pub objects_done: u64,
    /// Objects that were refused as a whole.
    pub objects_quarantined: u64,
    /// Objects that were deleted before they were read.
    pub objects_gone: u64,
    /// Objects that changed or could not be read; the next run tries them again.
    pub objects_left: u64,
    /// Messages of a queue that were received.
    pub messages_received: u64,
    /// Messages that were deleted because the lake has all that they tell of; the others are left in the queue.
    pub messages_deleted: u64,
    /// Size of the objects done and quarantined, as stored.
    pub bytes: u64,
    /// Size of the objects done, inflated.
    pub inflated_bytes: u64,
    /// The counts of the records of the objects done.
    pub tally: Tally,
    /// The objects of the lake that gave no row, whichever run read them.
    pub in_quarantine: InQuarantine,
    /// Rows of earlier runs that records of this one amend: they are rows no more.
    pub rows_amended: u64,
    /// Files of `events`, `sessions` and `rejects` that were written.
    pub parts: u64,
    /// The first of the quarantined objects.
    pub quarantined: Vec<Quarantined>,
    /// The dates, `YYYY-MM-DD`, that got new rows.
    pub event_dates: BTreeSet<String>,
}

/// The objects of a lake that stand in quarantine, until they are read or dismissed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct InQuarantine {
    /// Objects that were refused as a whole.
    pub refused: u64,
    /// Objects of which every record was rejected.
    pub rejected: u64,
}

impl InQuarantine {
    /// Tells whether there are none.
    pub fn is_empty(self) -> bool {
        self.refused + self.rejected == 0
    }

    pub(crate) fn count(&mut self, object: &QuarantinedObject) {
        let count = if object.is_refused { &mut self.refused } else { &mut self.rejected };
        *count += 1;
    }
}

/// An object that was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Its name in the lake.
    pub source_object: String,
    /// Why, with every cause.
    pub error: String,
}

/// The objects that a run would read, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PlanSummary {
    /// The span of the trail, where the sources hold nothing that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing_matched: Option<Span>,
    /// Objects that the sources hold.
    pub objects_listed: u64,
    /// Listed objects that the ledger knows.
    pub objects_known: u64,
    /// Listed objects that are outside the filter.
    pub objects_filtered: u64,
    /// Listed objects that are not CloudTrail objects, or not named so.
    pub objects_skipped: u64,
    /// The same by reason, with the folders that were passed over as a whole.
    pub skipped: Skipped,
    /// Objects that would be read.
    pub objects: u64,
    /// Their size as stored.
    pub bytes: u64,
    /// The batches in which they would be committed.
    pub batches: u64,
    /// The LIST requests to S3 that finding this out took, and that a run would make again.
    pub list_requests: u64,
    /// The GET requests to S3 that a run would make.
    pub get_requests: u64,
    /// The runs that did not end; their plans are finished first.
    pub unfinished_runs: Vec<String>,
}

impl Summary {
    /// Counts what was committed.
    pub(crate) fn add(&mut self, entry: &LedgerEntry) {
        self.bytes += entry.bytes;
        self.tally += entry.tally;
        let Some(error) = &entry.error else {
            self.objects_done += 1;
            return;
        };
        self.objects_quarantined += 1;
        if self.quarantined.len() < NAMED {
            let (source_object, error) = (entry.source_object.to_string(), error.clone());
            self.quarantined.push(Quarantined { source_object, error });
        }
    }

    /// Counts rows that left the lake, which this run or an earlier one had brought.
    pub(crate) fn subtract(&mut self, n_rows: u64, is_of_this_run: bool) {
        if is_of_this_run {
            self.tally.count_duplicates(n_rows);
        } else {
            self.rows_amended += n_rows;
        }
    }

    /// Tells whether it read anything, or tried to.
    pub(crate) fn did_anything(&self) -> bool {
        self.objects_done + self.objects_quarantined + self.objects_gone + self.objects_left > 0
    }

    /// Counts the objects met, once all else is counted.
    pub(crate) fn close(&mut self) {
        self.objects_listed = self.objects_known
            + self.objects_filtered
            + self.objects_skipped
            + self.objects_done
            + self.objects_quarantined
            + self.objects_gone
            + self.objects_left;
    }
}
