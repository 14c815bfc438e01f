//! The options of a report.

use std::num::NonZeroUsize;

use crate::choice::Choice;

/// The subject of a report, and the means.
#[derive(Debug, Clone)]
pub struct ReportOptions {
    /// The name of the lake.
    pub lake: String,
    /// When the report is made, as text.
    pub made_at: String,
    /// The days, accounts and regions that it is about.
    pub choice: Choice,
    /// Identifiers whose chains it shows, beside those with most calls.
    pub ids: Vec<String>,
    /// Parts that are read at once.
    pub threads: NonZeroUsize,
}
