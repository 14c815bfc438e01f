//! The progress of a run, for those who watch it.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// The progress of a run. Every number only grows while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    /// Objects that the run will read.
    pub objects_planned: AtomicU64,
    /// Their size as stored.
    pub bytes_planned: AtomicU64,
    /// Objects that were read, quarantined or left.
    pub objects_done: AtomicU64,
    /// Their size as stored.
    pub bytes_done: AtomicU64,
    /// Records found.
    pub records: AtomicU64,
    /// Records that became rows, some of which the lake may already have.
    pub rows: AtomicU64,
}

/// Adds to one of the numbers.
pub(crate) fn add(number: &AtomicU64, more: u64) {
    number.fetch_add(more, Relaxed);
}
