//! Lakes to join, and the products that the join in memory makes of them.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;

use proptest::strategy::Strategy;
use proptest::strategy::ValueTree;
use tempfile::TempDir;
use trailweave_corpus::CorpusOptions;
use trailweave_correlate::CorrelateOptions;
use trailweave_correlate::Progress;
use trailweave_correlate::Scope;
use trailweave_correlate::correlate;
use trailweave_ingest::IngestOptions;
use trailweave_ingest::Source;
use trailweave_lake::Lake;
use trailweave_oracle::Event;
use trailweave_oracle::batch;
use trailweave_oracle::cases;
use trailweave_oracle::deliver;
use trailweave_oracle::events_from;
use trailweave_oracle::files;
use trailweave_oracle::world::runner;
use trailweave_oracle::world::shuffle;
use trailweave_oracle::world::worlds;

/// The threads of a join.
pub(crate) const THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// The content of every file of the products, by path below the lake.
pub(crate) type Files = Vec<(PathBuf, Vec<u8>)>;

/// A lake whose products are still to be made, and what they are to be.
pub(crate) struct Unjoined {
    pub(crate) name: &'static str,
    pub(crate) lake: Lake,
    pub(crate) expected: Files,
    pub(crate) folder: TempDir,
}

impl Unjoined {
    /// Makes a lake of a choice of events by `fill`.
    pub(crate) fn new(name: &'static str, choice: &str, fill: impl Fn(&Lake)) -> Self {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let in_memory = Lake::open_or_create(other.path(), Some(choice)).unwrap();
        fill(&in_memory);
        join_in_memory(&in_memory);
        let lake = Lake::open_or_create(&folder.path().join("lake"), Some(choice)).unwrap();
        fill(&lake);
        Self { name, lake, expected: named(&in_memory), folder }
    }

    /// Makes a lake of events in several deliveries.
    pub(crate) fn of(name: &'static str, choice: &str, events: &[Event], n_files: usize) -> Self {
        let size = events.len().div_ceil(n_files).max(1);
        Self::new(name, choice, |lake| {
            events.chunks(size).enumerate().for_each(|(at, events)| deliver(lake, at, &batch(events)));
        })
    }

    /// The folder for stages beside the lake.
    pub(crate) fn stage(&self) -> PathBuf {
        self.folder.path().join("stage")
    }
}

/// Copies a folder with all that is below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    let Ok(entries) = std::fs::read_dir(from) else { return };
    std::fs::create_dir_all(to).unwrap();
    for entry in entries.map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) fn join_in_memory(lake: &Lake) {
    let (memory_bytes, scope) = (256 << 20, Scope::New);
    let options = CorrelateOptions { memory_bytes, threads: THREADS, slice_rows: None, scope, give_back: || () };
    correlate(lake, &options, &Progress::default()).unwrap();
}

pub(crate) fn named(lake: &Lake) -> Files {
    files(lake).into_iter().map(|(path, content)| (lake.below(&path).to_owned(), content)).collect()
}

/// Returns the events of all cases, backwards.
pub(crate) fn of_cases() -> Vec<Event> {
    let mut events: Vec<Event> = cases().into_iter().flat_map(|case| events_from(&[case.events])).collect();
    events.reverse();
    events
}

/// Returns the events of random worlds, at most so many and of such sizes.
pub(crate) fn of_worlds(n_worlds: usize, n_events: Range<usize>) -> Vec<Event> {
    let drawn = worlds(n_worlds, n_events).new_tree(&mut runner(1)).unwrap().current();
    let mut events = drawn.concat();
    shuffle(&mut events, 7);
    events
}

/// Ingests a trail as that of the demo, and records that no service logs in such a way, by three shards.
pub(crate) fn by_shards(lake: &Lake, trail: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for index in 0..3 {
        let _lock = lake.lock_shard(&format!("{index}-of-3"), 3).unwrap();
        let options = IngestOptions {
            sources: vec![Source::Local(trail.join("AWSLogs"))],
            memory_bytes: 256 << 20,
            threads: THREADS,
            fetches: THREADS,
            cap_bytes: 64 << 20,
            batch_bytes: 1 << 20,
            shard: Some(format!("{index}/3").parse().unwrap()),
            run_id: format!("run-{index}"),
            ..IngestOptions::default()
        };
        let progress = trailweave_ingest::Progress::default();
        let summary = runtime.block_on(trailweave_ingest::ingest(lake, &options, &progress)).unwrap();
        assert!(summary.objects_quarantined == 0 && summary.tally.rows > 0, "{summary:?}");
    }
}

/// Writes a trail as that of the demo, and records that no service logs in such a way.
pub(crate) fn trail(folder: &Path, records: usize) {
    let options = CorpusOptions { records, ..CorpusOptions::default() };
    trailweave_corpus::generate(&options, folder).unwrap();
    let odd = folder.join("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/09/01");
    std::fs::create_dir_all(&odd).unwrap();
    let name = "111122223333_CloudTrail_eu-west-1_20260901T0000Z_0000000000000odd.json";
    std::fs::write(odd.join(name), include_str!("odd.json")).unwrap();
}
