//! Parquet files of the lake's tables.

use std::fmt;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use arrow::array::ArrayRef;
use arrow::array::RecordBatch;
use arrow::datatypes::FieldRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowColumnChunk;
use parquet::arrow::arrow_writer::ArrowColumnWriter;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::arrow_writer::compute_leaves;
use parquet::basic::Compression;
use parquet::basic::ZstdLevel;
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::EnabledStatistics;
use parquet::file::properties::WriterProperties;
use parquet::file::properties::WriterPropertiesBuilder;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use sha2::Digest;
use sha2::Sha256;
use trailweave_table::Column;
use trailweave_table::Encoding;
use trailweave_table::Kind;
use trailweave_table::Lookup;
use trailweave_table::Table;

use crate::LakeError;
use crate::Merged;
use crate::WholeFile;

/// Rows in a row group of a product: the unit that an engine skips by statistics and Bloom filters, and reads in
/// parallel. A search ends in one or two of them, read in all their columns, so they are small.
const ROW_GROUP_ROWS: usize = 16_384;

/// Writes one file of a table.
#[derive(Debug)]
pub struct TableWriter {
    writer: ArrowWriter<Digested>,
    table: &'static Table,
    n_rows: u64,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its rows.
    pub n_rows: u64,
    /// A digest of its bytes, of 16 hexadecimal digits.
    pub digest: String,
}

impl TableWriter {
    /// Begins `file` as a file of `table`.
    pub fn new(file: WholeFile, table: &'static Table) -> Result<Self, LakeError> {
        let path = file.path().to_owned();
        let writer = ArrowWriter::try_new_with_options(
            Digested { file, digest: Sha256::new() },
            table.schema(),
            options(builder(table, ROW_GROUP_ROWS, ROW_GROUP_ROWS)),
        )
        .map_err(|source| LakeError::Encode { path, source })?;
        Ok(Self { writer, table, n_rows: 0 })
    }

    /// Appends rows. Needs: the schema of the table, and rows in its order over all calls.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), LakeError> {
        self.n_rows += rows.num_rows() as u64;
        let written = self.writer.write(rows);
        written.map_err(|source| LakeError::Encode { path: self.writer.inner().file.path().to_owned(), source })
    }

    /// Ends the file, and makes it durable and visible.
    pub fn commit(mut self) -> Result<Written, LakeError> {
        let path = self.writer.inner().file.path().to_owned();
        self.writer.flush().map_err(encode(&path))?;
        self.writer.inner().file.note(self.table, self.writer.flushed_row_groups());
        let Digested { file, digest } = self.writer.into_inner().map_err(encode(&path))?;
        file.commit()?;
        let digest: [u8; 32] = digest.finalize().into();
        let first = digest.first_chunk::<8>().expect("a SHA-256 has 32 bytes");
        Ok(Written { n_rows: self.n_rows, digest: format!("{:016x}", u64::from_be_bytes(*first)) })
    }
}

/// A file whose bytes are digested as they are written.
#[derive(Debug)]
struct Digested {
    file: WholeFile,
    digest: Sha256,
}

impl Write for Digested {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_bytes = self.file.write(bytes)?;
        self.digest.update(&bytes[..n_bytes]);
        Ok(n_bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes one file of a table in whole row groups, whose columns can be encoded side by side.
#[derive(Debug)]
pub struct GroupWriter {
    path: PathBuf,
    writer: SerializedFileWriter<WholeFile>,
    columns: ArrowRowGroupWriterFactory,
    table: &'static Table,
}

/// Encodes one column of a row group.
pub struct ColumnEncoder {
    path: PathBuf,
    field: FieldRef,
    leaves: Vec<ArrowColumnWriter>,
}

/// A column of a row group, encoded.
#[derive(Debug)]
pub struct EncodedColumn {
    leaves: Vec<ArrowColumnChunk>,
}

impl GroupWriter {
    /// Rows in every row group but the last. Smaller ones make footers and filters that outweigh what they spare; with
    /// larger ones the dictionaries of texts outgrow their limit.
    pub const GROUP_ROWS: usize = 32_768;

    /// Begins `file` as a file of `table` that will have `n_rows`. Nothing is spent on the columns of which `is_null`
    /// says that they hold nothing.
    pub fn new(file: WholeFile, table: &'static Table, n_rows: usize, is_null: &[bool]) -> Result<Self, LakeError> {
        let path = file.path().to_owned();
        let mut properties = builder(table, Self::GROUP_ROWS, n_rows);
        for (column, _) in table.columns.iter().zip(is_null).filter(|(_, is_null)| **is_null) {
            for leaf in leaves(column) {
                properties = properties
                    .set_column_compression(leaf.clone(), Compression::UNCOMPRESSED)
                    .set_column_dictionary_enabled(leaf.clone(), false)
                    .set_column_bloom_filter_enabled(leaf, false);
            }
        }
        let writer = ArrowWriter::try_new_with_options(file, table.schema(), options(properties));
        match writer.and_then(ArrowWriter::into_serialized_writer) {
            Ok((writer, columns)) => Ok(Self { path, writer, columns, table }),
            Err(source) => Err(LakeError::Encode { path, source }),
        }
    }

    /// Returns the encoders of the next row group, one for each column of the table.
    pub fn encoders(&self) -> Result<Vec<ColumnEncoder>, LakeError> {
        let n_groups = self.writer.flushed_row_groups().len();
        let writers = self.columns.create_column_writers(n_groups);
        let mut writers = writers.map_err(encode(&self.path))?.into_iter();
        let schema = self.table.schema();
        let encoder = |(field, column): (&FieldRef, &Column)| ColumnEncoder {
            path: self.path.clone(),
            field: FieldRef::clone(field),
            leaves: writers.by_ref().take(leaves(column).len()).collect(),
        };
        Ok(schema.fields().iter().zip(self.table.columns).map(encoder).collect())
    }

    /// Appends a row group. Needs: what its encoders made of as many rows each, in their order.
    pub fn append(&mut self, columns: Vec<EncodedColumn>) -> Result<(), LakeError> {
        let append = || {
            let mut group = self.writer.next_row_group()?;
            for leaf in columns.into_iter().flat_map(|column| column.leaves) {
                leaf.append_to_row_group(&mut group)?;
            }
            group.close().map(|_| ())
        };
        append().map_err(encode(&self.path))
    }

    /// Says in the footer what the file is merged from.
    pub fn note_merged(&mut self, merged: &[Merged]) {
        self.writer.append_key_value_metadata(Merged::note(merged));
    }

    /// Ends the file and makes it durable and visible.
    pub fn commit(self) -> Result<(), LakeError> {
        self.writer.inner().note(self.table, self.writer.flushed_row_groups());
        self.writer.into_inner().map_err(encode(&self.path))?.commit()
    }
}

impl ColumnEncoder {
    /// Encodes the values of all rows of the group. Needs: the type of the column.
    pub fn encode(mut self, values: &ArrayRef) -> Result<EncodedColumn, LakeError> {
        let leaves = compute_leaves(&self.field, values).and_then(|values| {
            self.leaves.iter_mut().zip(&values).try_for_each(|(leaf, values)| leaf.write(values))?;
            self.leaves.into_iter().map(ArrowColumnWriter::close).collect()
        });
        Ok(EncodedColumn { leaves: leaves.map_err(encode(&self.path))? })
    }
}

impl fmt::Debug for ColumnEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ColumnEncoder").field("field", &self.field).finish_non_exhaustive()
    }
}

fn encode(path: &Path) -> impl FnOnce(ParquetError) -> LakeError {
    move |source| LakeError::Encode { path: path.to_owned(), source }
}

/// Tells how the files of a table are encoded: zstd, statistics down to pages, Bloom filters on the columns in which
/// readers look for single values, and each column as it says. For a file of `n_rows` in groups of `group_rows`, which
/// spares room that is only thrown away.
fn builder(table: &Table, group_rows: usize, n_rows: usize) -> WriterPropertiesBuilder {
    // A list may hold more values than there are rows; a filter that is too small only says "perhaps" more often.
    let n_values = n_rows.saturating_mul(2).clamp(64, group_rows) as u64;
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("trailweave ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(group_rows))
        .set_sorting_columns(Some(sorting(table)));
    let looked_up = |lookup| table.columns.iter().filter(move |column| column.lookup == lookup).flat_map(leaves);
    for path in looked_up(Lookup::Whole) {
        properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    for path in looked_up(Lookup::Needle) {
        properties = properties
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_fpp(path.clone(), 0.01)
            // The writer folds the filter down to the values that it really got.
            .set_column_bloom_filter_max_ndv(path, n_values);
    }
    let written = |encoding| table.columns.iter().filter(move |column| column.encoding == encoding).flat_map(leaves);
    for path in written(Encoding::Plain).chain(written(Encoding::Delta)) {
        properties = properties.set_column_dictionary_enabled(path, false);
    }
    for path in written(Encoding::Delta) {
        properties = properties.set_column_encoding(path, parquet::basic::Encoding::DELTA_BINARY_PACKED);
    }
    properties
}

/// Leaves out Arrow's types: those of the tables are Parquet's, and repeated they would be a third of a file's end.
fn options(properties: WriterPropertiesBuilder) -> ArrowWriterOptions {
    ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true)
}

/// Returns the leaf columns of a file that a column of the table is stored in.
fn leaves(column: &Column) -> Vec<ColumnPath> {
    let paths: &[&[&str]] = match column.kind {
        Kind::Text | Kind::Time | Kind::Bool | Kind::Integer => &[&[]],
        Kind::TextList => &[&["list", "element"]],
        Kind::TextMap => &[&["key_value", "key"], &["key_value", "value"]],
    };
    let path = |below: &&[&str]| [column.name].iter().chain(*below).map(|&name| name.to_owned()).collect();
    paths.iter().map(path).map(ColumnPath::new).collect()
}

/// Returns where a sort column stands among the file's leaf columns. Needs: no nested column before it, which holds
/// because the nested columns of every table follow the columns that it sorts by.
fn sorting(table: &Table) -> Vec<SortingColumn> {
    let leaf = |column: &&str| i32::try_from(table.position(column)).expect("a table has few columns");
    table
        .sort_by
        .iter()
        .map(|column| SortingColumn { column_idx: leaf(column), descending: false, nulls_first: true })
        .collect()
}
