//! The plan and the oracle give the same products, on flows as AWS logs them and on random events.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod duckdb;
mod increments;
mod lake;
mod property;
mod world;
