//! Files as they are listed.

use std::path::PathBuf;
use std::time::SystemTime;

/// A file that is listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Where it stands.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was written, as its store says.
    pub written: SystemTime,
}
