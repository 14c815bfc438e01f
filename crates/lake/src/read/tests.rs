//! Rows that are sought in a part of `events`.

use std::path::Path;

use arrow::array::ListBuilder;
use arrow::array::StringArray;
use arrow::array::StringBuilder;
use tempfile::TempDir;
use trailweave_table::EVENTS;
use trailweave_table::part_name;
use trailweave_table::partition_dir;

use super::*;
use crate::TableWriter;

/// Makes a lake of one part, whose rows have these ids and volumes.
fn lake_of(rows: &[(&str, &[&str])]) -> (TempDir, Lake, Part) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let path = lake.table_dir(&EVENTS).join(partition_dir("2026-09-01")).join(part_name("0123456789abcdef", 0));
    write(&lake, &path, rows);
    let part = lake.parts(&EVENTS).unwrap().remove(0);
    (folder, lake, part)
}

fn write(lake: &Lake, path: &Path, rows: &[(&str, &[&str])]) {
    let element = Field::new("element", DataType::Utf8, true);
    let mut volumes = ListBuilder::new(StringBuilder::new()).with_field(element);
    for (_, of_row) in rows {
        of_row.iter().for_each(|volume| volumes.values().append_value(volume));
        volumes.append(!of_row.is_empty());
    }
    let mut columns: Vec<ArrayRef> =
        EVENTS.columns.iter().map(|column| new_null_array(&column.kind.data_type(), rows.len())).collect();
    columns[EVENTS.position("event_id")] = Arc::new(rows.iter().map(|(id, _)| Some(*id)).collect::<StringArray>());
    columns[EVENTS.position("volume_ids")] = Arc::new(volumes.finish());
    let rows = RecordBatch::try_new(EVENTS.schema(), columns).unwrap();
    let mut writer = TableWriter::new(lake.create_file(path).unwrap(), &EVENTS).unwrap();
    writer.write(&rows).unwrap();
    writer.commit().unwrap();
}

/// Returns the ids of the rows that answer.
fn ids(lake: &Lake, part: &Part, asks: &[(&'static str, &[&str])]) -> Vec<String> {
    let keys: Vec<Keys> = asks.iter().map(|(_, keys)| keys.iter().collect()).collect();
    let asks: Vec<Ask<'_>> = asks.iter().zip(&keys).map(|((column, _), keys)| Ask::all(column, keys)).collect();
    let found = seek(lake, part, &["event_id"], &asks).unwrap();
    found.iter().flat_map(|rows| rows["event_id"].as_string::<i32>().iter().flatten()).map(str::to_owned).collect()
}

#[test]
fn rows_are_found_by_any_of_several_questions_once_and_in_their_order() {
    let (_folder, lake, part) = lake_of(&[("a", &["v1", "v2"]), ("b", &[]), ("c", &["v2"]), ("d", &["v3"])]);
    assert_eq!(ids(&lake, &part, &[("event_id", &["d", "b", "x"])]), ["b", "d"]);
    assert_eq!(ids(&lake, &part, &[("volume_ids", &["v2"]), ("event_id", &["c", "b"])]), ["a", "b", "c"]);
    assert!(ids(&lake, &part, &[("event_id", &["x"]), ("volume_ids", &[])]).is_empty());
}

#[test]
fn a_column_of_nulls_and_one_that_a_part_lacks_hold_nothing() {
    let (_folder, lake, part) = lake_of(&[("a", &[])]);
    assert!(ids(&lake, &part, &[("key_arn", &["a"]), ("volume_ids", &["a"]), ("no_such_column", &["a"])]).is_empty());
    assert_eq!(ids(&lake, &part, &[("no_such_column", &["a"]), ("event_id", &["a"])]), ["a"]);
    let rows = seek(&lake, &part, &["event_id", "no_such_column"], &[]).unwrap();
    assert!(rows.is_empty());
}

#[test]
fn rows_of_an_older_part_are_filled_with_nulls() {
    let (_folder, lake, part) = lake_of(&[("a", &["v1"])]);
    let file = lake.open_listed(&part).unwrap();
    let rows: Vec<_> = columns(file, ["event_id"]).unwrap().build().unwrap().map(Result::unwrap).collect();
    let rows = filled(&EVENTS, &rows[0]).unwrap();
    assert_eq!(rows.schema(), EVENTS.schema());
    assert_eq!((rows["event_id"].null_count(), rows["volume_ids"].null_count()), (0, 1));
}
