//! A table and its columns, as values.

use std::sync::Arc;

use arrow_schema::DataType;
use arrow_schema::Field;
use arrow_schema::Fields;
use arrow_schema::Schema;
use arrow_schema::SchemaRef;
use arrow_schema::TimeUnit;

/// A table of the lake.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name in SQL, and its folder in the lake.
    pub name: &'static str,
    /// The meaning of one row.
    pub doc: &'static str,
    /// Its columns in file order, without the partition column.
    pub columns: &'static [Column],
    /// The column whose UTC date is the partition `event_date`; `None`: the table is not partitioned.
    pub dated_by: Option<&'static str>,
    /// The order of the rows inside a file.
    pub sort_by: &'static [&'static str],
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// CloudTrail's name in `snake_case`.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// How readers look for values in it.
    pub lookup: Lookup,
    /// How its values are written.
    pub encoding: Encoding,
    /// One line for users.
    pub doc: &'static str,
}

/// The types that columns have. Every column is nullable: CloudTrail promises no field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Milliseconds since the epoch, UTC.
    Time,
    /// A truth value.
    Bool,
    /// A signed 64-bit integer.
    Integer,
    /// A list of texts.
    TextList,
    /// A map from text to text.
    TextMap,
}

/// The way in which readers look for values in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// By ranges: statistics and the page index are enough.
    Range,
    /// By single values of high cardinality: the column gets a Bloom filter.
    Needle,
    /// Not by its values, which are long and their order means nothing: the column has neither.
    Whole,
}

/// The encoding of a column's values, chosen by what makes them small; docs/performance-log.md has the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As numbers of a dictionary: there are few, or they are long and return now and then.
    Dictionary,
    /// As they are: hardly any returns, or those that do stand together, where the compression finds them.
    Plain,
    /// As differences of numbers that follow each other.
    Delta,
}

impl Table {
    /// Returns the Arrow schema of a file of this table.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(Column::field).collect::<Fields>()))
    }

    /// Returns the position of a column.
    ///
    /// # Panics
    /// If the table has no column of this name, which is a bug of the caller.
    pub fn position(&self, column: &str) -> usize {
        self.columns
            .iter()
            .position(|it| it.name == column)
            .unwrap_or_else(|| panic!("table `{}` has no column `{column}`", self.name))
    }
}

impl Column {
    /// Returns the Arrow field.
    pub fn field(&self) -> Field {
        Field::new(self.name, self.kind.data_type(), true)
    }

    /// Tells whether rows on their way into a file hold numbers of its values: they are texts, and few or long-lived.
    pub fn is_coded(&self) -> bool {
        self.kind == Kind::Text && self.encoding == Encoding::Dictionary && self.lookup != Lookup::Whole
    }

    /// Returns the same column, written in another way.
    pub(crate) const fn written(self, encoding: Encoding) -> Self {
        Self { encoding, ..self }
    }
}

impl Kind {
    /// Returns the Arrow type. Nested fields carry the names that the Parquet specification gives them.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Time => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Self::Bool => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::TextList => DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))),
            Self::TextMap => {
                let entry = Fields::from(vec![
                    Field::new("key", DataType::Utf8, false),
                    Field::new("value", DataType::Utf8, true),
                ]);
                DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entry), false)), false)
            }
        }
    }
}

/// Shorthands for the tables' definitions.
pub(crate) const fn column(name: &'static str, kind: Kind, doc: &'static str) -> Column {
    Column { name, kind, lookup: Lookup::Range, encoding: Encoding::Dictionary, doc }
}

pub(crate) const fn text(name: &'static str, doc: &'static str) -> Column {
    column(name, Kind::Text, doc)
}

/// Makes a column of JSON text, which is read and not looked up.
pub(crate) const fn json(name: &'static str, doc: &'static str) -> Column {
    Column { lookup: Lookup::Whole, ..text(name, doc) }
}

/// Makes a column of text that readers look up by value.
pub(crate) const fn id(name: &'static str, doc: &'static str) -> Column {
    Column { lookup: Lookup::Needle, ..text(name, doc) }
}

/// Makes a column of lists of texts that readers look up by value, and of which hardly any returns.
pub(crate) const fn ids(name: &'static str, doc: &'static str) -> Column {
    Column { lookup: Lookup::Needle, ..column(name, Kind::TextList, doc).written(Encoding::Plain) }
}
