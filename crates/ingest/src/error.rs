//! The errors that end a run.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use trailweave_lake::LakeError;
use trailweave_table::Tally;

use crate::panicked::Panicked;

/// The reason why a run ended early. Its committed batches stay; the next run finishes its plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// A source that is not there.
    #[error("the source `{}` does not exist; name a file, or a folder that holds trail objects", path.display())]
    SourceMissing {
        /// The source as named.
        path: PathBuf,
    },
    /// A source that cannot be listed.
    #[error("cannot {action} `{}`; make it readable for this user, or leave it out of the sources", path.display())]
    Source {
        /// The operation that was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's own error.
        #[source]
        source: io::Error,
    },
    /// A source in S3, or a queue, that cannot be asked.
    #[error("cannot {action} `{name}`; {remedy}")]
    Aws {
        /// The operation that was tried.
        action: &'static str,
        /// The bucket and prefix, or the queue, as a URL.
        name: String,
        /// The remedy.
        remedy: Cow<'static, str>,
        /// The error of AWS or its client.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An inventory that cannot be used.
    #[error("cannot use the inventory `{name}`")]
    Inventory {
        /// Its manifest.
        name: String,
        /// Why, and what can be done about it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of public keys, or of the metadata of digests, that cannot be used.
    #[error("cannot use `{}`", path.display())]
    Proof {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A local source of which is not known which bucket it is a copy of.
    #[error(
        "`{}` is a copy of a bucket that is not named: give its name with --bucket, for each --source that is a folder or once for all",
        path.display()
    )]
    NoBucket {
        /// The source.
        path: PathBuf,
    },
    /// A temporary file that cannot be written.
    #[error("cannot write a temporary file; free some space there, or set TMPDIR to a folder that has some")]
    Scratch {
        /// The operating system's own error.
        #[source]
        source: io::Error,
    },
    /// The lake could not be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A part is of a batch that neither the ledger nor an unfinished plan knows.
    #[error(
        "no file of the ledger knows the batch of `{}`, and no run that died has planned it: files of `_trailweave/ledger` are \
         gone; restore them from a copy. Without one, `gc --orphans` removes such parts, and an `ingest` over all sources, \
         without from, to, account, region and shard, on the command line as in the configuration, reads their objects again; then \
         `correlate --whole`",
        path.display()
    )]
    LedgerLost {
        /// The part.
        path: PathBuf,
    },
    /// The worker threads could not be started.
    #[error("cannot start {threads} worker threads; ask for fewer with --threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The pool's own error.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// The records of a batch are not all accounted for: a bug, so nothing of the batch is committed.
    #[error("batch {batch_id} does not balance in {what}: {tally:?}; nothing of it was committed, please report this")]
    Unbalanced {
        /// The batch.
        batch_id: String,
        /// The object that does not balance, or the whole batch.
        what: String,
        /// Its count.
        tally: Tally,
    },
    /// Rows could not be put in order: a bug.
    #[error("cannot arrange rows for `{}`; nothing of their batch was committed, please report this", path.display())]
    Arrange {
        /// The part that they were for.
        path: PathBuf,
        /// Arrow's own error.
        #[source]
        source: arrow::error::ArrowError,
    },
    /// A shard would run beside a plan that is not of the same job.
    #[error(
        "run {run_id} did not end, and was not a share of this job; finish it first: run without --shard, or with its own"
    )]
    OtherPlan {
        /// The run.
        run_id: String,
    },
    /// An object whose account and region are not known is of no share.
    #[error("`{source_object}` stands outside of CloudTrail's folders, so it is of no share; run without --shard")]
    NotToShare {
        /// The object.
        source_object: Box<str>,
    },
    /// A merged part does not hold the rows of its parts: a bug, so these stay.
    #[error("`{}` would hold {rows} rows, its parts hold {expected}; nothing was changed, please report this", path.display())]
    Merge {
        /// The part that was to be made.
        path: PathBuf,
        /// Rows of its parts.
        expected: u64,
        /// Rows that were written.
        rows: u64,
    },
    /// A worker ended without an answer: a bug.
    #[error("a worker ended early while it was to {task}; run again, and please report this")]
    Worker {
        /// The task of the worker.
        task: &'static str,
        /// Its panic.
        #[source]
        source: Panicked,
    },
    /// The run was told to stop between two steps, and left everything as it stood.
    #[error("stopped between two steps; run again to go on")]
    Stopped,
}

impl IngestError {
    /// Names what was tried on which source.
    pub(crate) fn source(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Source { action, path, source }
    }

    /// Names a file that is to prove something.
    pub(crate) fn proof<E: std::error::Error + Send + Sync + 'static>(
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |source| Self::Proof { path, source: source.into() }
    }

    /// Names what a worker was to do.
    pub(crate) fn worker(task: &'static str) -> impl FnOnce(Panicked) -> Self {
        move |source| Self::Worker { task, source }
    }
}

/// Writes an error and all its causes as one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
