//! Many objects, large objects, many dates: the budget bounds memory, not what can be read.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::datatypes::TimestampMicrosecondType;
use trailweave_ingest::IngestOptions;
use trailweave_ingest::Progress;
use trailweave_lake::Lake;
use trailweave_table::EVENTS;
use trailweave_table::LEDGER;
use trailweave_table::Table;

use crate::ingest;
use crate::options;
use crate::trail::Trail;
use crate::trail::event;
use crate::trail::object;
use crate::trail::read;
use crate::trail::texts;

#[tokio::test]
async fn five_thousand_tiny_objects_become_few_parts() {
    let trail = Trail::new();
    for n in 0..5_000 {
        let id = format!("{n:04}");
        trail.put(&format!("{}/{id}.json", n % 10), &object(&[event(&id, "2026-09-01T12:00:00Z")]));
    }
    let lake = trail.lake("lake");
    let progress = Progress::default();
    let options = IngestOptions { memory_bytes: 128 << 20, ..options(&trail) };
    let summary = trailweave_ingest::ingest(&lake, &options, &progress).await.unwrap();
    assert_eq!((summary.objects_done, summary.tally.rows, summary.parts), (5_000, 5_000, 1));
    assert_eq!(progress.objects_done.load(Relaxed), progress.objects_planned.load(Relaxed));
    assert_eq!(progress.bytes_done.load(Relaxed), summary.bytes);
    assert_eq!(texts(&lake, &EVENTS, "event_id").len(), 5_000);
}

#[tokio::test]
async fn a_large_object_is_decoded_in_pieces_and_cut_into_parts_whatever_the_memory() {
    let trail = Trail::new();
    let padding = "x".repeat(20_000);
    let padded = |id: &str, time: &str| {
        event(id, time).replace(
            "\"RunInstances\"",
            &format!("\"RunInstances\",\"requestParameters\":{{\"userData\":\"{padding}\"}}"),
        )
    };
    let giant: Vec<_> =
        (0..2_000).map(|n| padded(&format!("g{n}"), &format!("2026-09-0{}T12:00:00Z", n % 3 + 1))).collect();
    trail.deliver("eu-west-1", "2026/09/01", "b-giant", &giant);
    for name in ["a", "c"] {
        trail.deliver("eu-west-1", "2026/09/01", name, &[event(name, "2026-09-01T12:00:00Z")]);
    }
    let inflated_bytes = 40 << 20;
    for memory_bytes in [1, 3 * inflated_bytes] {
        let options = IngestOptions { memory_bytes, ..options(&trail) };
        let lake = trail.lake(&format!("lake-{memory_bytes}"));
        let progress = Progress::default();
        let summary = trailweave_ingest::ingest(&lake, &options, &progress).await.unwrap();
        assert_eq!((summary.objects_done, summary.tally.rows), (3, 2_002));
        assert!(summary.parts > 3, "{} parts of 3 dates", summary.parts);
        assert_eq!(progress.objects_done.load(Relaxed), 3);
        assert_eq!(progress.bytes_done.load(Relaxed), summary.bytes);
        assert_eq!(integers(&lake, &LEDGER, "rows"), [1, 1, 2_000]);
        assert_eq!(integers(&lake, &EVENTS, "source_index"), [0, 0].into_iter().chain(0..2_000).collect::<Vec<i64>>());
    }
}

#[tokio::test]
async fn rows_lie_in_the_partition_of_their_own_date_in_order() {
    let trail = Trail::new();
    let times: Vec<_> =
        (0..600).map(|n| format!("20{:02}-0{}-0{}T00:00:0{}Z", n % 5 + 10, n % 5 + 1, n % 4 + 1, n % 10)).collect();
    let records: Vec<_> = times.iter().enumerate().map(|(n, time)| event(&format!("{n}"), time)).collect();
    trail.put("a.json", &object(&records));
    let lake = trail.lake("lake");
    let summary = ingest(&lake, &options(&trail)).await;
    let dates: BTreeSet<_> = times.iter().map(|time| time[..10].to_owned()).collect();
    assert_eq!(summary.event_dates, dates);
    let mut rows = 0;
    for part in lake.parts(&EVENTS).unwrap() {
        for batch in read(&part.path) {
            let time = batch.column(EVENTS.position("event_time")).as_primitive::<TimestampMicrosecondType>();
            let date = |us| jiff::Timestamp::from_microsecond(us).unwrap().to_string()[..10].to_owned();
            assert!(time.values().iter().all(|us| date(*us) == part.event_date.clone().unwrap()));
            assert!(time.values().is_sorted());
            rows += batch.num_rows();
        }
    }
    assert_eq!(rows, 600);
}

/// The values of an integer column in all files of a table, sorted.
fn integers(lake: &Lake, table: &Table, column: &str) -> Vec<i64> {
    let batches = lake.parts(table).unwrap().into_iter().flat_map(|part| read(&part.path));
    let values = batches.flat_map(|rows| rows[column].as_primitive::<Int64Type>().values().to_vec());
    let mut integers: Vec<i64> = values.collect();
    integers.sort_unstable();
    integers
}
