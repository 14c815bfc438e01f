//! A worker that panicked.

/// A job that panicked, which is a bug; the run is told and goes on or ends, the process does not abort.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a bug: {message}")]
pub struct Panicked {
    /// The message of the panic.
    pub message: String,
}
