//! Parquet files of a lake as rows: all of them, or those that have one of some keys.
//!
//! ```text
//!  keys --Bloom filter of each row group--> columns of the keys --> places of rows --> the columns that are wanted
//!         (most hold none)                  (false hits fall out)
//! ```

mod pages;
mod reader;

use std::collections::HashSet;
use std::iter;
use std::path::Path;
use std::sync::Arc;

use ahash::RandomState;
use arrow::array::Array;
use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::array::new_null_array;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::datatypes::Field;
use arrow::datatypes::Int32Type;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use trailweave_table::Column;
use trailweave_table::Table;

use crate::Lake;
use crate::LakeError;
use crate::LakeFile;
use crate::Part;

/// Rows that are read at once to look for keys.
const BATCH_ROWS: usize = 1 << 16;
/// Rows that are given at once, each with many columns perhaps.
const GIVEN_ROWS: usize = 1 << 14;

pub use crate::keys::Keys;
pub use reader::Reader;
pub use reader::load;

/// A question for rows that have one of `keys` in `column`, which holds texts or lists of texts.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'k> {
    /// The column.
    pub column: &'static str,
    /// The keys.
    pub keys: &'k Keys,
    /// The rows that count, where not all do.
    pub among: Option<Among>,
}

impl<'k> Ask<'k> {
    /// Asks for all rows that have a key.
    pub fn all(column: &'static str, keys: &'k Keys) -> Self {
        Self { column, keys, among: None }
    }
}

/// Rows that some of their columns tell from others.
#[derive(Debug, Clone, Copy)]
pub struct Among {
    /// The columns.
    pub columns: &'static [&'static str],
    /// Tells of each row of a batch of these columns, and perhaps others, whether it is one.
    pub passes: fn(&RecordBatch) -> Vec<bool>,
}

/// Begins to read some columns of a file. One that the file lacks is left out.
pub fn columns<'c>(file: LakeFile, columns: impl IntoIterator<Item = &'c str>) -> Result<Reader, ParquetError> {
    let reader = Reader::try_new(file)?;
    let columns = ProjectionMask::columns(reader.parquet_schema(), columns);
    Ok(reader.with_projection(columns))
}

/// Returns rows with every column of the table: a part that was written before the table got one lacks it, and one that another
/// program wrote lacks the field ids within lists.
pub fn filled(table: &Table, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let column = |column: &Column| {
        let wanted = table.data_type(column);
        match rows.column_by_name(column.name) {
            Some(array) if array.data_type() != &wanted && array.data_type().equals_datatype(&wanted) => {
                cast(array, &wanted)
            }
            Some(array) => Ok(ArrayRef::clone(array)),
            None => Ok(new_null_array(&wanted, rows.num_rows())),
        }
    };
    RecordBatch::try_new(table.schema(), table.columns.iter().map(column).collect::<Result<_, _>>()?)
}

/// Reads the end of a file, whose columns of few values, which `is_shared` takes, are read as dictionaries.
pub fn load_shared(file: &LakeFile, is_shared: impl Fn(&str) -> bool) -> Result<ArrowReaderMetadata, ParquetError> {
    let end = load(file)?;
    let shared = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let field = |field: &Arc<Field>| {
        if is_shared(field.name()) {
            Arc::new(Field::new(field.name(), shared(), field.is_nullable()))
        } else {
            Arc::clone(field)
        }
    };
    let schema = Arc::new(Schema::new(end.schema().fields().iter().map(field).collect::<Vec<_>>()));
    ArrowReaderMetadata::try_new(Arc::clone(end.metadata()), ArrowReaderOptions::new().with_schema(schema))
}

/// Reads some columns of a file, one row group after the other, for a batch of two would be given dictionaries that are
/// made value by value. A column that the file lacks is left out.
pub fn by_group<'c>(
    file: LakeFile,
    end: ArrowReaderMetadata,
    columns: impl IntoIterator<Item = &'c str>,
) -> impl Iterator<Item = Result<RecordBatch, ParquetError>> {
    let columns = ProjectionMask::columns(end.parquet_schema(), columns);
    let n_groups = end.metadata().num_row_groups();
    let rows_of = move |group: usize| {
        let reader = Reader::new_with_metadata(file.try_clone()?, end.clone()).with_projection(columns.clone());
        reader.with_row_groups(vec![group]).with_batch_size(GIVEN_ROWS).build()
    };
    (0..n_groups).flat_map(move |group| -> Box<dyn Iterator<Item = _>> {
        match rows_of(group) {
            Ok(rows) => Box::new(rows.map(|rows| Ok(rows?))),
            Err(error) => Box::new(iter::once(Err(error))),
        }
    })
}

/// Reads some columns of the rows of a part that answer a question, in their order. A column that the part lacks is left
/// out.
pub fn seek(lake: &Lake, part: &Part, columns: &[&str], asks: &[Ask<'_>]) -> Result<Vec<RecordBatch>, LakeError> {
    seek_in(&lake.open_listed(part)?, &part.path, columns, asks)
}

/// Does the same in a file that is open, and stands at `path`.
pub fn seek_in(
    file: &LakeFile,
    path: &Path,
    columns: &[&str],
    asks: &[Ask<'_>],
) -> Result<Vec<RecordBatch>, LakeError> {
    let read = || {
        let end = load(file)?;
        let mut found = Vec::new();
        for group in 0..end.metadata().num_row_groups() {
            let rows = rows_with(file, &end, group, asks)?;
            if !rows.is_empty() {
                found.extend(rows_at(file, &end, group, &rows, columns)?);
            }
        }
        Ok::<_, ParquetError>(found)
    };
    read().map_err(LakeError::parquet(path))
}

/// Reads some columns of rows of a row group, given in order. A column that the file lacks is left out.
pub fn rows_at(
    file: &LakeFile,
    end: &ArrowReaderMetadata,
    group: usize,
    rows: &[u32],
    columns: &[&str],
) -> Result<Vec<RecordBatch>, ParquetError> {
    let n_rows = usize::try_from(end.metadata().row_group(group).num_rows()).unwrap_or(usize::MAX);
    let columns = ProjectionMask::columns(end.parquet_schema(), columns.iter().copied());
    let reader = Reader::new_with_metadata(file.try_clone()?, end.clone()).with_projection(columns);
    let reader = reader.with_row_groups(vec![group]).with_row_selection(selection(rows, n_rows));
    Ok(reader.build()?.collect::<Result<_, ArrowError>>()?)
}

/// Reads the values of a column of texts that pass; none where the part lacks the column.
pub fn values(lake: &Lake, part: &Part, column: &str, is_wanted: impl Fn(&str) -> bool) -> Result<Keys, LakeError> {
    let file = lake.open_listed(part)?;
    let read = || {
        let mut found = Keys::default();
        // As a dictionary, for a text that rows share is looked at once.
        let end = load_shared(&file, |name| name == column)?;
        if leaf(&end, column).is_none() {
            return Ok(found);
        }
        for rows in by_group(file, end, [column]) {
            let rows = rows?;
            let shared = rows.column(0).as_dictionary::<Int32Type>();
            let values = shared.values().as_string::<i32>().iter().flatten();
            found.extend(values.filter(|value| is_wanted(value)));
        }
        Ok::<_, ParquetError>(found)
    };
    read().map_err(LakeError::parquet(&part.path))
}

/// Selects rows of a row group that has `n_rows`.
pub fn selection(rows: &[u32], n_rows: usize) -> RowSelection {
    let ranges = rows.iter().map(|row| *row as usize..*row as usize + 1);
    RowSelection::from_consecutive_ranges(ranges, n_rows)
}

/// Finds the rows of a row group, in order, that answer a question.
pub fn rows_with(
    file: &LakeFile,
    end: &ArrowReaderMetadata,
    group: usize,
    asks: &[Ask<'_>],
) -> Result<Vec<u32>, ParquetError> {
    let mut likely = Vec::new();
    for ask in asks {
        // A part that was written before the table got a column lacks it.
        let Some(leaf) = leaf(end, ask.column) else { continue };
        let column = end.metadata().row_group(group).column(leaf);
        let n_rows = usize::try_from(end.metadata().row_group(group).num_rows()).unwrap_or(usize::MAX);
        let keys = if ask.keys.len() <= n_rows {
            Likely::Some(may_hold(file, column, ask.keys.iter())?)
        } else if is_null(column) {
            continue;
        } else {
            // To look for each value among the keys is less work than for each key in the filter.
            Likely::All(ask.keys)
        };
        if !matches!(&keys, Likely::Some(keys) if keys.is_empty()) {
            likely.push((ask, keys));
        }
    }
    if likely.is_empty() {
        return Ok(Vec::new());
    }
    let columns = likely.iter().flat_map(|(ask, _)| ask.among.iter().flat_map(|it| it.columns).chain([&ask.column]));
    let columns = ProjectionMask::columns(end.parquet_schema(), columns.copied());
    let reader = Reader::new_with_metadata(file.try_clone()?, end.clone())
        .with_projection(columns)
        .with_row_groups(vec![group])
        .with_batch_size(BATCH_ROWS);
    let (mut found, mut first) = (Vec::new(), 0);
    for rows in reader.build()? {
        let rows = rows?;
        let mut hits = vec![false; rows.num_rows()];
        for (ask, keys) in &likely {
            let mut of_ask = vec![false; rows.num_rows()];
            mark(&rows[ask.column], &|value| keys.have(value), &mut of_ask);
            if let Some(among) = ask.among.filter(|_| of_ask.contains(&true)) {
                of_ask.iter_mut().zip((among.passes)(&rows)).for_each(|(hit, passes)| *hit &= passes);
            }
            hits.iter_mut().zip(of_ask).for_each(|(hit, of_ask)| *hit |= of_ask);
        }
        found.extend((first..).zip(&hits).filter(|(_, hit)| **hit).map(|(row, _): (u32, _)| row));
        first += u32::try_from(rows.num_rows()).expect("a row group has fewer rows than numbers");
    }
    Ok(found)
}

/// The keys that a row group may hold.
enum Likely<'k> {
    All(&'k Keys),
    Some(HashSet<&'k str, RandomState>),
}

impl Likely<'_> {
    fn have(&self, value: &str) -> bool {
        match self {
            Self::All(keys) => keys.contains(value),
            Self::Some(keys) => keys.contains(value),
        }
    }
}

/// Tells whether the statistics say that a column of a row group holds nothing.
fn is_null(column: &ColumnChunkMetaData) -> bool {
    let n_nulls = column.statistics().and_then(Statistics::null_count_opt);
    n_nulls.is_some_and(|n_nulls| i64::try_from(n_nulls) == Ok(column.num_values()))
}

/// Returns where a column, or what it is a list of, stands among the leaf columns of a file.
pub fn leaf(end: &ArrowReaderMetadata, column: &str) -> Option<usize> {
    end.parquet_schema().columns().iter().position(|leaf| leaf.path().parts()[0] == column)
}

/// Returns the keys that a column of a row group may hold, by its statistics and its Bloom filter, as far as it has them.
pub fn may_hold<'k>(
    file: &LakeFile,
    column: &ColumnChunkMetaData,
    keys: impl IntoIterator<Item = &'k str>,
) -> Result<HashSet<&'k str, RandomState>, ParquetError> {
    let mut keys = keys.into_iter().filter(|key| is_in_range(column, Some(key))).peekable();
    if is_null(column) || keys.peek().is_none() {
        return Ok(HashSet::default());
    }
    let bloom = Sbbf::read_from_column_chunk(column, file)?;
    Ok(keys.filter(|key| bloom.as_ref().is_none_or(|bloom| bloom.check(*key))).collect())
}

/// Tells whether the statistics leave it possible that a column of a row group holds `value`. Statistics may be cut, but
/// outwards only.
pub fn is_in_range(column: &ColumnChunkMetaData, value: Option<&str>) -> bool {
    let Some(statistics) = column.statistics() else {
        return true;
    };
    let (min, max) = (statistics.min_bytes_opt(), statistics.max_bytes_opt());
    match value.map(str::as_bytes) {
        None => statistics.null_count_opt() != Some(0),
        Some(value) => min.is_none_or(|min| min <= value) && max.is_none_or(|max| value <= max),
    }
}

/// Marks the rows of a column of texts, shared texts or lists of texts that have a value which passes.
fn mark(column: &dyn Array, is_key: &dyn Fn(&str) -> bool, hits: &mut [bool]) {
    let passing = |values: &dyn Array| -> Vec<bool> {
        values.as_string::<i32>().iter().map(|value| value.is_some_and(is_key)).collect()
    };
    match column.data_type() {
        DataType::Dictionary(_, _) => {
            let shared = column.as_dictionary::<Int32Type>();
            let passed = passing(shared.values());
            for (hit, key) in hits.iter_mut().zip(shared.keys()) {
                *hit |= key.and_then(|key| usize::try_from(key).ok()).is_some_and(|key| passed[key]);
            }
        }
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            let passed = passing(lists.values());
            let position = |at: i32| usize::try_from(at).expect("offsets are positions");
            for (hit, list) in hits.iter_mut().zip(lists.value_offsets().windows(2)) {
                *hit |= passed[position(list[0])..position(list[1])].contains(&true);
            }
        }
        _ => hits.iter_mut().zip(passing(column)).for_each(|(hit, passed)| *hit |= passed),
    }
}

#[cfg(test)]
mod tests;
