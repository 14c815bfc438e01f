//! `query`: questions in SQL.

mod cells;

use std::io;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use trailweave_query::SessionOptions;
use trailweave_table::PRODUCTS;
use trailweave_table::VIEWS;

use crate::freshness;
use crate::job::Job;
use crate::outcome::Outcome;

/// Answers a question in SQL, as a table or as JSON lines.
pub(super) fn query(job: &Job, sql: &str) -> anyhow::Result<Outcome> {
    let lake = job.lake()?;
    if asks_the_join(sql) {
        freshness::warn_if_behind(&lake);
    }
    let options = SessionOptions { memory_bytes: job.config.memory.as_u64(), threads: job.config.threads };
    let rows = job.runtime.block_on(async {
        let session = trailweave_query::open(&lake, &options).await?;
        session.query(sql).await
    })?;
    write_rows(&rows, job.common.json)?;
    Ok(Outcome::Done)
}

/// Tells whether a question names a table of the join, or a view, most of which are over such.
fn asks_the_join(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    let names = PRODUCTS.iter().map(|table| table.name).chain(VIEWS.iter().map(|view| view.name));
    names.into_iter().any(|name| sql.contains(name))
}

/// Prints rows to standard output.
fn write_rows(rows: &[RecordBatch], json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut out);
        let written = writer.write_batches(&rows.iter().collect::<Vec<_>>()).and_then(|()| writer.finish());
        written.map_err(|error| match error {
            ArrowError::IoError(_, error) => anyhow::Error::from(error),
            error => error.into(),
        })?;
    } else {
        writeln!(out, "{}", cells::table(rows)?)?;
    }
    out.flush()?;
    Ok(())
}
