//! `query`: questions in SQL.

mod cells;

use std::io;
use std::io::{IsTerminal, Write};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use terminal_size::{Width, terminal_size_of};
use trailweave_query::SessionOptions;
use trailweave_table::PRODUCTS;
use trailweave_table::VIEWS;

use crate::args::Format;
use crate::freshness;
use crate::job::Job;

/// Answers a question in SQL, in the form that is asked for. Returns the number of rows.
pub(super) fn query(job: &Job, sql: &str, format: Option<Format>) -> anyhow::Result<usize> {
    let lake = job.lake()?;
    freshness::warn(&lake, asks_the_join(sql));
    let options = SessionOptions { memory_bytes: job.config.memory.as_u64(), threads: job.config.threads };
    let rows = job.runtime.block_on(async {
        let session = trailweave_query::open(&lake, &options).await?;
        session.query(sql).await
    })?;
    write_rows(&rows, format.or_else(|| job.common.json.then_some(Format::Json)))?;
    Ok(rows.iter().map(RecordBatch::num_rows).sum())
}

/// Tells whether a question names a table of the join, or a view, most of which are over such.
fn asks_the_join(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    let names = PRODUCTS.iter().map(|table| table.name).chain(VIEWS.iter().map(|view| view.name));
    names.into_iter().any(|name| sql.contains(name))
}

/// Prints rows to standard output.
fn write_rows(rows: &[RecordBatch], format: Option<Format>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let is_terminal = out.is_terminal();
    match format {
        Some(Format::Json) => write_json(&mut out, rows)?,
        Some(Format::Csv) => cells::write_csv(&mut out, rows, is_terminal)?,
        Some(Format::Vertical) => cells::write_vertical(&mut out, rows)?,
        Some(Format::Table) => writeln!(out, "{}", cells::table(rows)?)?,
        None => {
            let table = cells::table(rows)?;
            let width = terminal_size_of(&out).map(|(Width(width), _)| usize::from(width));
            if width.is_some_and(|width| table.lines().next().is_some_and(|line| line.chars().count() > width)) {
                cells::write_vertical(&mut out, rows)?;
            } else {
                writeln!(out, "{table}")?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

fn write_json(out: &mut impl Write, rows: &[RecordBatch]) -> anyhow::Result<()> {
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(out);
    let written = writer.write_batches(&rows.iter().collect::<Vec<_>>()).and_then(|()| writer.finish());
    written.map_err(|error| match error {
        ArrowError::IoError(_, error) => anyhow::Error::from(error),
        error => error.into(),
    })
}
