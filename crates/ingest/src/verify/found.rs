//! A log file that was read again.

use trailweave_decode::{MemberError, Sha256, member_sha256};

/// The outcome of reading a log file again.
pub(super) enum Found {
    /// A text of this hash.
    Text(Sha256),
    BadGzip,
    TrailingBytes,
    /// It cannot be had, and why.
    Gone(String),
}

/// Hashes the text of a log file, as it is stored.
pub(super) fn hashed(stored: &[u8]) -> Found {
    match member_sha256(stored) {
        Ok(sha256) => Found::Text(sha256),
        Err(MemberError::TrailingBytes) => Found::TrailingBytes,
        Err(MemberError::Damaged | MemberError::TooLarge(_)) => Found::BadGzip,
    }
}
