//! Holds the links of a generated trail against the truth that the generator wrote, flow by flow.
//!
//! `cargo run --release -p trailweave-bench --bin truth -- RECORDS SEED[-SEED] [FOLDER]`

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::ensure;
use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::StringArray;
use serde::Deserialize;
use trailweave_corpus::CorpusOptions;
use trailweave_correlate::CorrelateOptions;
use trailweave_correlate::Scope;
use trailweave_ingest::IngestOptions;
use trailweave_ingest::Source;
use trailweave_lake::Lake;
use trailweave_oracle as oracle;
use trailweave_table::CORRELATED;
use trailweave_table::PRODUCTS;

/// One line of the generator's truth, as far as it is compared.
#[derive(Debug, Deserialize)]
struct Truth {
    flow: String,
    kms_event_id: String,
    recipient_account_id: String,
    ambiguous: Option<String>,
    ec2_event_id: Option<String>,
    /// Every logged copy of the cause: two accounts may have one each, and either names it.
    #[serde(default)]
    ec2_event_copies: Vec<String>,
    instance_id: Option<String>,
    volume_id: Option<String>,
    launch_event_id: Option<String>,
    root_principal_arn: Option<String>,
    root_source: Option<String>,
}

/// As many records as are generated at once, because the generator holds them in memory.
const MAX_TRAIL_RECORDS: usize = 2_500_000;
/// The folder of the trails, each under its number.
const TRAILS: &str = "trails";

/// The columns that are compared.
const COMPARED: [&str; 6] =
    ["ec2_event_id", "instance_id", "volume_id", "launch_event_id", "root_principal_arn", "root_source"];

/// The links of a flow beside the truth.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Score {
    /// Rows that the truth has and says unambiguously.
    pub expected: usize,
    /// Rows of which every compared column is right.
    pub right: usize,
    /// Rows that the truth marks as ambiguous; they are not compared.
    pub ambiguous: usize,
    /// The first differences, in words.
    pub differences: Vec<String>,
}

impl Score {
    fn count(&mut self, truth: &Truth, found: Option<&[Option<String>]>) {
        if truth.ambiguous.is_some() {
            self.ambiguous += 1;
            return;
        }
        self.expected += 1;
        match difference(truth, found) {
            None => self.right += 1,
            Some(difference) if self.differences.len() < 5 => self.differences.push(difference),
            Some(_) => {}
        }
    }

    /// Adds what was found elsewhere; of the differences nothing.
    pub fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.right += other.right;
        self.ambiguous += other.ambiguous;
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, right, ambiguous, .. } = self;
        write!(f, "| {expected} | {right} | {} | {ambiguous} |", expected - right)
    }
}

/// A whole lake beside the truth.
#[derive(Debug)]
pub struct Verdict {
    /// Flow by flow.
    pub flows: BTreeMap<String, Score>,
    /// Rows of `correlated` of which the truth knows nothing.
    pub unexpected: Vec<String>,
}

/// A generated trail in a lake.
#[derive(Debug)]
pub struct Trial {
    /// The summary of the ingest.
    pub ingested: trailweave_ingest::Summary,
    /// The time that the correlation took.
    pub correlating: Duration,
    /// The lake.
    pub lake: Lake,
}

/// Generates a trail of so many records below `folder` and runs the whole job on it. A large one is of several seeds,
/// which have no account in common. What an earlier run left there is not made again, but correlated anew.
pub async fn run(folder: &Path, records: usize, seed: u64) -> anyhow::Result<Trial> {
    let n_trails = records.div_ceil(MAX_TRAIL_RECORDS);
    // What was delivered is known of trails that are made now.
    let mut delivered = Some(0);
    let mut sources = Vec::new();
    for n in 0..n_trails {
        let trail = folder.join(TRAILS).join(n.to_string());
        let seed = seed + 1000 * n as u64;
        let options = CorpusOptions { seed, records: records / n_trails, ..CorpusOptions::default() };
        if trail.exists() {
            delivered = None;
        } else {
            let unfinished = folder.join("unfinished");
            let made = trailweave_corpus::generate(&options, &unfinished)?.delivered as u64;
            delivered = delivered.map(|delivered| delivered + made);
            fs::create_dir_all(folder.join(TRAILS))?;
            fs::rename(unfinished, &trail)?;
        }
        // The truth stands beside the trail's `AWSLogs`, and is no object of it.
        sources.push(Source::Local(trail.join("AWSLogs")));
    }
    let lake = Lake::open_or_create(&folder.join("lake"), None)?;
    let _lock = lake.lock()?;
    let ingest = IngestOptions { sources, threads: threads(), run_id: "truth".to_owned(), ..IngestOptions::default() };
    let ingested = trailweave_ingest::ingest(&lake, &ingest, &trailweave_ingest::Progress::default()).await?;
    ensure!(ingested.tally.balances(), "the counts do not reconcile: {:?}", ingested.tally);
    let records = ingested.tally.records;
    ensure!(
        delivered.is_none_or(|delivered| delivered == records),
        "records were lost or doubled: {:?}",
        ingested.tally
    );
    let began = Instant::now();
    let whole = CorrelateOptions { scope: Scope::Whole, ..read_arm() };
    trailweave_correlate::correlate(&lake, &whole, &trailweave_correlate::Progress::default())?;
    Ok(Trial { ingested, correlating: began.elapsed(), lake })
}

/// Compares the lake's `correlated` with the truth.
pub fn judge(folder: &Path, lake: &Lake) -> anyhow::Result<Verdict> {
    let mut rows = correlated_rows(lake)?;
    let mut flows = BTreeMap::<String, Score>::new();
    for trail in fs::read_dir(folder.join(TRAILS))? {
        let truth = fs::File::open(trail?.path().join("truth.jsonl")).context("the generator wrote no truth")?;
        for line in BufReader::new(truth).lines() {
            let truth: Truth = serde_json::from_str(&line?)?;
            let found = rows.remove(&(truth.recipient_account_id.clone(), truth.kms_event_id.clone()));
            flows.entry(truth.flow.clone()).or_default().count(&truth, found.as_deref());
        }
    }
    let unexpected = rows.into_keys().map(|(account, event)| format!("{account}/{event}")).collect();
    Ok(Verdict { flows, unexpected })
}

/// Compares every product of the lake with the nested-loop oracle's; returns how many rows agree.
pub fn ask_oracle(lake: &Lake) -> anyhow::Result<usize> {
    let expected = oracle::correlate(&oracle::logged(lake));
    let mut agreed = 0;
    for ((name, wanted), table) in expected.by_table().into_iter().zip(PRODUCTS) {
        ensure!(name == table.name, "the oracle's tables stand in another order");
        let found = oracle::rows_from(&oracle::rows_of(lake, table), table);
        ensure!(found.len() == wanted.len(), "{name}: {} rows, the oracle has {}", found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(wanted) {
            ensure!(found == wanted, "{name} differs from the oracle:\n{found:?}\n{wanted:?}");
        }
        agreed += found.len();
    }
    Ok(agreed)
}

fn read_arm() -> CorrelateOptions {
    CorrelateOptions {
        memory_bytes: 4 << 30,
        threads: threads(),
        slice_rows: None,
        scope: Scope::New,
        give_back: || (),
    }
}

fn threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// The compared columns of rows, by account and event id.
type ComparedRows = BTreeMap<(String, String), Vec<Option<String>>>;

/// Reads the compared columns of every row.
fn correlated_rows(lake: &Lake) -> anyhow::Result<ComparedRows> {
    let mut rows = BTreeMap::new();
    for batch in oracle::rows_of(lake, &CORRELATED) {
        let columns = ["recipient_account_id", "kms_event_id"].iter().chain(&COMPARED);
        let columns: Vec<&StringArray> = columns.map(|column| batch[*column].as_string::<i32>()).collect();
        for row in 0..batch.num_rows() {
            let value = |column: &StringArray| column.is_valid(row).then(|| column.value(row).to_owned());
            let key = (value(columns[0]).unwrap_or_default(), value(columns[1]).unwrap_or_default());
            let previous = rows.insert(key.clone(), columns[2..].iter().map(|column| value(column)).collect());
            ensure!(previous.is_none(), "{key:?} stands twice in correlated");
        }
    }
    Ok(rows)
}

fn difference(truth: &Truth, found: Option<&[Option<String>]>) -> Option<String> {
    let Some(found) = found else { return Some(format!("{} has no row", truth.kms_event_id)) };
    let wanted = [
        &truth.ec2_event_id,
        &truth.instance_id,
        &truth.volume_id,
        &truth.launch_event_id,
        &truth.root_principal_arn,
        &truth.root_source,
    ];
    let is_copy = |found: &Option<String>| found.as_ref().is_some_and(|id| truth.ec2_event_copies.contains(id));
    let is_right = |column: &str, wanted: &Option<String>, found: &Option<String>| {
        wanted == found || column == COMPARED[0] && wanted.is_some() && is_copy(found)
    };
    let wrong =
        COMPARED.iter().zip(wanted).zip(found).filter(|((column, wanted), found)| !is_right(column, wanted, found));
    let words: Vec<_> =
        wrong.map(|((column, wanted), found)| format!("{column} {found:?}, truth {wanted:?}")).collect();
    (!words.is_empty()).then(|| format!("{}: {}", truth.kms_event_id, words.join("; ")))
}
