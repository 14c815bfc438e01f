//! Merges the small parts of a partition, which many small batches leave, into larger ones; and so the files of the ledger.
//!
//! The merged part holds the same rows in the table's order. It appears, and the parts that it holds vanish, in one
//! change of the lake (see `trailweave_lake::Change`) with some others: a kill costs nothing but time. A reader who lists the partition
//! in that moment may see both and so rows twice, never none.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use parquet::errors::ParquetError;
use parquet::file::reader::Length;
use rayon::iter::IndexedParallelIterator;
use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use serde::Serialize;
use trailweave_lake::COMPACTION;
use trailweave_lake::Change;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Merged;
use trailweave_lake::Part;
use trailweave_lake::read::{Reader, filled};
use trailweave_table::LEDGER;
use trailweave_table::LOGGED;
use trailweave_table::REJECTS;
use trailweave_table::Table;
use trailweave_table::merged_part_name;

use crate::IngestError;
use crate::cpu::Cpu;
use crate::fingerprint::short_hex;
use crate::ledger::committed;
use crate::ledger::is_committed;
use crate::rows::chunk::Chunk;
use crate::rows::part;
use crate::run::settle::settle;

/// A part of this size is left alone, and no merged part is made larger: engines read files of this size well.
const TARGET_BYTES: u64 = 128 << 20;
/// In a table without partitions, which all rows ever written are in, parts up to this size are merged whatever the others
/// are. A larger one waits until those that are smaller are together as large, so that a row is merged a few times, not daily.
const SMALL_BYTES: u64 = 1 << 20;
/// So many parts are merged in one change, which needs room for them beside the parts that they hold.
const GROUPS_PER_CHANGE: usize = 32;
/// How much larger rows are in memory than as Parquet, with what sorting and encoding them needs: 20 was measured.
const MEMORY_FACTOR: u64 = 24;

/// The means by which parts are merged.
#[derive(Debug, Clone, Copy)]
pub struct CompactOptions {
    /// The memory that the rows that are being merged may occupy.
    pub memory_bytes: u64,
    /// Parts that are merged at once.
    pub threads: NonZeroUsize,
}

/// The results of merging, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Compacted {
    /// Committed parts that `events`, `sessions` and `rejects` had.
    pub parts_before: u64,
    /// Parts that they have.
    pub parts_after: u64,
    /// Bytes of the parts that were merged.
    pub bytes_before: u64,
    /// Bytes of the parts made of them.
    pub bytes_after: u64,
    /// Rows in these.
    pub rows: u64,
    /// Files that the ledger had.
    pub ledger_files_before: u64,
    /// Files that it has.
    pub ledger_files_after: u64,
}

/// Parts of one partition that become one.
struct Group {
    table: &'static Table,
    parts: Vec<Part>,
    bytes: u64,
}

/// Merges the small parts of `events`, `sessions` and `rejects`, partition by partition, and the files of the ledger. A second
/// call finds nothing to do.
///
/// Needs: the caller holds the lake's lock.
pub fn compact(lake: &Lake, options: &CompactOptions) -> Result<Compacted, IngestError> {
    settle(lake)?;
    let batches = committed(lake)?;
    let threads = options.threads.get();
    let group_bytes = (options.memory_bytes / MEMORY_FACTOR / threads as u64).min(TARGET_BYTES);
    let mut compacted = Compacted::default();
    let mut groups = Vec::new();
    for table in LOGGED.into_iter().chain([&REJECTS, &LEDGER]) {
        let mut parts = lake.parts(table)?;
        parts.retain(|part| is_committed(&part.path, &batches));
        let [before, _] = compacted.counts(table);
        *before += parts.len() as u64;
        if table.dated_by.is_none() {
            let files = lake.files(&lake.table_dir(table))?;
            order(&mut parts, &files.into_iter().map(|file| (file.path, file.written)).collect());
        }
        for partition in parts.chunk_by(|a, b| a.event_date == b.event_date) {
            groups.extend(group(table, partition, group_bytes));
        }
    }
    let cpu = Cpu::new(options.threads)?;
    compacted.parts_after = compacted.parts_before;
    compacted.ledger_files_after = compacted.ledger_files_before;
    for groups in groups.chunks(GROUPS_PER_CHANGE.max(threads)) {
        for (group, (rows, bytes)) in groups.iter().zip(cpu.install(|| merge_all(lake, groups))?) {
            let [_, after] = compacted.counts(group.table);
            *after -= group.parts.len() as u64 - 1;
            if group.table.name != LEDGER.name {
                compacted.bytes_before += group.bytes;
                compacted.bytes_after += bytes;
                compacted.rows += rows;
            }
        }
    }
    Ok(compacted)
}

impl Compacted {
    /// Returns the counts of files of a table, before and after.
    fn counts(&mut self, table: &Table) -> [&mut u64; 2] {
        if table.name == LEDGER.name {
            [&mut self.ledger_files_before, &mut self.ledger_files_after]
        } else {
            [&mut self.parts_before, &mut self.parts_after]
        }
    }
}

/// Makes one part of each group, all in one change; returns their rows and bytes.
fn merge_all(lake: &Lake, groups: &[Group]) -> Result<Vec<(u64, u64)>, IngestError> {
    let ids: Vec<String> = groups.iter().map(|group| id(lake, group)).collect();
    let mut change = Change::new(lake, &format!("{COMPACTION}{}", short_hex(ids.iter().map(String::as_bytes))));
    let path = |(group, id): (&Group, &String)| group.parts[0].path.with_file_name(merged_part_name(id));
    let paths: Vec<PathBuf> = groups.iter().zip(&ids).map(path).collect();
    let staged: Vec<PathBuf> = paths.iter().map(|path| change.promise(path)).collect();
    let merge = |(group, staged): (&Group, &PathBuf)| merge(lake, group, staged);
    let merged = groups.par_iter().zip(&staged).map(merge).collect::<Result<Vec<_>, _>>()?;
    for part in groups.iter().flat_map(|group| &group.parts) {
        change.remove(&part.path);
    }
    change.commit()?;
    let bytes = paths.iter().map(|path| Ok(lake.open_part(path)?.len())).collect::<Result<Vec<_>, LakeError>>()?;
    Ok(merged.into_iter().zip(bytes).collect())
}

/// Names a group by its parts below the lake's folder, so that a lake that is moved gives the same names.
fn id(lake: &Lake, group: &Group) -> String {
    short_hex(group.parts.iter().map(|part| lake.below(&part.path).as_os_str().as_encoded_bytes()))
}

/// Orders the parts of a table without partitions: the small ones by when they were written, so that what stands together
/// is of one time, and then the others by their sizes.
fn order(parts: &mut [Part], written: &HashMap<PathBuf, SystemTime>) {
    parts.sort_by_key(|part| (part.bytes.max(SMALL_BYTES), written.get(&part.path).copied()));
}

/// Puts the parts of a partition together as long as they fit, in their order.
fn group(table: &'static Table, parts: &[Part], group_bytes: u64) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for part in parts {
        let is_due = |group: &Group| table.dated_by.is_some() || part.bytes <= group.bytes.max(SMALL_BYTES);
        match groups.last_mut() {
            Some(group) if group.bytes + part.bytes <= group_bytes && is_due(group) => {
                group.bytes += part.bytes;
                group.parts.push(part.clone());
            }
            _ => groups.push(Group { table, parts: vec![part.clone()], bytes: part.bytes }),
        }
    }
    groups.retain(|group| group.parts.len() > 1);
    groups
}

/// Writes the rows of a group as one part; returns how many.
fn merge(lake: &Lake, group: &Group, staged: &Path) -> Result<u64, IngestError> {
    let (mut chunks, mut merged) = (Vec::new(), Vec::new());
    for Part { path, bytes, .. } in &group.parts {
        chunks.extend(read(lake, path, group.table)?);
        // What `correlate` has read of parts of parts is asked for, which nobody asks of other tables.
        let from = if group.table.dated_by.is_some() { Merged::read(lake, path)? } else { Vec::new() };
        merged.push(Merged { path: lake.below(path).to_owned(), bytes: *bytes, from });
    }
    let expected: u64 = chunks.iter().map(|chunk| chunk.rows.num_rows() as u64).sum();
    let rows = part::write_merged(lake, &chunks, group.table, staged, &merged)?;
    if rows != expected {
        return Err(IngestError::Merge { path: staged.to_owned(), expected, rows });
    }
    Ok(rows)
}

/// Reads the rows of a part, as many as its footer says.
fn read(lake: &Lake, path: &Path, table: &Table) -> Result<Vec<Chunk>, LakeError> {
    let file = lake.open_part(path)?;
    let read = || {
        let reader = Reader::try_new(file)?;
        let expected = reader.metadata().file_metadata().num_rows();
        let mut chunks = Vec::new();
        let mut rows = 0;
        for batch in reader.build()? {
            let batch = batch?;
            rows += i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
            chunks.push(Chunk::all(filled(table, &batch)?));
        }
        if rows == expected { Ok(chunks) } else { Err(ParquetError::General(format!("{rows} of {expected} rows"))) }
    };
    read().map_err(LakeError::parquet(path))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use trailweave_table::EVENTS;

    use super::*;

    const MIB: u64 = 1 << 20;

    /// Groups parts of these sizes, in the order in which they were written.
    fn sizes(table: &'static Table, sizes: &[u64]) -> Vec<Vec<u64>> {
        let path = |n: usize| PathBuf::from(format!("part-{}", sizes.len() - n));
        let part = |(n, bytes): (usize, &u64)| Part { event_date: None, path: path(n), bytes: *bytes };
        let mut parts: Vec<Part> = sizes.iter().enumerate().map(part).collect();
        if table.dated_by.is_none() {
            // As a lake lists them: their names say nothing of their time.
            parts.sort();
            let time = |n: usize| SystemTime::UNIX_EPOCH + Duration::from_secs(n as u64);
            order(&mut parts, &(0..sizes.len()).map(|n| (path(n), time(n))).collect());
        }
        let groups = group(table, &parts, 100 * MIB);
        groups.iter().map(|group| group.parts.iter().map(|part| part.bytes).collect()).collect()
    }

    #[test]
    fn parts_of_a_partition_are_put_together_as_long_as_they_fit() {
        assert_eq!(
            sizes(&EVENTS, &[50 * MIB, 1, 49 * MIB, 60 * MIB, 2]),
            [vec![50 * MIB, 1, 49 * MIB], vec![60 * MIB, 2]]
        );
        assert!(sizes(&EVENTS, &[50 * MIB, 51 * MIB]).is_empty());
    }

    #[test]
    fn in_the_ledger_a_large_file_waits_until_the_small_ones_are_as_large() {
        assert_eq!(sizes(&LEDGER, &[40 * MIB, 3, 1, 2]), [[3, 1, 2]], "small ones stand by time");
        assert!(sizes(&LEDGER, &[40 * MIB, 3]).is_empty());
        assert!(sizes(&LEDGER, &[20 * MIB, 9 * MIB, 10 * MIB]).is_empty());
        assert_eq!(sizes(&LEDGER, &[20 * MIB, 10 * MIB, 10 * MIB]), [[10 * MIB, 10 * MIB, 20 * MIB]]);
    }
}
