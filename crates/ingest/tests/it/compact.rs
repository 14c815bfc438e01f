//! Small parts become large ones, and the rows stay what they are.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use arrow::array::ArrayRef;
use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::datatypes::Field;
use trailweave_ingest::CompactOptions;
use trailweave_ingest::IngestError;
use trailweave_ingest::Progress;
use trailweave_ingest::compact;
use trailweave_ingest::dismiss;
use trailweave_ingest::gc;
use trailweave_ingest::publish;
use trailweave_ingest::quarantined;
use trailweave_ingest::reconcile;
use trailweave_ingest::status;
use trailweave_lake::Lake;
use trailweave_lake::PublishOptions;
use trailweave_table::EVENTS;
use trailweave_table::LEDGER;
use trailweave_table::REJECTS;
use trailweave_table::batch_id;

use crate::ingest;
use crate::leave_plan;
use crate::options;
use crate::trail::Trail;
use crate::trail::event;
use crate::trail::object;
use crate::trail::read;
use crate::trail::texts;

const OPTIONS: CompactOptions = CompactOptions { memory_bytes: 64 << 20, threads: NonZeroUsize::MIN };

/// A lake of many small parts of two days, with rejects.
async fn lake_of_small_parts(trail: &Trail) -> Lake {
    let lake = trail.lake("lake");
    for n in 0..6 {
        let mut records = vec![
            event(&format!("a{n}"), "2026-09-01T23:59:59Z"),
            event(&format!("b{n}"), &format!("2026-09-02T00:00:0{}Z", 9 - n)),
        ];
        records.push("7".to_owned());
        trail.put(&format!("{n}.json"), &object(&records));
        ingest(&lake, &options(trail)).await;
    }
    lake
}

#[tokio::test]
async fn a_partition_becomes_one_sorted_part_with_the_same_rows() {
    let trail = Trail::new();
    let lake = lake_of_small_parts(&trail).await;
    let _lock = lake.lock().unwrap();
    let before = (texts(&lake, &EVENTS, "event_id"), texts(&lake, &REJECTS, "source_object"));
    let compacted = compact(&lake, &OPTIONS).unwrap();
    assert_eq!((compacted.parts_before, compacted.parts_after, compacted.rows), (18, 3, 18));
    assert_eq!((compacted.ledger_files_before, compacted.ledger_files_after), (6, 1));
    assert_eq!((texts(&lake, &EVENTS, "event_id"), texts(&lake, &REJECTS, "source_object")), before);
    let [first, second] = lake.parts(&EVENTS).unwrap().try_into().unwrap();
    assert_eq!(first.event_date.as_deref(), Some("2026-09-01"));
    let times: Vec<i64> = read(&second.path).iter().flat_map(times).collect();
    assert!(times.is_sorted() && times.len() == 6, "{times:?}");
    let again = compact(&lake, &OPTIONS).unwrap();
    assert_eq!((again.parts_before, again.parts_after, again.rows), (3, 3, 0));
    assert_eq!((again.ledger_files_before, again.ledger_files_after), (1, 1));
}

/// Copies the files of a folder into another.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[tokio::test]
async fn a_merged_ledger_knows_what_its_files_knew_also_beside_them() {
    let trail = Trail::new();
    let lake = lake_of_small_parts(&trail).await;
    trail.put("bad.json.gz", b"cut");
    let options = options(&trail);
    ingest(&lake, &options).await;
    let known = async || (status(&lake, &options, true).await.unwrap(), quarantined(&lake).unwrap());
    let before = known().await;
    let folder = lake.table_dir(&LEDGER);
    copy(&folder, &trail.source().with_file_name("apart"));
    compact(&lake, &OPTIONS).unwrap();
    assert_eq!(lake.parts(&LEDGER).unwrap().len(), 1);
    assert_eq!(known().await, before);
    assert_eq!(before.1.len(), 1);

    // What a reader sees while the change is carried out.
    copy(&trail.source().with_file_name("apart"), &folder);
    assert_eq!(lake.parts(&LEDGER).unwrap().len(), 8);
    assert_eq!(known().await, before);

    for part in lake.parts(&LEDGER).unwrap().iter().filter(|part| batch_id(&part.path).is_some()) {
        fs::remove_file(&part.path).unwrap();
    }
    let summary = ingest(&lake, &options).await;
    assert_eq!((summary.objects_done, summary.objects_known, summary.objects_quarantined), (0, 7, 0));
    assert_eq!(texts(&lake, &EVENTS, "event_id").len(), 12);
    dismiss(&lake, &[before.1[0].source_object.as_str()].into(), "no trail").unwrap();
    compact(&lake, &OPTIONS).unwrap();
    assert!(quarantined(&lake).unwrap().iter().all(|object| !object.stands()));
}

fn times(rows: &RecordBatch) -> Vec<i64> {
    use arrow::array::AsArray;
    rows.column(EVENTS.position("event_time"))
        .as_primitive::<arrow::datatypes::TimestampMicrosecondType>()
        .values()
        .to_vec()
}

#[tokio::test]
async fn what_a_killed_run_did_not_commit_is_not_merged() {
    let trail = Trail::new();
    let lake = lake_of_small_parts(&trail).await;
    let before = (texts(&lake, &EVENTS, "event_id"), texts(&lake, &REJECTS, "source_object"));
    for table in [&EVENTS, &REJECTS] {
        let part = lake.parts(table).unwrap().remove(0).path;
        fs::copy(&part, part.with_file_name("part-0123456789abcdef-0.parquet")).unwrap();
    }
    leave_plan(&lake, "0123456789abcdef");
    {
        let _lock = lake.lock().unwrap();
        assert_eq!(compact(&lake, &OPTIONS).unwrap().rows, 18);
    }
    ingest(&lake, &options(&trail)).await;
    assert_eq!((texts(&lake, &EVENTS, "event_id"), texts(&lake, &REJECTS, "source_object")), before);
}

#[tokio::test]
async fn what_is_delivered_again_is_known_in_a_merged_part() {
    let trail = Trail::new();
    let lake = lake_of_small_parts(&trail).await;
    {
        let _lock = lake.lock().unwrap();
        compact(&lake, &OPTIONS).unwrap();
    }
    trail.put("late.json", &object(&[event("a3", "2026-09-01T23:59:59Z"), event("new", "2026-09-01T00:00:00Z")]));
    let summary = ingest(&lake, &options(&trail)).await;
    assert_eq!((summary.tally.rows, summary.tally.duplicates), (1, 1));
    assert_eq!(lake.parts(&EVENTS).unwrap().len(), 3);
}

#[tokio::test]
async fn what_a_kill_leaves_is_named_and_then_removed() {
    let trail = Trail::new();
    let lake = lake_of_small_parts(&trail).await;
    let _lock = lake.lock().unwrap();
    let part = lake.parts(&EVENTS).unwrap().remove(0).path;
    let leftovers = [".part-0123456789abcdef-0.parquet.tmp", ".compact-0123456789abcdef-0.parquet.next"]
        .map(|name| part.with_file_name(name));
    let unknown = part.with_file_name("part-0123456789abcdef-0.parquet");
    leave_plan(&lake, "0123456789abcdef");
    for path in leftovers.iter().chain([&unknown]) {
        fs::copy(&part, path).unwrap();
    }
    let mut expected = leftovers.to_vec();
    expected.push(unknown);
    let plan = lake.state_dir().join("runs").join("killed").join(".plan.json.tmp");
    fs::create_dir_all(plan.parent().unwrap()).unwrap();
    fs::write(&plan, "{").unwrap();
    let covered = lake.state_dir().join(".covered.json.next");
    fs::write(&covered, "{").unwrap();
    expected.extend([covered, plan]);
    expected.sort();
    assert_eq!(gc(&lake, true, false).unwrap(), expected);
    assert_eq!(gc(&lake, false, false).unwrap(), expected);
    assert!(gc(&lake, false, false).unwrap().is_empty());
    assert_eq!(texts(&lake, &EVENTS, "event_id").len(), 12);
}

#[tokio::test]
async fn a_part_that_lacks_a_column_of_today_is_merged_too() {
    let trail = Trail::new();
    let lake = lake_of_small_parts(&trail).await;
    let before = texts(&lake, &EVENTS, "event_id");
    let older = &lake.parts(&EVENTS).unwrap()[0].path;
    let rows = arrow::compute::concat_batches(&EVENTS.schema(), &read(older)).unwrap();
    let kept: Vec<usize> =
        (0..EVENTS.columns.len()).filter(|at| *at != EVENTS.position("issued_access_key_id")).collect();
    let rows = rows.project(&kept).unwrap();
    // Nor had its fields ids, which readers see within lists.
    let without_ids = |array: &ArrayRef| match array.data_type() {
        DataType::List(_) => {
            let element = Field::new("element", DataType::Utf8, true);
            arrow::compute::cast(array, &DataType::List(element.into())).unwrap()
        }
        _ => ArrayRef::clone(array),
    };
    let schema = rows.schema();
    let named = schema.fields().iter().zip(rows.columns()).map(|(field, array)| (field.name(), without_ids(array)));
    let rows = RecordBatch::try_from_iter_with_nullable(named.map(|(name, array)| (name, array, true))).unwrap();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(fs::File::create(older).unwrap(), rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let _lock = lake.lock().unwrap();
    compact(&lake, &OPTIONS).unwrap();
    assert_eq!(texts(&lake, &EVENTS, "event_id"), before);
}

#[tokio::test]
async fn runs_that_ended_long_ago_are_forgotten_and_no_other() {
    let trail = Trail::new();
    let lake = lake_of_small_parts(&trail).await;
    let _lock = lake.lock().unwrap();
    let runs = lake.state_dir().join("runs");
    let run = |id: &str, files: &[&str]| {
        fs::create_dir_all(runs.join(id)).unwrap();
        for file in files {
            fs::write(runs.join(id).join(file), "{}").unwrap();
        }
    };
    for n in 0..1_000 {
        run(&format!("20260101T{n:09}Z"), &["plan.json", "done.json"]);
    }
    run("20250101T000000000Z", &["plan.json", "done.json"]);
    run("20250102T000000000Z", &["plan.json"]);
    let ended = gc(&lake, true, false).unwrap();
    assert!(runs.join("20250101T000000000Z").exists());
    // The lake's own run is the newest.
    assert_eq!((ended.len(), gc(&lake, false, false).unwrap()), (4, ended));
    let left = |id: &str| runs.join(id).exists();
    assert!(!left("20250101T000000000Z") && !left("20260101T000000000Z") && left("20260101T000000001Z"));
    assert!(left("20250102T000000000Z"), "it did not end");
    assert!(gc(&lake, false, false).unwrap().is_empty());
}

#[tokio::test]
async fn parts_that_a_lost_ledger_told_of_are_kept_until_somebody_says_otherwise() {
    let trail = Trail::new();
    let lake = lake_of_small_parts(&trail).await;
    let options = options(&trail);
    let before = texts(&lake, &EVENTS, "event_id");
    fs::remove_file(&lake.parts(&LEDGER).unwrap()[0].path).unwrap();
    let is_lost = |error: IngestError| matches!(error, IngestError::LedgerLost { .. });
    let ran = trailweave_ingest::ingest(&lake, &options, &Progress::default()).await;
    assert!(is_lost(ran.unwrap_err()));
    let lock = lake.lock().unwrap();
    for is_dry in [true, false] {
        assert!(is_lost(gc(&lake, is_dry, false).unwrap_err()));
    }
    let found = reconcile(&lake).unwrap();
    assert_eq!((found.orphans.len(), found.leftovers, found.lacking_rows()), (3, 0, 0));
    assert_eq!(texts(&lake, &EVENTS, "event_id"), before);

    assert_eq!(gc(&lake, false, true).unwrap().len(), 3);
    drop(lock);
    let summary = ingest(&lake, &options).await;
    assert_eq!((summary.objects_done, summary.tally.rows), (1, 2));
    assert_eq!(texts(&lake, &EVENTS, "event_id"), before);
    let _lock = lake.lock().unwrap();
    let found = reconcile(&lake).unwrap();
    assert_eq!((found.lacking_rows(), found.surplus_rows(), found.orphans.len()), (0, 0, 0));
}

/// A file that is written anew under the name of an orphan is another one to those who read the Iceberg tables.
#[tokio::test]
async fn orphans_leave_the_published_tables() {
    let trail = Trail::new();
    lake_of_small_parts(&trail).await;
    let before = texts(&trail.lake("lake"), &EVENTS, "event_id");
    let keeping = PublishOptions { keep_secs: Some(3_600), ..PublishOptions::default() };
    publish(&trail.lake("lake"), &keeping).unwrap();
    let lake = trail.lake("lake");
    fs::remove_file(&lake.parts(&LEDGER).unwrap()[0].path).unwrap();
    let _lock = lake.lock().unwrap();
    assert_eq!(gc(&lake, false, true).unwrap().len(), 3);
    let summary = trailweave_ingest::ingest(&lake, &options(&trail), &Progress::default()).await.unwrap();
    assert_eq!((summary.objects_done, texts(&lake, &EVENTS, "event_id")), (1, before));
    let published = publish(&lake, &PublishOptions::default()).unwrap();
    let events = published.iter().find(|it| it.table == "events").unwrap();
    assert!(events.committed, "the same names, other files");
}
