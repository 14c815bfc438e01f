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
use arrow::buffer::BooleanBuffer;
use arrow::buffer::NullBuffer;
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
        let length = |ends: &[i32], at: usize| u64::from((ends[at + 1] - ends[at]).unsigned_abs());
        let rows = rows.iter().map(|row| *row as usize);
        match self {
            Self::Plain(texts) => rows.map(|row| length(texts.value_offsets(), row)).sum(),
            Self::Coded(coded, values) => {
                let (keys, ends) = (coded.keys().values(), values.value_offsets());
                let of_code = |row: usize| length(ends, position(keys[row]));
                match coded.nulls() {
                    None => rows.map(of_code).sum(),
                    Some(nulls) => rows.filter(|row| nulls.is_valid(*row)).map(of_code).sum(),
                }
            }
        }
    }
}

fn position(code: i32) -> usize {
    usize::try_from(code).expect("codes are positions")
}

/// Copies values of several pieces of a column, each given as (piece, row).
pub(crate) fn gathered(pieces: &[&dyn Array], places: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
    match pieces.iter().map(|piece| piece.as_dictionary_opt::<Int32Type>()).collect::<Option<Vec<_>>>() {
        Some(coded) => gathered_codes(&coded, places),
        None => interleave(pieces, places),
    }
}

/// A piece of a column of codes.
struct Coded<'r> {
    codes: &'r [i32],
    nulls: Option<&'r NullBuffer>,
    values: &'r StringArray,
    /// By code the one that the value has among those that are gathered.
    gathered: Vec<i32>,
}

/// The number of a row without a value, and of a value that no row has so far.
const NONE: i32 = -1;

/// Does so with codes, which become those of a dictionary of the values that are used.
fn gathered_codes(pieces: &[&DictionaryArray<Int32Type>], places: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
    let mut pieces: Vec<Coded<'_>> = pieces.iter().map(|piece| Coded::new(piece)).collect();
    let mut positions: HashMap<&str, i32, RandomState> = HashMap::default();
    let mut used: Vec<&str> = Vec::new();
    let mut codes = Vec::with_capacity(places.len());
    for &(piece, row) in places {
        let Coded { codes: of_piece, nulls, values, gathered } = &mut pieces[piece];
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            codes.push(NONE);
            continue;
        }
        let from = position(of_piece[row]);
        if gathered[from] == NONE {
            let value = values.value(from);
            gathered[from] = *positions.entry(value).or_insert_with(|| {
                used.push(value);
                i32::try_from(used.len() - 1).expect("rows are fewer than numbers")
            });
        }
        codes.push(gathered[from]);
    }
    let present = BooleanBuffer::collect_bool(codes.len(), |row| codes[row] != NONE);
    let nulls = Some(NullBuffer::new(present)).filter(|nulls| nulls.null_count() > 0);
    if nulls.is_some() {
        for code in &mut codes {
            *code = (*code).max(0);
        }
    }
    let codes = Int32Array::new(codes.into(), nulls);
    Ok(Arc::new(DictionaryArray::try_new(codes, Arc::new(StringArray::from_iter_values(used)))?))
}

impl<'r> Coded<'r> {
    fn new(piece: &'r DictionaryArray<Int32Type>) -> Self {
        let values = piece.values().as_string();
        Self { codes: piece.keys().values(), nulls: piece.nulls(), values, gathered: vec![NONE; values.len()] }
    }
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
