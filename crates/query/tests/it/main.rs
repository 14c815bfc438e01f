//! Questions to small lakes, and their answers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod copies;
mod lakes;
mod questions;
mod views;
mod words;
