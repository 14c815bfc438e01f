//! A join beside the oracle, on all that it can be asked about.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::array::UInt32Array;
use arrow::compute::concat_batches;
use arrow::compute::take_record_batch;
use proptest::prelude::*;
use trailweave_table::EVENTS;

use crate::Event;
use crate::Products;
use crate::batch;
use crate::cases;
use crate::correlate;
use crate::differences;
use crate::events_from;
use crate::together;
use crate::world::runner;
use crate::world::shuffle;
use crate::world::worlds;

/// Asserts that a join says of all cases at once what the oracle says of each.
pub fn assert_agrees_on_cases(join: impl Fn(&[RecordBatch]) -> Products) {
    let deliveries: Vec<RecordBatch> = cases().into_iter().map(|case| case.events).collect();
    assert_equal(&join(&[concat_batches(&EVENTS.schema(), &deliveries).unwrap()]), &products_of_each());
}

/// Asserts that a join says the same of records that arrive backwards in several files, and so does the oracle.
pub fn assert_agrees_on_cases_backwards(join: impl Fn(&[RecordBatch]) -> Products) {
    const N_FILES: usize = 3;
    let mut files = vec![Vec::new(); N_FILES];
    for case in cases() {
        for (at, row) in (0..u32::try_from(case.events.num_rows()).unwrap()).rev().enumerate() {
            files[at % N_FILES].push(take_record_batch(&case.events, &UInt32Array::from(vec![row])).unwrap());
        }
    }
    let files: Vec<_> = files.iter().map(|rows| concat_batches(&EVENTS.schema(), rows).unwrap()).collect();
    let expected = products_of_each();
    assert_equal(&join(&files), &expected);
    assert_equal(&correlate(&events_from(&files)), &expected);
}

/// Returns what the oracle says of each case alone, together.
fn products_of_each() -> Products {
    together(cases().into_iter().map(|case| correlate(&events_from(&[case.events]))))
}

fn assert_equal(found: &Products, expected: &Products) {
    assert!(found == expected, "{}", differences(found, expected));
}

/// Lets a join run `n_lakes` times on several worlds at once, and the oracle on each.
///
/// A join may cost a second whatever it runs on, so it runs on many worlds at once.
pub fn assert_agrees_on_worlds(
    join: impl Fn(&[RecordBatch]) -> Products,
    n_lakes: u32,
    n_worlds: usize,
    n_events: Range<usize>,
) {
    let strategy = (worlds(n_worlds, n_events), 1..5_usize, any::<u64>());
    let outcome = runner(n_lakes).run(&strategy, |(worlds, n_files, seed)| {
        let expected = together(worlds.iter().map(|events| correlate(events)));
        let found = join(&delivered(&worlds.concat(), n_files, seed));
        prop_assert!(found == expected, "{}", differences(&found, &expected));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Brings events into a random order, in `n_files` deliveries.
fn delivered(events: &[Event], n_files: usize, seed: u64) -> Vec<RecordBatch> {
    let mut shuffled = events.to_vec();
    shuffle(&mut shuffled, seed);
    let files: Vec<_> = shuffled.chunks(shuffled.len().div_ceil(n_files)).map(batch).collect();
    assert_eq!(events_from(&files), shuffled);
    files
}
