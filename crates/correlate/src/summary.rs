//! What a correlation found, in numbers.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use serde::Serialize;
use trailweave_lake::Lake;
use trailweave_table::CORRELATED;
use trailweave_table::EVENTS;
use trailweave_table::PRODUCTS;

use crate::Correlate;
use crate::CorrelateError;
use crate::Scope;
use crate::Session;
use crate::open;

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

/// Counts what stands in the lake.
pub(crate) async fn read(
    lake: &Lake,
    options: &Correlate,
    scope: Scope,
    files: u64,
) -> Result<Summary, CorrelateError> {
    let session = open(lake, options).await?;
    let mut products = BTreeMap::new();
    for table in PRODUCTS {
        products.insert(table.name.to_owned(), count(&session, table.name).await?);
    }
    let mut summary = Summary {
        events: count(&session, EVENTS.name).await?,
        kms_rows: products[CORRELATED.name],
        products,
        scope,
        files,
        ..Summary::default()
    };
    count_links(&session, &mut summary).await?;
    Ok(summary)
}

async fn count(session: &Session, table: &str) -> Result<u64, CorrelateError> {
    let rows = session.query(&format!("SELECT count(*) FROM {table}")).await?;
    Ok(rows[0].column(0).as_primitive::<Int64Type>().value(0).unsigned_abs())
}

/// Counts the rows of `correlated` by how they are linked.
async fn count_links(session: &Session, summary: &mut Summary) -> Result<(), CorrelateError> {
    let sql = "SELECT count(*), link, confidence, unmatched_reason FROM correlated GROUP BY 2, 3, 4";
    for batch in session.query(sql).await? {
        let counts = batch.column(0).as_primitive::<Int64Type>();
        let by = [&mut summary.links, &mut summary.confidence, &mut summary.unmatched];
        for (values, by) in batch.columns()[1..].iter().zip(by) {
            for (value, rows) in values.as_string::<i32>().iter().zip(counts.values()) {
                if let Some(value) = value {
                    *by.entry(value.to_owned()).or_default() += rows.unsigned_abs();
                }
            }
        }
    }
    Ok(())
}
