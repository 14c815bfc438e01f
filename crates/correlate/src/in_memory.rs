//! The join of `docs/join.md` with the whole of it in memory, where it fits; else the steps in SQL, which spill.
//!
//! ```text
//!  events/ --read--> batches --rows--> numbered by (event_time, rid) --join--> links --tables--> correlated/ ..
//!  Parquet            + flags           ids as numbers                by index, as-of           one file per date
//! ```
//!
//! Rows are numbered in the order in which the page means "first" and "latest", and identifiers become numbers too.
//! So every rule is a look into a sorted list of row numbers, and no text is compared after the rows are read.

mod ids;
mod join;
mod read;
mod roots;
mod rows;
mod tables;

use std::sync::atomic::Ordering;

use trailweave_lake::Lake;

use crate::Correlate;
use crate::CorrelateError;
use crate::Progress;
use crate::in_memory::join::Join;
use crate::in_memory::read::read;
use crate::in_memory::rows::Rows;

/// Of the memory given, the tenths for the rows as read. What is numbered and sorted takes about half as much again.
const ROWS_TENTHS: u64 = 6;

/// Computes and writes every product; returns how many files, or nothing if the events do not fit.
pub(crate) fn correlate(lake: &Lake, options: &Correlate, progress: &Progress) -> Result<Option<u64>, CorrelateError> {
    let Some(batches) = read(lake, options.memory_bytes / 10 * ROWS_TENTHS, options.threads)? else {
        return Ok(None);
    };
    progress.steps.store(3, Ordering::Relaxed);
    progress.steps_done.store(1, Ordering::Relaxed);
    let mut rows = Rows::new(&batches);
    let join = Join::new(&mut rows);
    progress.steps_done.store(2, Ordering::Relaxed);
    let files = tables::write(lake, &rows, &join, options.threads, progress)?;
    progress.steps_done.store(3, Ordering::Relaxed);
    Ok(Some(files))
}
