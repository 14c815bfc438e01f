//! Lakes of given events, and their products as rows.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::array::UInt32Array;
use arrow::compute::SortColumn;
use arrow::compute::lexsort_to_indices;
use arrow::compute::take_record_batch;
use arrow::datatypes::TimestampMillisecondType;
use tempfile::TempDir;
use trailweave_correlate::Correlate;
use trailweave_correlate::Progress;
use trailweave_correlate::Scope;
use trailweave_correlate::correlate;
use trailweave_correlate::open;
use trailweave_correlate::oracle::Products;
use trailweave_correlate::oracle::Row;
use trailweave_correlate::oracle::rows_from;
use trailweave_lake::Lake;
use trailweave_lake::TableWriter;
use trailweave_lake::WholeFile;
use trailweave_table::EVENTS;
use trailweave_table::PRODUCTS;
use trailweave_table::part_name;
use trailweave_table::partition_dir;

use crate::duckdb::assert_duckdb_agrees;

/// Every product, as far as it fits in memory.
pub(crate) const OPTIONS: Correlate = Correlate {
    memory_bytes: 256 << 20,
    threads: NonZeroUsize::new(2).unwrap(),
    slice_rows: None,
    scope: Scope::Whole,
};

pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The products of `deliveries`, each of which becomes files of its own. Slices of any size make the same bytes, and
/// DuckDB the same rows of `correlated`.
pub(crate) fn products_of_plan(deliveries: &[RecordBatch]) -> Products {
    let folder = lake_of(deliveries);
    let lake = Lake::open(folder.path()).unwrap();
    let options = OPTIONS;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    correlate(&lake, &options, &Progress::default()).unwrap();
    assert_slices_agree(&lake, deliveries.iter().map(RecordBatch::num_rows).sum());
    runtime.block_on(async {
        assert_duckdb_agrees(folder.path());
        let session = open(&lake, &options).await.unwrap();
        let mut tables = Vec::new();
        for table in PRODUCTS {
            let batches = session.query(&format!("SELECT * FROM {}", table.name)).await.unwrap();
            tables.push(rows_from(&batches, table));
        }
        let [correlated, instances, volumes, attachments, grants] = tables.try_into().unwrap();
        Products { correlated, instances, volumes, attachments, grants }
    })
}

/// Joins the events of a lake once more, in slices of several sizes, which must make the bytes that stand.
pub(crate) fn assert_slices_agree(lake: &Lake, n_events: usize) {
    let expected = files(lake);
    for n_slices in [2, 5, 17] {
        let slice_rows = NonZeroUsize::new(n_events / n_slices);
        let Some(slice_rows) = slice_rows else { continue };
        let options = Correlate { slice_rows: Some(slice_rows), ..OPTIONS };
        correlate(lake, &options, &Progress::default()).unwrap();
        let found = files(lake);
        let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected), "in slices of {slice_rows}");
        for ((path, found), (_, expected)) in found.iter().zip(&expected) {
            assert!(found == expected, "{} differs, in slices of {slice_rows}", path.display());
        }
    }
}

/// The products of several trails that have nothing to do with each other.
pub(crate) fn together(products: impl IntoIterator<Item = Products>) -> Products {
    let mut all = Products::default();
    for it in products {
        all.correlated.extend(it.correlated);
        all.instances.extend(it.instances);
        all.volumes.extend(it.volumes);
        all.attachments.extend(it.attachments);
        all.grants.extend(it.grants);
    }
    let Products { correlated, instances, volumes, attachments, grants } = &mut all;
    for table in [correlated, instances, volumes, attachments, grants] {
        table.sort();
    }
    all
}

/// The content of every file of the products, by path.
pub(crate) fn files(lake: &Lake) -> Vec<(PathBuf, Vec<u8>)> {
    let parts = PRODUCTS.into_iter().flat_map(|table| lake.parts(table).unwrap());
    parts.map(|part| (part.path.clone(), fs::read(part.path).unwrap())).collect()
}

fn lake_of(deliveries: &[RecordBatch]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), Some("all")).unwrap();
    for (at, delivery) in deliveries.iter().enumerate() {
        deliver(&lake, at, delivery);
    }
    folder
}

/// Brings events to a lake, as parts of their own.
pub(crate) fn deliver(lake: &Lake, at: usize, delivery: &RecordBatch) {
    for (date, rows) in by_date(delivery) {
        let name = part_name(&format!("delivery{at}"), 0);
        let path = lake.table_dir(&EVENTS).join(partition_dir(&date)).join(name);
        let mut writer = TableWriter::new(WholeFile::create(&path).unwrap(), &EVENTS).unwrap();
        writer.write(&rows).unwrap();
        writer.commit().unwrap();
    }
}

/// The rows of each date, in the order of a file of `events`.
fn by_date(rows: &RecordBatch) -> BTreeMap<String, RecordBatch> {
    let key = |name: &&str| SortColumn { values: Arc::clone(rows.column_by_name(name).unwrap()), options: None };
    let keys: Vec<SortColumn> = EVENTS.sort_by.iter().map(key).collect();
    let order = lexsort_to_indices(&keys, None).unwrap();
    let times = rows.column_by_name("event_time").unwrap().as_primitive::<TimestampMillisecondType>();
    let mut dates: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for &row in order.values() {
        let midnight = times.value(row as usize).div_euclid(DAY_MS) * DAY_MS;
        let date = jiff::Timestamp::from_millisecond(midnight).unwrap().strftime("%F").to_string();
        dates.entry(date).or_default().push(row);
    }
    let taken = |rows_of_date| take_record_batch(rows, &UInt32Array::from(rows_of_date)).unwrap();
    dates.into_iter().map(|(date, rows_of_date)| (date, taken(rows_of_date))).collect()
}

/// What differs between two products, for a reader; empty when nothing does.
pub(crate) fn differences(found: &Products, expected: &Products) -> String {
    let mut report = String::new();
    for ((table, found), (_, expected)) in found.by_table().into_iter().zip(expected.by_table()) {
        let (mut extra, mut missing) = (found.to_vec(), Vec::new());
        for row in expected {
            match extra.iter().position(|it| it == row) {
                Some(at) => drop(extra.swap_remove(at)),
                None => missing.push(row.clone()),
            }
        }
        for row in missing {
            let twin = extra.iter().position(|it| same_subject(it, &row)).map(|at| extra.swap_remove(at));
            report += &difference(table, twin.as_ref(), Some(&row));
        }
        for row in &extra {
            report += &difference(table, Some(row), None);
        }
    }
    report
}

/// Whether two rows tell of the same thing.
fn same_subject(row: &Row, other: &Row) -> bool {
    let ids = ["recipient_account_id", "aws_region", "kms_event_id", "kms_source_object", "kms_event_time"];
    let more = ["launch_event_id", "source_event_id", "create_event_id"];
    let same = |column: &&str| row.value(column) == other.value(column);
    let is_correlated = row.value("kms_event_time").is_some();
    ids.iter().all(same) && (is_correlated || more.iter().all(same) && same(&"volume_id"))
}

fn difference(table: &str, found: Option<&Row>, expected: Option<&Row>) -> String {
    match (found, expected) {
        (Some(found), Some(expected)) => {
            let columns = found.0.keys().chain(expected.0.keys());
            let differing = columns.filter(|column| found.value(column) != expected.value(column));
            let told: BTreeMap<_, _> = differing.map(|it| (it, (found.value(it), expected.value(it)))).collect();
            format!("{table}: {:#?}\n  (found, expected): {told:#?}\n", expected.0)
        }
        (found, expected) => format!("{table}: only found {found:#?}, only expected {expected:#?}\n"),
    }
}
