//! A digest file, as it says itself.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer};

use crate::hex::from_hex;
use crate::metadata::DigestMetadata;
use crate::name::DigestName;
use crate::signature::Signature;
use crate::time;

/// A SHA-256 digest.
pub type Sha256 = [u8; 32];

/// A digest file, without the log files that it lists.
#[derive(Debug, Clone)]
pub struct Digest {
    /// The bucket in which it lies.
    pub bucket: Box<str>,
    /// The key under which it lies, and its meaning.
    pub name: DigestName,
    /// The SHA-256 of its text.
    pub sha256: Sha256,
    /// The start of its window, in seconds since 1970.
    pub start: i64,
    /// The end of its window.
    pub end: i64,
    /// The same as text, which is signed.
    pub(crate) end_text: Box<str>,
    /// True if it lies where it says that it does.
    pub is_at_its_place: bool,
    /// The fingerprint of the public key that it was signed with.
    pub fingerprint: Box<str>,
    /// The digest before it; `None`: a chain begins.
    pub previous: Option<Previous>,
    /// The signature of that digest, as text, which is signed.
    pub(crate) previous_signature: Option<Signature>,
    /// Its own signature, which its object's metadata holds.
    pub(crate) signature: Option<Signature>,
    /// The time at which a backfill digest was made.
    pub generated: Option<i64>,
    /// True if it was not read, because it was found authentic before, and so was its link.
    pub is_kept: bool,
}

/// The digest before another one, as that says.
#[derive(Debug, Clone)]
pub struct Previous {
    /// Its bucket.
    pub bucket: Box<str>,
    /// Its key.
    pub key: Box<str>,
    /// The SHA-256 of its text.
    pub sha256: Option<Sha256>,
}

/// A log file that a digest lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// The SHA-256 of its text.
    pub sha256: Sha256,
}

/// The reason why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It is not JSON of the right fields.
    #[error("invalid JSON of a digest: {0}")]
    Json(String),
    /// A field holds what it cannot.
    #[error("invalid {field} `{value}`")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    digest_start_time: String,
    digest_end_time: String,
    #[serde(rename = "digestS3Bucket")]
    digest_s3_bucket: String,
    #[serde(rename = "digestS3Object")]
    digest_s3_object: String,
    digest_public_key_fingerprint: String,
    digest_signature_algorithm: Option<String>,
    #[serde(rename = "previousDigestS3Bucket")]
    previous_digest_s3_bucket: Option<String>,
    #[serde(rename = "previousDigestS3Object")]
    previous_digest_s3_object: Option<String>,
    previous_digest_hash_value: Option<String>,
    previous_digest_hash_algorithm: Option<String>,
    /// It may be null, but must be there.
    #[serde(deserialize_with = "nullable")]
    previous_digest_signature: Option<String>,
    log_files: Vec<LogFileText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogFileText {
    #[serde(rename = "s3Bucket")]
    s3_bucket: String,
    #[serde(rename = "s3Object")]
    s3_object: String,
    hash_value: String,
    hash_algorithm: Option<String>,
}

fn nullable<'de, D: Deserializer<'de>>(text: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(text)
}

impl Digest {
    /// Reads a digest, and the log files that it lists, from its text and the metadata of its object.
    pub fn read(
        bucket: &str,
        name: DigestName,
        text: &[u8],
        metadata: DigestMetadata,
    ) -> Result<(Self, Vec<LogFile>), FormatError> {
        let said: Text = serde_json::from_slice(text).map_err(|error| FormatError::Json(error.to_string()))?;
        expect("digestSignatureAlgorithm", said.digest_signature_algorithm.as_deref(), "SHA256withRSA")?;
        expect("previousDigestHashAlgorithm", said.previous_digest_hash_algorithm.as_deref(), "SHA-256")?;
        let log_files = said.log_files.into_iter().map(LogFileText::read).collect::<Result<_, _>>()?;
        let previous_hash = said.previous_digest_hash_value.as_deref();
        let previous = match (said.previous_digest_s3_bucket, said.previous_digest_s3_object) {
            (Some(bucket), Some(key)) => Some(Previous {
                bucket: bucket.into(),
                key: key.into(),
                sha256: previous_hash.map(|value| sha256("previousDigestHashValue", value)).transpose()?,
            }),
            _ => None,
        };
        let digest = Self {
            is_at_its_place: said.digest_s3_bucket == bucket && said.digest_s3_object == name.key(),
            bucket: bucket.into(),
            name,
            sha256: digest(&SHA256, text).as_ref().try_into().expect("SHA-256 has 32 bytes"),
            start: instant("digestStartTime", &said.digest_start_time)?,
            end: instant("digestEndTime", &said.digest_end_time)?,
            end_text: said.digest_end_time.into(),
            fingerprint: said.digest_public_key_fingerprint.to_ascii_lowercase().into(),
            previous,
            previous_signature: said.previous_digest_signature.as_deref().map(Signature::new),
            signature: metadata.signature,
            generated: metadata.generated,
            is_kept: false,
        };
        Ok((digest, log_files))
    }

    /// Makes a digest that was found authentic before, from what was kept of it: its window, and the digest before it.
    pub fn kept(bucket: &str, name: DigestName, (start, end): (i64, i64), previous: Option<(&str, &str)>) -> Self {
        let previous = previous.map(|(bucket, key)| Previous { bucket: bucket.into(), key: key.into(), sha256: None });
        Self {
            bucket: bucket.into(),
            name,
            sha256: Sha256::default(),
            start,
            end,
            end_text: Box::default(),
            is_at_its_place: true,
            fingerprint: Box::default(),
            previous,
            previous_signature: None,
            signature: None,
            generated: None,
            is_kept: true,
        }
    }

    /// Returns its URL.
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.name.key())
    }

    /// Tells whether the metadata of its object has a signature.
    pub fn is_signed(&self) -> bool {
        self.signature.is_some()
    }
}

impl Previous {
    /// Returns its URL.
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

impl LogFileText {
    fn read(self) -> Result<LogFile, FormatError> {
        expect("hashAlgorithm", self.hash_algorithm.as_deref(), "SHA-256")?;
        let sha256 = sha256("hashValue", &self.hash_value)?;
        Ok(LogFile { bucket: self.s3_bucket, key: self.s3_object, sha256 })
    }
}

fn expect(field: &'static str, value: Option<&str>, expected: &str) -> Result<(), FormatError> {
    match value {
        Some(value) if value != expected => Err(FormatError::Field { field, value: value.to_owned() }),
        _ => Ok(()),
    }
}

fn instant(field: &'static str, value: &str) -> Result<i64, FormatError> {
    time::seconds(value).ok_or_else(|| FormatError::Field { field, value: value.to_owned() })
}

fn sha256(field: &'static str, value: &str) -> Result<Sha256, FormatError> {
    let bytes = from_hex(value).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| FormatError::Field { field, value: value.to_owned() })
}
