//! The entry of a table in a catalogue, which follows the commits.
//!
//! A commit is made in the lake; the catalogue names its metadata right after it, and before files go that the snapshot
//! before had. Two who commit at once both let the entry name the newest, whichever is last.

use std::path::Path;

use trailweave_iceberg::{file_name, version_of};

use super::{Place, TRIES};
use crate::Catalog;
use crate::CatalogEntry;
use crate::LakeError;
use crate::TableMetadata;

impl Place<'_> {
    /// Returns the catalogue and the database that the table is in; none if the lake is in none.
    fn catalog(&self) -> Result<Option<(&dyn Catalog, &str)>, LakeError> {
        let Some(database) = self.iceberg.glue_database.as_deref() else { return Ok(None) };
        Ok(Some((self.lake.catalog_with(database)?, database)))
    }

    /// Refuses a table of a catalogue that is not this one.
    pub(super) fn check_catalog(&self) -> Result<(), LakeError> {
        let Some((catalog, database)) = self.catalog()? else { return Ok(()) };
        match catalog.entry(database, self.table)? {
            Some(entry) => self.check_entry(database, &entry),
            None => Ok(()),
        }
    }

    /// Lets the catalogue name the newest metadata.
    pub(super) fn follow(&self) -> Result<(), LakeError> {
        let Some((catalog, database)) = self.catalog()? else { return Ok(()) };
        for _ in 0..TRIES {
            // In this order, so that an entry that has not changed since never goes back.
            let entry = catalog.entry(database, self.table)?;
            let Some(newest) = self.newest()? else { return Ok(()) };
            let metadata_location = self.metadata_path(newest.version);
            if let Some(entry) = &entry {
                self.check_entry(database, entry)?;
                if entry.metadata_location.as_deref() == Some(&metadata_location) {
                    return Ok(());
                }
            }
            let to = TableMetadata { location: &self.location, metadata_location: &metadata_location };
            if catalog.point(database, self.table, entry.as_ref(), &to)? {
                return Ok(());
            }
        }
        Err(LakeError::Contended { path: self.folder.clone() })
    }

    /// Names a file of metadata as Iceberg does.
    pub(super) fn metadata_path(&self, version: u64) -> String {
        format!("{}/metadata/{}", self.location, file_name(version))
    }

    /// Refuses an entry that names metadata which only somebody else can have written.
    fn check_entry(&self, database: &str, entry: &CatalogEntry) -> Result<(), LakeError> {
        let named = entry.metadata_location.as_deref();
        let version = named.and_then(|named| version_of(Path::new(named)));
        if version.is_some_and(|version| named == Some(&self.metadata_path(version))) {
            return Ok(());
        }
        let (database, table) = (database.to_owned(), self.table.name);
        Err(LakeError::ForeignTable { database, table, names: named.unwrap_or("no Iceberg metadata").to_owned() })
    }
}
