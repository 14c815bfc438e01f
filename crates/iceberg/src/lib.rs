//! The metadata of Iceberg tables (version 2 of the format) over the Parquet files of a lake, as values and as bytes.
//!
//! ```text
//!  v<N>.metadata.json --current snapshot--> snap-<id>.avro --one manifest a month--> <id>-<n>.avro --> data files
//!   schema, snapshots                        manifest list                            their rows, sizes, bounds
//! ```
//!
//! [`prepare`] makes of a table's metadata and a change of its files the next metadata and the files beside it. It reads
//! through a function and writes nothing: `trailweave-lake` puts the files in their place. The data files stay where
//! they are. Not here: other formats than version 2, deletes of single rows, branches, other partitions than the date.

mod error;
mod manifest;
mod manifest_list;
mod metadata;
mod prepare;
mod schema;
mod value;

pub use error::FormatError;
pub use manifest::{ColumnMetrics, DataFile, is_measured, lower_bound, upper_bound};
pub use metadata::{Metadata, Snapshot, file_name, version_of};
pub use prepare::{COMPACTION, Commit, Delta, Prepared, live_files, names_below, prepare};

#[cfg(test)]
mod tests;
