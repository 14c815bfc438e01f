//! Columns that a lake leaves out of its rows, or of which it keeps hashes alone.

use std::sync::Arc;

use arrow::array::Array;
use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::DictionaryArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::array::new_null_array;
use arrow::datatypes::Int32Type;
use trailweave_lake::{Format, Lake, Omission, Omit};
use trailweave_table::Table;

use crate::fingerprint::fingerprint;
use crate::rows::chunk::Chunk;

/// An access key that STS issues is one that calls are made with, so both are hashed or neither.
const ISSUED: [&str; 2] = ["issued_access_key_id", "access_key_id"];

/// The columns that a lake leaves out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Omissions {
    omit: Omit,
    salt: String,
}

impl Omissions {
    pub(crate) fn of(lake: &Lake) -> Self {
        let Format { omit, salt, .. } = lake.format();
        Self { omit: omit.clone(), salt: salt.clone().unwrap_or_default() }
    }

    /// Leaves them out of rows of a table.
    pub(crate) fn apply(&self, table: &Table, chunk: Chunk) -> Chunk {
        if self.omit.is_empty() {
            return chunk;
        }
        let columns = table.columns.iter().zip(chunk.rows.columns());
        let columns = columns.map(|(column, values)| match self.how(column.name) {
            None => Arc::clone(values),
            Some(Omission::Drop) => new_null_array(values.data_type(), values.len()),
            Some(Omission::Hash) => self.hashed(values),
        });
        let rows = RecordBatch::try_new(chunk.rows.schema(), columns.collect());
        Chunk { rows: rows.expect("columns are replaced by such of their type and length"), ..chunk }
    }

    fn how(&self, column: &str) -> Option<Omission> {
        let [issued, used] = ISSUED;
        self.omit.get(if column == issued { used } else { column }).copied()
    }

    /// Hashes the texts of a column. Needs: it is of texts, as the configuration makes sure.
    fn hashed(&self, values: &ArrayRef) -> ArrayRef {
        if let Some(coded) = values.as_dictionary_opt::<Int32Type>() {
            return Arc::new(DictionaryArray::new(coded.keys().clone(), self.hashed(coded.values())));
        }
        let texts = values.as_string::<i32>().iter();
        Arc::new(texts.map(|text| text.map(|text| self.hash(text))).collect::<StringArray>())
    }

    fn hash(&self, text: &str) -> String {
        if is_of_aws(text) {
            return text.to_owned();
        }
        format!("{:032x}", fingerprint(&[self.salt.as_bytes(), text.as_bytes()]))
    }
}

/// Tells whether AWS, and not a caller, is what a text names: the join asks for that, and nobody is to be protected.
fn is_of_aws(text: &str) -> bool {
    let host = text.strip_suffix(".cn").unwrap_or(text);
    host.ends_with(".amazonaws.com") || matches!(text, "AWS Internal" | "&AWS; Internal" | "Amazon Internal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_equal_hashes_in_a_lake_and_what_aws_says_of_itself_stays() {
        let omissions = |salt: &str| Omissions { omit: Omit::new(), salt: salt.to_owned() };
        let texts = vec![Some("10.0.0.1"), None, Some("ec2.amazonaws.com"), Some("AWS Internal"), Some("10.0.0.1")];
        let plain: ArrayRef = Arc::new(StringArray::from(texts.clone()));
        let coded: ArrayRef = Arc::new(texts.iter().copied().collect::<DictionaryArray<Int32Type>>());
        let hashed = omissions("a").hashed(&plain);
        let found: Vec<_> = hashed.as_string::<i32>().iter().collect();
        assert_eq!((found[1], found[2], found[3]), (None, texts[2], texts[3]));
        assert_eq!((found[0], found[0].map(str::len)), (found[4], Some(32)));
        let of_coded = omissions("a").hashed(&coded);
        let of_coded = of_coded.as_dictionary::<Int32Type>().downcast_dict::<StringArray>().unwrap();
        assert!(of_coded.into_iter().eq(found.iter().copied()));
        assert_ne!(&omissions("b").hashed(&plain), &hashed);
    }
}
