//! `_trailweave/lake.json`: what a lake is, decided when it is made.

use serde::Deserialize;
use serde::Serialize;

/// The properties of a lake. They are written once; a run that disagrees with it refuses to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// The version of the layout and of the tables.
    pub format_version: u32,
    /// Which records become rows: `relevant` or `all`.
    pub events: String,
}

impl Format {
    /// The version that this release writes and reads.
    pub const VERSION: u32 = 2;

    /// Returns the text of the file.
    pub(crate) fn text(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a format is plain data")
    }
}
