//! A catalogue that readers ask which metadata of a table is the newest.

use std::collections::BTreeMap;
use std::fmt;

use trailweave_table::Table;

use crate::LakeError;

/// A catalogue of databases with tables, such as AWS Glue.
pub trait Catalog: fmt::Debug + Send + Sync {
    /// Refuses a database that is not there.
    fn check(&self, database: &str) -> Result<(), LakeError>;

    /// Returns what it says of a table; `None` where it has no table of this name.
    fn entry(&self, database: &str, table: &Table) -> Result<Option<CatalogEntry>, LakeError>;

    /// Lets it name other metadata of a table, if its entry still is `before`; makes the entry where that is `None` and there
    /// still is none. Tells whether that was so.
    fn point(
        &self,
        database: &str,
        table: &Table,
        before: Option<&CatalogEntry>,
        to: &TableMetadata<'_>,
    ) -> Result<bool, LakeError>;
}

/// The metadata that a catalogue is to name.
#[derive(Debug, Clone, Copy)]
pub struct TableMetadata<'a> {
    /// Where the table stands.
    pub location: &'a str,
    /// Where its newest metadata stands.
    pub metadata_location: &'a str,
}

/// The entry of a table in a catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogEntry {
    /// Its version, by which the catalogue knows whether somebody has changed it.
    pub version_id: String,
    /// Where the newest metadata stands, as the entry says; `None` where it is not an Iceberg table.
    pub metadata_location: Option<String>,
    /// The parameters that others gave it.
    pub parameters: BTreeMap<String, String>,
}
