//! The verdict about a log file.

use trailweave_digest::Kind;

/// The verdict about a log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LogVerdict {
    /// The lake has it as it was delivered.
    Valid,
    /// Its text is another.
    Changed,
    /// It is not gzip, or is damaged.
    BadGzip,
    /// More follows its gzip member.
    TrailingBytes,
    /// No source has it.
    Missing,
    /// The source has it as it was delivered, and the lake does not.
    NotIngested,
    /// No digest lists it, of a time of which all are there.
    Unlisted,
    /// No digest that can be trusted tells of it.
    Unproven,
}

impl LogVerdict {
    /// Returns its name in the lake.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Changed => "changed",
            Self::BadGzip | Self::TrailingBytes => "damaged",
            Self::Missing => "missing",
            Self::NotIngested => "not_ingested",
            Self::Unlisted => "unlisted",
            Self::Unproven => "unproven",
        }
    }

    /// Returns the kind of its finding, if it is one by itself.
    pub(super) fn kind(self) -> Option<Kind> {
        match self {
            Self::Valid | Self::Unproven => None,
            Self::Changed => Some(Kind::LogChanged),
            Self::BadGzip => Some(Kind::LogBadGzip),
            Self::TrailingBytes => Some(Kind::LogTrailingBytes),
            Self::Missing => Some(Kind::LogMissing),
            Self::NotIngested => Some(Kind::LogNotIngested),
            Self::Unlisted => Some(Kind::LogUnlisted),
        }
    }
}
