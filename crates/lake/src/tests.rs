//! A lake is opened, locked and written as its documentation says.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::array::TimestampMicrosecondArray;
use arrow::array::new_null_array;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding};
use parquet::file::reader::ChunkReader;
use parquet::file::reader::FileReader;
use parquet::file::reader::Length;
use parquet::file::serialized_reader::SerializedFileReader;
use trailweave_table::AUDIT;
use trailweave_table::EVENTS;
use trailweave_table::INSTANCES;
use trailweave_table::Kind;
use trailweave_table::TABLES;
use trailweave_table::partition_dir;

use super::*;
use jumping_clock::JumpingClock;

mod catalogued;
mod dying;
mod jumping_clock;
mod published;

#[test]
fn a_lake_remembers_what_it_keeps() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Lake::open(folder.path()), Err(LakeError::NotALake { .. })));
    let lake = Lake::open_or_create(folder.path(), Some("all")).unwrap();
    lake.write(&lake.state_dir().join("runs").join("1").join("plan.json"), b"{}").unwrap();
    assert_eq!(Lake::open_or_create(folder.path(), None).unwrap().format().events, "all");
    let other = Lake::open_or_create(folder.path(), Some("relevant"));
    assert!(matches!(other, Err(LakeError::OtherEvents { .. })));
}

#[test]
fn a_lake_remembers_what_it_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let place = LakePlace::local(folder.path());
    let open = |omit: &Omit| Lake::open_or_create_with(&place, Choices { events: None, omit: Some(omit) });
    let [none, dropped] = [Omit::new(), Omit::from([("extra".to_owned(), Omission::Drop)])];
    let hashed = Omit::from([("user_agent".to_owned(), Omission::Hash)]);
    assert_eq!(open(&dropped).unwrap().format().salt, None);
    let first = open(&none).unwrap();
    let lake = open(&hashed).unwrap();
    assert_eq!(lake.format().salt.as_ref().map(String::len), Some(32));
    assert!(matches!(first.lock(), Err(LakeError::OtherOmit { .. })), "it would write what the lake leaves out");
    lake.write(&lake.state_dir().join("runs").join("1").join("plan.json"), b"{}").unwrap();
    let again = Lake::open_or_create(folder.path(), None).unwrap();
    assert_eq!((&again.format().omit, &again.format().salt), (&hashed, &lake.format().salt));
    let refused = open(&dropped).unwrap_err().to_string();
    assert!(
        refused.contains(r#"made with omit = {"user_agent":"hash"}"#) && refused.contains("leave `omit` out"),
        "{refused}"
    );
}

#[test]
fn of_runs_that_make_a_lake_at_once_none_fails() {
    for _ in 0..50 {
        let folder = tempfile::tempdir().unwrap();
        let start = Barrier::new(4);
        let open = || {
            start.wait();
            Lake::open_or_create(folder.path(), None).map(|lake| lake.format().events.clone())
        };
        let opened = thread::scope(|scope| [0; 4].map(|_| scope.spawn(open)).map(|run| run.join().unwrap()));
        assert!(opened.iter().all(|it| it.as_deref().is_ok_and(|events| events == "relevant")), "{opened:?}");
        assert_eq!(fs::read_dir(folder.path().join("_trailweave")).unwrap().count(), 1);
    }
}

#[test]
fn a_part_that_is_gone_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    for name in ["part-a-0.parquet", "part-b-0.parquet"] {
        lake.write(&lake.table_dir(&EVENTS).join("event_date=2026-09-01").join(name), b"").unwrap();
    }
    let before = lake.parts(&EVENTS).unwrap();
    fs::remove_file(&before[1].path).unwrap();
    let [before, now] = [before, lake.parts(&EVENTS).unwrap()].map(|parts| Covered::of(&lake, 1, &parts));
    let gone: Vec<_> = before.gone(&now).collect();
    assert_eq!(gone, [Path::new("events/event_date=2026-09-01/part-b-0.parquet")]);
    assert_eq!(now.gone(&before).count(), 0);
    // So is one of which the products know some rows, and what they know of it is no whole part.
    let mixed = r#"{"rules":1,"parts":{},"mixed":["events/event_date=2026-09-01/part-b-0.parquet"],"products":[]}"#;
    let mixed: Covered = serde_json::from_str(mixed).unwrap();
    assert_eq!((mixed.gone(&now).count(), mixed.gone(&before).count()), (1, 0));
    assert!(!mixed.has_parts_of(&Covered::of(&lake, 1, &[])));
}

#[test]
fn a_lake_whose_format_is_lost_is_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), Some("all")).unwrap();
    lake.write(&lake.state_dir().join("runs").join("1").join("plan.json"), b"{}").unwrap();
    fs::remove_file(lake.state_dir().join("lake.json")).unwrap();
    let again = Lake::open_or_create(folder.path(), None).unwrap_err();
    assert!(matches!(&again, LakeError::Damaged { path, .. } if path.ends_with("lake.json")), "{again}");
}

#[test]
fn a_lake_for_which_nothing_was_planned_yet_may_keep_other_events() {
    let folder = tempfile::tempdir().unwrap();
    let first = Lake::open_or_create(folder.path(), None).unwrap();
    let lock = first.lock().unwrap();
    assert!(matches!(Lake::open_or_create(folder.path(), Some("all")), Err(LakeError::Locked { .. })));
    drop(lock);
    assert_eq!(Lake::open_or_create(folder.path(), Some("all")).unwrap().format().events, "all");
    assert!(matches!(first.lock(), Err(LakeError::OtherEvents { .. })), "it would write others than the lake keeps");
}

#[test]
fn a_lake_of_another_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let of = |version: u32| {
        let format = format!(r#"{{"format_version": {version}, "events": "all"}}"#);
        fs::write(lake.state_dir().join("lake.json"), format).unwrap();
        Lake::open(folder.path())
    };
    assert!(of(Format::VERSION).is_ok());
    assert!(matches!(of(Format::VERSION - 1), Err(LakeError::OlderFormat { .. })));
    assert!(matches!(of(Format::VERSION + 1), Err(LakeError::NewerFormat { .. })));
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let lock = lake.lock().unwrap();
    assert!(matches!(lake.lock(), Err(LakeError::Locked { .. })));
    drop(lock);
    lake.lock().unwrap();
}

#[test]
fn shares_of_one_count_write_together_and_with_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let first = lake.lock_shard("0-of-2", 2).unwrap();
    let second = lake.lock_shard("1-of-2", 2).unwrap();
    let refused = [lake.lock_shard("1-of-2", 2), lake.lock_shard("2-of-3", 3), lake.lock()];
    assert!(refused.iter().all(|lock| matches!(lock, Err(LakeError::Locked { .. }))), "{refused:?}");
    drop((first, second));
    let whole = lake.lock().unwrap();
    assert!(matches!(lake.lock_shard("0-of-2", 2), Err(LakeError::Locked { .. })));
    drop(whole);
    lake.lock_shard("2-of-3", 3).unwrap();
}

#[test]
fn a_file_that_is_not_committed_is_never_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events").join("part-0.parquet");
    let mut file = WholeFile::create(&path).unwrap();
    file.write_all(b"half").unwrap();
    drop(file);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    WholeFile::write_all_at(&path, b"whole").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
}

#[test]
fn parts_are_listed_by_date_and_leftovers_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let events = lake.table_dir(&EVENTS);
    for name in ["event_date=2026-09-02/part-a-0.parquet", "event_date=2026-09-01/part-b-0.parquet"] {
        WholeFile::write_all_at(&events.join(name), b"").unwrap();
    }
    fs::write(events.join("event_date=2026-09-01/.part-c-0.parquet.tmp"), b"").unwrap();
    let dates: Vec<_> = lake.parts(&EVENTS).unwrap().into_iter().map(|part| part.event_date.unwrap()).collect();
    assert_eq!(dates, ["2026-09-01", "2026-09-02"]);
    assert!(lake.parts(&INSTANCES).unwrap().is_empty());
}

#[test]
fn a_written_file_has_encodings_bloom_filters_page_index_and_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part-0.parquet");
    let mut columns: Vec<ArrayRef> =
        EVENTS.columns.iter().map(|column| new_null_array(&EVENTS.data_type(column), 2)).collect();
    for name in ["event_id", "event_name", "key_arn"] {
        columns[EVENTS.position(name)] = Arc::new(StringArray::from(vec!["a", "b"]));
    }
    columns[EVENTS.position("event_time")] = Arc::new(TimestampMicrosecondArray::from(vec![1, 2]).with_timezone("UTC"));
    let rows = RecordBatch::try_new(EVENTS.schema(), columns).unwrap();
    let mut writer = TableWriter::new(WholeFile::create(&path).unwrap(), &EVENTS).unwrap();
    writer.write(&rows).unwrap();
    assert_eq!(writer.commit().unwrap().n_rows, 2);

    let reader = SerializedFileReader::new(fs::File::open(&path).unwrap()).unwrap();
    let group = reader.metadata().row_group(0);
    let column = |name: &str| {
        let found = group.columns().iter().find(|column| column.column_path().string() == name);
        found.unwrap_or_else(|| panic!("no column {name}"))
    };
    let encodings = |name| column(name).encodings().collect::<Vec<_>>();
    assert!(encodings("event_name").contains(&Encoding::RLE_DICTIONARY));
    assert!(encodings("event_time").contains(&Encoding::DELTA_BINARY_PACKED));
    assert!(!encodings("event_id").contains(&Encoding::RLE_DICTIONARY));
    for name in ["event_id", "volume_ids.list.element", "key_arn"] {
        assert!(column(name).bloom_filter_offset().is_some(), "{name}");
    }
    assert!(column("event_name").bloom_filter_offset().is_none());
    assert!(column("event_name").column_index_offset().is_some());
    assert_eq!(column("encryption_context.key_value.key").column_path().parts().len(), 3);
    assert_eq!(group.sorting_columns().unwrap().len(), EVENTS.sort_by.len());
}

#[test]
fn the_same_rows_are_the_same_bytes_however_they_are_cut_also_where_a_dictionary_is_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let n_rows: usize = 20_000;
    let mut columns: Vec<ArrayRef> =
        EVENTS.columns.iter().map(|column| new_null_array(&EVENTS.data_type(column), n_rows)).collect();
    // As numbers of its values the first is over a mebibyte in the first row group, the second is small.
    let texts = [
        ("user_agent", "x".repeat(90), n_rows),
        ("event_name", "Run".to_owned(), 7),
        ("event_id", "e".repeat(70), n_rows),
    ];
    for (name, begin, n_values) in texts {
        let text = |row: usize| (!row.is_multiple_of(11)).then(|| format!("{begin}{}", row % n_values));
        columns[EVENTS.position(name)] = Arc::new((0..n_rows).map(text).collect::<StringArray>());
    }
    let rows = RecordBatch::try_new(EVENTS.schema(), columns).unwrap();
    let files = [n_rows, 700, 1024].map(|n_cut| {
        let path = folder.path().join(format!("{n_cut}.parquet"));
        let mut writer = TableWriter::new(WholeFile::create(&path).unwrap(), &EVENTS).unwrap();
        for from in (0..n_rows).step_by(n_cut) {
            writer.write(&rows.slice(from, n_cut.min(n_rows - from))).unwrap();
        }
        writer.commit().unwrap();
        path
    });
    let bytes = files.each_ref().map(|path| fs::read(path).unwrap());
    assert!(bytes[0] == bytes[1] && bytes[1] == bytes[2]);
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(&files[1]).unwrap()).unwrap();
    let chunk = |name| reader.metadata().row_group(0).column(EVENTS.position(name)).compression();
    assert!(["user_agent", "event_name"].iter().all(|name| matches!(chunk(name), Compression::ZSTD(_))));
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(arrow::compute::concat_batches(&rows.schema(), &batches).unwrap(), rows);
}

#[test]
fn a_written_file_has_the_types_of_its_table_and_says_them_once() {
    let folder = tempfile::tempdir().unwrap();
    for table in TABLES.into_iter().chain(AUDIT) {
        let path = folder.path().join(table.name);
        TableWriter::new(WholeFile::create(&path).unwrap(), table).unwrap().commit().unwrap();
        let file = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(*file.schema(), table.schema());
        assert_eq!(file.metadata().file_metadata().key_value_metadata(), None);
    }
}

#[test]
fn no_nested_column_stands_before_a_sort_column() {
    for table in TABLES {
        let nested = |kind| matches!(kind, Kind::TextList | Kind::TextMap);
        let first = table.columns.iter().position(|column| nested(column.kind)).unwrap_or(usize::MAX);
        assert!(table.sort_by.iter().all(|column| table.position(column) < first), "{}", table.name);
    }
}

#[test]
fn a_change_that_was_not_committed_never_was() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let (old, new) = (lake.table_dir(&EVENTS).join("part-0.parquet"), lake.table_dir(&EVENTS).join("part-1.parquet"));
    WholeFile::write_all_at(&old, b"old").unwrap();
    let mut change = Change::new(&lake, "test");
    WholeFile::write_all_at(&change.promise(&new), b"new").unwrap();
    change.remove(&old);
    drop(change);
    assert_eq!(fs::read_dir(old.parent().unwrap()).unwrap().count(), 1);
    assert_eq!(fs::read(&old).unwrap(), b"old");
}

/// The borders at which a process may die while it carries a change out: after so many of its renames and removals.
#[test]
fn a_change_that_was_cut_while_it_was_made_is_finished_by_who_locks_the_lake() {
    for done in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_or_create(folder.path(), None).unwrap();
        let [old, new, replaced] = ["old", "new", "replaced"]
            .map(|name| lake.table_dir(&EVENTS).join(partition_dir("2026-09-01")).join(format!("{name}.parquet")));
        WholeFile::write_all_at(&old, b"old").unwrap();
        WholeFile::write_all_at(&replaced, b"before").unwrap();
        let staged =
            |path: &Path| path.with_file_name(format!(".{}.next", path.file_name().unwrap().to_string_lossy()));
        WholeFile::write_all_at(&staged(&new), b"new").unwrap();
        WholeFile::write_all_at(&staged(&replaced), b"after").unwrap();
        let below = |path: &Path| path.strip_prefix(lake.root()).unwrap().to_str().unwrap().to_owned();
        let appear: BTreeMap<_, _> = [&new, &replaced].map(|path| (below(path), below(&staged(path)))).into();
        let note = serde_json::json!({"appear": appear, "vanish": [below(&old)]});
        let path = lake.state_dir().join("changes").join("test.json");
        WholeFile::write_all_at(&path, note.to_string().as_bytes()).unwrap();
        if done > 0 {
            fs::rename(staged(&new), &new).unwrap();
        }
        if done > 1 {
            fs::rename(staged(&replaced), &replaced).unwrap();
        }
        if done > 2 {
            fs::remove_file(&old).unwrap();
        }
        drop(lake.lock().unwrap());
        assert_eq!(fs::read(&new).unwrap(), b"new");
        assert_eq!(fs::read(&replaced).unwrap(), b"after");
        assert_eq!(fs::read_dir(new.parent().unwrap()).unwrap().count(), 2, "{done}");
        assert!(!path.exists());
    }
}

#[test]
fn a_change_that_names_a_file_outside_of_the_lake_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(&folder.path().join("lake"), None).unwrap();
    let outside = folder.path().join("outside");
    fs::write(&outside, b"kept").unwrap();
    let path = lake.state_dir().join("changes").join("forged.json");
    for named in [outside.to_str().unwrap(), "../outside", "events/../../outside"] {
        let note = serde_json::json!({"appear": {}, "vanish": [named]});
        WholeFile::write_all_at(&path, note.to_string().as_bytes()).unwrap();
        assert!(matches!(lake.lock(), Err(LakeError::Damaged { .. })), "{named}");
        assert!(outside.exists(), "{named}");
    }
}

/// A lake in memory, as an object store holds it, and another owner's view of the same.
fn in_a_store(times: LeaseTimes) -> [Lake; 2] {
    two_views(&(Arc::new(InMemory::new()) as Arc<dyn ObjectStore>), times)
}

fn two_views(store: &Arc<dyn ObjectStore>, times: LeaseTimes) -> [Lake; 2] {
    [(); 2].map(|()| {
        let place = LakePlace::remote("s3://bucket/a/lake/", Arc::clone(store), times).unwrap();
        Lake::open_or_create_at(&place, Some("all")).unwrap()
    })
}

const NEVER: Duration = Duration::from_hours(1);
const AT_ONCE: Duration = Duration::from_millis(1);

#[test]
fn a_lake_in_a_store_is_listed_read_and_changed_as_one_in_a_folder() {
    let [lake, other] = in_a_store(LeaseTimes::default());
    assert_eq!((lake.root().to_str().unwrap(), &*other.format().events), ("s3://bucket/a/lake", "all"));
    let folder = lake.table_dir(&EVENTS).join(partition_dir("2026-09-01"));
    let [old, new] = ["part-0.parquet", "part-1.parquet"].map(|name| folder.join(name));
    lake.write(&old, b"old").unwrap();
    let mut change = Change::new(&lake, "test");
    lake.write(&change.promise(&new), b"new").unwrap();
    change.remove(&old);
    assert_eq!(other.parts(&EVENTS).unwrap().len(), 1);
    change.commit().unwrap();
    let part = Part { event_date: Some("2026-09-01".into()), path: new.clone(), bytes: 3 };
    assert_eq!(other.parts(&EVENTS).unwrap(), [part]);
    assert_eq!(other.files(&folder).unwrap().len(), 1);
    assert_eq!((other.read(&new).unwrap().unwrap(), other.read(&old).unwrap()), (b"new".to_vec(), None));
    assert!(other.open_file(&old).unwrap().is_none());
    lake.remove(&old).unwrap();
}

#[test]
fn a_large_file_goes_into_a_store_in_parts_and_is_read_in_blocks() {
    let [lake, other] = in_a_store(LeaseTimes::default());
    let path = lake.table_dir(&EVENTS).join("part-0.parquet");
    let content: Vec<u8> = (0..40_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut file = lake.create_file(&path).unwrap();
    file.write_all(&content[..30_000_000]).unwrap();
    assert!(other.files(lake.root()).unwrap().iter().all(|file| file.path != path));
    file.write_all(&content[30_000_000..]).unwrap();
    file.commit().unwrap();
    let file = other.open_part(&path).unwrap();
    assert_eq!(file.len(), content.len() as u64);
    for (start, n) in [(0, 1), (39_999_000, 1000), (1_048_570, 12), (5_000_000, 3_000_000), (5_100_000, 7)] {
        assert_eq!(&file.get_bytes(start as u64, n).unwrap()[..], &content[start..start + n], "{start}");
    }
    let mut rest = Vec::new();
    file.get_read(37_000_000).unwrap().read_to_end(&mut rest).unwrap();
    assert_eq!(rest, &content[37_000_000..]);
    assert!(file.get_bytes(39_999_999, 2).is_err());
}

#[test]
fn a_lease_keeps_others_out_while_it_is_renewed() {
    let [lake, other] = in_a_store(LeaseTimes { expiry: NEVER, renewal: AT_ONCE });
    let lease = lake.lock().unwrap();
    assert!(matches!(other.lock(), Err(LakeError::Locked { .. })));
    assert!(matches!(other.lock_shard("0-of-2", 2), Err(LakeError::Locked { .. })));
    drop(lease);
    let (first, _second) = (lake.lock_shard("0-of-2", 2).unwrap(), other.lock_shard("1-of-2", 2).unwrap());
    for refused in [lake.lock(), lake.lock_shard("1-of-2", 2), lake.lock_shard("0-of-3", 3)] {
        assert!(matches!(refused, Err(LakeError::Locked { .. })), "{refused:?}");
    }
    drop(first);
    lake.lock_shard("0-of-2", 2).unwrap();
}

#[test]
fn a_clock_that_jumps_between_renewals_never_lets_two_write() {
    for jumped_to in ["2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"] {
        let store: Arc<dyn ObjectStore> = Arc::new(JumpingClock::new(jumped_to));
        let [lake, other] = two_views(&store, LeaseTimes { expiry: NEVER, renewal: AT_ONCE });
        let lease = lake.lock().unwrap();
        assert!(matches!(other.lock(), Err(LakeError::Locked { .. })), "{jumped_to}");
        lake.write(&lake.table_dir(&EVENTS).join("part-0.parquet"), b"lake").unwrap();
        drop(lease);
        other.lock().unwrap();
    }
}

#[test]
fn a_lease_whose_owner_is_dead_is_taken_over_and_one_who_wakes_up_writes_no_more() {
    let [lake, other] = in_a_store(LeaseTimes { expiry: Duration::ZERO, renewal: NEVER });
    let path = lake.table_dir(&EVENTS).join("part-0.parquet");
    let _asleep = lake.lock().unwrap();
    let _taken = other.lock().unwrap();
    other.write(&path, b"other").unwrap();

    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let [lake, _] = two_views(&store, LeaseTimes { expiry: NEVER, renewal: AT_ONCE });
    let [other, _] = two_views(&store, LeaseTimes { expiry: Duration::ZERO, renewal: AT_ONCE });
    let _woken = lake.lock().unwrap();
    let lost = (0..1_000_000).find_map(|_| {
        drop(other.lock());
        lake.write(&path, b"lake").err()
    });
    assert!(matches!(lost, Some(LakeError::LeaseLost { .. })), "{lost:?}");
}
