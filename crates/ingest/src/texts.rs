//! Text columns of rows on their way into a part, of few values or of many.

use std::collections::HashMap;
use std::sync::Arc;

use ahash::RandomState;
use arrow::array::Array;
use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::DictionaryArray;
use arrow::array::Int32Array;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::compute::interleave;
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;

/// A text column, whose rows may hold numbers of its values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Texts<'r> {
    Plain(&'r StringArray),
    Coded(&'r DictionaryArray<Int32Type>, &'r StringArray),
}

impl<'r> Texts<'r> {
    /// Takes a column for what it is; none where it is not of texts.
    pub(crate) fn of(column: &'r dyn Array) -> Option<Self> {
        if let Some(coded) = column.as_dictionary_opt::<Int32Type>() {
            return Some(Self::Coded(coded, coded.values().as_string_opt()?));
        }
        column.as_string_opt().map(Self::Plain)
    }

    /// Returns a column of a table's rows. Needs: it is of texts.
    pub(crate) fn at(rows: &'r RecordBatch, column: usize) -> Self {
        Self::of(rows.column(column)).expect("the column is of texts")
    }

    pub(crate) fn get(self, row: usize) -> Option<&'r str> {
        match self {
            Self::Plain(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Coded(coded, values) => coded.key(row).map(|code| values.value(code)),
        }
    }

    /// Counts the bytes of the texts of some rows.
    pub(crate) fn bytes(self, rows: &[u32]) -> u64 {
        let bytes = |row: &u32| match self {
            Self::Plain(texts) => texts.value_length(*row as usize).unsigned_abs(),
            Self::Coded(coded, values) => {
                coded.key(*row as usize).map_or(0, |code| values.value_length(code).unsigned_abs())
            }
        };
        rows.iter().map(|row| u64::from(bytes(row))).sum()
    }
}

/// Copies values of several pieces of a column, each given as (piece, row).
pub(crate) fn gathered(pieces: &[&dyn Array], places: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
    match pieces.iter().map(|piece| piece.as_dictionary_opt::<Int32Type>()).collect::<Option<Vec<_>>>() {
        Some(coded) => gathered_codes(&coded, places),
        None => interleave(pieces, places),
    }
}

/// Does so with codes, which become those of a dictionary of the values that are used.
fn gathered_codes(pieces: &[&DictionaryArray<Int32Type>], places: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
    let values: Vec<&StringArray> = pieces.iter().map(|piece| piece.values().as_string()).collect();
    let mut codes: Vec<Vec<Option<i32>>> = values.iter().map(|values| vec![None; values.len()]).collect();
    let mut positions: HashMap<&str, i32, RandomState> = HashMap::default();
    let mut used: Vec<&str> = Vec::new();
    let mut code = |&(piece, row): &(usize, usize)| {
        let from = pieces[piece].key(row)?;
        Some(*codes[piece][from].get_or_insert_with(|| {
            let value = values[piece].value(from);
            *positions.entry(value).or_insert_with(|| {
                used.push(value);
                i32::try_from(used.len() - 1).expect("rows are fewer than numbers")
            })
        }))
    };
    let keys: Int32Array = places.iter().map(&mut code).collect();
    Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(StringArray::from_iter_values(used)))?))
}

/// Does so with all columns of several batches of one schema.
pub(crate) fn gathered_rows(batches: &[&RecordBatch], places: &[(usize, usize)]) -> Result<RecordBatch, ArrowError> {
    let column = |at: usize| {
        let pieces: Vec<&dyn Array> = batches.iter().map(|rows| rows.column(at).as_ref()).collect();
        gathered(&pieces, places)
    };
    let schema = batches[0].schema();
    let columns = (0..schema.fields().len()).map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(schema, columns)
}
