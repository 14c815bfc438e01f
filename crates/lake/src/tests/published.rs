//! A published lake: every change is one snapshot, whatever kills the process and whoever else commits.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::thread;

use arrow::array::ArrayRef;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::array::TimestampMicrosecondArray;
use arrow::array::new_null_array;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use parquet::file::metadata::ParquetMetaDataReader;
use trailweave_iceberg::{Commit, Metadata, live_files};
use trailweave_table::EVENTS;
use trailweave_table::STATE_DIR;
use trailweave_table::partition_dir;

use super::dying::Dying;
use crate::Change;
use crate::GlueTables;
use crate::Lake;
use crate::LakeError;
use crate::LakePlace;
use crate::LeaseTimes;
use crate::PublishOptions;
use crate::TableWriter;
use crate::change::finish_all;
use crate::expire;
use crate::forget;
use crate::is_changing;
use crate::metrics::Metrics;
use crate::publish;

/// Writes a part of one row, staged for `path`.
pub(super) fn write(lake: &Lake, path: &std::path::Path) {
    let mut columns: Vec<ArrayRef> =
        EVENTS.columns.iter().map(|column| new_null_array(&EVENTS.data_type(column), 1)).collect();
    columns[EVENTS.position("event_id")] = Arc::new(StringArray::from(vec!["a".repeat(40)]));
    columns[EVENTS.position("event_time")] = Arc::new(TimestampMicrosecondArray::from(vec![7]).with_timezone("UTC"));
    let mut writer = TableWriter::new(lake.create_file(path).unwrap(), &EVENTS).unwrap();
    writer.write(&RecordBatch::try_new(EVENTS.schema(), columns).unwrap()).unwrap();
    writer.commit().unwrap();
}

pub(super) fn part(lake: &Lake, name: &str) -> PathBuf {
    lake.table_dir(&EVENTS).join(partition_dir("2026-09-01")).join(format!("{name}.parquet"))
}

fn publish_all(lake: &Lake) -> Result<bool, LakeError> {
    lake.begin_publishing(&PublishOptions::default())?;
    publish(lake, &EVENTS, &lake.parts(&EVENTS)?, "publish")
}

/// Puts a part in the place of others, in one change.
pub(super) fn replace(lake: &Lake, new: &str, old: &[&str]) -> Result<(), LakeError> {
    let mut change = Change::new(lake, new);
    let staged = change.promise(&part(lake, new));
    let mut columns = lake.create_file(&staged)?;
    std::io::copy(&mut &*lake.read(&part(lake, "template"))?.expect("it was written"), &mut columns).unwrap();
    columns.commit()?;
    for name in old {
        change.remove(&part(lake, name));
    }
    change.commit()
}

/// Returns the newest metadata, and the names of the files of its current snapshot.
pub(super) fn table(lake: &Lake) -> (Metadata, Vec<String>) {
    let folder = lake.state_dir().join("iceberg/events/metadata");
    let hint = lake.read(&folder.join("version-hint.text")).unwrap().expect("it is published");
    let newest = |version: u64| lake.read(&folder.join(format!("v{version}.metadata.json"))).unwrap();
    let hinted: u64 = String::from_utf8(hint).unwrap().parse().unwrap();
    let mut version = hinted;
    while newest(version + 1).is_some() {
        version += 1;
    }
    assert_eq!(version, hinted, "readers that follow the hint see the newest");
    let metadata = Metadata::parse(&newest(version).unwrap()).unwrap();
    let location = metadata.location().unwrap().to_owned();
    let root = location.strip_suffix(&format!("/{STATE_DIR}/iceberg/events")).unwrap();
    let commit = Commit { table: &EVENTS, location: &location, root, change: "", snapshot_id: 0, now_ms: 0 };
    let read = |path: &str| {
        let below = path.strip_prefix(root).unwrap().trim_start_matches('/');
        Ok::<_, trailweave_iceberg::FormatError>(lake.read(&lake.root().join(below)).unwrap().expect("it is there"))
    };
    let files = live_files(&commit, &metadata, read).unwrap();
    let name = |path: &String| path.rsplit_once('/').unwrap().1.trim_end_matches(".parquet").to_owned();
    (metadata, files.keys().map(name).collect())
}

fn in_folder(lake: &Lake) -> Vec<String> {
    let name = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    lake.parts(&EVENTS).unwrap().into_iter().map(|part| name(part.path)).collect()
}

fn lake_in(store: Arc<dyn ObjectStore>) -> Lake {
    let place = LakePlace::remote("s3://bucket/lake", store, LeaseTimes::default()).unwrap();
    Lake::open_or_create_at(&place, None).unwrap()
}

/// A lake of two parts, in a store.
fn lake_of_two() -> (Arc<dyn ObjectStore>, Lake) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let lake = lake_in(Arc::clone(&store));
    write(&lake, &part(&lake, "template"));
    write(&lake, &part(&lake, "old"));
    (store, lake)
}

#[test]
fn a_process_that_is_killed_at_any_step_leaves_one_snapshot_for_each_change() {
    let mut n_seen = BTreeSet::new();
    for left in 0.. {
        let (store, before) = lake_of_two();
        assert!(publish_all(&before).unwrap());
        let killed = lake_in(Arc::new(Dying::new(&store, left)));
        let outcome = replace(&killed, "new", &["old"]);
        let lake = lake_in(store);
        finish_all(&lake).unwrap();
        let (metadata, files) = table(&lake);
        let n_snapshots = metadata.snapshots().unwrap().len();
        assert_eq!(files, in_folder(&lake), "{left}");
        assert_eq!(files, if n_snapshots == 1 { ["old", "template"] } else { ["new", "template"] }, "{left}");
        assert!(n_snapshots == 1 || n_snapshots == 2, "{left}: {n_snapshots}");
        n_seen.insert(n_snapshots);
        // What the killed process left beside them is for gc.
        expire(&lake, false).unwrap();
        assert_eq!(table(&lake).1, files);
        if outcome.is_ok() {
            break;
        }
    }
    assert_eq!(n_seen.len(), 2);
}

#[test]
fn a_change_is_made_or_never_was_whichever_answer_is_lost() {
    for is_published in [false, true] {
        let (mut seen, mut n_whole) = (BTreeSet::new(), 0);
        for left in 0.. {
            let (store, before) = lake_of_two();
            if is_published {
                publish_all(&before).unwrap();
            }
            let mut losing = Dying::new(&store, left);
            losing.loses_answer = true;
            let outcome = replace(&lake_in(Arc::new(losing)), "new", &["old"]);
            let lake = lake_in(store);
            finish_all(&lake).unwrap();
            let files = in_folder(&lake);
            assert!(files == ["old", "template"] || files == ["new", "template"], "{left}: {files:?}");
            assert!(!is_published || table(&lake).1 == files, "{left}");
            seen.insert(files);
            // The answer to the put of the metadata may be lost unnoticed; then those behind it are lost, too.
            n_whole = if outcome.is_ok() { n_whole + 1 } else { 0 };
            if n_whole == 3 {
                break;
            }
        }
        assert_eq!(seen.len(), 2);
    }
}

#[test]
fn a_table_that_is_still_to_be_published_gets_all_files_at_once() {
    let (store, lake) = lake_of_two();
    lake.begin_publishing(&PublishOptions::default()).unwrap();
    replace(&lake, "new", &["old"]).unwrap();
    assert!(lake.files(&lake.state_dir().join("iceberg")).unwrap().is_empty());
    let lake = lake_in(store);
    publish_all(&lake).unwrap();
    assert_eq!(table(&lake).1, ["new", "template"]);
}

#[test]
fn a_hint_that_names_a_version_which_is_gone_leads_to_the_newest() {
    let (_, lake) = lake_of_two();
    publish_all(&lake).unwrap();
    replace(&lake, "new", &["old"]).unwrap();
    let folder = lake.state_dir().join("iceberg/events/metadata");
    lake.remove(&folder.join("v1.metadata.json")).unwrap();
    lake.write(&folder.join("version-hint.text"), b"1").unwrap();
    replace(&lake, "newer", &["new"]).unwrap();
    let (metadata, files) = table(&lake);
    assert_eq!((metadata.snapshots().unwrap().len(), files), (3, in_folder(&lake)));
}

#[test]
fn what_a_slow_hint_names_stays_until_it_names_another() {
    let (_, lake) = lake_of_two();
    publish_all(&lake).unwrap();
    for (new, old) in [("a", "old"), ("b", "a"), ("c", "b")] {
        replace(&lake, new, &[old]).unwrap();
    }
    expire(&lake, false).unwrap();
    let hint = lake.state_dir().join("iceberg/events/metadata/version-hint.text");
    replace(&lake, "d", &["c"]).unwrap();
    lake.write(&hint, b"4").unwrap();
    let gone = expire(&lake, true).unwrap();
    assert!(!gone.iter().any(|path| path.ends_with("v4.metadata.json")), "{gone:?}");
}

#[test]
fn snapshots_of_a_clock_that_was_ahead_go_with_the_others() {
    static NOW_MS: AtomicI64 = AtomicI64::new(i64::MAX / 2);
    let folder = tempfile::tempdir().unwrap();
    let place = || LakePlace::local(folder.path()).with_clock(|| NOW_MS.load(Ordering::SeqCst));
    let lake = Lake::open_or_create_at(&place(), None).unwrap();
    write(&lake, &part(&lake, "template"));
    publish_all(&lake).unwrap();
    NOW_MS.store(1, Ordering::SeqCst);
    replace(&lake, "new", &[]).unwrap();
    assert_eq!(table(&lake).0.snapshots().unwrap().len(), 2);
    expire(&lake, false).unwrap();
    assert_eq!(table(&lake).0.snapshots().unwrap().len(), 1);
}

#[test]
fn a_process_that_has_not_seen_that_the_lake_keeps_snapshots_does_not_write() {
    let (store, before) = lake_of_two();
    let keeping = lake_in(Arc::clone(&store));
    let lock = keeping.lock_to_publish(&GlueTables::AsBefore).unwrap();
    keeping.begin_publishing(&PublishOptions { keep_secs: Some(60), ..PublishOptions::default() }).unwrap();
    drop(lock);
    let refused = before.lock().unwrap_err();
    assert!(matches!(refused, LakeError::KeepsNow { .. }), "{refused}");
    lake_in(store).lock().unwrap();
}

#[test]
fn a_share_of_a_job_does_not_write_beside_a_change_that_is_to_be_finished() {
    let (_, lake) = lake_of_two();
    let mut change = Change::new(&lake, "prune");
    change.remove(&part(&lake, "old"));
    drop(change.hold().unwrap());
    let refused = lake.lock_shard("0-of-2", 2).unwrap_err();
    assert!(matches!(refused, LakeError::Unfinished { .. }), "{refused}");
    drop(lake.lock().unwrap());
    lake.lock_shard("0-of-2", 2).unwrap();
}

#[test]
fn a_prefix_that_an_object_store_writes_in_another_way_is_refused() {
    for (url, is_taken) in [
        ("s3://b", true),
        ("s3://b/a-b_c/d.e=1/", true),
        ("s3://b/a~b", false),
        ("s3://b/a//b", false),
        ("s3://b/#", false),
    ] {
        let place = LakePlace::remote(url, Arc::new(InMemory::new()), LeaseTimes::default());
        assert_eq!(place.is_ok(), is_taken, "{url}");
    }
}

#[test]
fn a_change_that_is_being_noted_is_none_yet() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let note = lake.state_dir().join("changes/.products.json.tmp");
    std::fs::create_dir_all(note.parent().unwrap()).unwrap();
    std::fs::write(&note, "{}").unwrap();
    assert!(!is_changing(&lake).unwrap());
    std::fs::rename(&note, note.with_file_name("products.json")).unwrap();
    assert!(is_changing(&lake).unwrap());
}

/// A part that is written anew may get the name of one that a snapshot kept.
#[test]
fn a_file_that_was_removed_is_retired_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let options = PublishOptions { keep_secs: Some(3_600), ..PublishOptions::default() };
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    write(&lake, &part(&lake, "template"));
    write(&lake, &part(&lake, "old"));
    lake.begin_publishing(&options).unwrap();
    publish(&lake, &EVENTS, &lake.parts(&EVENTS).unwrap(), "publish").unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    replace(&lake, "new", &["old"]).unwrap();
    let old = part(&lake, "old");
    assert!(old.exists() && in_folder(&lake) == ["new", "template"]);
    lake.remove(&old).unwrap();
    forget(&lake, std::slice::from_ref(&old)).unwrap();
    write(&lake, &old);
    assert_eq!(in_folder(&lake), ["new", "old", "template"]);
}

#[test]
fn a_first_publication_that_is_killed_at_any_step_is_made_by_the_next() {
    for left in 0.. {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let before = lake_in(Arc::clone(&store));
        write(&before, &part(&before, "one"));
        let outcome = publish_all(&lake_in(Arc::new(Dying::new(&store, left))));
        let lake = lake_in(store);
        publish_all(&lake).unwrap();
        let (metadata, files) = table(&lake);
        assert_eq!((metadata.snapshots().unwrap().len(), files), (1, vec!["one".to_owned()]), "{left}");
        if outcome.is_ok() {
            break;
        }
    }
}

#[test]
fn of_two_who_commit_at_once_neither_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    write(&lake, &part(&lake, "template"));
    publish_all(&lake).unwrap();
    thread::scope(|scope| {
        for who in ["a", "b"] {
            let lake = lake.clone();
            scope.spawn(move || {
                for n in 0..10 {
                    replace(&lake, &format!("{who}{n}"), &[]).unwrap();
                }
            });
        }
    });
    let (metadata, files) = table(&lake);
    assert_eq!((files.len(), metadata.snapshots().unwrap().len()), (21, 21));
    assert_eq!(files, in_folder(&lake));
}

#[test]
fn files_stay_as_long_as_snapshots_that_name_them() {
    static NOW_MS: AtomicI64 = AtomicI64::new(0);
    let folder = tempfile::tempdir().unwrap();
    let place = || LakePlace::local(folder.path()).with_clock(|| NOW_MS.load(Ordering::SeqCst));
    let lake = Lake::open_or_create_at(&place(), None).unwrap();
    write(&lake, &part(&lake, "template"));
    lake.begin_publishing(&PublishOptions { keep_secs: Some(3600), ..PublishOptions::default() }).unwrap();
    let lake = Lake::open_at(&place()).unwrap();
    for (hour, new, old) in [(1, "a", None), (2, "b", Some("a")), (3, "c", Some("b")), (4, "a", Some("c"))] {
        NOW_MS.store(hour * 3_600_000, Ordering::SeqCst);
        publish_all(&lake).unwrap();
        replace(&lake, new, &Vec::from_iter(old)).unwrap();
        assert_eq!(in_folder(&lake), [new, "template"]);
        assert_eq!(table(&lake).1, [new, "template"]);
    }
    let there = |name: &str| part(&lake, name).exists();
    let n_snapshots = || table(&lake).0.snapshots().unwrap().len();
    for (hour, n_left, left) in [(4, 3, "abc"), (5, 2, "ac"), (6, 1, "a")] {
        NOW_MS.store(hour * 3_600_000, Ordering::SeqCst);
        let (before, found) = (n_snapshots(), expire(&lake, true).unwrap());
        assert_eq!((n_snapshots(), found.is_empty()), (before, false), "it was only asked what there is to remove");
        expire(&lake, false).unwrap();
        let there: String = ["a", "b", "c"].into_iter().filter(|name| there(name)).collect();
        assert_eq!((n_snapshots(), &*there), (n_left, left), "{hour}");
        assert_eq!(table(&lake).1, ["a", "template"]);
    }
    assert!(expire(&lake, false).unwrap().is_empty());
}

#[test]
fn nothing_is_published_over_a_snapshot_of_somebody_else() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    write(&lake, &part(&lake, "template"));
    publish_all(&lake).unwrap();
    let metadata = lake.state_dir().join("iceberg/events/metadata");
    let ours = String::from_utf8(lake.read(&metadata.join("v1.metadata.json")).unwrap().unwrap()).unwrap();
    let theirs = ours.replace("trailweave.change", "spark.app.id");
    lake.write(&metadata.join("v2.metadata.json"), theirs.as_bytes()).unwrap();
    assert!(matches!(publish_all(&lake), Err(LakeError::ForeignSnapshot { .. })));
    assert!(matches!(replace(&lake, "new", &["template"]), Err(LakeError::ForeignSnapshot { .. })));
    assert_eq!(in_folder(&lake), ["template"], "the change was refused before it held");
    assert!(lake.lock().is_ok(), "it blocks nothing else");
}

#[test]
fn a_lake_that_was_moved_is_published_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    let lake = Lake::open_or_create(&one, None).unwrap();
    write(&lake, &part(&lake, "template"));
    publish_all(&lake).unwrap();
    std::fs::rename(one, &other).unwrap();
    let lake = Lake::open(&other).unwrap();
    replace(&lake, "new", &[]).unwrap();
    let (metadata, files) = table(&lake);
    assert_eq!(files, ["new", "template"]);
    assert!(metadata.location().unwrap().starts_with(&*other.canonicalize().unwrap().to_string_lossy()));
}

#[test]
fn the_metrics_of_a_file_that_was_just_written_are_those_that_its_end_says() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let mut change = Change::new(&lake, "one");
    write(&lake, &change.promise(&part(&lake, "one")));
    change.commit().unwrap();
    let noted = lake.written().metrics(&part(&lake, "one")).expect("this process wrote it");
    let file = lake.open_part(&part(&lake, "one")).unwrap();
    let end = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
    assert_eq!(noted, Metrics::new(&EVENTS, end.row_groups()));
    assert_eq!((noted.n_rows, noted.columns[&EVENTS.field_id("event_time")].n_values), (1, 1));
}

#[test]
fn a_file_is_not_read_again_by_the_process_that_publishes_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    write(&lake, &part(&lake, "one"));
    std::fs::write(part(&lake, "one"), b"what is read is not a part").unwrap();
    let other = Lake::open(folder.path()).unwrap();
    assert!(matches!(publish_all(&other), Err(LakeError::Damaged { .. })), "another process reads it");
    assert!(publish_all(&lake).unwrap());
}
