//! Why a corpus could not be made.

use std::io;
use std::path::PathBuf;

/// Why a corpus could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option is out of its range.
    #[error("option `{option}` must be {allowed}")]
    Options {
        /// The option's name.
        option: &'static str,
        /// The values that it may have.
        allowed: &'static str,
    },
    /// A file or folder could not be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's own error.
        #[source]
        source: io::Error,
    },
}
