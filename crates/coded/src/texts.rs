//! The texts of a column in a row group: numbers of its values, in the order in which they come.

use std::sync::Arc;

use ahash::RandomState;
use arrow::array::Array;
use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::DictionaryArray;
use arrow::array::StringArray;
use arrow::datatypes::Int32Type;
use hashbrown::HashTable;

/// The number of a row without a value.
pub(crate) const NULL: u32 = u32::MAX;

/// The length of a value, which stands before it.
const LENGTH_BYTES: usize = size_of::<u32>();

/// The rows of a row group in a text column, up to `u32::MAX - 1` of them.
#[derive(Debug, Default)]
pub struct CodedTexts {
    /// By row.
    pub(crate) codes: Vec<u32>,
    /// The values, each after its length, as a dictionary page has them.
    pub(crate) plain: Vec<u8>,
    /// Where each value begins in `plain`.
    starts: Vec<usize>,
    positions: HashTable<u32>,
    /// Keyed, because trails may be hostile.
    hasher: RandomState,
}

impl CodedTexts {
    /// Appends the rows of an array of `Utf8`, or of a dictionary of it whose keys are `Int32`.
    ///
    /// # Panics
    /// If the array is of another type.
    pub fn extend(&mut self, rows: &dyn Array) {
        match rows.as_dictionary_opt::<Int32Type>() {
            Some(rows) => self.extend_coded(rows),
            None => self.extend_plain(rows.as_string()),
        }
    }

    /// Counts the bytes of its dictionary.
    pub fn dictionary_bytes(&self) -> usize {
        self.plain.len()
    }

    /// Returns the rows as an array of `Utf8`.
    pub fn into_array(self) -> ArrayRef {
        let text = |code: &u32| (*code != NULL).then(|| text(self.value(*code as usize)));
        Arc::new(self.codes.iter().map(text).collect::<StringArray>())
    }

    fn extend_plain(&mut self, rows: &StringArray) {
        let mut last = None;
        for text in rows {
            let code = match (text, last) {
                (None, _) => NULL,
                (Some(text), Some((of_last, code))) if text == of_last => code,
                (Some(text), _) => self.code(text),
            };
            last = text.map(|text| (text, code)).or(last);
            self.codes.push(code);
        }
    }

    fn extend_coded(&mut self, rows: &DictionaryArray<Int32Type>) {
        let values = rows.values().as_string::<i32>();
        // By key; those that no row has get no number.
        let mut known = vec![NULL; values.len()];
        let mut code = |key: i32| {
            let key = usize::try_from(key).expect("keys are positions");
            if known[key] == NULL {
                known[key] = self.code(values.value(key));
            }
            known[key]
        };
        let keys = rows.keys().values().iter().copied();
        let codes: Vec<u32> = match rows.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => keys.map(code).collect(),
            Some(nulls) => keys.zip(nulls).map(|(key, is_valid)| if is_valid { code(key) } else { NULL }).collect(),
        };
        self.codes.extend(codes);
    }

    /// Returns the number of a value, which may be new.
    fn code(&mut self, text: &str) -> u32 {
        let text = text.as_bytes();
        let Self { plain, starts, positions, hasher, .. } = self;
        let hash = hasher.hash_one(text);
        if let Some(code) = positions.find(hash, |code| value(plain, starts, *code as usize) == text) {
            return *code;
        }
        let code = u32::try_from(starts.len()).expect("a row group has few rows");
        starts.push(plain.len());
        plain.extend(u32::try_from(text.len()).expect("texts of arrays are below 2 GiB").to_le_bytes());
        plain.extend(text);
        positions.insert_unique(hash, code, |code| hasher.hash_one(value(plain, starts, *code as usize)));
        code
    }

    pub(crate) fn n_values(&self) -> usize {
        self.starts.len()
    }

    /// Returns the UTF-8 of a value.
    pub(crate) fn value(&self, code: usize) -> &[u8] {
        value(&self.plain, &self.starts, code)
    }
}

fn value<'v>(plain: &'v [u8], starts: &[usize], code: usize) -> &'v [u8] {
    let end = starts.get(code + 1).copied().unwrap_or(plain.len());
    &plain[starts[code] + LENGTH_BYTES..end]
}

/// Returns a value as a text.
pub(crate) fn text(value: &[u8]) -> &str {
    str::from_utf8(value).expect("values are texts")
}
