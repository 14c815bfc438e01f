//! `_trailweave/lake.json`: what a lake is, decided when it is made.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

/// The properties of a lake. They are written once; a run that disagrees with it refuses to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// The version of the layout and of the tables.
    pub format_version: u32,
    /// Which records become rows: `relevant` or `all`.
    pub events: String,
    /// The columns that ingesting leaves out, and how.
    #[serde(default, skip_serializing_if = "Omit::is_empty")]
    pub omit: Omit,
    /// What is hashed together with each value, where any is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// Since the lake is published: how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iceberg: Option<Iceberg>,
}

/// How each of some columns is left out.
pub type Omit = BTreeMap<String, Omission>;

/// How a column is left out of new rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Omission {
    /// It is null.
    Drop,
    /// Each value is a hash of it, but for what AWS says of itself.
    Hash,
}

/// The choices that a lake is made with. One that is not made leaves a lake's as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choices<'c> {
    /// Which records become rows; of a new lake `relevant` where `None`.
    pub events: Option<&'c str>,
    /// The columns that are left out; of a new lake none where `None`.
    pub omit: Option<&'c Omit>,
}

impl Choices<'_> {
    pub(crate) fn are_those_of(self, format: &Format) -> bool {
        self.events.is_none_or(|events| events == format.events) && self.omit.is_none_or(|omit| *omit == format.omit)
    }

    /// Makes them in a format.
    pub(crate) fn make(self, format: &mut Format, salt: impl FnOnce() -> String) {
        if let Some(events) = self.events {
            events.clone_into(&mut format.events);
        }
        if let Some(omit) = self.omit {
            format.omit.clone_from(omit);
            format.salt = omit.values().any(|it| *it == Omission::Hash).then(salt);
        }
    }
}

/// How the tables of a lake are published as Iceberg tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iceberg {
    /// The time for which files stay that a change replaces, and the snapshots that name them; `None` where the files
    /// always went with the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_secs: Option<u64>,
    /// The database of AWS Glue whose tables follow each commit, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glue_database: Option<String>,
}

/// How a lake is to be published from now on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishOptions {
    /// The time for which files stay that a change replaces; as before where `None`.
    pub keep_secs: Option<u64>,
    /// The tables of AWS Glue that follow.
    pub glue: GlueTables,
}

/// The tables of AWS Glue that follow the commits of a lake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum GlueTables {
    /// Those that did before, if any.
    #[default]
    AsBefore,
    /// Those of a database.
    Of(String),
    /// None any more; the tables stay as they are.
    Leave,
}

impl Iceberg {
    /// Returns the time, in milliseconds since the epoch, from which on snapshots are kept. Where none but the current one
    /// is, it is past all times, also past those of a clock that was ahead.
    pub(crate) fn kept_from_ms(&self, now_ms: i64) -> i64 {
        match self.keep_secs {
            None | Some(0) => i64::MAX,
            Some(secs) => now_ms.saturating_sub(i64::try_from(secs).unwrap_or(i64::MAX).saturating_mul(1000)),
        }
    }

    /// Tells whether files stay that a change replaces.
    pub(crate) fn keeps_files(&self) -> bool {
        self.keep_secs.is_some_and(|secs| secs > 0)
    }
}

impl Format {
    /// The version that this release writes, and the only one that it reads.
    pub const VERSION: u32 = 2;

    /// Returns the text of the file.
    pub(crate) fn text(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a format is plain data")
    }
}
