//! A text column of few values: each row holds the number of its value.

use std::sync::Arc;

use ahash::RandomState;
use arrow::array::DictionaryArray;
use arrow::array::Int32Array;
use arrow::array::StringArray;
use arrow::buffer::BooleanBuffer;
use arrow::buffer::Buffer;
use arrow::buffer::NullBuffer;
use arrow::buffer::OffsetBuffer;
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::Int32Type;
use hashbrown::HashTable;

/// The number of a row without a value.
pub(crate) const NONE: i32 = -1;

/// The rows of a batch so far, and the values that they have.
#[derive(Debug)]
pub(crate) struct Codes {
    /// By row, up to the last that has a value.
    keys: Vec<i32>,
    text: String,
    /// Where each value ends in `text`; the first is 0.
    ends: Vec<i32>,
    positions: HashTable<i32>,
    /// Keyed, because trails may be hostile.
    hasher: RandomState,
    /// The last one that was looked for: neighbours are often alike.
    last: i32,
}

impl Default for Codes {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            text: String::new(),
            ends: vec![0],
            positions: HashTable::new(),
            hasher: RandomState::default(),
            last: NONE,
        }
    }
}

impl Codes {
    /// Returns the number of a value, which holds until the rows are taken.
    pub(crate) fn code(&mut self, value: &str) -> i32 {
        if self.last == NONE || self.value(self.last) != value {
            self.last = self.find_or_add(value);
        }
        self.last
    }

    fn find_or_add(&mut self, value: &str) -> i32 {
        let hash = self.hasher.hash_one(value);
        if let Some(code) = self.positions.find(hash, |code| self.value(*code) == value) {
            return *code;
        }
        let code = number(self.ends.len() - 1);
        self.text.push_str(value);
        self.ends.push(number(self.text.len()));
        let Self { text, ends, positions, hasher, .. } = self;
        positions.insert_unique(hash, code, |code| hasher.hash_one(value_of(text, ends, *code)));
        code
    }

    fn value(&self, code: i32) -> &str {
        value_of(&self.text, &self.ends, code)
    }

    pub(crate) fn push(&mut self, row: usize, code: i32) {
        if self.keys.len() < row {
            self.keys.resize(row, NONE);
        }
        self.keys.push(code);
    }

    /// Forgets the rows after `n_rows`, and the values that only they have.
    pub(crate) fn truncate(&mut self, n_rows: usize) {
        self.keys.truncate(n_rows);
        // Numbers are given in order.
        let n_values = self.keys.iter().max().map_or(0, |last| last + 1);
        self.positions.retain(|code| *code < n_values);
        self.ends.truncate(usize::try_from(n_values).expect("codes are positions") + 1);
        self.text.truncate(usize::try_from(self.ends[self.ends.len() - 1]).expect("ends are positions"));
        self.last = NONE;
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.text.capacity()
    }

    /// Returns the column as an array of `n_rows`; rows and values are forgotten.
    pub(crate) fn take(&mut self, n_rows: usize) -> DictionaryArray<Int32Type> {
        self.keys.resize(n_rows, NONE);
        let present = BooleanBuffer::collect_bool(n_rows, |row| self.keys[row] != NONE);
        let nulls = Some(NullBuffer::new(present)).filter(|nulls| nulls.null_count() > 0);
        let keys = self.keys.iter().map(|key| (*key).max(0)).collect::<ScalarBuffer<i32>>();
        let ends = OffsetBuffer::new(ScalarBuffer::from(Buffer::from_slice_ref(&self.ends)));
        let values = StringArray::new(ends, Buffer::from(self.text.as_bytes()), None);
        self.keys.clear();
        self.text.clear();
        self.ends.truncate(1);
        self.positions.clear();
        self.last = NONE;
        DictionaryArray::new(Int32Array::new(keys, nulls), Arc::new(values))
    }
}

fn value_of<'t>(text: &'t str, ends: &[i32], code: i32) -> &'t str {
    let at = |code: i32| usize::try_from(code).expect("codes are positions");
    &text[at(ends[at(code)])..at(ends[at(code) + 1])]
}

fn number(n: usize) -> i32 {
    i32::try_from(n).expect("a batch ends before its texts exceed 32-bit offsets")
}
