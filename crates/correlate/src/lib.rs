//! The join of KMS with EC2 events over a lake, and questions to its tables.
//!
//! ```text
//!  events/ --read--> rows, numbered by time --join--> causes --tables--> correlated/ volumes/ ..
//!  Parquet    |      ids as numbers           |      (rules 1 to 5)       one file per date
//!     ^       |                               |
//!     |       '- do not fit: SQL steps -------'
//!     '-- what new events reach: only these and what they need are read
//! ```
//!
//! `in_memory` is the join: an index over the rows of the lake, or over new events and what they reach. Where the events
//! do not fit into memory, `plan` computes the same as a list of SQL steps that spill: each is one statement in `plan/`,
//! whose rows are written as Parquet under `_trailweave/scratch/` before the next step reads them. Both make the same
//! bytes. What they must compute is said in `docs/join.md`; the crate `oracle` computes it once more, slowly, for tests.
//!
//! [`open`] and [`trace()`] answer `query` and `trace` with the same engine. This crate knows neither gzip nor JSON: it
//! reads the table `events` and writes the products.

mod correlate;
mod engine_error;
mod error;
mod exact_times;
mod in_memory;
mod plan;
mod product;
mod scratch;
mod session;
mod summary;
mod trace;

pub use correlate::{Correlate, Progress, Scope, Way, correlate};
pub use engine_error::EngineError;
pub use error::CorrelateError;
pub use session::{Session, open};
pub use summary::Summary;
pub use trace::{Call, Cause, Chain, Event, Missing, trace};

#[cfg(test)]
mod tests;
