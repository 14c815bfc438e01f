//! Changes that a test can have made to a trail, one at a time.

use serde::Serialize;

/// A change of the trail of the first account in the first region, in the middle of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tampering {
    /// One byte of the text of a log file is another.
    LogByte,
    /// A log file is cut.
    LogCut,
    /// A log file is deleted.
    LogDeleted,
    /// An empty member follows that of a log file.
    LogMember,
    /// Other bytes follow the member of a log file.
    LogTail,
    /// A log file is there that no digest lists.
    LogUnlisted,
    /// One byte of the text of a digest is another.
    DigestChanged,
    /// Other bytes follow the member of a digest.
    DigestTail,
    /// A digest is deleted.
    DigestDeleted,
    /// A digest lies under another key.
    DigestMoved,
    /// A digest is signed by another key than it says.
    DigestOtherKey,
    /// A digest has no metadata.
    DigestWithoutMetadata,
    /// The newest digest has no metadata.
    NewestWithoutMetadata,
    /// A digest is signed by a key that is on no list.
    DigestUnknownFingerprint,
    /// A digest names a hash that its predecessor has not.
    DigestWrongPreviousHash,
}

/// The object that was tampered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tampered {
    /// Its URL.
    pub uri: String,
    /// The URL of the digest that lists it, or that it is, or was.
    pub digest: String,
}

impl Tampering {
    /// Tells whether it is done to the newest digest.
    pub(crate) fn is_at_the_end(self) -> bool {
        self == Self::NewestWithoutMetadata
    }
}
