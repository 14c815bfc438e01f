//! Fields of Avro's records, by name.

use apache_avro::types::Value;

use crate::FormatError;

/// A record that was read.
pub(crate) struct Record(Vec<(String, Value)>);

impl Record {
    pub(crate) fn new(value: Value) -> Result<Self, FormatError> {
        match value {
            Value::Record(fields) => Ok(Self(fields)),
            _ => Err(FormatError::Field("record")),
        }
    }

    /// Takes a field out; `None` where it is null or not there.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let (_, value) = self.0.iter_mut().find(|(field, _)| field == name)?;
        match std::mem::replace(value, Value::Null) {
            Value::Null => None,
            Value::Union(_, value) => Some(*value).filter(|value| *value != Value::Null),
            value => Some(value),
        }
    }

    pub(crate) fn integer(&mut self, name: &'static str) -> Result<i64, FormatError> {
        self.take(name).and_then(|value| integer(&value)).ok_or(FormatError::Field(name))
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<String, FormatError> {
        match self.take(name) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(FormatError::Field(name)),
        }
    }

    pub(crate) fn record(&mut self, name: &'static str) -> Result<Self, FormatError> {
        Self::new(self.take(name).ok_or(FormatError::Field(name))?)
    }

    /// Reads a list; it is empty where there is none.
    pub(crate) fn list(&mut self, name: &'static str) -> Result<Vec<Value>, FormatError> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => Ok(values),
            Some(_) => Err(FormatError::Field(name)),
        }
    }
}

pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) | Value::Date(number) => Some(i64::from(*number)),
        Value::Long(number) => Some(*number),
        Value::Union(_, value) => integer(value),
        _ => None,
    }
}

pub(crate) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        Value::Union(_, value) => bytes(*value),
        _ => None,
    }
}

/// Writes a value where null may stand.
pub(crate) fn optional(value: Option<Value>) -> Value {
    value.map_or_else(|| Value::Union(0, Box::new(Value::Null)), |value| Value::Union(1, Box::new(value)))
}

pub(crate) fn record<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Record(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
