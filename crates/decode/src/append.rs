//! Arrow builders that a table's columns drive: a column is added there, and here it is only filled.

use arrow::array::ArrayBuilder;
use arrow::array::BooleanBuilder;
use arrow::array::Int64Builder;
use arrow::array::ListBuilder;
use arrow::array::MapBuilder;
use arrow::array::MapFieldNames;
use arrow::array::RecordBatch;
use arrow::array::StringBuilder;
use arrow::array::TimestampMillisecondBuilder;
use arrow::datatypes::DataType;
use arrow::datatypes::SchemaRef;
use trailweave_table::Column;
use trailweave_table::Kind;
use trailweave_table::Table;

/// A batch ends at this many rows.
const BATCH_ROWS: usize = 1 << 16;
/// A batch ends before any of its columns can hold more text than this, far below what 32-bit offsets reach.
const BATCH_BYTES: usize = 256 << 20;

/// The position of a column, known when the program is compiled, as is its absence.
pub(crate) const fn position(table: &Table, name: &str) -> usize {
    let mut at = 0;
    while at < table.columns.len() {
        if same(table.columns[at].name, name) {
            return at;
        }
        at += 1;
    }
    panic!("the table has no such column")
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() && at == right.len()
}

/// Rows of one table. A column that a row does not set is null in it.
#[derive(Debug)]
pub(crate) struct Rows {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    n_pending: usize,
    pending_bytes: usize,
    batches: Vec<RecordBatch>,
}

#[derive(Debug)]
enum ColumnBuilder {
    Text(StringBuilder),
    Time(TimestampMillisecondBuilder),
    Bool(BooleanBuilder),
    Integer(Int64Builder),
    TextList(ListBuilder<StringBuilder>),
    TextMap(MapBuilder<StringBuilder, StringBuilder>),
}

impl Rows {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            schema: table.schema(),
            columns: table.columns.iter().map(ColumnBuilder::new).collect(),
            n_pending: 0,
            pending_bytes: 0,
            batches: Vec::new(),
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
        for column in &mut self.columns {
            column.fill(self.n_pending);
        }
    }

    /// The rows since the last call.
    pub(crate) fn take(&mut self) -> Vec<RecordBatch> {
        self.flush();
        std::mem::take(&mut self.batches)
    }

    pub(crate) fn text(&mut self, column: usize, value: Option<impl AsRef<str>>) {
        let (ColumnBuilder::Text(builder), Some(value)) = (&mut self.columns[column], value) else {
            return;
        };
        builder.append_value(value);
    }

    pub(crate) fn time(&mut self, column: usize, value_ms: i64) {
        if let ColumnBuilder::Time(builder) = &mut self.columns[column] {
            builder.append_value(value_ms);
        }
    }

    pub(crate) fn truth(&mut self, column: usize, value: Option<bool>) {
        let (ColumnBuilder::Bool(builder), Some(value)) = (&mut self.columns[column], value) else {
            return;
        };
        builder.append_value(value);
    }

    pub(crate) fn integer(&mut self, column: usize, value: i64) {
        if let ColumnBuilder::Integer(builder) = &mut self.columns[column] {
            builder.append_value(value);
        }
    }

    /// An empty list is null.
    pub(crate) fn texts(&mut self, column: usize, values: &[impl AsRef<str>]) {
        let ColumnBuilder::TextList(builder) = &mut self.columns[column] else {
            return;
        };
        if !values.is_empty() {
            builder.append_value(values.iter().map(|value| Some(value.as_ref())));
        }
    }

    /// An empty map is null.
    pub(crate) fn text_map(&mut self, column: usize, entries: &[(&str, Option<impl AsRef<str>>)]) {
        let ColumnBuilder::TextMap(builder) = &mut self.columns[column] else {
            return;
        };
        if entries.is_empty() {
            return;
        }
        for (key, value) in entries {
            builder.keys().append_value(key);
            builder.values().append_option(value.as_ref());
        }
        builder.append(true).expect("as many keys as values");
    }

    fn flush(&mut self) {
        if self.n_pending == 0 {
            return;
        }
        let columns = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        let schema = SchemaRef::clone(&self.schema);
        let batch = RecordBatch::try_new(schema, columns).expect("builders are made from the schema's own columns");
        self.batches.push(batch);
        self.n_pending = 0;
        self.pending_bytes = 0;
    }
}

impl ColumnBuilder {
    fn new(column: &Column) -> Self {
        match column.kind {
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Time => Self::Time(TimestampMillisecondBuilder::new().with_data_type(column.kind.data_type())),
            Kind::Bool => Self::Bool(BooleanBuilder::new()),
            Kind::Integer => Self::Integer(Int64Builder::new()),
            Kind::TextList => Self::TextList(list_builder(&column.kind.data_type())),
            Kind::TextMap => Self::TextMap(map_builder(&column.kind.data_type())),
        }
    }

    /// Makes the column `n_pending` long.
    fn fill(&mut self, n_pending: usize) {
        match self {
            Self::Text(builder) if builder.len() < n_pending => builder.append_null(),
            Self::Time(builder) if builder.len() < n_pending => builder.append_null(),
            Self::Bool(builder) if builder.len() < n_pending => builder.append_null(),
            Self::Integer(builder) if builder.len() < n_pending => builder.append_null(),
            Self::TextList(builder) if builder.len() < n_pending => builder.append_null(),
            Self::TextMap(builder) if builder.len() < n_pending => {
                builder.append(false).expect("as many keys as values");
            }
            _ => {}
        }
    }

    fn finish(&mut self) -> arrow::array::ArrayRef {
        match self {
            Self::Text(builder) => ArrayBuilder::finish(builder),
            Self::Time(builder) => ArrayBuilder::finish(builder),
            Self::Bool(builder) => ArrayBuilder::finish(builder),
            Self::Integer(builder) => ArrayBuilder::finish(builder),
            Self::TextList(builder) => ArrayBuilder::finish(builder),
            Self::TextMap(builder) => ArrayBuilder::finish(builder),
        }
    }
}

fn list_builder(data_type: &DataType) -> ListBuilder<StringBuilder> {
    let DataType::List(element) = data_type else {
        unreachable!("lists of texts are lists");
    };
    ListBuilder::new(StringBuilder::new()).with_field(std::sync::Arc::clone(element))
}

fn map_builder(data_type: &DataType) -> MapBuilder<StringBuilder, StringBuilder> {
    let DataType::Map(entry, _) = data_type else {
        unreachable!("maps of texts are maps");
    };
    let DataType::Struct(fields) = entry.data_type() else {
        unreachable!("a map's entries are structs");
    };
    let names =
        MapFieldNames { entry: entry.name().clone(), key: fields[0].name().clone(), value: fields[1].name().clone() };
    MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
}
