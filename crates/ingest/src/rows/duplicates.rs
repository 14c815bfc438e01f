//! Rows that the lake already has: rows are unique on (`recipient_account_id`, `event_id`).
//!
//! The first logs have no `event_id`, and nothing else names a record for certain; such rows are always kept.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;

use arrow::array::AsArray;
use parquet::arrow::ProjectionMask;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::LakeFile;
use trailweave_lake::read::{Reader, is_in_range, leaf, load, may_hold};
use trailweave_table::Table;
use trailweave_table::batch_id;

use crate::rows::amendment::EventId;
use crate::rows::chunk::Chunk;
use crate::rows::row_key::ACCOUNT;
use crate::rows::row_key::EVENT_ID;
use crate::rows::row_key::keys;
use crate::rows::texts::Texts;

/// Finds the keys of `chunks` that parts of other batches in `partition` hold. Every part's Bloom filter and statistics
/// are asked, and where they do not exclude an id, those two columns of that row group are read.
pub(crate) fn known_to_lake(
    lake: &Lake,
    partition: &Path,
    own_batch_id: &str,
    table: &Table,
    chunks: &[Chunk],
) -> Result<HashSet<u128>, LakeError> {
    let mut known = HashSet::new();
    let parts = other_parts(lake, partition, own_batch_id)?;
    if !parts.is_empty() {
        let sought = Sought::rows_of(table, chunks);
        for path in parts {
            sought.find_in_file(lake, &path, &mut known)?;
        }
    }
    Ok(known)
}

fn other_parts(lake: &Lake, partition: &Path, own_batch_id: &str) -> Result<Vec<PathBuf>, LakeError> {
    let held = lake.held_files(partition)?.into_iter().map(|file| file.path);
    Ok(held.filter(|path| batch_id(path) != Some(own_batch_id)).collect())
}

/// Ids to look for, with their keys, by account.
#[derive(Default)]
pub(crate) struct Sought<'a> {
    by_account: BTreeMap<Option<&'a str>, Vec<(&'a str, u128)>>,
}

impl<'a> Sought<'a> {
    pub(crate) fn events(events: &[EventId<'a>]) -> Self {
        let mut sought = Self::default();
        for event in events {
            sought.by_account.entry(event.account).or_default().push((event.event_id, event.key()));
        }
        sought
    }

    /// Collects rows, without those that nothing can be a duplicate of.
    fn rows_of(table: &Table, chunks: &'a [Chunk]) -> Self {
        let mut sought = Self::default();
        for chunk in chunks {
            let column = |name| Texts::at(&chunk.rows, table.position(name));
            let (accounts, event_ids) = (column(ACCOUNT), column(EVENT_ID));
            // A row that has a key has an id.
            for (row, key) in chunk.chosen.iter().zip(&chunk.keys).filter(|(_, key)| **key != 0) {
                let row = *row as usize;
                let event_id = event_ids.get(row).unwrap_or_default();
                sought.by_account.entry(accounts.get(row)).or_default().push((event_id, *key));
            }
        }
        sought
    }

    /// Adds to `known` what the part at `path` holds.
    pub(crate) fn find_in_file(&self, lake: &Lake, path: &Path, known: &mut HashSet<u128>) -> Result<(), LakeError> {
        // None: what another shard did not commit, and removed; it holds no row of ours.
        let Some(file) = lake.open_file(path)? else { return Ok(()) };
        self.find_in(&file, known).map_err(LakeError::parquet(path))
    }

    /// Adds to `known` what the part in `file` holds.
    fn find_in(&self, file: &LakeFile, known: &mut HashSet<u128>) -> Result<(), ParquetError> {
        let part = load(file)?;
        let (Some(id_leaf), Some(account_leaf)) = (leaf(&part, EVENT_ID), leaf(&part, ACCOUNT)) else {
            return Err(ParquetError::General(format!("it has no column `{EVENT_ID}` or `{ACCOUNT}`")));
        };
        let mut hits = HashSet::new();
        let mut groups = Vec::new();
        for (group, metadata) in part.metadata().row_groups().iter().enumerate() {
            let found = self.hits(file, metadata.column(id_leaf), metadata.column(account_leaf))?;
            if !found.is_empty() {
                groups.push(group);
                hits.extend(found);
            }
        }
        if groups.is_empty() {
            return Ok(());
        }
        let columns = ProjectionMask::leaves(part.parquet_schema(), [id_leaf, account_leaf]);
        let reader = Reader::new_with_metadata(file.try_clone()?, part);
        for rows in reader.with_projection(columns).with_row_groups(groups).build()? {
            let rows = rows?;
            let column = |name| rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
            let (Some(accounts), Some(event_ids)) = (column(ACCOUNT), column(EVENT_ID)) else {
                return Err(ParquetError::General(format!("`{EVENT_ID}` or `{ACCOUNT}` is not a text")));
            };
            known.extend(keys(accounts, event_ids).into_iter().filter(|key| hits.contains(key)));
        }
        Ok(())
    }

    /// Returns the keys that a row group with these columns may hold.
    fn hits(
        &self,
        file: &LakeFile,
        ids: &ColumnChunkMetaData,
        accounts: &ColumnChunkMetaData,
    ) -> Result<Vec<u128>, ParquetError> {
        let sought = self.by_account.iter().filter(|(account, _)| is_in_range(accounts, **account));
        let sought: Vec<&(&str, u128)> = sought.flat_map(|(_, ids)| ids).collect();
        let held = may_hold(file, ids, sought.iter().map(|(event_id, _)| *event_id))?;
        Ok(sought.into_iter().filter(|(event_id, _)| held.contains(event_id)).map(|(_, key)| *key).collect())
    }
}
