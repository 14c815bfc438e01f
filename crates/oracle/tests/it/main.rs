//! The oracle beside the cases, and on random worlds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod property;
