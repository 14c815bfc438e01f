//! The join on Spark beside the join in memory and the oracle; and what is adopted, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adopted;
#[path = "../../../lake/src/tests/dying.rs"]
mod dying;
mod lakes;
mod spark;
mod stages;
