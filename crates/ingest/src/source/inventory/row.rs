//! A row of an inventory, and where its columns are.

use std::error::Error;

/// The reason why an inventory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it is not a manifest of S3 Inventory; name the manifest.json that stands beside its manifest.checksum")]
    Manifest(#[source] serde_json::Error),
    #[error("it is written as {0}; only CSV and Parquet are read, so choose one of these in its configuration")]
    Format(String),
    #[error("it lacks the column {0}; add it in its configuration and take the next one, or list with --source")]
    Column(&'static str),
    #[error("the MD5 of `{0}` is not what the manifest says; copy the inventory again, or take another day's")]
    Checksum(String),
    #[error("`{0}` cannot be read as what its manifest says; take another day's inventory")]
    File(String, #[source] Box<dyn Error + Send + Sync>),
    #[error("`{0}` has no {1} for `{2}`; take another day's inventory, or list with --source")]
    Cell(String, &'static str, String),
}

/// An inventory's words about an object.
pub(super) struct InventoryRow<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) bytes: Option<u64>,
    /// Without quotes; empty where it is not known.
    pub(super) etag: &'a str,
    /// True if it is the latest version, and not a delete marker.
    pub(super) is_current: bool,
}

/// The positions of the columns that are needed.
pub(super) struct Columns {
    pub(super) bucket: usize,
    pub(super) key: usize,
    pub(super) size: usize,
    pub(super) etag: usize,
    /// Only inventories of all versions have these two.
    pub(super) is_latest: Option<usize>,
    pub(super) is_delete_marker: Option<usize>,
}

impl Columns {
    /// Finds the columns by their names, which CSV and Parquet write in two ways: `IsLatest` and `is_latest`.
    pub(super) fn find<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, Unusable> {
        let names: Vec<String> = names.map(|name| name.trim().replace('_', "").to_ascii_lowercase()).collect();
        let find = |name: &str| names.iter().position(|it| it.eq_ignore_ascii_case(name));
        let needed = |name| find(name).ok_or(Unusable::Column(name));
        Ok(Self {
            bucket: needed("Bucket")?,
            key: needed("Key")?,
            size: needed("Size")?,
            etag: needed("ETag")?,
            is_latest: find("IsLatest"),
            is_delete_marker: find("IsDeleteMarker"),
        })
    }
}
