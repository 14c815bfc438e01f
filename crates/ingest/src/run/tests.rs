//! A run that is killed at any crash point between two steps is finished by the next.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use trailweave_lake::LakePlace;
use trailweave_lake::LeaseTimes;
use trailweave_table::EVENTS;
use trailweave_table::LEDGER;

use super::*;
use crate::Source;
use crate::dying::Dying;
use crate::trail::ACCOUNT;
use crate::trail::Trail;
use crate::trail::event;
use crate::trail::files;
use crate::trail::gz;
use crate::trail::object;
use crate::trail::read;
use crate::trail::texts;

fn options(trail: &Trail) -> IngestOptions {
    IngestOptions {
        sources: vec![Source::Local(trail.source())],
        memory_bytes: 64 << 20,
        threads: NonZeroUsize::new(2).unwrap(),
        fetches: NonZeroUsize::new(64).unwrap(),
        cap_bytes: 1 << 20,
        // Every object is a batch of its own.
        batch_bytes: 1,
        ..IngestOptions::default()
    }
}

/// Three objects with events of two dates, with duplicates within and across, and one that is cut.
fn trail() -> Trail {
    let trail = Trail::new();
    let both_days =
        |n: u32| vec![event(&format!("a{n}"), "2026-09-01T23:59:59Z"), event(&format!("b{n}"), "2026-09-02T00:00:00Z")];
    for n in 0..3 {
        let mut records = both_days(n);
        records.extend(both_days(n / 2));
        records.push("7".to_owned());
        trail.deliver("eu-west-1", "2026/09/02", &n.to_string(), &records);
    }
    let cut = gz(&object(&both_days(9)));
    let key = format!("AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/09/02/cut.json.gz");
    trail.put(&key, &cut[..cut.len() / 2]);
    trail
}

/// A lake in an object store that keeps every record.
fn lake_in_memory(name: &str) -> Lake {
    let place = LakePlace::remote(&format!("s3://bucket/{name}"), Arc::new(InMemory::new()), LeaseTimes::default());
    Lake::open_or_create_at(&place.unwrap(), Some("all")).unwrap()
}

/// In a folder, and in an object store.
const LAKES: [fn(&Trail, &str) -> Lake; 2] = [Trail::lake, |_, name| lake_in_memory(name)];

#[tokio::test]
async fn a_run_killed_at_any_crash_point_leaves_what_the_next_makes_whole() {
    for lake in LAKES {
        // The plan; per batch its parts, their end and the ledger.
        assert!(kill_at_every_crash_point(&trail(), lake, (15, 6, 6, 3)).await > 12);
    }
}

/// Two objects with events of two dates, and two that amend, one of which stands for all of another date.
fn amended_trail() -> Trail {
    let trail = Trail::new();
    let amendment = |id: &str, original: &str, time: &str| {
        let addendum = format!(r#""addendum":{{"reason":"UPDATED_DATA","originalEventID":"{original}"}},"eventID""#);
        event(id, time).replace("\"eventID\"", &addendum)
    };
    let (first, second) = ("2026-09-01T12:00:00Z", "2026-09-02T12:00:00Z");
    let objects = [
        vec![event("a", first), event("b", second), event("c", second)],
        vec![amendment("d", "b", second), amendment("a", "a", second)],
        vec![event("a", first), amendment("e", "b", second), event("f", second)],
        vec![event("b", second), amendment("d", "b", second)],
    ];
    for (n, records) in objects.iter().enumerate() {
        trail.deliver("eu-west-1", "2026/09/02", &n.to_string(), records);
    }
    trail
}

#[tokio::test]
async fn a_run_that_amends_killed_at_any_crash_point_leaves_what_the_next_makes_whole() {
    for lake in LAKES {
        // Besides: the part of the amended date, and before and after its change holds.
        assert!(kill_at_every_crash_point(&amended_trail(), lake, (10, 4, 6, 0)).await > 14);
    }
}

/// Returns how many crash points there are.
async fn kill_at_every_crash_point(
    trail: &Trail,
    new_lake: fn(&Trail, &str) -> Lake,
    expected: (u64, u64, u64, u64),
) -> usize {
    let options = options(trail);
    let whole = new_lake(trail, "whole");
    let _lock = whole.lock().unwrap();
    let tally = ingest(&whole, &options, &Progress::default()).await.unwrap().tally;
    assert_eq!((tally.records, tally.rows, tally.duplicates, tally.rejects), expected);
    let mut crash_points = 0;
    loop {
        let lake = new_lake(trail, &format!("killed-{crash_points}"));
        let killed =
            ingest_until(CrashPoints::end_after(crash_points), &lake, None, &options, &Progress::default()).await;
        if killed.is_ok() {
            return crash_points;
        }
        // A kill in the middle of a local file leaves this as well.
        if lake.object_store().unwrap().is_none() {
            let half = lake.table_dir(&EVENTS).join("event_date=2026-09-01/.part-0123456789abcdef-0.parquet.tmp");
            lake.write(&half, b"PAR1").unwrap();
        }
        let _lock = lake.lock().unwrap();
        let again = ingest(&lake, &options, &Progress::default()).await.unwrap();
        assert_eq!(again.objects_listed, 4, "killed at crash point {crash_points}");
        assert!(files(&lake) == files(&whole), "killed at crash point {crash_points}");
        crash_points += 1;
    }
}

#[tokio::test]
async fn whichever_answer_is_lost_the_next_run_makes_the_lake_whole() {
    let trail = trail();
    let options = options(&trail);
    let whole = lake_in_memory("lake");
    ingest(&whole, &options, &Progress::default()).await.unwrap();
    let lake_in = |store| {
        let place = LakePlace::remote("s3://bucket/lake", store, LeaseTimes::default()).unwrap();
        Lake::open_or_create_at(&place, Some("all")).unwrap()
    };
    for left in 0.. {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        lake_in(Arc::clone(&store));
        let mut losing = Dying::new(&store, left);
        losing.loses_answer = true;
        let outcome = ingest(&lake_in(Arc::new(losing)), &options, &Progress::default()).await;
        let lake = lake_in(store);
        ingest(&lake, &options, &Progress::default()).await.unwrap();
        assert!(files(&lake) == files(&whole), "answer {left} lost");
        if outcome.is_ok() {
            assert!(left > 10, "{left}");
            break;
        }
    }
}

/// Rows that come back for a part that is gone: the tables of the join are to be made anew, whenever the run is killed.
#[tokio::test]
async fn a_run_that_brings_rows_back_and_is_killed_has_the_tables_made_anew() {
    let trail = trail();
    let options = options(&trail);
    let again = IngestOptions { again: true, run_id: "again".to_owned(), ..options.clone() };
    for end in 0.. {
        let lake = trail.lake(&format!("killed-{end}"));
        ingest(&lake, &options, &Progress::default()).await.unwrap();
        let covered = lake.state_dir().join("covered.json");
        fs::write(&covered, "{}").unwrap();
        let rows = || texts(&lake, &EVENTS, "event_id");
        let before = rows();
        lake.remove(&lake.parts(&EVENTS).unwrap()[0].path).unwrap();
        let killed = ingest_until(CrashPoints::end_after(end), &lake, None, &again, &Progress::default()).await;
        ingest(&lake, &again, &Progress::default()).await.unwrap();
        assert!(rows() == before && !covered.exists(), "killed at crash point {end}");
        if killed.is_ok() {
            assert!(end > 2, "{end}");
            break;
        }
    }
}

#[tokio::test]
async fn a_run_killed_twice_is_finished_by_the_third() {
    let trail = trail();
    let options = options(&trail);
    for (new_lake, first) in LAKES.into_iter().flat_map(|lake| [1, 4, 7].map(|first| (lake, first))) {
        let whole = new_lake(&trail, "whole");
        ingest(&whole, &options, &Progress::default()).await.unwrap();
        let lake = new_lake(&trail, &format!("killed-{first}"));
        for end in [first, 3] {
            let killed = ingest_until(CrashPoints::end_after(end), &lake, None, &options, &Progress::default()).await;
            assert!(matches!(killed, Err(IngestError::Stopped)));
        }
        ingest(&lake, &options, &Progress::default()).await.unwrap();
        assert!(files(&lake) == files(&whole), "killed at crash point {first}");
    }
}

#[tokio::test]
async fn an_unfinished_plan_is_finished_as_it_was_planned() {
    let trail = trail();
    let mut options = options(&trail);
    let lake = trail.lake("lake");
    let killed = ingest_until(CrashPoints::end_after(0), &lake, None, &options, &Progress::default()).await;
    assert!(matches!(killed, Err(IngestError::Stopped)));
    let path = trail.deliver("eu-west-1", "2026/09/01", "late", &[event("late", "2026-09-01T00:00:00Z")]);
    options.batch_bytes = 1 << 20;
    options.run_id = "later".to_owned();
    let summary = ingest(&lake, &options, &Progress::default()).await.unwrap();
    assert_eq!((summary.objects_done, summary.objects_quarantined, summary.objects_listed), (4, 1, 5));
    let batches: BTreeSet<_> = texts(&lake, &LEDGER, "batch_id").into_iter().collect();
    assert_eq!(batches.len(), 5, "four of the first plan, one of the second");
    assert!(Plan::unfinished(&lake).unwrap().is_empty());
    fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_batch_that_fails_is_removed_and_the_next_run_goes_on() {
    let trail = trail();
    let mut options = options(&trail);
    options.batch_bytes = 1 << 20;
    let whole = trail.lake("whole");
    ingest(&whole, &options, &Progress::default()).await.unwrap();
    let lake = trail.lake("lake");
    let obstacle = lake.table_dir(&EVENTS).join("event_date=2026-09-02");
    fs::create_dir_all(obstacle.parent().unwrap()).unwrap();
    fs::write(&obstacle, b"no folder").unwrap();
    let error = ingest(&lake, &options, &Progress::default()).await.unwrap_err();
    assert!(error.to_string().contains("event_date=2026-09-02"), "{error}");
    assert!(lake.parts(&LEDGER).unwrap().is_empty());
    let parts = files(&lake).into_keys().filter(|path| path.extension().is_some_and(|it| it == "parquet")).count();
    assert_eq!(parts, 0, "parts of the failed batch are removed");
    fs::remove_file(obstacle).unwrap();
    ingest(&lake, &options, &Progress::default()).await.unwrap();
    assert!(files(&lake) == files(&whole));
    let rows: usize =
        lake.parts(&EVENTS).unwrap().iter().flat_map(|part| read(&part.path)).map(|it| it.num_rows()).sum();
    assert_eq!(rows, 6);
}

#[tokio::test]
async fn a_killed_shard_is_finished_by_itself_or_by_a_run_and_by_no_other_job() {
    let trail = trail();
    let options = options(&trail);
    let whole = trail.lake("whole");
    ingest(&whole, &options, &Progress::default()).await.unwrap();
    // All of the trail is of one account, so of one share.
    let shard = |index: u32, count: u32| IngestOptions {
        shard: Some(format!("{index}/{count}").parse().unwrap()),
        run_id: format!("{index}-of-{count}"),
        ..options.clone()
    };
    let first = ingest(&trail.lake("probe"), &shard(0, 2), &Progress::default()).await.unwrap();
    let busy = u32::from(first.objects_done == 0);
    for finisher in [shard(busy, 2), options.clone()] {
        for end in [0, 2, 5] {
            let lake = trail.lake(&format!("killed-{end}-{}", finisher.run_id));
            let killed =
                ingest_until(CrashPoints::end_after(end), &lake, None, &shard(busy, 2), &Progress::default()).await;
            assert!(matches!(killed, Err(IngestError::Stopped)));
            let other = ingest(&lake, &shard(0, 3), &Progress::default()).await;
            assert!(matches!(other, Err(IngestError::OtherPlan { .. })), "{other:?}");
            // The other share of the same job neither finishes it nor removes what it has begun.
            let before = texts(&lake, &EVENTS, "event_id");
            ingest(&lake, &shard(1 - busy, 2), &Progress::default()).await.unwrap();
            assert_eq!(texts(&lake, &EVENTS, "event_id"), before);
            ingest(&lake, &finisher, &Progress::default()).await.unwrap();
            assert_eq!(texts(&lake, &EVENTS, "event_id"), texts(&whole, &EVENTS, "event_id"));
            assert!(Plan::unfinished(&lake).unwrap().is_empty());
        }
    }
}
