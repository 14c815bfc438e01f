//! A part: rows become one sorted file.

use std::cmp::Ordering;
use std::path::Path;

use arrow::array::Array;
use arrow::array::ArrayAccessor;
use arrow::array::AsArray;
use arrow::array::Int64Array;
use arrow::array::TimestampMicrosecondArray;
use arrow::array::new_null_array;
use rayon::iter::IndexedParallelIterator;
use rayon::iter::IntoParallelIterator;
use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use trailweave_lake::ColumnEncoder;
use trailweave_lake::GroupWriter;
use trailweave_lake::Lake;
use trailweave_lake::Merged;
use trailweave_table::Kind;
use trailweave_table::Table;

use crate::IngestError;
use crate::rows::chunk::Chunk;
use crate::rows::chunk::places;
use crate::rows::texts::{Texts, gathered};

/// By these of its columns, rows of equal place in a table's order are told apart; the last two are the ledger's.
const TIE_BREAKERS: [&str; 4] = ["source_object", "source_index", "version", "batch_id"];

/// Writes the rows of `chunks` as one file of `table`, in its order, and returns how many. Threads that have nothing to
/// do encode some of the columns.
///
/// The order is total: rows that the table's own order does not tell apart are ordered by where they were logged. So
/// the same rows give the same bytes, however they were cut into chunks.
pub(crate) fn write(lake: &Lake, chunks: &[Chunk], table: &'static Table, path: &Path) -> Result<u64, IngestError> {
    write_merged(lake, chunks, table, path, &[])
}

/// Does the same with rows that other parts hold.
pub(crate) fn write_merged(
    lake: &Lake,
    chunks: &[Chunk],
    table: &'static Table,
    path: &Path,
    merged: &[Merged],
) -> Result<u64, IngestError> {
    let pieces = |column| chunks.iter().map(|chunk| chunk.rows.column(column).as_ref()).collect();
    let columns: Vec<Vec<&dyn Array>> = (0..table.columns.len()).map(pieces).collect();
    let is_null: Vec<bool> =
        (0..table.columns.len()).map(|column| chunks.iter().all(|chunk| chunk.is_null(column))).collect();
    let order = order(chunks, table);
    let mut writer = GroupWriter::new(lake.create_file(path)?, table, order.len(), &is_null)?;
    for rows in order.chunks(GroupWriter::GROUP_ROWS) {
        let encode = |(encoder, (pieces, is_null)): (ColumnEncoder, (&Vec<&dyn Array>, &bool))| {
            let values = match pieces.first() {
                Some(piece) if *is_null => Ok(new_null_array(piece.data_type(), rows.len())),
                _ => gathered(pieces, rows),
            };
            let values = values.map_err(|source| IngestError::Arrange { path: path.to_owned(), source })?;
            encoder.encode(&values).map_err(IngestError::from)
        };
        let columns = writer.encoders()?.into_par_iter().zip(columns.par_iter().zip(&is_null));
        let encoded = columns.map(encode).collect::<Result<_, _>>()?;
        writer.append(encoded)?;
    }
    if !merged.is_empty() {
        writer.note_merged(merged);
    }
    writer.commit()?;
    Ok(order.len() as u64)
}

/// A column that rows are ordered by, batch by batch.
enum SortBy<'a> {
    Text(Vec<Texts<'a>>),
    Time(Vec<&'a TimestampMicrosecondArray>),
    Integer(Vec<&'a Int64Array>),
}

impl<'a> SortBy<'a> {
    fn new(chunks: &'a [Chunk], table: &Table, name: &str) -> Self {
        let at = table.position(name);
        let columns = chunks.iter().map(|chunk| chunk.rows.column(at));
        match table.columns[at].kind {
            Kind::Time => Self::Time(columns.map(AsArray::as_primitive).collect()),
            Kind::Integer => Self::Integer(columns.map(AsArray::as_primitive).collect()),
            Kind::Text => Self::Text(chunks.iter().map(|chunk| Texts::at(&chunk.rows, at)).collect()),
            Kind::Bool | Kind::TextList | Kind::TextMap => unreachable!("no table is sorted by `{name}`"),
        }
    }

    /// Compares two rows. Null comes first.
    fn compare(&self, (a, row_of_a): (usize, usize), (b, row_of_b): (usize, usize)) -> Ordering {
        match self {
            Self::Text(pieces) => pieces[a].get(row_of_a).cmp(&pieces[b].get(row_of_b)),
            Self::Time(pieces) => value(&pieces[a], row_of_a).cmp(&value(&pieces[b], row_of_b)),
            Self::Integer(pieces) => value(&pieces[a], row_of_a).cmp(&value(&pieces[b], row_of_b)),
        }
    }
}

fn value<A: ArrayAccessor>(values: &A, row: usize) -> Option<A::Item> {
    values.is_valid(row).then(|| values.value(row))
}

/// Returns the (chunk, row) of every row that is meant, in the table's order.
fn order(chunks: &[Chunk], table: &Table) -> Vec<(usize, usize)> {
    let has = |column: &str| table.columns.iter().any(|it| it.name == column) && !table.sort_by.contains(&column);
    let others = TIE_BREAKERS.iter().filter(|column| has(column));
    let by: Vec<SortBy<'_>> = table.sort_by.iter().chain(others).map(|name| SortBy::new(chunks, table, name)).collect();
    // Times stand beside the places, because they tell nearly all rows apart.
    let time = |(chunk, row)| match &by[0] {
        SortBy::Time(pieces) => value(&pieces[chunk], row),
        SortBy::Text(_) | SortBy::Integer(_) => None,
    };
    let mut order: Vec<(Option<i64>, (usize, usize))> = places(chunks).map(|place| (time(place), place)).collect();
    order.sort_unstable_by(|(time, a), (other, b)| {
        let ties = || by.iter().map(|column| column.compare(*a, *b)).find(|order| order.is_ne());
        time.cmp(other).then_with(|| ties().unwrap_or(Ordering::Equal))
    });
    order.into_iter().map(|(_, place)| place).collect()
}
