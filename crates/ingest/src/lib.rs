//! Moves every object of a listing through decode into committed Parquet, restartable.
//!
//! ```text
//!  sources --list--> Listing --ledger, filter--> Plan --> runs/<run_id>/plan.json
//!                    packed                                        | batch by batch
//!                                                                  '--fetch (tokio)--> stored --decode (rayon)--> Rows
//!                                                                             <= 1/8 of memory, <= 3/8              |
//!                                                                                                       plan order  v
//!  ledger/part-<batch_id>-0.parquet <--commit-- parts, durable <--write (rayon)-- OpenBatch: a buffer per day
//!                                                                 <= 1/4                     <= 1/4
//! ```
//!
//! A batch is committed by its ledger file: a part whose batch has none is removed by the next run, which finishes
//! the same plan. So a run may be killed at any moment. Batches are committed one after the other, which makes the
//! result independent of threads and timing, while objects of the next are read ahead.
//!
//! It is no decoder (`trailweave-decode`), no file format (`trailweave-lake`), and knows nothing of the join.

mod amendment;
mod borders;
mod budget;
mod chunk;
mod commit;
mod compact;
mod cpu;
mod duplicates;
mod error;
mod fetch;
mod filter;
mod fingerprint;
mod inventory;
mod key;
mod ledger;
mod leftover;
mod list;
mod listing;
mod part;
mod pipeline;
mod plan;
mod progress;
mod queue;
mod run;
mod s3;
mod settle;
mod shard;
mod skipped;
mod source;
mod status;
mod summary;

pub use compact::{Compact, Compacted, compact};
pub use cpu::Panicked;
pub use error::IngestError;
pub use filter::{Filter, Names};
pub use leftover::{gc, remove_uncommitted};
pub use progress::Progress;
pub use run::{Ingest, ingest, plan};
pub use s3::{S3Options, cut_uploads, object_store};
pub use settle::settle;
pub use shard::{NoShard, Shard};
pub use skipped::{SkipReason, Skipped, SkippedObjects};
pub use source::{Location, Source};
pub use status::{Coverage, Status, status};
pub use summary::{PlanSummary, Quarantined, Summary};

#[cfg(test)]
#[path = "../tests/it/trail.rs"]
mod trail;
