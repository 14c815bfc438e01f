//! The key that tells rows of `events`, and of `sessions`, apart: the account that a record was delivered to, and the id of its event.

use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use trailweave_table::Table;

use crate::fingerprint::fingerprint_of_pair;

pub(crate) const EVENT_ID: &str = "event_id";
pub(crate) const ACCOUNT: &str = "recipient_account_id";

/// Returns the key of every row of a table; 0 where it has none.
pub(crate) fn row_keys(table: &Table, rows: &RecordBatch) -> Vec<u128> {
    let column = |name| rows.column(table.position(name)).as_string::<i32>();
    keys(column(ACCOUNT), column(EVENT_ID))
}

pub(crate) fn keys(accounts: &StringArray, event_ids: &StringArray) -> Vec<u128> {
    accounts.iter().zip(event_ids).map(|(account, event_id)| row_key(account, event_id)).collect()
}

/// Returns the key of an event; 0 where it has no id.
pub(crate) fn row_key(account: Option<&str>, event_id: Option<&str>) -> u128 {
    event_id.map_or(0, |event_id| fingerprint_of_pair(account.unwrap_or_default().as_bytes(), event_id.as_bytes()))
}
