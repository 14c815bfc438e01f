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
    Ok(Summary {
        events: count(&session, EVENTS.name).await?,
        kms_rows: products[CORRELATED.name],
        links: by_value(&session, "link").await?,
        confidence: by_value(&session, "confidence").await?,
        unmatched: by_value(&session, "unmatched_reason").await?,
        products,
        scope,
        files,
    })
}

async fn count(session: &Session, table: &str) -> Result<u64, CorrelateError> {
    let rows = session.query(&format!("SELECT count(*) FROM {table}")).await?;
    Ok(rows[0].column(0).as_primitive::<Int64Type>().value(0).unsigned_abs())
}

/// The rows of `correlated` by the values of a column.
async fn by_value(session: &Session, column: &str) -> Result<BTreeMap<String, u64>, CorrelateError> {
    let sql = format!("SELECT {column}, count(*) FROM correlated WHERE {column} IS NOT NULL GROUP BY {column}");
    let mut counts = BTreeMap::new();
    for batch in session.query(&sql).await? {
        let (values, rows) = (batch.column(0).as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
        for (value, rows) in values.iter().zip(rows) {
            let value = value.expect("the statement asks for values").to_owned();
            counts.insert(value, rows.expect("a count is never null").unsigned_abs());
        }
    }
    Ok(counts)
}
