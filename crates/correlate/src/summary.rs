//! What a correlation found, in numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::datatypes::Int32Type;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::errors::ParquetError;
use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use serde::Serialize;
use trailweave_lake::Lake;
use trailweave_lake::LakeFile;
use trailweave_lake::Part;
use trailweave_table::CORRELATED;
use trailweave_table::EVENTS;
use trailweave_table::PRODUCTS;
use trailweave_table::Table;

use crate::CorrelateError;
use crate::Scope;
use crate::in_memory::damaged;
use crate::in_memory::shared;

/// What a correlation found, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Events in the lake.
    pub events: u64,
    /// KMS events that touch EC2 or EBS: the rows of `correlated`.
    pub kms_rows: u64,
    /// Of those, how many each rule linked; `none` where none did.
    pub links: BTreeMap<String, u64>,
    /// The linked ones by how sure the link is.
    pub confidence: BTreeMap<String, u64>,
    /// The others by the reason.
    pub unmatched: BTreeMap<String, u64>,
    /// Rows of each table that was written.
    pub products: BTreeMap<String, u64>,
    /// What was computed.
    pub scope: Scope,
    /// Files that changed.
    pub files: u64,
}

/// Counts what stands in the lake, on the threads of the caller's pool: rows by the ends of files, links by the columns
/// that say how rows of `correlated` are linked.
pub(crate) fn read(lake: &Lake, scope: Scope, files: u64) -> Result<Summary, CorrelateError> {
    let mut products = BTreeMap::new();
    for table in PRODUCTS {
        products.insert(table.name.to_owned(), count(lake, table)?);
    }
    let [links, confidence, unmatched] = count_links(lake)?;
    let (events, kms_rows) = (count(lake, &EVENTS)?, products[CORRELATED.name]);
    Ok(Summary { events, kms_rows, links, confidence, unmatched, products, scope, files })
}

fn count(lake: &Lake, table: &Table) -> Result<u64, CorrelateError> {
    let count = |part: &Part| {
        let end = end_of(lake, part)?;
        Ok(end.metadata().file_metadata().num_rows().unsigned_abs())
    };
    lake.parts(table)?.par_iter().map(count).try_reduce(|| 0, |a, b| Ok(a + b))
}

fn end_of(lake: &Lake, part: &Part) -> Result<ArrowReaderMetadata, CorrelateError> {
    let file = lake.open_listed(part)?;
    ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|source| damaged(&part.path, source))
}

/// How many rows of `correlated` have each value of the columns.
type Counts = [BTreeMap<String, u64>; LINKED_BY.len()];

/// The columns of `correlated` by which its rows are counted.
const LINKED_BY: [&str; 3] = ["link", "confidence", "unmatched_reason"];

fn count_links(lake: &Lake) -> Result<Counts, CorrelateError> {
    let count = |part: &Part| {
        let file = lake.open_listed(part)?;
        links_of(file).map_err(|source| damaged(&part.path, source))
    };
    let sum = |mut sums: Counts, counts: Counts| {
        for (sums, counts) in sums.iter_mut().zip(counts) {
            for (value, rows) in counts {
                *sums.entry(value).or_default() += rows;
            }
        }
        Ok(sums)
    };
    lake.parts(&CORRELATED)?.par_iter().map(count).try_reduce(Counts::default, sum)
}

fn links_of(file: LakeFile) -> Result<Counts, ParquetError> {
    let end = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
    let options = ArrowReaderOptions::new().with_schema(shared(end.schema(), |column| LINKED_BY.contains(&column)));
    let end = ArrowReaderMetadata::try_new(Arc::clone(end.metadata()), options)?;
    let columns = ProjectionMask::columns(end.parquet_schema(), LINKED_BY);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, end).with_projection(columns).build()?;
    let mut counts = Counts::default();
    for rows in reader {
        let rows = rows?;
        for (column, counts) in LINKED_BY.iter().zip(&mut counts) {
            let shared = rows[*column].as_dictionary::<Int32Type>();
            let mut rows_of = vec![0; shared.values().len()];
            for key in shared.keys().iter().flatten() {
                rows_of[usize::try_from(key).expect("keys are positions")] += 1;
            }
            for (value, rows) in shared.values().as_string::<i32>().iter().zip(rows_of).filter(|(_, rows)| *rows > 0) {
                *counts.entry(value.expect("a value is no null").to_owned()).or_default() += rows;
            }
        }
    }
    Ok(counts)
}
