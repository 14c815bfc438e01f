//! Runs the whole job on generated trails and prints how their links compare with the truth and the oracle.
//!
//! `cargo run --release -p trailweave-bench --bin truth -- RECORDS SEED[-SEED] [FOLDER]`
//!
//! Trails and lakes are kept in the folder, and not made again when they stand there.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use truth::Score;

/// The oracle loops over all events for each, so it is not asked beyond so many records.
const MAX_ORACLE_RECORDS: usize = 300_000;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let usage = "usage: truth RECORDS SEED[-SEED] [FOLDER]";
    let mut typed = env::args().skip(1);
    let records = typed.next().context(usage)?.replace('_', "").parse().context(usage)?;
    let seeds = typed.next().context(usage)?;
    let (first, last) = seeds.split_once('-').unwrap_or((&seeds, &seeds));
    let kept = typed.next().map(PathBuf::from);
    let seeds = first.parse::<u64>().context(usage)?..=last.parse().context(usage)?;

    let mut flows = BTreeMap::<String, Score>::new();
    let (mut n_unexpected, mut n_agreed, mut n_seeds) = (0, 0, 0);
    for seed in seeds {
        let began = Instant::now();
        let passing = tempfile::tempdir()?;
        let folder =
            kept.as_ref().map_or_else(|| passing.path().to_owned(), |kept| kept.join(format!("{records}-{seed}")));
        let trial = truth::run(&folder, records, seed).await?;
        let verdict = truth::judge(&folder, &trial.lake)?;
        println!(
            "seed {seed}: {:?}, {:.1} s, of which correlate {:.1} s",
            trial.ingested.tally,
            began.elapsed().as_secs_f64(),
            trial.correlating.as_secs_f64()
        );
        let differences = verdict.flows.values().flat_map(|score| &score.differences);
        differences.chain(verdict.unexpected.iter().take(5)).for_each(|difference| println!("  {difference}"));
        if records <= MAX_ORACLE_RECORDS {
            n_agreed += truth::ask_oracle(&trial.lake)?;
        }
        n_unexpected += verdict.unexpected.len();
        n_seeds += 1;
        for (flow, score) in verdict.flows {
            flows.entry(flow).or_default().add(&score);
        }
    }
    println!("\n| flow | expected | right | wrong | ambiguous |\n|---|---|---|---|---|");
    let mut all = Score::default();
    for (flow, score) in &flows {
        println!("| {flow} {score}");
        all.add(score);
    }
    println!("| all {all}\n\n{n_seeds} seeds; {n_unexpected} rows of which the truth knows nothing");
    if records <= MAX_ORACLE_RECORDS {
        println!("{n_agreed} rows of all products equal the oracle's");
    }
    let is_wrong = all.right < all.expected || n_unexpected > 0;
    Ok(if is_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
