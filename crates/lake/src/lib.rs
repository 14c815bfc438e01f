//! The lake, in a local folder or in an object store: its format, its lock, and Parquet files that appear whole or not at all.
//!
//! ```text
//!  RecordBatch --TableWriter--> .part-x.parquet.tmp --commit: flush, fsync, rename--> part-x.parquet
//!                                (no reader lists it)                                (whole)
//!                                 in an object store: the parts of an upload --complete--> part-x.parquet
//! ```
//!
//! [`Change`] does the same for several files at once. `docs/lake.md` has the format and the commit protocol.
//!
//! Both arms write through this crate, so that how a file looks (compression, statistics, Bloom filters, order) and
//! how it appears (atomically) is decided once; and read through [`read`]. It knows neither gzip nor JSON nor the join.

mod answer;
mod catalog;
mod change;
mod covered;
mod error;
mod file;
mod folder;
mod format;
mod keys;
mod lake;
mod lease;
mod listed;
mod lock;
mod merged;
mod metrics;
mod open;
mod pruned;
mod publish;
mod random;
pub mod read;
mod remote;
mod requests;
mod retired;
mod short_digest;
mod store;
mod without;
mod writer;

pub use answer::Answer;
pub use catalog::{Catalog, CatalogEntry, TableMetadata};
pub use change::{Change, HeldChange, is_changing};
pub use covered::Covered;
pub use error::LakeError;
pub use file::WholeFile;
pub use folder::Folder;
pub use format::{Choices, Format, GlueTables, Iceberg, Omission, Omit, PublishOptions};
pub use lake::{Lake, LakePlace, Part, date_of_partition};
pub use lease::LeaseTimes;
pub use listed::Listed;
pub use lock::LakeLock;
pub use merged::{Merged, read_once};
pub use open::{LakeFile, LakeRead};
pub use publish::expire::{expire, forget};
pub use publish::{publish, published_elsewhere};
pub use remote::{RemoteFile, RemoteRead};
pub use requests::RequestThread;
pub use short_digest::{is_short_digest, short_digest};
pub use trailweave_iceberg::COMPACTION;
pub use writer::{ColumnEncoder, EncodedColumn, GroupWriter, TableWriter, Written};

#[cfg(test)]
mod tests;
