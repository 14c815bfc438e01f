//! The join and the oracle give the same products, on flows as AWS logs them and on random events.

use trailweave_oracle::assert_agrees_on_cases;
use trailweave_oracle::assert_agrees_on_cases_backwards;
use trailweave_oracle::assert_agrees_on_worlds;

use crate::lake::products_of_join;

#[test]
fn the_join_says_of_all_cases_what_the_oracle_says_of_each() {
    assert_agrees_on_cases(products_of_join);
}

#[test]
fn the_join_says_the_same_of_records_that_arrive_backwards_in_several_files() {
    assert_agrees_on_cases_backwards(products_of_join);
}

#[test]
fn join_and_oracle_agree_on_any_world() {
    assert_agrees_on_worlds(products_of_join, 10, 8, 60..160);
}

#[test]
fn join_and_oracle_agree_on_tiny_worlds() {
    assert_agrees_on_worlds(products_of_join, 8, 100, 2..24);
}
