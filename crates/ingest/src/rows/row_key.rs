//! The key that tells rows of `events`, and of `sessions`, apart: the account that a record was delivered to, and the id of its event.

use std::collections::HashSet;
use std::sync::LazyLock;

use ahash::RandomState;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use trailweave_table::Table;

use crate::rows::texts::Texts;

pub(crate) const EVENT_ID: &str = "event_id";
pub(crate) const ACCOUNT: &str = "recipient_account_id";

/// Returns the key of every row of a table; 0 where it has none.
pub(crate) fn row_keys(table: &Table, rows: &RecordBatch) -> Vec<u128> {
    let column = |name| Texts::at(rows, table.position(name));
    let (accounts, event_ids) = (column(ACCOUNT), column(EVENT_ID));
    (0..rows.num_rows()).map(|row| row_key(accounts.get(row), event_ids.get(row))).collect()
}

pub(crate) fn keys(accounts: &StringArray, event_ids: &StringArray) -> Vec<u128> {
    accounts.iter().zip(event_ids).map(|(account, event_id)| row_key(account, event_id)).collect()
}

/// Returns the key of an event; 0 where it has no id.
pub(crate) fn row_key(account: Option<&str>, event_id: Option<&str>) -> u128 {
    let event = event_id.map(|event_id| (account.unwrap_or_default(), event_id));
    event.map_or(0, |event| {
        let [high, low] = SEEDS.each_ref().map(|seed| u128::from(seed.hash_one(event)));
        (high << 64 | low).max(1)
    })
}

/// Secrets of the process, so that nobody can write two records that are taken for one: keys leave no process.
static SEEDS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);

/// A set of keys. They are hashes already, and hashing them once more costs little.
pub(crate) type RowKeys = HashSet<u128, RandomState>;
