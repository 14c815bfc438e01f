//! The ends of a verb, and their exit codes.

/// The end of a verb, if not by an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is in the lake.
    Done,
    /// All but the quarantined objects is in the lake.
    Quarantined,
    /// The sources hold what is not in the lake, and a run could read none of it, or none of its records.
    Unread,
    /// Something is missing or was changed, by what digests say.
    Harmed,
    /// Something is not proven.
    Unproven,
}

pub(crate) const FAILED: u8 = 1;
pub(crate) const USAGE: u8 = 2;

impl Outcome {
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unread => FAILED,
            Self::Quarantined => 3,
            Self::Harmed => 4,
            Self::Unproven => 5,
        }
    }
}
