//! Parquet files of the lake's tables.

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::basic::ZstdLevel;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::EnabledStatistics;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use trailweave_table::Kind;
use trailweave_table::Lookup;
use trailweave_table::Table;

use crate::LakeError;
use crate::Merged;
use crate::WholeFile;

/// Rows in a row group: the unit that an engine skips by statistics and Bloom filters, and reads in parallel.
/// Of 6 million events they are half a percent each; smaller ones make footers and filters that outweigh what they spare.
const ROW_GROUP_ROWS: usize = 32_768;

/// Writes one file of a table.
#[derive(Debug)]
pub struct TableWriter {
    writer: ArrowWriter<WholeFile>,
    n_rows: u64,
}

impl TableWriter {
    /// Begins `file` as a file of `table`.
    pub fn new(file: WholeFile, table: &Table) -> Result<Self, LakeError> {
        Self::with_rows(file, table, ROW_GROUP_ROWS)
    }

    /// The same, for a file of at most `n_rows`, which spares room that is only thrown away.
    pub fn with_rows(file: WholeFile, table: &Table, n_rows: usize) -> Result<Self, LakeError> {
        let path = file.path().to_owned();
        let writer = ArrowWriter::try_new(file, table.schema(), Some(properties(table, n_rows)))
            .map_err(|source| LakeError::Encode { path, source })?;
        Ok(Self { writer, n_rows: 0 })
    }

    /// Appends rows. Needs: the schema of the table, and rows in its order over all calls.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), LakeError> {
        self.n_rows += rows.num_rows() as u64;
        let written = self.writer.write(rows);
        written.map_err(|source| LakeError::Encode { path: self.writer.inner().path().to_owned(), source })
    }

    /// Says in the footer what the file is merged from.
    pub fn note_merged(&mut self, merged: &[Merged]) {
        self.writer.append_key_value_metadata(Merged::note(merged));
    }

    /// Ends the file, makes it durable and visible, and returns how many rows it holds.
    pub fn commit(self) -> Result<u64, LakeError> {
        let path = self.writer.inner().path().to_owned();
        let file = self.writer.into_inner().map_err(|source| LakeError::Encode { path, source })?;
        file.commit()?;
        Ok(self.n_rows)
    }
}

/// How the files of a table are encoded: zstd, statistics down to pages, and Bloom filters on the columns in which
/// readers look for single values.
pub fn writer_properties(table: &Table) -> WriterProperties {
    properties(table, ROW_GROUP_ROWS)
}

fn properties(table: &Table, n_rows: usize) -> WriterProperties {
    // A list may hold more values than there are rows; a filter that is too small only says "perhaps" more often.
    let n_values = n_rows.saturating_mul(2).clamp(64, ROW_GROUP_ROWS) as u64;
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("trailweave ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_sorting_columns(Some(sorting(table)));
    for column in table.columns.iter().filter(|column| column.lookup == Lookup::Needle) {
        let path = match column.kind {
            Kind::TextList => vec![column.name.to_owned(), "list".to_owned(), "element".to_owned()],
            _ => vec![column.name.to_owned()],
        };
        let path = ColumnPath::new(path);
        properties = properties
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_fpp(path.clone(), 0.01)
            // The writer folds the filter down to the values that it really got.
            .set_column_bloom_filter_max_ndv(path, n_values);
    }
    properties.build()
}

/// Where a sort column stands among the file's leaf columns. Needs: no nested column before it, which holds because
/// the nested columns of every table follow the columns that it sorts by.
fn sorting(table: &Table) -> Vec<SortingColumn> {
    let leaf = |column: &&str| i32::try_from(table.position(column)).expect("a table has few columns");
    table
        .sort_by
        .iter()
        .map(|column| SortingColumn { column_idx: leaf(column), descending: false, nulls_first: true })
        .collect()
}
