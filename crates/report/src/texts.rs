//! Texts as numbers, and the columns of a batch by them.

use ahash::RandomState;
use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int32Type, TimestampMicrosecondType};
use std::collections::HashMap;

/// The number of a text; `NONE`: there is none.
pub(crate) type Code = u32;
pub(crate) const NONE: Code = Code::MAX;

/// Texts, each once, by number.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    codes: HashMap<Box<str>, Code, RandomState>,
    texts: Vec<Box<str>>,
}

impl Texts {
    pub(crate) fn code(&mut self, text: &str) -> Code {
        if let Some(code) = self.codes.get(text) {
            return *code;
        }
        let code = Code::try_from(self.texts.len()).expect("a lake has fewer texts than codes");
        self.texts.push(text.into());
        self.codes.insert(text.into(), code);
        code
    }

    /// Returns the text of a number.
    pub(crate) fn text(&self, code: Code) -> Option<&str> {
        self.texts.get(code as usize).map(|text| &**text)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }

    /// Returns the numbers of the values of a column, which a dictionary holds, or which stand in runs.
    pub(crate) fn codes(&mut self, rows: &RecordBatch, column: &str) -> Vec<Code> {
        let Some(array) = rows.column_by_name(column) else { return vec![NONE; rows.num_rows()] };
        if let DataType::Dictionary(_, _) = array.data_type() {
            let shared = array.as_dictionary::<Int32Type>();
            let values = shared.values().as_string::<i32>();
            let codes: Vec<Code> = values.iter().map(|value| value.map_or(NONE, |text| self.code(text))).collect();
            let code = |key: Option<i32>| key.and_then(|key| usize::try_from(key).ok()).map_or(NONE, |key| codes[key]);
            return shared.keys().iter().map(code).collect();
        }
        let mut before: (Option<&str>, Code) = (None, NONE);
        let mut code = |text| {
            if text != before.0 {
                before = (text, text.map_or(NONE, |text| self.code(text)));
            }
            before.1
        };
        array.as_string::<i32>().iter().map(&mut code).collect()
    }
}

/// Returns a column of texts, if the rows have it.
pub(crate) fn texts<'r>(rows: &'r RecordBatch, column: &str) -> Option<&'r StringArray> {
    rows.column_by_name(column)?.as_string_opt::<i32>()
}

/// Returns the text of a row of a column.
pub(crate) fn value(column: Option<&StringArray>, row: usize) -> Option<&str> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

/// Returns the text of a row.
pub(crate) fn text<'r>(rows: &'r RecordBatch, column: &str, row: usize) -> Option<&'r str> {
    value(texts(rows, column), row)
}

/// Returns the time of a row in microseconds.
pub(crate) fn micros(rows: &RecordBatch, column: &str, row: usize) -> Option<i64> {
    let times = rows.column_by_name(column)?.as_primitive_opt::<TimestampMicrosecondType>()?;
    times.is_valid(row).then(|| times.value(row))
}
