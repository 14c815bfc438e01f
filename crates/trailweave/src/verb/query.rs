//! `query`: questions in SQL.

mod cells;

use std::io;
use std::io::{BufWriter, IsTerminal, Write};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use terminal_size::{Width, terminal_size_of};
use trailweave_query::Batches;
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
    let format = format.or_else(|| job.common.json.then_some(Format::Json));
    job.runtime.block_on(async {
        let session = trailweave_query::open(&lake, &options).await?;
        write_rows(session.answer(sql).await?, format).await
    })
}

/// Tells whether a question names a table of the join, or a view, most of which are over such.
fn asks_the_join(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    let names = PRODUCTS.iter().map(|table| table.name).chain(VIEWS.iter().map(|view| view.name));
    names.into_iter().any(|name| sql.contains(name))
}

/// Prints rows to standard output as they come; a table, whose columns are as wide as the widest value, when all are there.
/// Returns their number.
async fn write_rows(mut rows: Batches, format: Option<Format>) -> anyhow::Result<usize> {
    let stdout = io::stdout().lock();
    let is_terminal = stdout.is_terminal();
    let width = terminal_size_of(&stdout).map(|(Width(width), _)| usize::from(width));
    let mut out = BufWriter::new(stdout);
    let n_rows = match format {
        Some(Format::Json) => write_json(&mut out, &mut rows).await?,
        Some(Format::Csv) => {
            cells::write_head(&mut out, &rows.schema())?;
            each(&mut rows, |batch, _| cells::write_csv(&mut out, batch, is_terminal)).await?
        }
        Some(Format::Vertical) => {
            let n_rows = each(&mut rows, |batch, n_before| cells::write_vertical(&mut out, batch, n_before)).await?;
            cells::end_vertical(&mut out, n_rows)?;
            n_rows
        }
        Some(Format::Table) => write_table(&mut out, &rows.all().await?, None)?,
        None => write_table(&mut out, &rows.all().await?, width)?,
    };
    out.flush()?;
    Ok(n_rows)
}

/// Takes batch after batch, with the number of rows before it. Returns the number of all rows.
async fn each(
    rows: &mut Batches,
    mut write: impl FnMut(&RecordBatch, usize) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let mut n_rows = 0;
    while let Some(batch) = rows.next().await? {
        write(&batch, n_rows)?;
        n_rows += batch.num_rows();
    }
    Ok(n_rows)
}

async fn write_json(out: &mut impl Write, rows: &mut Batches) -> anyhow::Result<usize> {
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(out);
    let n_rows = each(rows, |batch, _| writer.write(batch).map_err(unwrapped)).await?;
    writer.finish().map_err(unwrapped)?;
    Ok(n_rows)
}

/// Takes the error of a write out of Arrow's.
fn unwrapped(error: ArrowError) -> anyhow::Error {
    match error {
        ArrowError::IoError(_, error) => error.into(),
        error => error.into(),
    }
}

/// Writes rows as a table, or one below the other where it would be wider than `width`.
fn write_table(out: &mut impl Write, rows: &[RecordBatch], width: Option<usize>) -> anyhow::Result<usize> {
    let n_rows = rows.iter().map(RecordBatch::num_rows).sum();
    let table = cells::table(rows)?;
    if width.is_some_and(|width| table.lines().next().is_some_and(|line| line.chars().count() > width)) {
        let mut n_before = 0;
        for batch in rows {
            cells::write_vertical(out, batch, n_before)?;
            n_before += batch.num_rows();
        }
        cells::end_vertical(out, n_rows)?;
    } else {
        writeln!(out, "{table}")?;
    }
    Ok(n_rows)
}
