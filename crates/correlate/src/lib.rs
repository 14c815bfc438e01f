//! The join of KMS with EC2 events over a lake, and the chain of one identifier.
//!
//! ```text
//!  events/ --parts--> batches --rows--> numbered by time --rules--> causes --products--> correlated/ volumes/ ..
//!  Parquet   a slice  events            ids as numbers    calls, offers                   one file per date
//!     ^                                      |
//!     '------- wanted: what the slice <------'  reach: what it can change among earlier events
//!              needs of those
//! ```
//!
//! [`correlate()`] folds over the events that the products do not cover: as many as fit into memory are one slice, else
//! one slice of time follows the other, each joined with what it reaches. The files of all slices appear together.
//! `docs/join.md` says what is computed; the crate `oracle` computes the same slowly, and the crate `cluster` says it in
//! SQL; tests hold them against each other. This crate knows neither gzip nor JSON.

mod actions;
mod adopt;
mod call;
mod chain;
mod copies;
mod correlate;
mod error;
mod events;
mod fold;
mod found;
mod freshness;
mod id;
mod ids;
mod kind;
mod linked;
mod merge;
mod numbers;
mod offers;
mod options;
mod parts;
mod pool;
mod products;
mod prune;
mod reach;
mod replaced;
mod replacement;
mod roots;
mod rows;
mod rules;
mod slice;
mod sought;
mod summary;
mod trace;
mod wanted;

pub use actions::{Action, actions};
pub use adopt::{Made, adopt, standing};
pub use chain::{Call, Cause, Chain, Copy, Event, Missing};
pub use correlate::{RULES, correlate, covered, joined};
pub use error::CorrelateError;
pub use events::{HASHABLE, reads_column};
pub use freshness::Freshness;
pub use options::{CorrelateOptions, Progress, Scope};
pub use prune::{Pruned, prunable, prune};
pub use summary::Summary;
pub use trace::{Question, trace};

#[cfg(test)]
mod tests;
