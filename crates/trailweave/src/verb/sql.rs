//! The SQL of `query`: typed, in a file, or on standard input.

use std::fs;
use std::io;
use std::io::IsTerminal;
use std::path::Path;

use anyhow::Context;

use crate::config::ConfigError;

/// Reads the SQL. Nobody is waited for at a terminal, unless `-` asks for that.
pub(super) fn read(typed: Option<String>, file: Option<&Path>) -> anyhow::Result<String> {
    let sql = match (typed, file) {
        (_, Some(file)) => {
            fs::read_to_string(file).with_context(|| format!("cannot read the question `{}`", file.display()))?
        }
        (Some(typed), None) if typed != "-" => typed,
        (None, None) if io::stdin().is_terminal() => return Err(ConfigError::NoSql.into()),
        (_, None) => io::read_to_string(io::stdin()).context("cannot read the question from standard input")?,
    };
    if sql.trim().is_empty() { Err(ConfigError::NoSql.into()) } else { Ok(sql) }
}
