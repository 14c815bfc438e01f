//! Runs the whole job on a generated trail and prints how its links compare with the truth and the oracle.
//!
//! `cargo run --release -p trailweave-bench --bin truth -- RECORDS SEED [FOLDER]`

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let usage = "usage: truth RECORDS SEED [FOLDER]";
    let mut typed = env::args().skip(1);
    let records = typed.next().context(usage)?.replace('_', "").parse().context(usage)?;
    let seed = typed.next().context(usage)?.parse().context(usage)?;
    let temporary = tempfile::tempdir()?;
    let folder = typed.next().map_or_else(|| temporary.path().to_owned(), PathBuf::from);

    let trial = truth::run(&folder, records, seed).await?;
    println!("{:?}", trial.ingested.tally);
    let verdict = truth::judge(&folder, &trial.lake).await?;
    println!("{:<16} {:>8} {:>8} {:>8} {:>10}", "flow", "expected", "right", "wrong", "ambiguous");
    for (flow, score) in &verdict.flows {
        let wrong = score.expected - score.right;
        println!("{flow:<16} {:>8} {:>8} {wrong:>8} {:>10}", score.expected, score.right, score.ambiguous);
    }
    for difference in
        verdict.flows.values().flat_map(|score| &score.differences).chain(verdict.unexpected.iter().take(5))
    {
        println!("  {difference}");
    }
    println!("{} rows of which the truth knows nothing", verdict.unexpected.len());
    println!("{} rows of all products equal the oracle's", truth::ask_oracle(&trial.lake).await?);
    let wrong = verdict.flows.values().any(|score| score.right < score.expected) || !verdict.unexpected.is_empty();
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
