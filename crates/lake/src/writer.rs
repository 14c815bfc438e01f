//! Parquet files of the lake's tables.

use std::fmt;
use std::io;
use std::io::Write;
use std::mem;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::Array;
use arrow::array::ArrayRef;
use arrow::array::RecordBatch;
use arrow::compute::concat;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
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
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnDescPtr;
use parquet::schema::types::ColumnPath;
use sha2::Digest;
use sha2::Sha256;
use trailweave_coded::{CodedChunk, CodedTexts, Filter};
use trailweave_table::Column;
use trailweave_table::Encoding;
use trailweave_table::Kind;
use trailweave_table::Lookup;
use trailweave_table::Table;

use crate::LakeError;
use crate::Merged;
use crate::WholeFile;
use crate::short_digest::short_digest;

/// Rows in a row group of a product: the unit that an engine skips by statistics and Bloom filters, and reads in
/// parallel. A search ends in one or two of them, read in all their columns, so they are small.
const ROW_GROUP_ROWS: usize = 16_384;
/// Rows that the Parquet library gets at once where rows come in batches. Where its pages end depends on it, so it is
/// fixed: the same rows are the same bytes.
const STEP_ROWS: usize = 1024;
/// The largest dictionary of a row group, which is the Parquet library's own choice.
const DICTIONARY_BYTES: usize = 1 << 20;
/// The share of values that a column does not have of which its Bloom filter says "perhaps".
const FALSE_POSITIVES: f64 = 0.01;

/// Writes one file of a table, row group after row group.
#[derive(Debug)]
pub struct TableWriter {
    groups: Groups<Digested>,
    /// The row group so far; empty between two.
    encoders: Vec<ColumnEncoder>,
    n_group_rows: usize,
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
        let digested = Digested { file, digest: Sha256::new() };
        let properties = builder(table, ROW_GROUP_ROWS, ROW_GROUP_ROWS);
        let groups = Groups::new(digested, path, table, properties)?;
        Ok(Self { groups, encoders: Vec::new(), n_group_rows: 0, n_rows: 0 })
    }

    /// Appends rows. Needs: the columns of the table, those of few values perhaps as dictionaries, and rows in its order
    /// over all calls. The same rows make the same bytes, however they are cut into batches.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), LakeError> {
        let mut from = 0;
        while from < rows.num_rows() {
            if self.encoders.is_empty() {
                self.encoders = self.groups.encoders()?;
            }
            let n_rows = (rows.num_rows() - from).min(ROW_GROUP_ROWS - self.n_group_rows);
            for (encoder, column) in self.encoders.iter_mut().zip(rows.columns()) {
                encoder.write(&column.slice(from, n_rows))?;
            }
            from += n_rows;
            self.n_group_rows += n_rows;
            if self.n_group_rows == ROW_GROUP_ROWS {
                self.end_group()?;
            }
        }
        self.n_rows += rows.num_rows() as u64;
        Ok(())
    }

    fn end_group(&mut self) -> Result<(), LakeError> {
        self.n_group_rows = 0;
        let columns = mem::take(&mut self.encoders).into_iter().map(ColumnEncoder::close).collect::<Result<_, _>>()?;
        self.groups.append(columns)
    }

    /// Ends the file, and makes it durable and visible.
    pub fn commit(mut self) -> Result<Written, LakeError> {
        if self.n_group_rows > 0 {
            self.end_group()?;
        }
        self.groups.writer.inner().file.note(self.groups.table, self.groups.writer.flushed_row_groups());
        let Digested { file, digest } = self.groups.end()?;
        file.commit()?;
        Ok(Written { n_rows: self.n_rows, digest: short_digest(&digest.finalize().into()) })
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
pub struct GroupWriter(Groups<WholeFile>);

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
        Groups::new(file, path, table, properties).map(Self)
    }

    /// Returns the encoders of the next row group, one for each column of the table.
    pub fn encoders(&self) -> Result<Vec<ColumnEncoder>, LakeError> {
        self.0.encoders()
    }

    /// Appends a row group. Needs: what its encoders made of as many rows each, in their order.
    pub fn append(&mut self, columns: Vec<EncodedColumn>) -> Result<(), LakeError> {
        self.0.append(columns)
    }

    /// Says in the footer what the file is merged from.
    pub fn note_merged(&mut self, merged: &[Merged]) {
        self.0.writer.append_key_value_metadata(Merged::note(merged));
    }

    /// Ends the file and makes it durable and visible.
    pub fn commit(self) -> Result<(), LakeError> {
        self.0.writer.inner().note(self.0.table, self.0.writer.flushed_row_groups());
        self.0.end()?.commit()
    }
}

/// The row groups of a file.
#[derive(Debug)]
struct Groups<W: Write + Send> {
    path: PathBuf,
    writer: SerializedFileWriter<W>,
    /// Makes the Parquet library's writers of all columns but coded ones. Each costs a codec, whatever is written.
    library: ArrowRowGroupWriterFactory,
    table: &'static Table,
}

impl<W: Write + Send> Groups<W> {
    fn new(
        file: W,
        path: PathBuf,
        table: &'static Table,
        properties: WriterPropertiesBuilder,
    ) -> Result<Self, LakeError> {
        let properties = properties.build();
        let schema = table.schema();
        let left = schema.fields().iter().zip(table.columns).filter(|(_, column)| !column.is_coded());
        let left = left.map(|(field, _)| FieldRef::clone(field)).collect();
        let open = || Ok((opened(file, schema, properties.clone())?.0, library(left, properties)?));
        match open() {
            Ok((writer, library)) => Ok(Self { path, writer, library, table }),
            Err(source) => Err(LakeError::Encode { path, source }),
        }
    }

    fn encoders(&self) -> Result<Vec<ColumnEncoder>, LakeError> {
        let n_groups = self.writer.flushed_row_groups().len();
        let writers = self.library.create_column_writers(n_groups);
        let mut writers = writers.map_err(encode(&self.path))?.into_iter();
        let descriptions = self.writer.schema_descr();
        let mut n_leaves = 0;
        let schema = self.table.schema();
        let encoder = |(field, column): (&FieldRef, &Column)| {
            let (first, n_of_column) = (n_leaves, leaves(column).len());
            n_leaves += n_of_column;
            let coded = column.is_coded().then(|| Coded {
                texts: CodedTexts::default(),
                description: descriptions.column(first),
                filter: filter(column),
                properties: Arc::clone(self.writer.properties()),
            });
            ColumnEncoder {
                path: self.path.clone(),
                field: FieldRef::clone(field),
                leaves: if coded.is_some() { Vec::new() } else { writers.by_ref().take(n_of_column).collect() },
                step: Vec::new(),
                coded,
            }
        };
        Ok(schema.fields().iter().zip(self.table.columns).map(encoder).collect())
    }

    fn append(&mut self, columns: Vec<EncodedColumn>) -> Result<(), LakeError> {
        let append = || {
            let mut group = self.writer.next_row_group()?;
            for column in columns {
                match column {
                    EncodedColumn::Leaves(leaves) => {
                        leaves.into_iter().try_for_each(|leaf| leaf.append_to_row_group(&mut group))?;
                    }
                    EncodedColumn::Coded(chunk) => chunk.append_to(&mut group)?,
                }
            }
            group.close().map(|_| ())
        };
        append().map_err(encode(&self.path))
    }

    fn end(self) -> Result<W, LakeError> {
        self.writer.into_inner().map_err(encode(&self.path))
    }
}

/// Encodes one column of a row group.
pub struct ColumnEncoder {
    path: PathBuf,
    field: FieldRef,
    leaves: Vec<ArrowColumnWriter>,
    /// Rows that the leaves get when there are enough.
    step: Vec<ArrayRef>,
    /// The rows of a column of few values.
    coded: Option<Coded>,
}

/// A column of few values so far.
struct Coded {
    texts: CodedTexts,
    description: ColumnDescPtr,
    filter: Filter,
    properties: WriterPropertiesPtr,
}

/// A column of a row group, encoded.
#[derive(Debug)]
pub enum EncodedColumn {
    /// By the Parquet library, each of its leaves.
    Leaves(Vec<ArrowColumnChunk>),
    /// As numbers of its values.
    Coded(Box<CodedChunk>),
}

impl ColumnEncoder {
    /// Encodes the values of all rows of the group. Needs: the type of the column, or a dictionary of it.
    pub fn encode(mut self, values: &ArrayRef) -> Result<EncodedColumn, LakeError> {
        match &mut self.coded {
            Some(coded) => coded.texts.extend(values),
            None => self.step.push(ArrayRef::clone(values)),
        }
        self.close()
    }

    /// Adds the values of some rows.
    fn write(&mut self, values: &ArrayRef) -> Result<(), LakeError> {
        if let Some(coded) = &mut self.coded {
            coded.texts.extend(values);
            return Ok(());
        }
        let mut from = 0;
        while from < values.len() {
            let n_waiting = self.step.iter().map(Array::len).sum::<usize>();
            let n_rows = (values.len() - from).min(STEP_ROWS - n_waiting);
            self.step.push(values.slice(from, n_rows));
            from += n_rows;
            if n_waiting + n_rows == STEP_ROWS {
                self.write_step().map_err(encode(&self.path))?;
            }
        }
        Ok(())
    }

    fn write_step(&mut self) -> Result<(), ParquetError> {
        let step: Vec<ArrayRef> = mem::take(&mut self.step);
        match &*step {
            [] => Ok(()),
            [values] => write_leaves(&self.field, &mut self.leaves, values),
            _ => {
                let pieces: Vec<&dyn Array> = step.iter().map(ArrayRef::as_ref).collect();
                write_leaves(&self.field, &mut self.leaves, &concat(&pieces)?)
            }
        }
    }

    fn close(mut self) -> Result<EncodedColumn, LakeError> {
        let mut close = || {
            match self.coded.take() {
                Some(Coded { texts, description, filter, .. }) if texts.dictionary_bytes() <= DICTIONARY_BYTES => {
                    let chunk = CodedChunk::new(&texts, &description, ZstdLevel::default(), filter)?;
                    return Ok(EncodedColumn::Coded(Box::new(chunk)));
                }
                // The library writes what its dictionaries cannot hold as it is.
                Some(Coded { texts, properties, .. }) => {
                    let library = library(vec![FieldRef::clone(&self.field)], (*properties).clone())?;
                    self.leaves = library.create_column_writers(0)?;
                    self.step.push(texts.into_array());
                }
                None => {}
            }
            self.write_step()?;
            let leaves = mem::take(&mut self.leaves).into_iter().map(ArrowColumnWriter::close);
            leaves.collect::<Result<_, _>>().map(EncodedColumn::Leaves)
        };
        close().map_err(encode(&self.path))
    }
}

fn write_leaves(field: &FieldRef, leaves: &mut [ArrowColumnWriter], values: &ArrayRef) -> Result<(), ParquetError> {
    let values = compute_leaves(field, values)?;
    leaves.iter_mut().zip(&values).try_for_each(|(leaf, values)| leaf.write(values))
}

impl fmt::Debug for ColumnEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ColumnEncoder").field("field", &self.field).finish_non_exhaustive()
    }
}

/// Returns the Bloom filter that a column gets.
fn filter(column: &Column) -> Filter {
    if column.lookup == Lookup::Needle { Filter::FalsePositives(FALSE_POSITIVES) } else { Filter::Without }
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
            .set_column_bloom_filter_fpp(path.clone(), FALSE_POSITIVES)
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

/// Begins a file of columns. Leaves out Arrow's types: those of the tables are Parquet's, and repeated they would be a
/// third of a file's end.
fn opened<W: Write + Send>(
    file: W,
    schema: SchemaRef,
    properties: WriterProperties,
) -> Result<(SerializedFileWriter<W>, ArrowRowGroupWriterFactory), ParquetError> {
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(file, schema, options)?.into_serialized_writer()
}

/// Returns what makes the Parquet library's writers of some columns of a file.
fn library(columns: Vec<FieldRef>, properties: WriterProperties) -> Result<ArrowRowGroupWriterFactory, ParquetError> {
    opened(io::sink(), Arc::new(Schema::new(columns)), properties).map(|(_, library)| library)
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
