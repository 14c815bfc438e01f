//! The program: arguments, configuration, progress, summaries and exit codes. It decides nothing about data.
//!
//! ```text
//!  Cli (as typed) + environment + file --config--> Config (resolved) --verb--> ingest / correlate (libraries)
//!                                                                               |
//!                                         exit code <-- summary, progress <-----+
//! ```

mod args;
mod config;
mod progress;
mod report;
mod trace;
mod verb;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use jiff::Timestamp;
use tracing::Level;

use crate::args::Cli;
use crate::config::ConfigError;
use crate::verb::Outcome;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Nobody is left to tell when the terminal is gone.
            let _ = error.print();
            return if help { ExitCode::SUCCESS } else { ExitCode::from(USAGE) };
        }
    };
    log(cli.common.verbose);
    match verb::carry_out(cli, now()) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Quarantined) => ExitCode::from(QUARANTINED),
        Ok(Outcome::Unread) => ExitCode::from(FAILED),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trailweave: {error:#}");
            let code = if error.is::<ConfigError>() { USAGE } else { FAILED };
            ExitCode::from(code)
        }
    }
}

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const QUARANTINED: u8 = 3;

/// The one place that reads the clock: everything else takes the time as an argument.
fn now() -> Timestamp {
    Timestamp::now()
}

/// Whether a reader such as `head` has had enough of our output.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn log(verbose: u8) {
    let level = match verbose {
        0 => Level::WARN,
        1 => Level::INFO,
        _ => Level::DEBUG,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).init();
}
