//! On small dense worlds of random events the plan gives what the oracle gives, in whatever order they arrive.
//!
//! A plan costs about a second whatever it runs on, so it runs on many worlds at once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest::test_runner::RngAlgorithm;
use proptest::test_runner::TestRng;
use proptest::test_runner::TestRunner;
use trailweave_correlate::oracle::Event;
use trailweave_correlate::oracle::Products;
use trailweave_correlate::oracle::batch;
use trailweave_correlate::oracle::correlate;
use trailweave_correlate::oracle::events_from;

use crate::lake::differences;
use crate::lake::products_of_plan;
use crate::lake::together;
use crate::world::shuffle;
use crate::world::world;
use crate::world::worlds;

#[test]
fn plan_and_oracle_agree_on_any_world() {
    check(10, 8, 60..160);
}

#[test]
fn plan_and_oracle_agree_on_tiny_worlds() {
    check(8, 100, 2..24);
}

#[test]
fn the_oracle_does_not_depend_on_the_order_of_events() {
    let outcome = runner(64).run(&(world(60..160), any::<u64>()), |(events, seed)| {
        let mut shuffled = events.clone();
        shuffle(&mut shuffled, seed);
        let (found, expected) = (correlate(&shuffled), correlate(&events));
        prop_assert!(found == expected, "{}", differences(&found, &expected));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn worlds_have_every_link_and_every_reason() {
    let counts: RefCell<BTreeMap<String, usize>> = RefCell::default();
    let outcome = runner(64).run(&world(60..160), |events| {
        for row in correlate(&events).correlated {
            let link = row.value("link").unwrap_or_default();
            let why = row.value("unmatched_reason").or_else(|| row.value("confidence")).unwrap_or_default();
            *counts.borrow_mut().entry(format!("{link} {why}")).or_default() += 1;
            let root = row.value("root_source").unwrap_or_default();
            *counts.borrow_mut().entry(format!("root {root}")).or_default() += 1;
        }
        Ok(())
    });
    outcome.unwrap();
    let counts = counts.into_inner();
    for wanted in [
        "request_id exact",
        "grant exact",
        "instance strong",
        "instance inferred",
        "resource exact",
        "volume inferred",
        "none external_service",
        "none instance_role",
        "none denied",
        "none outside_lookback",
        "none no_ec2_event",
        "root direct",
        "root assume_role",
        "root service",
        "root source_identity",
        "root session",
    ] {
        assert!(counts.get(wanted).is_some_and(|n| *n >= 20), "{wanted} is rare: {counts:#?}");
    }
}

/// Lets `n_lakes` times the plan run on several worlds at once, and the oracle on each.
fn check(n_lakes: u32, n_worlds: usize, n_events: Range<usize>) {
    let strategy = (worlds(n_worlds, n_events), 1..5_usize, any::<u64>());
    let outcome = runner(n_lakes).run(&strategy, |(worlds, n_files, seed)| {
        let expected = together(worlds.iter().map(|events| correlate(events)));
        let found = delivered(&worlds.concat(), n_files, seed);
        prop_assert!(found == expected, "{}", differences(&found, &expected));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// The plan's products when the events arrive in a random order, in `n_files` deliveries.
fn delivered(events: &[Event], n_files: usize, seed: u64) -> Products {
    let mut shuffled = events.to_vec();
    shuffle(&mut shuffled, seed);
    let files: Vec<_> = shuffled.chunks(shuffled.len().div_ceil(n_files)).map(batch).collect();
    assert_eq!(events_from(&files), shuffled);
    products_of_plan(&files)
}

pub(crate) fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]))
}
