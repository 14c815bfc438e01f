//! The options of a run.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::Filter;
use crate::S3Options;
use crate::Shard;
use crate::Source;

/// The choice of quarantined objects that are read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Retry {
    /// None of them.
    #[default]
    None,
    /// Those that were not dismissed.
    Standing,
    /// All of them.
    All,
}

/// The sources and the means of a run.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// The places of the objects.
    pub sources: Vec<Source>,
    /// Files that name objects, one in a line, as a path or as `s3://bucket/key`; nothing is listed for them. Empty
    /// lines and those that begin with `#` say nothing.
    pub keys: Vec<PathBuf>,
    /// Manifests of S3 Inventory, which name the objects of a bucket; nothing is listed for them either. Only
    /// those objects are read that are of a trail.
    pub inventories: Vec<Source>,
    /// A queue of SQS, whose messages tell of new objects; nothing else is read then. A message is deleted when the
    /// lake has all that it tells of.
    pub queue_url: Option<String>,
    /// The way to those in S3.
    pub s3: S3Options,
    /// The choice of objects.
    pub filter: Filter,
    /// The memory of the whole process, which may take a quarter more: bytes that are fetched, decoded, gathered and
    /// being written, and some for the program itself. A listing of many objects comes on top.
    pub memory_bytes: u64,
    /// Threads that decode and encode.
    pub threads: NonZeroUsize,
    /// Objects of S3 that are fetched at once, which hides the time that each answer takes. Each needs a connection.
    pub fetches: NonZeroUsize,
    /// An object that inflates past this is quarantined.
    pub cap_bytes: u64,
    /// True if the ledger gets the SHA-256 of what each object inflates to; `verify` reads objects without one again.
    pub sha256: bool,
    /// Stored bytes that are committed together, at most; a larger object is a batch of its own.
    pub batch_bytes: u64,
    /// Names of objects, as the lake knows them; nothing is listed for them. Those that are gone are counted, even if
    /// all are.
    pub names: Vec<String>,
    /// The quarantined objects that are read again.
    pub retry: Retry,
    /// True if objects are read again whose rows are in the lake, as the ledger says: those that are gone come back.
    pub again: bool,
    /// The share of the objects that is read, while other processes read theirs.
    pub shard: Option<Shard>,
    /// The name of the run, under which its plan is kept.
    pub run_id: String,
}

impl Default for IngestOptions {
    /// Names no source.
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            keys: Vec::new(),
            inventories: Vec::new(),
            queue_url: None,
            s3: S3Options::default(),
            filter: Filter::default(),
            memory_bytes: 1 << 30,
            threads: NonZeroUsize::MIN,
            fetches: NonZeroUsize::MIN,
            cap_bytes: 2 << 30,
            sha256: true,
            batch_bytes: 256 << 20,
            names: Vec::new(),
            retry: Retry::None,
            again: false,
            shard: None,
            run_id: "run".to_owned(),
        }
    }
}
