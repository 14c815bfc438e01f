//! A lake is opened, locked and written as its documentation says.

use std::fs;
use std::io::Write;
use std::sync::Arc;

use arrow::array::Array;
use arrow::array::ArrayRef;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::array::new_null_array;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use trailweave_table::EVENTS;
use trailweave_table::INSTANCES;
use trailweave_table::Kind;
use trailweave_table::TABLES;

use super::*;

#[test]
fn a_lake_remembers_what_it_keeps() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Lake::open(folder.path()), Err(LakeError::NotALake { .. })));
    Lake::open_or_create(folder.path(), Some("all")).unwrap();
    assert_eq!(Lake::open_or_create(folder.path(), None).unwrap().format().events, "all");
    let other = Lake::open_or_create(folder.path(), Some("relevant"));
    assert!(matches!(other, Err(LakeError::OtherEvents { .. })));
}

#[test]
fn a_lake_of_a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    fs::write(lake.state_dir().join("lake.json"), r#"{"format_version": 2, "events": "all"}"#).unwrap();
    assert!(matches!(Lake::open(folder.path()), Err(LakeError::NewerFormat { found: 2, .. })));
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
fn a_written_file_has_bloom_filters_page_index_and_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part-0.parquet");
    let mut columns: Vec<ArrayRef> =
        EVENTS.columns.iter().map(|column| new_null_array(&column.kind.data_type(), 2)).collect();
    columns[EVENTS.position("event_id")] = Arc::new(StringArray::from(vec!["a", "b"]));
    let rows = RecordBatch::try_new(EVENTS.schema(), columns).unwrap();
    let mut writer = TableWriter::new(WholeFile::create(&path).unwrap(), &EVENTS).unwrap();
    writer.write(&rows).unwrap();
    assert_eq!(writer.commit().unwrap(), 2);

    let reader = SerializedFileReader::new(fs::File::open(&path).unwrap()).unwrap();
    let group = reader.metadata().row_group(0);
    let column = |name: &str| {
        let found = group.columns().iter().find(|column| column.column_path().string() == name);
        found.unwrap_or_else(|| panic!("no column {name}"))
    };
    for name in ["event_id", "volume_ids.list.element", "key_arn"] {
        assert!(column(name).bloom_filter_offset().is_some(), "{name}");
    }
    assert!(column("event_name").bloom_filter_offset().is_none());
    assert!(column("event_name").column_index_offset().is_some());
    assert_eq!(column("encryption_context.key_value.key").column_path().parts().len(), 3);
    assert_eq!(group.sorting_columns().unwrap().len(), EVENTS.sort_by.len());
    assert!(rows.column(1).is_null(0));
}

#[test]
fn no_nested_column_stands_before_a_sort_column() {
    for table in TABLES {
        let nested = |kind| matches!(kind, Kind::TextList | Kind::TextMap);
        let first = table.columns.iter().position(|column| nested(column.kind)).unwrap_or(usize::MAX);
        assert!(table.sort_by.iter().all(|column| table.position(column) < first), "{}", table.name);
    }
}
