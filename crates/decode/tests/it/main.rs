//! The rows that objects decode to, seen from outside.
#![expect(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bad_input;
mod columns;
mod objects;
mod property;
mod same;
