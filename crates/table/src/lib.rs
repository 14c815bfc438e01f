//! The tables of the lake: their columns as data, their partitions, their file names, their sort order.
//!
//! ```text
//! lake/  events/  event_date=2026-09-01/part-<batch_id>-<n>.parquet     one row per CloudTrail record
//!        sessions/ event_date=2026-09-01/part-<batch_id>-<n>.parquet    one row per access key that STS issued
//!        correlated/ instances/ volumes/ attachments/ grants/           one file per date, written by the read arm
//!        rejects/  part-<batch_id>-<n>.parquet                          what could not become a row
//!        _trailweave/  ledger/  digests/  remembered/  and the state    invisible to Athena, Spark and Hive
//! ```
//!
//! Both arms build on this crate, and on `trailweave-lake`, which writes its tables as files. It holds no I/O: a table is
//! a value, and its schema, its DDL and its documentation are read off that value, so a column is added in one place.
//! `docs/lake.md` has the whole tree.

mod audit;
mod column;
mod day;
mod ddl;
mod doc;
mod events;
mod field_ids;
mod layout;
mod products;
mod questions;
mod remembered;
mod sessions;
mod tally;
mod time;
mod views;

pub use audit::{AUDIT, DIGESTS, LEDGER, REJECTS};
pub use column::{Column, Encoding, Kind, Lookup, Table};
pub use day::{date_of_day, day_of_date, day_of_time, month_of_day};
pub use ddl::glue::{GlueColumn, glue_columns};
pub use ddl::{Dialect, ddl};
pub use doc::markdown;
pub use events::EVENTS;
pub use layout::{
    DATE_PARTITION, STATE_DIR, batch_id, is_merged, merged_part_name, part_name, partition_dir, product_name,
    settled_part_name, table_dir,
};
pub use products::{ATTACHMENTS, CORRELATED, GRANTS, INSTANCES, VOLUMES};
pub use questions::{Limits, Parameter, ParameterKind, QUESTIONS, Question, Value, question_markdown};
pub use remembered::{KEY_CHANGES, REMEMBERED};
pub use sessions::SESSIONS;
pub use tally::Tally;
pub use time::{ms_of_time, time_of_ms};
pub use views::{VIEWS, View, numbered, view_markdown};

/// Every table that users query, in the order in which they are documented.
pub const TABLES: [&Table; 8] =
    [&EVENTS, &SESSIONS, &CORRELATED, &INSTANCES, &VOLUMES, &ATTACHMENTS, &GRANTS, &REJECTS];

/// The tables of records, which the write arm writes and the join reads.
pub const LOGGED: [&Table; 2] = [&EVENTS, &SESSIONS];

/// The tables that the join reads.
pub const JOINED: [&Table; 3] = [&EVENTS, &SESSIONS, &REMEMBERED];

/// The tables that the read arm writes.
pub const PRODUCTS: [&Table; 5] = [&CORRELATED, &INSTANCES, &VOLUMES, &ATTACHMENTS, &GRANTS];

#[cfg(test)]
mod tests;
