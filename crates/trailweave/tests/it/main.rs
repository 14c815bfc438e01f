//! The program as users run it: the real binary, real files, and a real DuckDB that reads the lake.

#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

mod aws;
mod bad_input;
mod duckdb;
mod inventory;
mod layers;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(feature = "otlp")]
mod otlp;
mod program;
mod published_chain;
mod queue;
mod s3;
mod scheduled;
mod uploads;
mod usage;
