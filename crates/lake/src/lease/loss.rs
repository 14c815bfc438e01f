//! The end of a lease before its owner's.

/// The reason why a lease is no longer held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Another run took it.
    Taken,
    /// It could not be renewed for so long that another run may take it.
    Late,
    /// The server refuses to renew it, though it stands.
    Refused,
}
