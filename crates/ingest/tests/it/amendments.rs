//! One row stays of the records that amendments tie together, however they are delivered.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::sample::select;
use trailweave_ingest::CompactOptions;
use trailweave_ingest::IngestOptions;
use trailweave_ingest::compact;
use trailweave_ingest::settle;
use trailweave_ingest::status;
use trailweave_lake::Lake;
use trailweave_table::EVENTS;
use trailweave_table::LEDGER;

use crate::ingest;
use crate::options;
use crate::trail::Trail;
use crate::trail::object;
use crate::trail::read;
use crate::trail::texts;

/// Events of an account; few, so that records meet.
const IDS: u8 = 5;

/// A record as it may be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Record {
    account: u8,
    id: u8,
    /// Its day, and the second of that day.
    time: (u8, u8),
    is_relevant: bool,
    version: u8,
    addendum: Addendum,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Addendum {
    None,
    DeliveryDelay,
    UpdatedData { original: Option<u8> },
}

/// The values that tell rows apart: account, event id, time, user agent, and what it amends.
type Row = [String; 5];

impl Record {
    /// A record that amends nothing; its copies are alike.
    fn plain(account: u8, id: u8, addendum: Addendum) -> Self {
        Self { account, id, time: (id % 3, 0), is_relevant: id % 4 != 3, version: 0, addendum }
    }

    fn amendment(account: u8, id: u8, original: Option<u8>, version: u8) -> Self {
        let addendum = Addendum::UpdatedData { original };
        Self { time: (id % 3, version), version, addendum, ..Self::plain(account, id, addendum) }
    }

    fn event_time(&self) -> String {
        format!("2026-09-0{}T12:00:0{}Z", self.time.0 + 1, self.time.1)
    }

    fn json(&self) -> String {
        let addendum = match self.addendum {
            Addendum::None => String::new(),
            Addendum::DeliveryDelay => r#","addendum":{"reason":"DELIVERY_DELAY"}"#.to_owned(),
            Addendum::UpdatedData { original } => {
                let original = original.map(|id| format!(r#","originalEventID":"e{id}""#)).unwrap_or_default();
                format!(r#","addendum":{{"reason":"UPDATED_DATA","updatedFields":"userAgent"{original}}}"#)
            }
        };
        format!(
            r#"{{"eventVersion":"1.11","eventID":"e{}","eventTime":"{}","eventSource":"ec2.amazonaws.com","eventName":"{}",
                "recipientAccountId":"{}","userAgent":"v{}"{addendum}}}"#,
            self.id,
            self.event_time(),
            if self.is_relevant { "RunInstances" } else { "DescribeInstances" },
            self.account,
            self.version,
        )
    }

    /// The events that it ties.
    fn events(&self) -> [(u8, u8); 2] {
        let amended = match self.addendum {
            Addendum::UpdatedData { original: Some(original) } => original,
            _ => self.id,
        };
        [(self.account, self.id), (self.account, amended)]
    }

    fn row(&self) -> Row {
        let amended = match self.addendum {
            Addendum::UpdatedData { original } => format!("e{}", original.unwrap_or(self.id)),
            _ => String::new(),
        };
        let version = format!("v{}", self.version);
        [self.account.to_string(), format!("e{}", self.id), self.event_time(), version, amended]
    }
}

/// The slow, obvious answer: for each family the rows that may stay, of which one does. `None`: no row. There are
/// several only where amendments differ in neither time nor id.
fn families(records: &[&Record], keeps_all: bool) -> Vec<BTreeSet<Option<Row>>> {
    let mut label: BTreeMap<(u8, u8), (u8, u8)> =
        records.iter().flat_map(|record| record.events()).map(|event| (event, event)).collect();
    for _ in 0..label.len() {
        for record in records {
            let [own, amended] = record.events();
            let least = label[&own].min(label[&amended]);
            label.extend([(own, least), (amended, least)]);
        }
    }
    let labels: BTreeSet<_> = label.values().copied().collect();
    let row = |record: &&Record| (keeps_all || record.is_relevant).then(|| record.row());
    let family = |least| {
        let members: Vec<_> = records.iter().copied().filter(|it| label[&it.events()[0]] == least).collect();
        let amends = |it: &&&Record| matches!(it.addendum, Addendum::UpdatedData { .. });
        match members.iter().filter(amends).map(|it| (it.time, it.id)).max() {
            None => members.iter().map(row).collect(),
            greatest => {
                members.iter().filter(amends).filter(|it| Some((it.time, it.id)) == greatest).map(row).collect()
            }
        }
    };
    labels.into_iter().map(family).collect()
}

fn rows(lake: &Lake) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in lake.parts(&EVENTS).unwrap().iter().flat_map(|part| read(&part.path)) {
        let text = |name: &str, row: usize| batch[name].as_string::<i32>().value(row).to_owned();
        for (row, us) in
            batch["event_time"].as_primitive::<arrow::datatypes::TimestampMicrosecondType>().iter().enumerate()
        {
            let time = jiff::Timestamp::from_microsecond(us.unwrap()).unwrap().to_string();
            let [account, id] = ["recipient_account_id", "event_id"].map(|name| text(name, row));
            rows.push([account, id, time, text("user_agent", row), text("amended_event_id", row)]);
        }
    }
    rows.sort();
    rows
}

/// Every family has the one row that it may have, and there is no other.
fn check(lake: &Lake, records: &[&Record], keeps_all: bool) {
    let mut left = rows(lake);
    for allowed in families(records, keeps_all) {
        match left.iter().position(|row| allowed.contains(&Some(row.clone()))) {
            Some(at) => drop(left.remove(at)),
            None => assert!(allowed.contains(&None), "none of {allowed:?} in {:?}", rows(lake)),
        }
    }
    assert!(left.is_empty(), "{left:?} should not have stayed of {records:?}");
}

/// Checks that the ledger counts of each object what `events` holds of it, and that every count balances. Returns the
/// rows.
fn check_ledger(lake: &Lake) -> u64 {
    let mut held: BTreeMap<String, i64> = BTreeMap::new();
    for name in texts(lake, &EVENTS, "source_object") {
        *held.entry(name).or_default() += 1;
    }
    let mut counted = BTreeMap::new();
    for batch in lake.parts(&LEDGER).unwrap().iter().flat_map(|part| read(&part.path)) {
        for row in 0..batch.num_rows() {
            let [records, rows, duplicates, filtered, rejects] =
                ["records", "rows", "duplicates", "filtered", "rejects"]
                    .map(|name| batch[name].as_primitive::<Int64Type>().value(row));
            assert_eq!(records, rows + duplicates + filtered + rejects);
            if rows > 0 {
                counted.insert(batch["source_object"].as_string::<i32>().value(row).to_owned(), rows);
            }
        }
    }
    assert_eq!(held, counted);
    counted.values().sum::<i64>().unsigned_abs()
}

fn record() -> impl Strategy<Value = Record> {
    let plain = (0..2u8, 0..IDS, select(vec![Addendum::None, Addendum::DeliveryDelay]))
        .prop_map(|(account, id, addendum)| Record::plain(account, id, addendum));
    let amendment = (0..2u8, 0..IDS, prop::option::of(0..IDS), 1..4u8, 0..3u8, prop::bool::weighted(0.8));
    let amendment = amendment.prop_map(|(account, id, original, version, day, is_relevant)| {
        let it = Record::amendment(account, id, original, version);
        Record { time: (day, it.time.1 % 2), is_relevant, ..it }
    });
    prop_oneof![plain, amendment]
}

/// Records, each with the run and the object of its delivery. Some are delivered again.
fn deliveries() -> impl Strategy<Value = Vec<(Record, u8, u8)>> {
    let first = prop::collection::vec((record(), 0..3u8, 0..3u8), 1..14);
    let again = prop::collection::vec((any::<Index>(), 0..3u8, 0..3u8), 0..6);
    (first, again).prop_map(|(mut deliveries, again)| {
        for (which, run, object) in again {
            let (record, ..) = which.get(&deliveries).clone();
            deliveries.push((record, run, object));
        }
        deliveries
    })
}

fn lake(trail: &Trail, name: &str, keeps_all: bool) -> Lake {
    let events = if keeps_all { "all" } else { "relevant" };
    Lake::open_or_create(&trail.source().with_file_name(name), Some(events)).unwrap()
}

fn put(trail: &Trail, name: &str, records: &[&Record]) {
    trail.put(&format!("{name}.json"), &object(&records.iter().map(|it| it.json()).collect::<Vec<_>>()));
}

/// Delivers in three runs, and checks after each that the lake is what its records so far make.
async fn deliver_in_runs(
    lake: &Lake,
    trail: &Trail,
    options: &IngestOptions,
    keeps_all: bool,
    deliveries: &[(Record, u8, u8)],
) {
    let mut n_rows = 0;
    for run in 0..3 {
        for part in 0..3 {
            let of_part = deliveries.iter().filter(|(_, of_run, of_part)| (*of_run, *of_part) == (run, part));
            put(trail, &format!("{run}-{part}"), &of_part.map(|(record, ..)| record).collect::<Vec<_>>());
        }
        let summary = ingest(lake, options).await;
        let so_far: Vec<_> = deliveries.iter().filter(|(_, of, _)| *of <= run).map(|(record, ..)| record).collect();
        check(lake, &so_far, keeps_all);
        n_rows = n_rows + summary.tally.rows - summary.rows_amended;
        assert_eq!(check_ledger(lake), n_rows);
        if run == 1 {
            let _lock = lake.lock().unwrap();
            compact(lake, &CompactOptions { memory_bytes: 64 << 20, threads: options.threads }).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_every_family_one_row_stays(deliveries in deliveries(), keeps_all: bool, are_batches_small: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (trail, turned) = (Trail::new(), Trail::new());
        let mut options = options(&trail);
        options.batch_bytes = if are_batches_small { 1 } else { options.batch_bytes };
        let in_runs = lake(&trail, "lake", keeps_all);
        runtime.block_on(deliver_in_runs(&in_runs, &trail, &options, keeps_all, &deliveries));

        // All at once, the last first, is the same even where the records leave open which row stays.
        put(&turned, "all", &deliveries.iter().rev().map(|(record, ..)| record).collect::<Vec<_>>());
        let at_once = lake(&turned, "lake", keeps_all);
        runtime.block_on(ingest(&at_once, &crate::options(&turned)));
        prop_assert_eq!(rows(&at_once), rows(&in_runs));
    }
}

#[tokio::test]
async fn an_amendment_that_is_no_row_takes_the_row_it_amends() {
    let trail = Trail::new();
    let lake = lake(&trail, "lake", false);
    let original = Record::plain(0, 0, Addendum::None);
    let renamed = Record { is_relevant: false, ..Record::amendment(0, 1, Some(0), 1) };
    put(&trail, "first", &[&original]);
    assert_eq!(ingest(&lake, &options(&trail)).await.tally.rows, 1);
    put(&trail, "second", &[&renamed]);
    let summary = ingest(&lake, &options(&trail)).await;
    assert_eq!((summary.tally.filtered, summary.rows_amended), (1, 1));
    put(&trail, "late", &[&original]);
    assert_eq!(ingest(&lake, &options(&trail)).await.tally.duplicates, 1);
    assert_eq!((rows(&lake).len(), check_ledger(&lake)), (0, 0));
}

#[tokio::test]
async fn within_a_run_what_is_amended_counts_as_a_duplicate_and_status_counts_what_is_there() {
    let trail = Trail::new();
    let lake = lake(&trail, "lake", true);
    let mut options = options(&trail);
    options.batch_bytes = 1;
    put(&trail, "a", &[&Record::plain(0, 0, Addendum::None), &Record::plain(0, 2, Addendum::None)]);
    put(&trail, "b", &[&Record::amendment(0, 0, None, 1)]);
    let summary = ingest(&lake, &options).await;
    assert_eq!((summary.tally.rows, summary.tally.duplicates, summary.rows_amended), (2, 1, 0));
    let status = status(&lake, &options, false).await.unwrap();
    assert_eq!(status.coverage.iter().map(|it| it.rows).sum::<u64>(), rows(&lake).len() as u64);
}

#[tokio::test]
async fn what_shards_amend_is_settled_by_whoever_has_the_lake_next() {
    let trail = Trail::new();
    let lake = lake(&trail, "lake", true);
    let options = IngestOptions { batch_bytes: 1, ..options(&trail) };
    let records = [Record::plain(0, 0, Addendum::None), Record::amendment(0, 1, Some(0), 1)];
    for (day, record) in ["2026/09/01", "2026/09/02"].into_iter().zip(&records) {
        trail.deliver("eu-west-1", day, "object", &[record.json()]);
    }
    for index in 0..2 {
        let name = format!("{index}/2");
        let _lock = lake.lock_shard(&format!("{index}-of-2"), 2).unwrap();
        let options =
            IngestOptions { shard: Some(name.parse().unwrap()), run_id: format!("run-{index}"), ..options.clone() };
        trailweave_ingest::ingest(&lake, &options, &trailweave_ingest::Progress::default()).await.unwrap();
        assert_eq!(
            check_ledger(&lake),
            rows(&lake).len() as u64,
            "the ledger counts what is there before it is settled"
        );
    }
    assert_eq!(rows(&lake).len(), 2);
    let _lock = lake.lock().unwrap();
    assert_eq!(settle(&lake).unwrap(), 1);
    check(&lake, &records.iter().collect::<Vec<_>>(), true);
    assert_eq!((settle(&lake).unwrap(), check_ledger(&lake)), (0, 1));
}
