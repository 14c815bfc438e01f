//! A reader of the rows of a Parquet file.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::arrow::parquet_to_arrow_field_levels;
use parquet::errors::ParquetError;
use parquet::errors::Result;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::SchemaDescriptor;

use super::pages::InflatedGroups;
use crate::LakeFile;

/// Rows that are given at once, where nothing else is asked for.
const BATCH_ROWS: usize = 1 << 13;

/// Reads the end of a file.
///
/// # Errors
/// If it is not that of a Parquet file.
pub fn load(file: &LakeFile) -> Result<ArrowReaderMetadata> {
    ArrowReaderMetadata::load(file, ArrowReaderOptions::new())
}

/// A reader of the rows of a file, to be built.
#[derive(Debug)]
pub struct Reader {
    file: Arc<LakeFile>,
    end: ArrowReaderMetadata,
    columns: ProjectionMask,
    groups: Vec<usize>,
    rows: Option<RowSelection>,
    batch_rows: usize,
}

impl Reader {
    /// Begins to read a file, from its end.
    ///
    /// # Errors
    /// If the end cannot be read.
    pub fn try_new(file: LakeFile) -> Result<Self> {
        let end = load(&file)?;
        Ok(Self::new_with_metadata(file, end))
    }

    /// Begins to read a file whose end was read.
    #[must_use]
    pub fn new_with_metadata(file: LakeFile, end: ArrowReaderMetadata) -> Self {
        let groups = (0..end.metadata().num_row_groups()).collect();
        let (columns, rows, batch_rows) = (ProjectionMask::all(), None, BATCH_ROWS);
        Self { file: Arc::new(file), end, columns, groups, rows, batch_rows }
    }

    /// The end of the file.
    #[must_use]
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        self.end.metadata()
    }

    /// All columns of the file.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        self.end.schema()
    }

    /// All columns of the file, as Parquet has them.
    #[must_use]
    pub fn parquet_schema(&self) -> &SchemaDescriptor {
        self.end.parquet_schema()
    }

    /// Reads these columns only.
    #[must_use]
    pub fn with_projection(self, columns: ProjectionMask) -> Self {
        Self { columns, ..self }
    }

    /// Reads these row groups only.
    #[must_use]
    pub fn with_row_groups(self, groups: Vec<usize>) -> Self {
        Self { groups, ..self }
    }

    /// Reads these rows of the row groups only.
    #[must_use]
    pub fn with_row_selection(self, rows: RowSelection) -> Self {
        Self { rows: Some(rows), ..self }
    }

    /// Gives at most so many rows at once.
    #[must_use]
    pub fn with_batch_size(self, batch_rows: usize) -> Self {
        Self { batch_rows, ..self }
    }

    /// Reads those of the chosen rows only that pass, by some of their columns, which are read for it.
    ///
    /// # Errors
    /// If these columns cannot be read.
    pub fn with_rows_that(self, columns: &[&str], passes: impl Fn(&RecordBatch) -> BooleanArray) -> Result<Self> {
        let columns = ProjectionMask::columns(self.parquet_schema(), columns.iter().copied());
        let passing = self.rows_of(&columns)?.map(|rows| Ok(passes(&rows?)));
        let passing = RowSelection::from_filters(&passing.collect::<Result<Vec<_>, ArrowError>>()?);
        let rows = match &self.rows {
            Some(rows) => rows.and_then(&passing),
            None => passing,
        };
        Ok(self.with_row_selection(rows))
    }

    /// Reads the rows.
    ///
    /// # Errors
    /// If the columns cannot be read.
    pub fn build(self) -> Result<ParquetRecordBatchReader> {
        self.rows_of(&self.columns)
    }

    fn rows_of(&self, columns: &ProjectionMask) -> Result<ParquetRecordBatchReader, ParquetError> {
        let fields = self.end.schema().fields();
        let levels = parquet_to_arrow_field_levels(self.end.parquet_schema(), columns.clone(), Some(fields))?;
        let (file, end) = (Arc::clone(&self.file), Arc::clone(self.end.metadata()));
        let groups = InflatedGroups { file, end, groups: self.groups.clone() };
        // A batch has room for all rows that it may get.
        let n_rows = usize::try_from(self.metadata().file_metadata().num_rows()).unwrap_or(usize::MAX);
        let batch_rows = self.batch_rows.min(n_rows);
        ParquetRecordBatchReader::try_new_with_row_groups(&levels, &groups, batch_rows, self.rows.clone())
    }
}

#[cfg(test)]
mod tests;
