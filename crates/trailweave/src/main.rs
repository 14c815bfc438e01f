//! The program: arguments, configuration, progress, summaries and exit codes. It decides nothing about data.
//!
//! ```text
//!  Cli (as typed) + environment + file --config--> Config (resolved) --verb--> ingest / correlate (libraries)
//!                                                                               |
//!                                         exit code <-- summary, progress <-----+
//! ```

mod allocator;
mod args;
mod config;
mod coverage;
mod escape;
mod figures;
mod freshness;
#[cfg_attr(not(feature = "glue"), path = "glue/lacking.rs")]
mod glue;
mod job;
mod machine;
mod metrics;
#[cfg_attr(not(feature = "otlp"), path = "otlp/lacking.rs")]
mod otlp;
mod outcome;
mod price;
mod progress;
mod report;
mod spoken;
mod staged;
mod trace;
mod verb;
mod version;

use std::io;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::error::ErrorKind;
use jiff::Timestamp;
use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::Cli;
use crate::outcome::Outcome;

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => {
            let help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Nobody is left to tell when the terminal is gone.
            let _ = error.print();
            return if help { ExitCode::SUCCESS } else { ExitCode::from(Outcome::Usage.exit_code()) };
        }
    };
    log(cli.common.verbose);
    match verb::carry_out(cli, now) {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trailweave: {}", spoken::spoken(&error));
            ExitCode::from(job::outcome(&error).exit_code())
        }
    }
}

/// Reads the clock, here alone: everything else takes the time, or this function, as an argument.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Tells whether a reader such as `head` has had enough of our output.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Logs text for people at a terminal, else a JSON object a line. Progress is said in any case.
fn log(verbose: u8) {
    let level = match verbose {
        0 => Level::WARN,
        1 => Level::INFO,
        _ => Level::DEBUG,
    };
    // The SDK warns at length that no instance tells it a region; where nobody does, S3 itself tells that of a bucket.
    let of_region = if verbose == 0 { Level::ERROR } else { level };
    let said = Targets::new()
        .with_default(level)
        .with_target("aws_config::imds::region", of_region)
        .with_target(progress::TARGET, Level::INFO);
    let lines = fmt::layer().with_writer(io::stderr);
    if io::stderr().is_terminal() {
        tracing_subscriber::registry().with(lines.with_filter(said)).init();
    } else {
        tracing_subscriber::registry().with(lines.json().flatten_event(true).with_filter(said)).init();
    }
}
