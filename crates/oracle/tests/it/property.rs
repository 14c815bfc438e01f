//! The oracle's view of random worlds, and the variety of these.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use trailweave_oracle::Event;
use trailweave_oracle::Row;
use trailweave_oracle::correlate;
use trailweave_oracle::differences;
use trailweave_oracle::world::runner;
use trailweave_oracle::world::shuffle;
use trailweave_oracle::world::world;

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
    let outcome = runner(128).run(&world(60..160), |events| {
        let products = correlate(&events);
        let count = |what: &str| *counts.borrow_mut().entry(what.to_owned()).or_default() += 1;
        let is_of_role = |row: &&Row| row.value("grantee_principal").is_some_and(|it| it.contains("/autoscaling."));
        products.grants.iter().filter(is_of_role).for_each(|_| count("grant to a role"));
        for row in products.correlated {
            let is_of_other = row.value("kms_invoked_by").is_some_and(|it| OTHER_SERVICES.contains(&it));
            if is_of_other && row.value("link") == Some("resource") {
                count("resource of another service");
            }
            let event = events.iter().find(|it| it.event_id.as_deref() == row.value("kms_event_id"));
            let names = |list: fn(&Event) -> &Vec<String>| event.is_some_and(|event| !list(event).is_empty());
            if row.value("link") == Some("request_id") && row.value("grant_id").is_none() {
                for (column, list) in NAMED {
                    if row.value(column).is_some() && !names(list) {
                        count(&format!("{column} of the request"));
                    }
                }
            }
            let link = row.value("link").unwrap_or_default();
            let why = row.value("unmatched_reason").or_else(|| row.value("confidence")).unwrap_or_default();
            count(&format!("{link} {why}"));
            let root = row.value("root_source").unwrap_or_default();
            count(&format!("root {root}"));
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
        "resource inferred",
        "resource of another service",
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
        "grant to a role",
        "volume_id of the request",
        "snapshot_id of the request",
    ] {
        assert!(counts.get(wanted).is_some_and(|n| *n >= 20), "{wanted} is rare: {counts:#?}");
    }
}

const OTHER_SERVICES: [&str; 4] =
    ["backup.amazonaws.com", "dlm.amazonaws.com", "fargate.amazonaws.com", "rds.amazonaws.com"];

/// A kind of identifier that events name, and that rows may also have from elsewhere.
type Named = (&'static str, fn(&Event) -> &Vec<String>);
const NAMED: [Named; 2] = [("volume_id", |event| &event.volume_ids), ("snapshot_id", |event| &event.snapshot_ids)];
