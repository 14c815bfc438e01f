//! The steps give what the oracle gives, on flows as AWS logs them and on random events, and the bytes of the join in memory.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use trailweave_correlate::CorrelateOptions;
use trailweave_correlate::Progress;
use trailweave_correlate::Scope;
use trailweave_correlate::correlate;
use trailweave_lake::Lake;
use trailweave_oracle::Products;
use trailweave_oracle::assert_agrees_on_cases;
use trailweave_oracle::assert_agrees_on_cases_backwards;
use trailweave_oracle::assert_agrees_on_worlds;
use trailweave_oracle::deliver;
use trailweave_oracle::files;
use trailweave_oracle::products;
use trailweave_oracle::rows_of;
use trailweave_table::EVENTS;
use trailweave_table::SESSIONS;

use crate::runner::run;

#[test]
fn the_steps_say_of_all_cases_what_the_oracle_says_of_each() {
    assert_agrees_on_cases(products_of_steps);
}

#[test]
fn the_steps_say_the_same_of_records_that_arrive_backwards_in_several_files() {
    assert_agrees_on_cases_backwards(products_of_steps);
}

#[test]
fn steps_and_oracle_agree_on_any_world() {
    assert_agrees_on_worlds(products_of_steps, 6, 8, 60..160);
}

#[test]
fn steps_and_oracle_agree_on_tiny_worlds() {
    assert_agrees_on_worlds(products_of_steps, 4, 100, 2..24);
}

/// Returns the products that the steps make of `deliveries`, which are the bytes that the join in memory makes.
fn products_of_steps(deliveries: &[RecordBatch]) -> Products {
    let [of_relevant, of_all] = ["relevant", "all"].map(|events| products_of_steps_in(events, deliveries));
    assert!(of_relevant == of_all, "sessions make other products than their events");
    of_all
}

fn products_of_steps_in(events: &str, deliveries: &[RecordBatch]) -> Products {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let in_memory = Lake::open_or_create(other.path(), Some(events)).unwrap();
    for (at, delivery) in deliveries.iter().enumerate() {
        deliver(&in_memory, at, delivery);
    }
    let by_steps = Lake::open_or_create(folder.path(), Some(events)).unwrap();
    run(&rows_of(&in_memory, &EVENTS), &rows_of(&in_memory, &SESSIONS), &by_steps);
    let threads = NonZeroUsize::new(2).unwrap();
    let options =
        CorrelateOptions { memory_bytes: 256 << 20, threads, slice_rows: None, scope: Scope::Whole, give_back: || () };
    correlate(&in_memory, &options, &Progress::default()).unwrap();
    assert!(named(&by_steps) == named(&in_memory), "the steps make other bytes than the join in memory");
    products(&by_steps)
}

/// The content of every file of the products, by path below the lake.
fn named(lake: &Lake) -> Vec<(PathBuf, Vec<u8>)> {
    files(lake).into_iter().map(|(path, content)| (lake.below(&path).to_owned(), content)).collect()
}
