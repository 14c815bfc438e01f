//! The join beside the oracle, and in increments beside itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agreement;
#[path = "../../../lake/src/tests/dying.rs"]
mod dying;
mod increments;
mod lake;
mod pruned;
