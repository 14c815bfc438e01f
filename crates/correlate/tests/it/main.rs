//! The join beside the oracle, beside DuckDB, and in increments beside itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agreement;
mod duckdb;
mod increments;
mod lake;
