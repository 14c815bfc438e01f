//! One trail makes one lake, in whatever groups, order and runs its records arrive.

use std::collections::BTreeMap;
use std::fs;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use flate2::bufread::GzDecoder;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use proptest::prelude::*;
use serde::de::IgnoredAny;
use trailweave_corpus::CorpusOptions;
use trailweave_ingest::CompactOptions;
use trailweave_ingest::Source;
use trailweave_ingest::compact;
use trailweave_lake::Lake;
use trailweave_table::EVENTS;

use crate::ingest;
use crate::options;
use crate::trail::Trail;
use crate::trail::object;

const RUNS: u64 = 3;

/// The records of an object that the generator wrote, as logged.
fn records(path: &Path) -> Vec<String> {
    let mut text = String::new();
    GzDecoder::new(&*fs::read(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut rest = text.strip_prefix("{\"Records\":[").unwrap();
    let mut records = Vec::new();
    while rest != "]}" {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        values.next().unwrap().unwrap();
        let (record, others) = rest.split_at(values.byte_offset());
        records.push(record.to_owned());
        rest = others.strip_prefix(',').unwrap_or(others);
    }
    records
}

fn objects(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { objects(&path) } else { vec![path] }).collect()
}

/// Every row of `events` but for where it was logged, in order.
fn rows(lake: &Lake) -> Vec<String> {
    let mut rows = Vec::new();
    for part in lake.parts(&EVENTS).unwrap() {
        let file = SerializedFileReader::new(fs::File::open(part.path).unwrap()).unwrap();
        rows.extend(file.get_row_iter(None).unwrap().map(|row| {
            let row = row.unwrap();
            let columns =
                row.get_column_iter().filter(|(name, _)| !["source_object", "source_index"].contains(&&***name));
            columns.map(|(name, field)| format!("{name}={field}")).collect::<Vec<_>>().join(" ")
        }));
    }
    rows.sort();
    rows
}

fn dice(seed: u64, what: &str, n: usize) -> u64 {
    let mut hash = DefaultHasher::new();
    (seed, what, n).hash(&mut hash);
    hash.finish()
}

/// Deals records to objects, and these to runs, three in a hundred of them twice.
fn deal(records: &[String], seed: u64, n_objects: u64) -> BTreeMap<(u64, u64), Vec<String>> {
    let mut dealt: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (n, record) in records.iter().enumerate() {
        let times = 1 + usize::from(dice(seed, "doubled", n) % 100 < 3);
        for again in 0..times {
            let place = dice(seed, "run", n + again) % RUNS;
            dealt.entry((place, dice(seed, "object", n + again) % n_objects)).or_default().push(record.clone());
        }
    }
    for (n, records) in dealt.values_mut().enumerate() {
        records.sort_by_key(|record| dice(seed, record, n));
    }
    dealt
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_grouping_in_any_order_over_several_runs_makes_the_rows_of_one(seed: u64, n_objects in 1..20u64, is_cut: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (generated, dealt) = (Trail::new(), Trail::new());
        let of_corpus = CorpusOptions { seed, records: 500, days: 3, ..CorpusOptions::default() };
        trailweave_corpus::generate(&of_corpus, &generated.source()).unwrap();
        let mut paths = objects(&generated.source().join("AWSLogs"));
        paths.sort();
        let records: Vec<String> = paths.iter().flat_map(|path| records(path)).collect();
        let mut whole = options(&generated);
        whole.sources = vec![Source::Local(generated.source().join("AWSLogs"))];
        let at_once = generated.lake("lake");
        let tally = runtime.block_on(ingest(&at_once, &whole)).tally;
        prop_assert!(tally.rows > 400 && tally.duplicates > 0, "{tally:?}");

        let lake = dealt.lake("lake");
        let mut in_runs = options(&dealt);
        in_runs.batch_bytes = if is_cut { 1 } else { in_runs.batch_bytes };
        let objects = deal(&records, seed, n_objects);
        for run in 0..RUNS {
            for ((_, n), records) in objects.iter().filter(|((of, _), _)| *of == run) {
                dealt.put(&format!("{run}/{n}.json"), &object(records));
            }
            runtime.block_on(ingest(&lake, &in_runs));
            if run == 1 {
                let _lock = lake.lock().unwrap();
                compact(&lake, &CompactOptions { memory_bytes: 64 << 20, threads: in_runs.threads }).unwrap();
            }
        }
        prop_assert!(rows(&lake) == rows(&at_once), "seed {seed}, {n_objects} objects");
    }
}
