//! Moves every object of a listing through decode into committed Parquet, restartable.
//!
//! ```text
//!  sources --list--> Listing --ledger, filter--> Plan --> runs/<run_id>/plan.json
//!                    packed                                        | batch by batch
//!                                                                  '--fetch (tokio)--> stored --decode (rayon)--> rows
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
//! It is not a decoder (`trailweave-decode`) nor a file format (`trailweave-lake`), and knows nothing of the join.

mod cpu;
mod crash_points;
mod error;
mod fingerprint;
mod kept_days;
mod ledger;
mod options;
mod panicked;
mod progress;
mod quarantine;
mod rows;
mod run;
mod source;
mod summary;
mod upkeep;
mod verify;

pub use error::IngestError;
pub use options::{IngestOptions, Retry};
pub use panicked::Panicked;
pub use progress::Progress;
pub use quarantine::{NamePattern, QuarantinedObject, dismiss, quarantined};
pub use run::leftovers::{lost_parts, remove_uncommitted};
pub use run::listed::{ListedSources, list_sources};
pub use run::settle::settle;
pub use run::{ingest, ingest_listed, plan};
pub use source::filter::{Filter, Names};
pub use source::probe::{ProbeError, Probed, probe};
pub use source::s3::store::object_store;
pub use source::s3::uploads::cut_uploads;
pub use source::s3::{S3Options, shared as sdk_config};
pub use source::shard::{NoShard, Shard};
pub use source::skipped::{SkipReason, Skipped, SkippedObjects};
pub use source::span::Span;
pub use source::{Location, Source};
pub use summary::{InQuarantine, PlanSummary, Quarantined, Summary};
pub use trailweave_digest::{Finding, Kind, Range, Severity, rfc3339};
pub use upkeep::compact::{CompactOptions, Compacted, compact};
pub use upkeep::coverage::Coverage;
pub use upkeep::gc::gc;
pub use upkeep::prune::{prunable_rejects, prune};
pub use upkeep::publish::{PublishedTable, publish};
pub use upkeep::reconcile::{LackingDay, Reconciled, reconcile};
pub use upkeep::runs::UnfinishedRun;
pub use upkeep::status::{Status, status};
pub use verify::{CoveredTime, HoursProven, LogFileCounts, Verified, VerifyOptions, proven, verify};

#[cfg(test)]
#[path = "../../lake/src/tests/dying.rs"]
mod dying;
#[cfg(test)]
#[path = "../tests/it/trail.rs"]
mod trail;
