//! A table and its columns, as values.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::DataType;
use arrow_schema::Field;
use arrow_schema::Fields;
use arrow_schema::Schema;
use arrow_schema::SchemaRef;
use arrow_schema::TimeUnit;

/// The key under which Arrow keeps the id of a field of Parquet.
const FIELD_ID: &str = "PARQUET:field_id";

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
    /// The fields of its columns in the order of their ids, which count from 1; see `field_ids`.
    pub field_ids: &'static [&'static str],
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
    /// Microseconds since the epoch, UTC.
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
        Arc::new(Schema::new(self.columns.iter().map(|column| self.field(column)).collect::<Fields>()))
    }

    /// Returns the schema of rows on their way into a file, whose columns of few values are dictionaries.
    pub fn coded_schema(&self) -> SchemaRef {
        let coded = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let field = |column: &Column| match self.field(column) {
            field if column.is_coded() => field.with_data_type(coded()),
            field => field,
        };
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Fields>()))
    }

    /// Returns the Arrow field of a column. It and what is nested in it carry their ids, which become Parquet's.
    pub fn field(&self, column: &Column) -> Field {
        self.with_id(column.name, Field::new(column.name, self.data_type(column), true))
    }

    /// Returns the Arrow type of a column. Nested fields carry the names that the Parquet specification gives them.
    pub fn data_type(&self, column: &Column) -> DataType {
        let text = |name: &str, is_nullable| {
            let field = Field::new(name, DataType::Utf8, is_nullable);
            self.with_id(&format!("{}.{name}", column.name), field)
        };
        match column.kind {
            Kind::Text => DataType::Utf8,
            Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Bool => DataType::Boolean,
            Kind::Integer => DataType::Int64,
            Kind::TextList => DataType::List(Arc::new(text("element", true))),
            Kind::TextMap => {
                let entry = Fields::from(vec![text("key", false), text("value", true)]);
                DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entry), false)), false)
            }
        }
    }

    fn with_id(&self, path: &str, field: Field) -> Field {
        field.with_metadata(HashMap::from([(FIELD_ID.to_owned(), self.field_id(path).to_string())]))
    }

    /// Returns the id of a field: a column, the date of the partition, or `<column>.element`, `.key` or `.value`.
    ///
    /// # Panics
    /// If `field_ids` lacks it, which a test finds.
    pub fn field_id(&self, path: &str) -> i32 {
        let at = self.field_ids.iter().position(|it| *it == path);
        let at = at.unwrap_or_else(|| panic!("`{}.{path}` has no field id", self.name));
        i32::try_from(at + 1).expect("a table has few columns")
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
    /// Returns the names of the fields that are nested in a column.
    pub fn nested(self) -> &'static [&'static str] {
        match self {
            Self::Text | Self::Time | Self::Bool | Self::Integer => &[],
            Self::TextList => &["element"],
            Self::TextMap => &["key", "value"],
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

/// Makes a column of text that is read and not looked up, such as JSON.
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
