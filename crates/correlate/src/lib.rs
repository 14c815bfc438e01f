//! The join of KMS with EC2 events over a lake, and the chain of one identifier.
//!
//! ```text
//!  events/ --read--> rows, numbered by time --join--> causes --tables--> correlated/ volumes/ ..
//!  Parquet           ids as numbers                (rules 1 to 5)       one file per date
//!     ^
//!     '-- what new events reach: only these and what they need are read
//! ```
//!
//! `in_memory` is the join: an index over the rows of the lake, or over new events and what they reach. What it must
//! compute is said in `docs/join.md`. The crate `oracle` computes the same slowly, and the crate `cluster` says it in SQL;
//! tests hold them against each other.
//!
//! This crate knows neither gzip nor JSON: it
//! reads the table `events` and writes the products.

mod chain;
mod correlate;
mod error;
mod in_memory;
mod options;
mod pool;
mod product;
mod summary;
mod trace;

pub use chain::{Call, Cause, Chain, Event, Missing};
pub use correlate::correlate;
pub use error::CorrelateError;
pub use options::{CorrelateOptions, Progress, Scope};
pub use summary::Summary;
pub use trace::trace;

#[cfg(test)]
mod tests;
