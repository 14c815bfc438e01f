//! The errors of whole objects that could not be decoded.

/// The reason why a whole object could not be decoded; none of its rows may be committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The gzip stream is cut or corrupt.
    #[error("damaged gzip stream at byte {offset}: {fault}")]
    Gzip {
        /// Where in the stored bytes the fault was noticed.
        offset: usize,
        /// The fault, in words.
        fault: &'static str,
    },
    /// A gzip member's checksum or size is not that of its content.
    #[error("gzip member that ends at byte {offset} fails its checksum")]
    ChecksumMismatch {
        /// Where in the stored bytes the member ends.
        offset: usize,
    },
    /// Something that is not a gzip member stands after the last one.
    #[error("{count} bytes after the last gzip member")]
    TrailingBytes {
        /// How many bytes there are.
        count: usize,
    },
    /// The object inflates past the cap.
    #[error("object inflates past the cap of {cap_bytes} bytes; `quarantine retry --cap` reads it by a greater one")]
    TooLarge {
        /// The cap of the decoder's options.
        cap_bytes: usize,
    },
    /// The object takes more memory than it was given; with more it can be decoded.
    #[error("the object takes more than {room_bytes} bytes of memory")]
    NoRoom {
        /// The memory that it was given.
        room_bytes: usize,
    },
    /// The object holds too many values side by side to be decoded as a whole.
    #[error("more than {limit} elements or fields side by side, which cannot be cut into pieces")]
    TooMany {
        /// The number that is held at once.
        limit: usize,
    },
    /// The stored bytes are neither gzip nor JSON.
    #[error("neither gzip nor JSON")]
    NotGzipNorJson,
    /// The JSON ends inside a document.
    #[error("JSON ends early, at byte {offset} of the inflated object")]
    JsonEndsEarly {
        /// Where the inflated bytes end.
        offset: usize,
    },
    /// The borders of the records cannot be found.
    #[error("broken JSON structure at byte {offset} of the inflated object")]
    JsonBroken {
        /// Where in the inflated bytes the structure breaks.
        offset: usize,
    },
    /// JSON, but nothing in which CloudTrail delivers records.
    #[error("not a CloudTrail envelope")]
    NotAnEnvelope,
}
