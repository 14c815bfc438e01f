//! A lake that is correlated delivery by delivery has the products, to the byte, of one that is correlated at once.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::select;
use trailweave_correlate::CorrelateOptions;
use trailweave_correlate::Progress;
use trailweave_correlate::Scope;
use trailweave_correlate::correlate;
use trailweave_lake::Lake;
use trailweave_oracle::Event;
use trailweave_oracle::batch;
use trailweave_oracle::deliver;
use trailweave_oracle::files;
use trailweave_oracle::world::runner;
use trailweave_oracle::world::shuffle;
use trailweave_oracle::world::worlds;

use crate::lake::OPTIONS;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[test]
fn deliveries_in_any_order_end_as_all_at_once() {
    check(4, 20, 30..120, 0);
}

#[test]
fn deliveries_of_several_days_in_any_order_end_as_all_at_once() {
    check(4, 20, 30..120, 4);
}

#[test]
fn deliveries_to_tiny_worlds_end_as_all_at_once() {
    check(4, 200, 2..20, 3);
}

#[test]
fn a_later_attachment_reaches_what_a_detachment_has_left_without_one() {
    let event = |id: &str, seconds: i64, region: &str, service: &str, name: &str| Event {
        event_id: Some(id.into()),
        event_time: 1_788_264_000_000 + seconds * 1000,
        event_source: Some(format!("{service}.amazonaws.com")),
        event_name: Some(name.into()),
        aws_region: Some(region.into()),
        recipient_account_id: Some("111122223333".into()),
        volume_ids: vec!["vol-0000000a".into()],
        ..Event::default()
    };
    let at = |instance: &str, event: Event| Event { instance_ids: vec![instance.into()], ..event };
    for [attached, detached] in [["eu-west-1"; 2], ["us-east-1", "us-west-2"]] {
        let decrypt = Event {
            user_identity_type: Some("AWSService".into()),
            invoked_by: Some("ebs.amazonaws.com".into()),
            ..event("decrypt", 110, "eu-west-1", "kms", "Decrypt")
        };
        let first = [
            at("i-0000000a", event("attach", 60, attached, "ec2", "AttachVolume")),
            at("i-0000000a", event("detach", 90, detached, "ec2", "DetachVolume")),
            decrypt,
        ];
        let later = [at("i-0000000b", event("attach-again", 210, attached, "ec2", "AttachVolume"))];
        delivered("all", &[&first, &later], None).unwrap();
    }
}

/// Delivers several worlds in parts, in a random order; an event may be up to so many days later.
fn check(n_lakes: u32, n_worlds: usize, n_events: Range<usize>, days: i64) {
    let strategy =
        (worlds(n_worlds, n_events), 2..6_usize, any::<u64>(), 1..2000_usize, select(&["relevant", "all"][..]));
    let outcome = runner(n_lakes).run(&strategy, |(worlds, n_deliveries, seed, slice_rows, choice)| {
        let mut events = worlds.concat();
        shuffle(&mut events, seed);
        for (n, event) in (0..).zip(&mut events) {
            event.event_time += if days == 0 { 0 } else { (n * 7919 + 3) % days * DAY_MS };
        }
        let size = events.len().div_ceil(n_deliveries);
        let deliveries: Vec<&[Event]> = events.chunks(size).collect();
        delivered(choice, &deliveries, NonZeroUsize::new(slice_rows))
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Joins what is new after each delivery, in slices, and all of it at the end, at once.
fn delivered(choice: &str, deliveries: &[&[Event]], slice_rows: Option<NonZeroUsize>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), Some(choice)).unwrap();
    let run = |scope, slice_rows| {
        let options = CorrelateOptions { scope, slice_rows, ..OPTIONS };
        correlate(&lake, &options, &Progress::default()).unwrap()
    };
    for (at, events) in deliveries.iter().enumerate() {
        deliver(&lake, at, &batch(events));
        let summary = run(Scope::New, slice_rows);
        prop_assert_eq!(summary.scope, if at == 0 { Scope::Whole } else { Scope::New });
    }
    let found = files(&lake);
    run(Scope::Whole, None);
    let expected = files(&lake);
    let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    prop_assert_eq!(names(&found), names(&expected));
    for ((path, found), (_, expected)) in found.iter().zip(&expected) {
        prop_assert!(found == expected, "{} differs", path.display());
    }
    Ok(())
}
