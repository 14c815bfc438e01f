//! The reasons why the stored bytes of an object cannot be had.

use std::borrow::Cow;
use std::error::Error;
use std::io;

/// The reason why an object could not be had. It is left for the next run, unless there is no room for it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("cannot read `{source_object}`")]
    Read {
        source_object: Box<str>,
        #[source]
        source: io::Error,
    },
    #[error("cannot fetch `{source_object}`; {remedy}")]
    S3 {
        source_object: Box<str>,
        remedy: Cow<'static, str>,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("`{source_object}` was deleted before it was read")]
    Gone { source_object: Box<str> },
    #[error("`{source_object}` changed after it was listed")]
    Changed { source_object: Box<str> },
    #[error(transparent)]
    NoRoom(NoRoom),
}

/// The refusal of an object that a run with more memory can read.
#[derive(Debug, thiserror::Error)]
#[error(
    "about {} MiB of memory are needed to read it: run again with --retry-quarantined and --memory {}MiB",
    mib(*needed_bytes),
    mib(*memory_bytes)
)]
pub(crate) struct NoRoom {
    /// For the object alone.
    pub(crate) needed_bytes: u64,
    /// For the run.
    pub(crate) memory_bytes: u64,
}

fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}
