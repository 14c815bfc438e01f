//! The options of a verification.

use std::path::PathBuf;

use trailweave_digest::Range;

/// The options of a verification, beside those of an ingest from the same sources.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// The time whose digests are asked for.
    pub range: Range,
    /// The buckets that the local sources are copies of, each with a prefix if its root is not the folder: one for each of
    /// these sources, or one for all.
    pub buckets: Vec<String>,
    /// The public keys, as `ListPublicKeys` answers; where it is not given, that is asked.
    pub public_keys: Option<PathBuf>,
    /// The metadata of digests, of which local copies have none. What S3 tells of it is added to the file.
    pub digest_metadata: Option<PathBuf>,
    /// True if the result names all that is valid, which takes memory.
    pub names_valid: bool,
    /// True if every listed log file is read again, whatever the ledger knows.
    pub is_reread: bool,
}
