//! `completions` and `man`: the command line, as shells and `man` read it.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Cli;
use crate::outcome::Outcome;

/// Prints what completes the command line in a shell.
pub(super) fn completions(shell: Shell) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "trailweave", &mut script);
    print(&script)
}

/// Prints the page of the program, or writes that of each verb, too, into a folder.
pub(super) fn man(out: Option<&Path>) -> anyhow::Result<Outcome> {
    let Some(folder) = out else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page).context("cannot write the page")?;
        return print(&page);
    };
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    written.with_context(|| format!("cannot write pages into `{}`", folder.display()))?;
    Ok(Outcome::Done)
}

fn print(text: &[u8]) -> anyhow::Result<Outcome> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text)?;
    stdout.flush()?;
    Ok(Outcome::Done)
}
