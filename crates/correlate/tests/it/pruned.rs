//! A pruned lake keeps the rows of the days that are left as they were, however they are computed again.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use trailweave_correlate::{CorrelateError, Progress, Scope, correlate, prune};
use trailweave_correlate::{CorrelateOptions, Pruned};
use trailweave_lake::{Change, Lake, LakePlace, LeaseTimes, PublishOptions, publish};
use trailweave_oracle::world::{runner, shuffle, worlds};
use trailweave_oracle::{Event, batch, deliver, events_from, files, rows_of};
use trailweave_table::{DATE_PARTITION, JOINED, LOGGED, REMEMBERED, TABLES, Table, day_of_date, day_of_time};

use crate::dying::Dying;
use crate::lake::OPTIONS;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// The first day of the worlds.
const FIRST: i64 = 1_788_306_600_000;

type Files = Vec<(PathBuf, Vec<u8>)>;

fn run(lake: &Lake, scope: Scope, slice_rows: Option<NonZeroUsize>) {
    correlate(lake, &CorrelateOptions { scope, slice_rows, ..OPTIONS }, &Progress::default()).unwrap();
}

fn pruned(lake: &Lake, before: i32) -> Pruned {
    let mut change = Change::new(lake, "prune");
    let pruned = prune(lake, before, &mut change).unwrap();
    lake.stage_pruned(before, &mut change).unwrap();
    change.commit().unwrap();
    pruned
}

/// The files of the products below the lake, but for those of what happened on pruned days.
fn kept(lake: &Lake, before: i32) -> Files {
    let is_kept = |path: &Path| {
        let date = path.iter().nth(1).unwrap().to_str().unwrap();
        let day = day_of_date(date.strip_prefix(DATE_PARTITION).unwrap().strip_prefix('=').unwrap()).unwrap();
        day >= before || !(path.starts_with("correlated") || path.starts_with("attachments"))
    };
    let below = |(path, content): (PathBuf, Vec<u8>)| (lake.below(&path).to_owned(), content);
    files(lake).into_iter().map(below).filter(|(path, _)| is_kept(path)).collect()
}

fn assert_same(found: &Files, expected: &Files, when: &str) -> Result<(), TestCaseError> {
    let names = |files: &Files| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    prop_assert_eq!(names(found), names(expected), "{}", when);
    for ((path, found), (_, expected)) in found.iter().zip(expected) {
        prop_assert!(found == expected, "{when}: {} differs", path.display());
    }
    Ok(())
}

/// Copies what the join reads of a lake into a new one.
fn copy_of(lake: &Lake, choice: &str) -> (tempfile::TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let copy = Lake::open_or_create(folder.path(), Some(choice)).unwrap();
    for part in JOINED.into_iter().flat_map(|table| lake.parts(table).unwrap()) {
        let to = folder.path().join(lake.below(&part.path));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&part.path, to).unwrap();
    }
    (folder, copy)
}

/// Worlds whose events lie on some days, in an order of their arrival.
fn scattered(worlds: &[Vec<Event>], seed: u64, days: i64) -> Vec<Event> {
    let mut events = worlds.concat();
    shuffle(&mut events, seed);
    for (n, event) in (0..).zip(&mut events) {
        event.event_time += (n * 7919 + 3) % days * DAY_MS;
    }
    events
}

fn check(n_lakes: u32, n_worlds: usize, n_events: std::ops::Range<usize>) {
    let how = (any::<u64>(), 1..2000_usize, select(&["relevant", "all"][..]), 1..3_i32, any::<bool>());
    let outcome = runner(n_lakes).run(&(worlds(n_worlds, n_events), how), |(worlds, how)| {
        let (seed, slice_rows, choice, n_days, in_two) = how;
        let events = scattered(&worlds, seed, 2);
        let before = day_of_time(FIRST) + n_days;
        let is_kept = |event: &&Event| day_of_time(event.event_time) >= before;
        let (first, last) = events.split_at(events.len() / 4 * 3);
        let later: Vec<Event> = last.iter().filter(is_kept).cloned().collect();
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_or_create(folder.path(), Some(choice)).unwrap();
        deliver(&lake, 0, &batch(first));
        run(&lake, Scope::New, None);
        let expected = kept(&lake, before);
        if in_two {
            pruned(&lake, before - 1);
        }
        pruned(&lake, before);
        assert_same(&kept(&lake, i32::MIN), &expected, "pruned")?;
        run(&lake, Scope::New, None);
        assert_same(&kept(&lake, i32::MIN), &expected, "then correlated")?;
        run(&lake, Scope::Whole, None);
        assert_same(&kept(&lake, i32::MIN), &expected, "then from all events")?;
        run(&lake, Scope::Whole, NonZeroUsize::new(slice_rows));
        assert_same(&kept(&lake, i32::MIN), &expected, "then in slices")?;
        let (_folder, younger) = copy_of(&lake, choice);
        for lake in [&lake, &younger] {
            deliver(lake, 1, &batch(&later));
        }
        run(&lake, Scope::New, NonZeroUsize::new(slice_rows));
        run(&younger, Scope::Whole, None);
        assert_same(&kept(&lake, i32::MIN), &kept(&younger, before), "with late events")
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn what_a_pruned_lake_keeps_is_what_it_was_and_what_its_events_make() {
    check(4, 20, 30..120);
}

#[test]
fn tiny_pruned_lakes_keep_what_they_had() {
    check(6, 100, 2..20);
}

/// Copies a lake into a store, where it is published.
fn published_copy(lake: &Lake) -> Arc<dyn ObjectStore> {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for file in lake.files(lake.root()).unwrap() {
        let key = Key::from(format!("lake/{}", lake.below(&file.path).display()));
        store.put(&key, fs::read(&file.path).unwrap().into()).now_or_never().unwrap().unwrap();
    }
    let copy = lake_in(Arc::clone(&store));
    copy.begin_publishing(&PublishOptions::default()).unwrap();
    assert!(publish_all(&copy));
    store
}

fn lake_in(store: Arc<dyn ObjectStore>) -> Lake {
    Lake::open_at(&LakePlace::remote("s3://bucket/lake", store, LeaseTimes::default()).unwrap()).unwrap()
}

/// Tells whether the Iceberg tables held other files than the lake's.
fn publish_all(lake: &Lake) -> bool {
    let one = |table: &'static Table| publish(lake, table, &lake.parts(table).unwrap(), "publish").unwrap();
    TABLES.into_iter().filter(|table| one(table)).count() > 0
}

/// The files of a lake that readers and the next run see.
fn seen(lake: &Lake) -> Files {
    let state = ["pruned.json", "covered.json"].map(|name| lake.state_dir().join(name));
    let parts = TABLES.into_iter().chain([&REMEMBERED]).flat_map(|table| lake.parts(table).unwrap());
    let paths = parts.map(|part| part.path).chain(state);
    paths.map(|path| (path.clone(), lake.read(&path).unwrap().unwrap_or_default())).collect()
}

#[test]
fn a_prune_that_is_killed_at_any_step_leaves_the_old_lake_or_the_pruned_one() {
    let world = worlds(6, 30..60).new_tree(&mut runner(1)).unwrap().current();
    let folder = tempfile::tempdir().unwrap();
    let local = Lake::open_or_create(folder.path(), None).unwrap();
    deliver(&local, 0, &batch(&scattered(&world, 7, 2)));
    run(&local, Scope::New, None);
    let before = day_of_time(FIRST) + 1;
    let whole = lake_in(published_copy(&local));
    let old = seen(&whole);
    assert!(pruned(&whole, before).remembered > 0);
    let new = seen(&whole);
    let mut n_seen = BTreeSet::new();
    for left in 0.. {
        let store = published_copy(&local);
        let killed = lake_in(Arc::new(Dying::new(&store, left)));
        let mut change = Change::new(&killed, "prune");
        let outcome = prune(&killed, before, &mut change)
            .and_then(|_| Ok(killed.stage_pruned(before, &mut change)?))
            .and_then(|()| Ok(change.commit()?));
        let lake = lake_in(store);
        drop(lake.lock().unwrap());
        let found = seen(&lake);
        let is_old = found == old;
        assert!(is_old || found == new, "{left}");
        assert!(!publish_all(&lake), "{left}: the Iceberg tables follow");
        n_seen.insert(is_old);
        run(&lake, Scope::New, None);
        assert!(seen(&lake) == found, "{left}: correlating again changes nothing");
        if is_old {
            pruned(&lake, before);
            assert!(seen(&lake) == new, "{left}: another prune does it");
        }
        if outcome.is_ok() {
            break;
        }
    }
    assert_eq!(n_seen.len(), 2);
}

#[test]
fn a_lake_whose_tables_lag_is_not_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let event = |event_time| Event {
        event_id: Some(format!("{event_time}")),
        event_time,
        event_source: Some("ec2.amazonaws.com".into()),
        event_name: Some("RunInstances".into()),
        ..Event::default()
    };
    deliver(&lake, 0, &batch(&[event(FIRST)]));
    let tried = |before| prune(&lake, before, &mut Change::new(&lake, "prune"));
    let day = day_of_time(FIRST);
    assert!(matches!(tried(day + 1), Err(CorrelateError::Behind)));
    run(&lake, Scope::New, None);
    deliver(&lake, 1, &batch(&[event(FIRST + 1)]));
    assert!(matches!(tried(day + 1), Err(CorrelateError::Behind)));
    assert_eq!(tried(day).unwrap(), Pruned::default());
    assert_eq!(LOGGED.map(|table| lake.parts(table).unwrap().len()), [2, 0]);
}

#[test]
fn what_changed_a_key_is_remembered_and_other_calls_of_it_are_not() {
    const CHANGES: [&str; 5] = ["CancelKeyDeletion", "DisableKey", "EnableKey", "PutKeyPolicy", "ScheduleKeyDeletion"];
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), Some("all")).unwrap();
    let event = |service: &str, name: &str| Event {
        event_id: Some(format!("{service} {name}")),
        event_time: FIRST,
        event_source: Some(format!("{service}.amazonaws.com")),
        event_name: Some(name.into()),
        error_code: Some("AccessDenied".into()),
        principal_arn: Some("arn:alice".into()),
        key_arn: Some("arn:key".into()),
        source_object: Some("object".into()),
        source_index: Some(0),
        ..Event::default()
    };
    let changes = CHANGES.map(|name| event("kms", name));
    let others = [event("kms", "Decrypt"), event("kms", "DescribeKey"), event("events", "DisableKey")];
    deliver(&lake, 0, &batch(&[&changes[..], &others].concat()));
    run(&lake, Scope::New, None);
    assert_eq!(pruned(&lake, day_of_time(FIRST) + 1).remembered, 5);
    let mut remembered = events_from(&rows_of(&lake, &REMEMBERED));
    remembered.sort_by(|one, other| one.event_name.cmp(&other.event_name));
    assert_eq!(remembered, changes);
}
