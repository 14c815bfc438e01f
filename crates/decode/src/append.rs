//! Columns that grow row by row, driven by a table: a column is added there, and here it is only filled.
//!
//! The buffers stay from object to object. Rows that are taken are copied out of them once, at its exact size, so that
//! what waits to be written holds no spare room and nothing is moved while it grows.

use std::mem;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::BooleanArray;
use arrow::array::Int64Array;
use arrow::array::ListArray;
use arrow::array::MapArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::array::StructArray;
use arrow::array::TimestampMicrosecondArray;
use arrow::buffer::BooleanBuffer;
use arrow::buffer::Buffer;
use arrow::buffer::NullBuffer;
use arrow::buffer::OffsetBuffer;
use arrow::buffer::ScalarBuffer;
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::datatypes::Field;
use arrow::datatypes::Int32Type;
use arrow::datatypes::Schema;
use arrow::datatypes::SchemaRef;
use trailweave_table::Column;
use trailweave_table::Kind;
use trailweave_table::Table;
use trailweave_table::time_of_ms;

use crate::codes;
use crate::codes::Codes;
use crate::position::{BoolAt, IntegerAt, TextAt, TextListAt, TextMapAt, TimeAt};

/// A batch ends at this many rows, so that of a giant object little is held twice when a batch is made.
const BATCH_ROWS: usize = 1 << 14;
/// A batch ends before any of its columns can hold more text than this, so that little is held twice of long rows too.
const BATCH_BYTES: usize = 8 << 20;

/// A position says the kind of its column, so this is only reached by that of a column of another table.
const OTHER_TABLE: &str = "the column is of another table";

/// Rows of one table. A column that a row does not set is null in it; none is set twice in a row.
#[derive(Debug)]
pub(crate) struct RowBuilder {
    schema: SchemaRef,
    columns: Vec<Values>,
    n_pending: usize,
    pending_bytes: usize,
    batches: Vec<RecordBatch>,
    /// Another number whenever a code may be another.
    epoch: u64,
}

/// A number of rows, to which a builder can go back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    n_batches: usize,
    n_pending: usize,
    pending_bytes: usize,
}

/// The values of a column, up to the last row that set one.
#[derive(Debug)]
enum Values {
    Text(Texts),
    Coded(Codes),
    Time(Numbers),
    Bool(Truths),
    Integer(Numbers),
    TextList(Spans, Texts),
    TextMap(Spans, Texts, Texts),
}

/// The rows that hold something, and where it ends among the values of all rows.
#[derive(Debug)]
struct Spans {
    present: Vec<bool>,
    /// One more than there are rows; the first is 0.
    ends: Vec<i32>,
}

#[derive(Debug, Default)]
struct Texts {
    spans: Spans,
    text: String,
}

#[derive(Debug, Default)]
struct Numbers {
    present: Vec<bool>,
    values: Vec<i64>,
}

#[derive(Debug, Default)]
struct Truths {
    present: Vec<bool>,
    values: Vec<bool>,
}

impl RowBuilder {
    pub(crate) fn new(table: &Table) -> Self {
        Self::with(table.schema(), table.columns.iter().map(Values::new).collect())
    }

    /// Makes one whose columns of few values become dictionaries.
    pub(crate) fn coded(table: &Table) -> Self {
        let values =
            |column: &Column| if column.is_coded() { Values::Coded(Codes::default()) } else { Values::new(column) };
        Self::with(table.coded_schema(), table.columns.iter().map(values).collect())
    }

    fn with(schema: SchemaRef, columns: Vec<Values>) -> Self {
        Self { schema, columns, n_pending: 0, pending_bytes: 0, batches: Vec::new(), epoch: 0 }
    }

    /// Returns a number that is another when codes may be.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns the number that a text has in a column of few values, as long as the epoch lasts.
    pub(crate) fn code(&mut self, column: TextAt, value: Option<&str>) -> i32 {
        let Values::Coded(codes) = &mut self.columns[column.0] else { unreachable!("{OTHER_TABLE}") };
        value.map_or(codes::NONE, |value| codes.code(value))
    }

    /// Sets the text that has this number in its column.
    pub(crate) fn coded_text(&mut self, column: TextAt, code: i32) {
        let Values::Coded(codes) = &mut self.columns[column.0] else { unreachable!("{OTHER_TABLE}") };
        if code != codes::NONE {
            codes.push(self.n_pending, code);
        }
    }

    /// Begins a row that adds at most `n_bytes` to any column.
    pub(crate) fn begin_row(&mut self, n_bytes: usize) {
        if self.n_pending == BATCH_ROWS || self.n_pending > 0 && self.pending_bytes + n_bytes > BATCH_BYTES {
            self.flush();
        }
        self.pending_bytes += n_bytes;
    }

    pub(crate) fn end_row(&mut self) {
        self.n_pending += 1;
    }

    /// Returns the rows since the last call.
    pub(crate) fn take(&mut self) -> Vec<RecordBatch> {
        self.flush();
        mem::take(&mut self.batches)
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { n_batches: self.batches.len(), n_pending: self.n_pending, pending_bytes: self.pending_bytes }
    }

    /// Forgets the rows since `mark`. Needs: none was taken since.
    pub(crate) fn forget_since(&mut self, mark: Mark) {
        let is_flushed = self.batches.len() > mark.n_batches;
        if is_flushed {
            let rows_before = self.batches[mark.n_batches].slice(0, mark.n_pending);
            self.batches.truncate(mark.n_batches);
            self.batches.extend((mark.n_pending > 0).then_some(rows_before));
        }
        (self.n_pending, self.pending_bytes) = if is_flushed { (0, 0) } else { (mark.n_pending, mark.pending_bytes) };
        self.epoch += 1;
        for column in &mut self.columns {
            column.truncate(self.n_pending);
        }
    }

    /// Counts the bytes that the buffers for texts take.
    pub(crate) fn held_bytes(&self) -> usize {
        self.columns.iter().map(Values::held_bytes).sum()
    }

    pub(crate) fn text(&mut self, column: TextAt, value: Option<impl AsRef<str>>) {
        let Some(value) = value else { return };
        match &mut self.columns[column.0] {
            Values::Coded(codes) => {
                let code = codes.code(value.as_ref());
                codes.push(self.n_pending, code);
            }
            _ => self.text_of(column, [value.as_ref()]),
        }
    }

    /// Sets a text in lower case.
    pub(crate) fn lower_text(&mut self, column: TextAt, value: Option<&str>) {
        let Some(value) = value else { return };
        let row = self.n_pending;
        let texts = self.texts_at(column);
        let start = texts.text.len();
        texts.push(row, [value]);
        texts.text[start..].make_ascii_lowercase();
    }

    /// Sets a text in pieces.
    pub(crate) fn text_of<'a>(&mut self, column: TextAt, pieces: impl IntoIterator<Item = &'a str>) {
        let row = self.n_pending;
        self.texts_at(column).push(row, pieces);
    }

    pub(crate) fn time(&mut self, column: TimeAt, value_ms: i64) {
        let Values::Time(numbers) = &mut self.columns[column.0] else { unreachable!("{OTHER_TABLE}") };
        numbers.push(self.n_pending, time_of_ms(value_ms));
    }

    pub(crate) fn truth(&mut self, column: BoolAt, value: Option<bool>) {
        let Some(value) = value else { return };
        let Values::Bool(truths) = &mut self.columns[column.0] else { unreachable!("{OTHER_TABLE}") };
        push_at(&mut truths.present, self.n_pending, true);
        push_at(&mut truths.values, self.n_pending, value);
    }

    pub(crate) fn integer(&mut self, column: IntegerAt, value: i64) {
        let Values::Integer(numbers) = &mut self.columns[column.0] else { unreachable!("{OTHER_TABLE}") };
        numbers.push(self.n_pending, value);
    }

    /// Sets a list. An empty one is null.
    pub(crate) fn texts(&mut self, column: TextListAt, values: impl IntoIterator<Item = impl AsRef<str>>) {
        let Values::TextList(spans, elements) = &mut self.columns[column.0] else { unreachable!("{OTHER_TABLE}") };
        let before = elements.spans.len();
        for value in values {
            elements.push(elements.spans.len(), [value.as_ref()]);
        }
        if elements.spans.len() > before {
            spans.push(self.n_pending, elements.spans.len());
        }
    }

    /// Sets a map. An empty one is null.
    pub(crate) fn text_map(&mut self, column: TextMapAt, entries: &[(&str, Option<impl AsRef<str>>)]) {
        let Values::TextMap(spans, keys, values) = &mut self.columns[column.0] else { unreachable!("{OTHER_TABLE}") };
        for (key, value) in entries {
            let at = keys.spans.len();
            keys.push(at, [*key]);
            if let Some(value) = value {
                values.push(at, [value.as_ref()]);
            }
        }
        if !entries.is_empty() {
            spans.push(self.n_pending, keys.spans.len());
        }
    }

    fn texts_at(&mut self, column: TextAt) -> &mut Texts {
        let Values::Text(texts) = &mut self.columns[column.0] else { unreachable!("{OTHER_TABLE}") };
        texts
    }

    fn flush(&mut self) {
        let n_rows = mem::take(&mut self.n_pending);
        self.pending_bytes = 0;
        if n_rows == 0 {
            return;
        }
        self.epoch += 1;
        let fields = self.schema.fields().iter();
        let columns = self.columns.iter_mut().zip(fields).map(|(values, field)| values.take(n_rows, field.data_type()));
        let batch = RecordBatch::try_new(SchemaRef::clone(&self.schema), columns.collect())
            .expect("columns are made from the schema's own");
        self.batches.push(batch);
    }
}

/// Returns the same rows with every text in its row, also those of columns of few values.
pub fn plain(rows: &RecordBatch) -> RecordBatch {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        let field = Field::clone(field);
        let (field, column) = match column.as_dictionary_opt::<Int32Type>() {
            Some(codes) => {
                let texts = take(codes.values(), codes.keys(), None).expect("each code has a text");
                (field.with_data_type(DataType::Utf8), texts)
            }
            None => (field, ArrayRef::clone(column)),
        };
        fields.push(field);
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("the columns are of the fields")
}

impl Values {
    fn new(column: &Column) -> Self {
        match column.kind {
            Kind::Text => Self::Text(Texts::default()),
            Kind::Time => Self::Time(Numbers::default()),
            Kind::Bool => Self::Bool(Truths::default()),
            Kind::Integer => Self::Integer(Numbers::default()),
            Kind::TextList => Self::TextList(Spans::default(), Texts::default()),
            Kind::TextMap => Self::TextMap(Spans::default(), Texts::default(), Texts::default()),
        }
    }

    fn held_bytes(&self) -> usize {
        match self {
            Self::Text(texts) | Self::TextList(_, texts) => texts.text.capacity(),
            Self::Coded(codes) => codes.held_bytes(),
            Self::TextMap(_, keys, values) => keys.text.capacity() + values.text.capacity(),
            Self::Time(_) | Self::Bool(_) | Self::Integer(_) => 0,
        }
    }

    fn truncate(&mut self, n_rows: usize) {
        match self {
            Self::Text(texts) => texts.truncate(n_rows),
            Self::Coded(codes) => codes.truncate(n_rows),
            Self::Time(numbers) | Self::Integer(numbers) => {
                numbers.present.truncate(n_rows);
                numbers.values.truncate(n_rows);
            }
            Self::Bool(truths) => {
                truths.present.truncate(n_rows);
                truths.values.truncate(n_rows);
            }
            Self::TextList(spans, elements) => elements.truncate(spans.truncate(n_rows)),
            Self::TextMap(spans, keys, values) => {
                let n_entries = spans.truncate(n_rows);
                keys.truncate(n_entries);
                values.truncate(n_entries);
            }
        }
    }

    /// Returns the column as an array of `n_rows`; the values are forgotten.
    fn take(&mut self, n_rows: usize, data_type: &DataType) -> ArrayRef {
        match self {
            Self::Text(texts) => Arc::new(texts.take(n_rows)),
            Self::Coded(codes) => Arc::new(codes.take(n_rows)),
            Self::Time(numbers) => {
                let (values, nulls) = numbers.take(n_rows);
                Arc::new(TimestampMicrosecondArray::new(values, nulls).with_data_type(data_type.clone()))
            }
            Self::Bool(truths) => {
                truths.values.resize(n_rows, false);
                let values = BooleanBuffer::from(truths.values.as_slice());
                truths.values.clear();
                Arc::new(BooleanArray::new(values, nulls(&mut truths.present, n_rows)))
            }
            Self::Integer(numbers) => {
                let (values, nulls) = numbers.take(n_rows);
                Arc::new(Int64Array::new(values, nulls))
            }
            Self::TextList(spans, elements) => {
                let DataType::List(element) = data_type else {
                    unreachable!("lists of texts are lists");
                };
                let elements = Arc::new(elements.take(elements.spans.len()));
                let (ends, nulls) = spans.take(n_rows);
                Arc::new(ListArray::new(Arc::clone(element), ends, elements, nulls))
            }
            Self::TextMap(spans, keys, values) => {
                let DataType::Map(entry, is_sorted) = data_type else {
                    unreachable!("maps of texts are maps");
                };
                let DataType::Struct(fields) = entry.data_type() else {
                    unreachable!("a map's entries are structs");
                };
                let n_entries = keys.spans.len();
                let columns: Vec<ArrayRef> = vec![Arc::new(keys.take(n_entries)), Arc::new(values.take(n_entries))];
                let entries = StructArray::new(fields.clone(), columns, None);
                let (ends, nulls) = spans.take(n_rows);
                Arc::new(MapArray::new(Arc::clone(entry), ends, entries, nulls, *is_sorted))
            }
        }
    }
}

impl Default for Spans {
    fn default() -> Self {
        Self { present: Vec::new(), ends: vec![0] }
    }
}

impl Spans {
    fn len(&self) -> usize {
        self.present.len()
    }

    /// Says that what `row` holds ends at `end`, and that the rows without a word before it are null.
    fn push(&mut self, row: usize, end: usize) {
        push_at(&mut self.present, row, true);
        self.fill(row);
        self.ends.push(i32::try_from(end).expect("a batch ends before its texts exceed 32-bit offsets"));
    }

    /// Makes the ends reach `n_rows`.
    fn fill(&mut self, n_rows: usize) {
        if self.ends.len() == n_rows + 1 {
            return;
        }
        let end = *self.ends.last().expect("the first end is 0");
        self.ends.resize(n_rows + 1, end);
    }

    /// Forgets what comes after `n_rows`, and returns where the rest ends.
    fn truncate(&mut self, n_rows: usize) -> usize {
        self.present.truncate(n_rows);
        self.ends.truncate(n_rows + 1);
        let end = *self.ends.last().expect("the first end is 0");
        usize::try_from(end).expect("ends are positions")
    }

    fn take(&mut self, n_rows: usize) -> (OffsetBuffer<i32>, Option<NullBuffer>) {
        self.fill(n_rows);
        let ends = OffsetBuffer::new(ScalarBuffer::from(Buffer::from_slice_ref(&self.ends)));
        self.ends.truncate(1);
        (ends, nulls(&mut self.present, n_rows))
    }
}

impl Texts {
    fn push<'a>(&mut self, row: usize, pieces: impl IntoIterator<Item = &'a str>) {
        self.text.extend(pieces);
        self.spans.push(row, self.text.len());
    }

    fn truncate(&mut self, n_rows: usize) {
        let end = self.spans.truncate(n_rows);
        self.text.truncate(end);
    }

    fn take(&mut self, n_rows: usize) -> StringArray {
        let (ends, nulls) = self.spans.take(n_rows);
        let text = Buffer::from(self.text.as_bytes());
        self.text.clear();
        StringArray::new(ends, text, nulls)
    }
}

impl Numbers {
    fn push(&mut self, row: usize, value: i64) {
        push_at(&mut self.present, row, true);
        push_at(&mut self.values, row, value);
    }

    fn take(&mut self, n_rows: usize) -> (ScalarBuffer<i64>, Option<NullBuffer>) {
        self.values.resize(n_rows, 0);
        let values = ScalarBuffer::from(Buffer::from_slice_ref(&self.values));
        self.values.clear();
        (values, nulls(&mut self.present, n_rows))
    }
}

/// Puts `value` at `row`, after defaults for the rows that were passed over.
fn push_at<T: Clone + Default>(values: &mut Vec<T>, row: usize, value: T) {
    if values.len() < row {
        values.resize(row, T::default());
    }
    values.push(value);
}

/// Tells which of `n_rows` are null; `present` is forgotten.
fn nulls(present: &mut Vec<bool>, n_rows: usize) -> Option<NullBuffer> {
    present.resize(n_rows, false);
    let nulls = NullBuffer::from(present.as_slice());
    present.clear();
    (nulls.null_count() > 0).then_some(nulls)
}
