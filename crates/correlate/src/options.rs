//! The options and the progress of a correlation.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU64;

use serde::Serialize;

/// The options of a correlation.
#[derive(Debug, Clone, Copy)]
pub struct CorrelateOptions {
    /// Memory for the events that are joined at once, and for all that is made of them.
    pub memory_bytes: u64,
    /// The number of threads that join them.
    pub threads: NonZeroUsize,
    /// About how many new events are joined at once at most; `None`: as many as fit into the memory.
    pub slice_rows: Option<NonZeroUsize>,
    /// Which products are computed.
    pub scope: Scope,
    /// Gives memory that is free back to the system. Called where much has become free and more will be asked for.
    pub give_back: fn(),
}

/// Which products are computed. The rows are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Those that events can change which have come since the products were made, where that can be told.
    #[default]
    New,
    /// All of them.
    Whole,
}

/// The progress of a correlation; read it from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    /// About how many events are to be joined; 0 until it begins.
    pub rows: AtomicU64,
    /// The number of them that are done.
    pub rows_done: AtomicU64,
    /// Slices of time that are done.
    pub slices_done: AtomicU64,
}
