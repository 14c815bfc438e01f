//! The joins of KMS with EC2 events as one plan over the lake.
//!
//! ```text
//!  events/ --ec2, kms, creates--> rows --asks---> as-of --found--> causes, linked, caused --> correlated/ volumes/ ..
//!  Parquet   (flags, copies,       |               ^                (rules 1 to 5)              one file per date
//!             grants)              +--evidence, ---+
//!                                     launches: offers
//! ```
//!
//! Where the events fit into memory, `in_memory` computes the same; else the steps do. Every name but the tables' is
//! a step: one SQL statement in `plan/`, whose rows are written as Parquet under `_trailweave/scratch/` before the next
//! step reads them. So no step runs twice, memory stays within the pool, and a cluster can run the same statements.
//! They hold equal joins, unions, aggregates and running windows only: each is linear in the rows, but for sorting.
//! What the steps must compute is said in `docs/join.md`; [`oracle`] computes it once more, slowly.
//!
//! This crate knows neither gzip nor JSON: it reads the table `events` and writes the products.

pub mod oracle;

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
