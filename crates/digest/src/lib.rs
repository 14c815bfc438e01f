//! `CloudTrail`'s digest files: what they say, whether they are authentic, and how they are chained. No I/O.
//!
//! ```text
//!  key, text, metadata --> Digest --check: place, fingerprint, signature--> OwnVerdict -.
//!  list of public keys --> PublicKeys ------'                                           +--judge: links--> Judged
//!                                                      previousDigest* of its successor -'    findings, windows
//! ```
//!
//! An hourly digest lists every log file that `CloudTrail` delivered in its window, with the SHA-256 of its text, and
//! names the digest before it, with the hash and the signature of that. The signature of the digest itself stands in
//! the metadata of its object. The crate decides which digests can be trusted; it never sees a log file.

mod check;
mod file;
mod finding;
mod hex;
mod judge;
mod metadata;
mod name;
mod public_keys;
mod signature;
mod time;

pub use check::{OwnVerdict, check};
pub use file::{Digest, FormatError, LogFile, Previous, Sha256};
pub use finding::{Finding, Kind, Severity, Window};
pub use hex::{from_hex, to_hex};
pub use judge::{Covered, DigestVerdict, Judged, Missing, Place, Range, Span, SpanKind, State, Unreadable, judge};
pub use metadata::{DigestMetadata, Metadata, MetadataError, ObjectMetadata, each_metadata};
pub use name::{DigestName, LogName};
pub use public_keys::{PublicKey, PublicKeys, PublicKeysError};
pub use time::{rfc3339, seconds};
