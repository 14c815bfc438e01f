//! Errors of the format.

/// The reason why metadata could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// A manifest or a manifest list is not Avro, or not of this schema.
    #[error("invalid Avro")]
    Avro(#[from] Box<apache_avro::Error>),
    /// A table's metadata is not JSON.
    #[error("invalid JSON")]
    Json(#[from] serde_json::Error),
    /// A field is missing, or has another type than the format says.
    #[error("invalid field `{0}`")]
    Field(&'static str),
    /// The table has another version of the format.
    #[error("format version {0} of Iceberg, where 2 is known")]
    Version(i64),
}

impl From<apache_avro::Error> for FormatError {
    fn from(error: apache_avro::Error) -> Self {
        Self::Avro(Box::new(error))
    }
}
