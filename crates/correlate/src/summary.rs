//! The findings of a correlation, in numbers.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Add;

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::datatypes::Int32Type;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::errors::ParquetError;
use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use serde::Serialize;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::LakeFile;
use trailweave_lake::Part;
use trailweave_lake::read::{by_group, load, load_shared};
use trailweave_table::CORRELATED;
use trailweave_table::EVENTS;
use trailweave_table::PRODUCTS;
use trailweave_table::SESSIONS;
use trailweave_table::Table;

use crate::CorrelateError;
use crate::Scope;
use crate::pool::pool;

/// The findings of a correlation, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rows of `events`.
    pub events: u64,
    /// Rows of `sessions`.
    pub sessions: u64,
    /// KMS events that touch EC2 or EBS: the rows of `correlated`.
    pub kms_rows: u64,
    /// The number of those that each rule linked; `none` where none did.
    pub links: BTreeMap<String, u64>,
    /// The linked ones by how sure the link is.
    pub confidence: BTreeMap<String, u64>,
    /// The others by the reason.
    pub unmatched: BTreeMap<String, u64>,
    /// Rows of each table that was written.
    pub products: BTreeMap<String, u64>,
    /// The products that were computed.
    pub scope: Scope,
    /// Files that changed.
    pub files: u64,
    /// Slices of time in which the new events were joined: one where they fit into memory.
    pub slices: u64,
}

impl Summary {
    /// Counts again what stands in the lake, for days left it since.
    pub fn recounted(&self, lake: &Lake, threads: NonZeroUsize) -> Result<Self, CorrelateError> {
        pool(threads)?.install(|| read(lake, self.scope, self.files, self.slices))
    }
}

/// Counts what stands in the lake, on the threads of the caller's pool: rows by the ends of files, links by the columns
/// that say how rows of `correlated` are linked.
pub(crate) fn read(lake: &Lake, scope: Scope, files: u64, slices: u64) -> Result<Summary, CorrelateError> {
    let Linked { rows: kms_rows, by: [links, confidence, unmatched] } =
        over_parts(lake, &CORRELATED, Linked::of, Linked::and)?;
    let mut products = BTreeMap::from([(CORRELATED.name.to_owned(), kms_rows)]);
    for table in PRODUCTS.into_iter().filter(|table| table.name != CORRELATED.name) {
        products.insert(table.name.to_owned(), over_parts(lake, table, rows_of, u64::add)?);
    }
    let events = over_parts(lake, &EVENTS, rows_of, u64::add)?;
    let sessions = over_parts(lake, &SESSIONS, rows_of, u64::add)?;
    Ok(Summary { events, sessions, kms_rows, links, confidence, unmatched, products, scope, files, slices })
}

/// Returns what `count` finds in the files of a table, put together.
fn over_parts<T: Default + Send>(
    lake: &Lake,
    table: &Table,
    count: impl Fn(LakeFile) -> Result<T, ParquetError> + Sync,
    sum: impl Fn(T, T) -> T + Sync,
) -> Result<T, CorrelateError> {
    let count = |part: &Part| count(lake.open_listed(part)?).map_err(LakeError::parquet(&part.path));
    let counts = lake.parts(table)?.par_iter().map(count).try_reduce(T::default, |a, b| Ok(sum(a, b)));
    Ok(counts?)
}

#[expect(clippy::needless_pass_by_value, reason = "as `over_parts` gives it")]
pub(crate) fn rows_of(file: LakeFile) -> Result<u64, ParquetError> {
    Ok(n_rows(&load(&file)?))
}

fn n_rows(end: &ArrowReaderMetadata) -> u64 {
    end.metadata().file_metadata().num_rows().unsigned_abs()
}

/// The columns of `correlated` by which its rows are counted.
const LINKED_BY: [&str; 3] = ["link", "confidence", "unmatched_reason"];

/// Rows of `correlated`, and how many have each value of these columns.
#[derive(Debug, Default)]
struct Linked {
    rows: u64,
    by: [BTreeMap<String, u64>; LINKED_BY.len()],
}

impl Linked {
    fn of(file: LakeFile) -> Result<Self, ParquetError> {
        let end = load_shared(&file, |column| LINKED_BY.contains(&column))?;
        let mut linked = Self { rows: n_rows(&end), ..Self::default() };
        for rows in by_group(file, end, LINKED_BY) {
            let rows = rows?;
            for (column, counts) in LINKED_BY.iter().zip(&mut linked.by) {
                let shared = rows[*column].as_dictionary::<Int32Type>();
                let mut rows_of = vec![0; shared.values().len()];
                for key in shared.keys().iter().flatten() {
                    rows_of[usize::try_from(key).expect("keys are positions")] += 1;
                }
                let values = shared.values().as_string::<i32>().iter().zip(rows_of);
                for (value, rows) in values.filter(|(_, rows)| *rows > 0) {
                    *counts.entry(value.expect("no key leads to null").to_owned()).or_default() += rows;
                }
            }
        }
        Ok(linked)
    }

    fn and(mut self, other: Self) -> Self {
        self.rows += other.rows;
        for (counts, others) in self.by.iter_mut().zip(other.by) {
            for (value, rows) in others {
                *counts.entry(value).or_default() += rows;
            }
        }
        self
    }
}
