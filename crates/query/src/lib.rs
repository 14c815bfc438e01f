//! Questions in SQL to the tables of a lake, its ledger, and the views over them: `trailweave query`.
//!
//! ```text
//!  SQL --plan--> only reads? --exact_times--> DataFusion over the lake's Parquet --> rows
//!                     |            |              |
//!                     '------------'--------------'--> QueryError, in words for users
//! ```
//!
//! This crate alone is built with DataFusion. It knows nothing of how the tables came to be.

mod engine_error;
mod error;
mod exact_times;
mod session;

pub use engine_error::EngineError;
pub use error::QueryError;
pub use session::{Batches, Session, SessionOptions, open};
