//! The metrics of files, and those of the files that this process has written.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use trailweave_iceberg::{ColumnMetrics, is_measured, lower_bound, upper_bound};
use trailweave_table::Kind;
use trailweave_table::TABLES;
use trailweave_table::Table;

/// So many files are known at most, at some KB each. The ends of others are read again.
const MAX_FILES: usize = 1024;

/// The metrics of a file, as Iceberg has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metrics {
    pub(crate) n_rows: i64,
    /// By the ids of their fields, those of the columns that have some.
    pub(crate) columns: BTreeMap<i32, ColumnMetrics>,
}

/// The metrics of the files that this process has written, so that to publish them does not read them again.
#[derive(Debug, Clone, Default)]
pub(crate) struct WrittenFiles(Arc<Mutex<HashMap<PathBuf, Metrics>>>);

impl WrittenFiles {
    /// Notes a file of a table that is published.
    pub(crate) fn note(&self, path: &Path, table: &Table, groups: &[RowGroupMetaData]) {
        let is_published = TABLES.iter().any(|published| published.name == table.name);
        let mut files = self.files();
        if is_published && (files.len() < MAX_FILES || files.contains_key(path)) {
            files.insert(path.to_owned(), Metrics::new(table, groups));
        }
    }

    /// Notes that a file got its name.
    pub(crate) fn rename(&self, from: &Path, to: &Path) {
        let mut files = self.files();
        if let Some(metrics) = files.remove(from) {
            files.insert(to.to_owned(), metrics);
        }
    }

    /// Returns the metrics of a file, if it is known.
    pub(crate) fn metrics(&self, path: &Path) -> Option<Metrics> {
        self.files().get(path).cloned()
    }

    fn files(&self) -> MutexGuard<'_, HashMap<PathBuf, Metrics>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Metrics {
    /// Puts together what the row groups of a file say.
    pub(crate) fn new(table: &Table, groups: &[RowGroupMetaData]) -> Self {
        let mut columns = BTreeMap::new();
        let leaves = groups.first().map(RowGroupMetaData::columns).unwrap_or_default();
        for column in table.columns.iter().filter(|column| is_measured(column)) {
            let leaf = leaves.iter().position(|leaf| is_leaf(leaf, column.name));
            let metrics = leaf.and_then(|leaf| metrics(groups.iter().map(|group| group.column(leaf)), column.kind));
            if let Some(metrics) = metrics {
                columns.insert(table.field_id(column.name), metrics);
            }
        }
        Self { n_rows: groups.iter().map(RowGroupMetaData::num_rows).sum(), columns }
    }
}

fn is_leaf(leaf: &ColumnChunkMetaData, column: &str) -> bool {
    matches!(leaf.column_path().parts(), [name] if name == column)
}

/// Puts the statistics of a column's row groups together; none where one lacks them.
fn metrics<'c>(chunks: impl Iterator<Item = &'c ColumnChunkMetaData>, kind: Kind) -> Option<ColumnMetrics> {
    let mut all = ColumnMetrics::default();
    let (mut times, mut texts): (Vec<i64>, Vec<&str>) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let statistics = chunk.statistics()?;
        let n_nulls = i64::try_from(statistics.null_count_opt()?).ok()?;
        all.n_values += chunk.num_values();
        all.n_nulls += n_nulls;
        if n_nulls == chunk.num_values() {
            continue;
        }
        match (kind, statistics) {
            (Kind::Time, Statistics::Int64(it)) => times.extend([*it.min_opt()?, *it.max_opt()?]),
            (Kind::Text, Statistics::ByteArray(it)) => {
                texts.extend([
                    std::str::from_utf8(it.min_opt()?.data()).ok()?,
                    std::str::from_utf8(it.max_opt()?.data()).ok()?,
                ]);
            }
            _ => return None,
        }
    }
    if let (Some(min), Some(max)) = (times.iter().min(), times.iter().max()) {
        (all.lower, all.upper) = (Some(min.to_le_bytes().to_vec()), Some(max.to_le_bytes().to_vec()));
    }
    if let (Some(min), Some(max)) = (texts.iter().min(), texts.iter().max()) {
        (all.lower, all.upper) = (Some(lower_bound(min)), upper_bound(max));
    }
    Some(all)
}
