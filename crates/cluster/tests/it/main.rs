//! The steps in SQL beside the join in memory and the oracle.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agreement;
mod runner;
