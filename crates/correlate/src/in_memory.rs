//! The join of `docs/join.md`, with the whole of it in memory.
//!
//! ```text
//!  events/ --read--> batches --rows--> numbered by (event_time, rid) --join--> links --tables--> correlated/ ..
//!  Parquet            + flags           ids as numbers                by index, as-of           one file per date
//!     ^                                    |
//!     '-- keys of what they reach --reach--'  where only new events are joined, with those that they need
//! ```
//!
//! Rows are numbered in the order in which the page means "first" and "latest", and identifiers become numbers too.
//! So every rule is a look into a sorted list of row numbers, and no text is compared after the rows are read. All of it
//! uses the threads of the pool that it is called in.

mod id;
mod ids;
mod join;
mod numbers;
mod parts;
mod reach;
mod read;
mod replaced;
mod roots;
mod rows;
mod tables;

use std::sync::atomic::Ordering;

use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::Part;
use trailweave_lake::read::{Ask, Keys};
use trailweave_table::CORRELATED;

use crate::CorrelateError;
use crate::Progress;
use crate::in_memory::join::Join;
use crate::in_memory::parts::{Parts, look_up};
use crate::in_memory::reach::{Reach, Wanted};
use crate::in_memory::read::{Batch, IdColumn};
use crate::in_memory::rows::Rows;
use crate::product::Replacement;

/// Tenths of the given memory for the rows as read. The numbers and sorted lists take about half as much again.
const ROWS_TENTHS: u64 = 6;

/// Computes every product of the lake, whose events stand in `parts`; returns how many files, or nothing if the events
/// do not fit.
pub(crate) fn correlate(
    products: &Replacement<'_>,
    parts: &[Part],
    memory_bytes: u64,
    progress: &Progress,
) -> Result<Option<u64>, CorrelateError> {
    let mut open = open(products, parts, memory_bytes)?;
    let Some(batches) = open.all(|_| true)? else {
        return Ok(None);
    };
    progress.steps.store(3, Ordering::Relaxed);
    progress.steps_done.store(1, Ordering::Relaxed);
    let mut rows = Rows::new(&batches);
    let join = Join::new(&mut rows);
    progress.steps_done.store(2, Ordering::Relaxed);
    let files = tables::write(products, &rows, &join, None)?;
    progress.steps_done.store(3, Ordering::Relaxed);
    Ok(Some(files))
}

/// Computes what the events that the products do not cover can change; returns how many files that were, or nothing if
/// that cannot be told from others or does not fit.
pub(crate) fn correlate_new(
    products: &Replacement<'_>,
    parts: &[Part],
    covered: &Covered,
    memory_bytes: u64,
    progress: &Progress,
) -> Result<Option<u64>, CorrelateError> {
    let lake = products.lake();
    let mut open = open(products, parts, memory_bytes)?;
    let Some(mut batches) = open.all(|part| !covered.has(lake.below(&part.path), part.bytes))? else {
        return Ok(None);
    };
    let n_new = batches.len();
    let (mut asked, mut linked) = (Wanted::default(), Keys::default());
    loop {
        let mut rows = Rows::new(&batches);
        if !rows.all().all(|row| rows.id(IdColumn::Event, row as usize).is_some()) {
            // Without its id a row cannot be told from others of its product.
            return Ok(None);
        }
        let reach = Reach::new(&rows, |row| rows.batch(row) < n_new, &linked);
        let mut wanted = reach.wanted();
        wanted.take_new(&mut asked);
        progress.steps.store(progress.steps.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if wanted.is_empty() {
            let replaced = replaced::of(&reach, lake)?;
            drop(reach);
            let join = Join::new(&mut rows);
            return tables::write(products, &rows, &join, Some(&replaced)).map(Some);
        }
        drop(reach);
        let Some(found) = find(&mut open, lake, &wanted, &mut linked)? else { return Ok(None) };
        batches.extend(found);
        progress.steps_done.fetch_add(1, Ordering::Relaxed);
    }
}

fn open<'l>(products: &Replacement<'l>, parts: &[Part], memory_bytes: u64) -> Result<Parts<'l>, CorrelateError> {
    Parts::open(products.lake(), parts.to_vec(), memory_bytes / 10 * ROWS_TENTHS)
}

/// Reads what is wanted. The ids of KMS events that `correlated` links to wanted causes and callers go to `linked`.
fn find(
    parts: &mut Parts<'_>,
    lake: &Lake,
    wanted: &Wanted,
    linked: &mut Keys,
) -> Result<Option<Vec<Batch>>, CorrelateError> {
    let asks = [
        Ask { column: "ec2_event_id", keys: &wanted.causes },
        Ask { column: "launch_event_id", keys: &wanted.causes },
        Ask { column: "caller_instance_id", keys: &wanted.callers },
    ];
    let found = look_up(lake, &CORRELATED, "kms_event_id", &asks)?;
    let Some(ids) = found.values.into_iter().collect::<Option<Keys>>() else { return Ok(None) };
    let of_linked = Wanted::of_events(&ids);
    linked.extend(ids);
    parts.find(&[wanted.asks(), of_linked.asks()].concat())
}
