//! The join of `docs/join.md` in memory: of all events where they fit, else of one slice of time after the other.
//!
//! ```text
//!  events/ --slice--> batches --rows--> numbered by (event_time, rid) --rules--> links --tables--> correlated/ ..
//!  Parquet             + flags           ids as numbers                by index, as-of            one file per date
//!     ^                                    |
//!     '---- keys of what they reach -------'  what earlier slices, and what the products cover, must be read again
//! ```
//!
//! Rows are numbered in the order in which the page means "first" and "latest", and identifiers become numbers too.
//! So every rule is a look into a sorted list of row numbers, and no text is compared after the rows are read. All of it
//! uses the threads of the pool that it is called in.
//!
//! A slice is joined as new events are: with what it reaches among the earlier ones. It replaces rows of the products that
//! the slices before it made, and the lake sees those of the last slice only.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::Ordering;

use trailweave_lake::Part;

use crate::CorrelateError;
use crate::CorrelateOptions;
use crate::Progress;
use crate::parts::Parts;
use crate::replacement::Replacement;
use crate::slice::join;

/// The memory of the program itself, of a part that is being read, and of a file of a product that is being written.
const PROGRAM_BYTES: u64 = 20 << 20;
const READER_BYTES: u64 = 16 << 20;
const WRITER_BYTES: u64 = 20 << 20;
/// Percent of the rest of the memory for the rows as read. The numbers and sorted lists take as much again and a bit more.
const ROWS_PERCENT: u64 = 55;
/// The memory that a row takes as read, as long as nothing better is known.
const ROW_BYTES: u64 = 200;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Percent of the memory for rows that a slice is meant to take, with what it reaches.
const SLICE_PERCENT: u64 = 95;

/// The limits of a fold.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Memory for the rows of a slice and those that it reaches, as read.
    rows_bytes: u64,
    /// Parts that are read at once.
    n_readers: NonZeroUsize,
    /// Files of products that are written at once.
    n_writers: NonZeroUsize,
    slice_rows: Option<NonZeroUsize>,
}

impl Limits {
    fn new(options: &CorrelateOptions) -> Self {
        let memory_bytes = options.memory_bytes;
        // A quarter is for readers or for writers, which never work at once; but one there must be.
        let n_fitting = |bytes: u64| {
            let n = usize::try_from(memory_bytes / 4 / bytes).unwrap_or(usize::MAX);
            NonZeroUsize::new(n).map_or(NonZeroUsize::MIN, |n| n.min(options.threads))
        };
        let (n_readers, n_writers) = (n_fitting(READER_BYTES), n_fitting(WRITER_BYTES));
        let others = PROGRAM_BYTES + WRITER_BYTES * n_writers.get() as u64;
        let rows_bytes = memory_bytes.saturating_sub(others) / 100 * ROWS_PERCENT;
        Self { rows_bytes, n_readers, n_writers, slice_rows: options.slice_rows }
    }
}

/// Brings `products` up to the events of `parts`, of which they cover those that `is_new` does not take. Returns in how
/// many slices.
pub(crate) fn fold(
    products: &Replacement<'_>,
    parts: Vec<Part>,
    is_new: impl Fn(&Part) -> bool + Sync,
    options: &CorrelateOptions,
    progress: &Progress,
) -> Result<u64, CorrelateError> {
    let limits = Limits::new(options);
    let mut parts = Parts::open(products.lake(), parts, is_new, limits.rows_bytes, limits.n_readers)?;
    let Some(times) = parts.times() else { return Ok(0) };
    let (mut from, end) = (*times.start(), times.end().saturating_add(1));
    let mut steps = Steps::new(&parts, from..end, limits);
    progress.rows.store(parts.n_rows(&(from..end)), Ordering::Relaxed);
    let (mut n_slices, mut until) = (0, end);
    while from < end {
        (options.give_back)();
        let slice = from..steps.end_of(&parts, from, until);
        let n_rows = parts.n_rows(&slice);
        if join(products, &mut parts, slice.clone(), limits.n_writers)?.is_some() {
            n_slices += 1;
            (from, until) = (slice.end, end);
            tracing::debug!(n_rows, bytes = parts.taken_bytes(), "a slice is joined");
            steps.has_taken(n_rows, &parts);
            progress.slices_done.fetch_add(1, Ordering::Relaxed);
            progress.rows_done.fetch_add(n_rows, Ordering::Relaxed);
        } else if slice.end - slice.start > 1 {
            tracing::debug!(n_rows, "a slice does not fit into memory with what it reaches; again with half of it");
            steps.was_too_much(n_rows);
            until = from + (slice.end - from) / 2;
        } else {
            return Err(CorrelateError::Memory { memory_bytes: options.memory_bytes, time_ms: slice.start });
        }
    }
    Ok(n_slices)
}

/// The size of the next slice.
#[derive(Debug)]
struct Steps {
    /// Rows in the next slice.
    n_rows: u64,
    max_rows: u64,
}

impl Steps {
    fn new(parts: &Parts<'_>, all: Range<i64>, limits: Limits) -> Self {
        let max_rows = limits.slice_rows.map_or(u64::MAX, |rows| rows.get() as u64);
        let fitting = parts.memory_bytes() / ROW_BYTES;
        let n_rows = if parts.n_rows(&all) <= fitting { u64::MAX } else { fitting / 100 * SLICE_PERCENT };
        Self { n_rows: n_rows.clamp(1, max_rows), max_rows }
    }

    /// Returns the end of the slice that begins at `from`.
    fn end_of(&self, parts: &Parts<'_>, from: i64, end: i64) -> i64 {
        if parts.n_rows(&(from..end)) <= self.n_rows {
            return end;
        }
        let (mut fits, mut beyond) = (from + 1, end);
        while beyond - fits > 1 {
            let middle = fits + (beyond - fits) / 2;
            if parts.n_rows(&(from..middle)) <= self.n_rows { fits = middle } else { beyond = middle }
        }
        // A day whose rows come in one slice is written once.
        let midnight = fits.div_euclid(DAY_MS) * DAY_MS;
        if midnight > from && parts.n_rows(&(from..midnight)) >= self.n_rows / 2 { midnight } else { fits }
    }

    /// Learns from a slice of so many rows how many take their share of the memory: at least half as many as now, at most
    /// twice. A slice that was cut short tells only if it took more than its share.
    fn has_taken(&mut self, n_rows: u64, parts: &Parts<'_>) {
        let (taken, meant) = (parts.taken_bytes(), parts.memory_bytes() / 100 * SLICE_PERCENT);
        if n_rows < self.n_rows / 2 && taken <= meant {
            return;
        }
        let fitting = u128::from(n_rows) * u128::from(meant) / u128::from(taken.max(1));
        let fitting = u64::try_from(fitting).unwrap_or(u64::MAX);
        self.n_rows = fitting.clamp(self.n_rows / 2, self.n_rows.saturating_mul(2)).clamp(1, self.max_rows);
    }

    fn was_too_much(&mut self, n_rows: u64) {
        self.n_rows = (n_rows / 2).max(1);
    }
}
