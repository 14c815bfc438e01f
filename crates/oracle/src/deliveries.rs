//! Lakes of given events, and their products as rows.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::array::UInt32Array;
use arrow::compute::SortColumn;
use arrow::compute::lexsort_to_indices;
use arrow::compute::take_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use trailweave_lake::Lake;
use trailweave_lake::TableWriter;
use trailweave_lake::WholeFile;
use trailweave_lake::read::Reader;
use trailweave_table::EVENTS;
use trailweave_table::PRODUCTS;
use trailweave_table::SESSIONS;
use trailweave_table::Table;
use trailweave_table::date_of_day;
use trailweave_table::day_of_time;
use trailweave_table::ms_of_time;
use trailweave_table::part_name;
use trailweave_table::partition_dir;

use crate::Event;
use crate::Products;
use crate::batch::rows;
use crate::event::events_from;
use crate::event::sessions_from;
use crate::rows_from;

/// Brings events to a lake, as parts of their own; to one of relevant events those of STS as rows of `sessions`.
pub fn deliver(lake: &Lake, at: usize, delivery: &RecordBatch) {
    if lake.format().events == "all" {
        return deliver_to(lake, &EVENTS, at, delivery);
    }
    let (sts, others): (Vec<Event>, Vec<Event>) =
        events_from(std::slice::from_ref(delivery)).into_iter().partition(Event::is_sts);
    let issued: Vec<Event> = sts.into_iter().filter(Event::issues).collect();
    deliver_to(lake, &EVENTS, at, &rows(&EVENTS, &others));
    deliver_to(lake, &SESSIONS, at, &rows(&SESSIONS, &issued));
}

fn deliver_to(lake: &Lake, table: &'static Table, at: usize, delivery: &RecordBatch) {
    for (date, rows) in by_date(table, delivery) {
        let name = part_name(&format!("delivery{at}"), 0);
        let path = lake.table_dir(table).join(partition_dir(&date)).join(name);
        let mut writer = TableWriter::new(WholeFile::create(&path).unwrap(), table).unwrap();
        writer.write(&rows).unwrap();
        writer.commit().unwrap();
    }
}

/// Reads the records of a lake, in whichever table they are.
pub fn logged(lake: &Lake) -> Vec<Event> {
    [events_from(&rows_of(lake, &EVENTS)), sessions_from(&rows_of(lake, &SESSIONS))].concat()
}

/// Returns the rows of each date, in the order of a file of the table.
fn by_date(table: &Table, rows: &RecordBatch) -> BTreeMap<String, RecordBatch> {
    let key = |name: &&str| SortColumn { values: Arc::clone(rows.column_by_name(name).unwrap()), options: None };
    let keys: Vec<SortColumn> = table.sort_by.iter().map(key).collect();
    let order = lexsort_to_indices(&keys, None).unwrap();
    let times = rows.column_by_name("event_time").unwrap().as_primitive::<TimestampMicrosecondType>();
    let mut dates: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for &row in order.values() {
        let date = date_of_day(day_of_time(ms_of_time(times.value(row as usize))));
        dates.entry(date).or_default().push(row);
    }
    let taken = |rows_of_date| take_record_batch(rows, &UInt32Array::from(rows_of_date)).unwrap();
    dates.into_iter().map(|(date, rows_of_date)| (date, taken(rows_of_date))).collect()
}

/// Reads the rows of a table of a lake.
pub fn rows_of(lake: &Lake, table: &Table) -> Vec<RecordBatch> {
    let mut rows = Vec::new();
    for part in lake.parts(table).unwrap() {
        let reader = Reader::try_new(lake.open_listed(&part).unwrap()).unwrap();
        rows.extend(reader.build().unwrap().map(Result::unwrap));
    }
    rows
}

/// Reads the products of a lake.
pub fn products(lake: &Lake) -> Products {
    let [correlated, instances, volumes, attachments, grants] =
        PRODUCTS.map(|table| rows_from(&rows_of(lake, table), table));
    Products { correlated, instances, volumes, attachments, grants }
}

/// Reads the content of every file of the products, by path.
pub fn files(lake: &Lake) -> Vec<(PathBuf, Vec<u8>)> {
    let parts = PRODUCTS.into_iter().flat_map(|table| lake.parts(table).unwrap());
    parts.map(|part| (part.path.clone(), fs::read(part.path).unwrap())).collect()
}
