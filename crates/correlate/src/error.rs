//! Errors between `events` and the products.

use std::path::PathBuf;

use arrow::error::ArrowError;
use trailweave_lake::LakeError;

/// Why the lake could not be correlated, or knows no chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorrelateError {
    /// The lake could not be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The events of one instant do not fit, with those that they reach.
    #[error(
        "the events of {} and those that share an identifier with them do not fit into {memory_bytes} bytes of memory; \
         give more with --memory, such as {} MiB", time(*time_ms), (memory_bytes * 2).div_ceil(1 << 20)
    )]
    Memory {
        /// The memory that was given.
        memory_bytes: u64,
        /// When the events happened, in milliseconds since the epoch.
        time_ms: i64,
    },
    /// Days cannot be pruned whose events the products do not know.
    #[error("the tables do not know all events of these days yet; `correlate` first")]
    Behind,
    /// Parts are gone that the products were made of.
    #[error(
        "parts of `events` or `sessions` are gone that the tables were made of, such as `{}` ({parts} in all): restore them from a copy, \
         or let `ingest --again` read their objects again, of the days that `doctor` tells. `correlate --whole` makes the tables of what \
         is there", path.display()
    )]
    PartsGone {
        /// One of them, below the lake's folder.
        path: PathBuf,
        /// How many they are.
        parts: usize,
    },
    /// Rows of a product could not be put together. This is a bug of this crate.
    #[error("cannot put the rows of `{table}` together; please report this")]
    Rows {
        /// The product.
        table: &'static str,
        /// The error of Arrow.
        #[source]
        source: ArrowError,
    },
    /// The threads could not be started.
    #[error("cannot start {threads} threads; ask for fewer with --threads")]
    Threads {
        /// The number that was asked for.
        threads: usize,
        /// The error of the pool.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// No row of the lake names the identifier.
    #[error(
        "the lake knows nothing about `{id}`{}; name an instance, volume, snapshot, image, key, alias, grant, event, access key or principal by its id or ARN, or `correlate` what is new first",
        of_pruned(pruned_before.as_deref())
    )]
    NothingKnown {
        /// The identifier as asked.
        id: String,
        /// The first date that the lake keeps, where it was pruned.
        pruned_before: Option<String>,
    },
}

fn of_pruned(before: Option<&str>) -> String {
    before.map_or_else(String::new, |date| {
        format!(
            " since {date}, and days before that were pruned, of which it draws no chain; `query` finds what `instances`, \
             `volumes` and `grants` keep of them"
        )
    })
}

fn time(time_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(time_ms).map_or_else(|_| format!("{time_ms} ms"), |time| time.to_string())
}
