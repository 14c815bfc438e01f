//! The sources that trail objects come from.

pub(crate) mod fetch;
pub(crate) mod filter;
pub(crate) mod inventory;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod listing;
pub(crate) mod local;
pub(crate) mod probe;
pub(crate) mod queue;
pub(crate) mod s3;
pub(crate) mod shard;
pub(crate) mod skipped;
pub(crate) mod span;

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::str::Utf8Error;

use percent_encoding::percent_decode_str;

/// The beginning of the name of every object in S3.
const SCHEME: &str = "s3://";

/// A place that trail objects come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A file, or a folder with all that it holds. A folder gives what is named `*.gz`, `*.json`, `*.jsonl` or
    /// `*.ndjson` and is not hidden by a leading `.` or `_`.
    Local(PathBuf),
    /// An object in S3, or a prefix with all that it holds, of the same names.
    S3(Location),
}

/// An object or a prefix in S3.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// The bucket's name.
    pub bucket: String,
    /// A key, a folder with or without its last `/`, or nothing.
    pub key: String,
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match Location::of(name) {
            Some(location) => Self::S3(location),
            None => Self::Local(name.into()),
        })
    }
}

impl Location {
    /// Returns the location that `s3://bucket/key` names.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let (bucket, key) = split(name)?;
        Some(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::S3(location) => location.fmt(f),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)
    }
}

/// Returns the bucket and the key of `s3://bucket/key`.
pub(crate) fn split(name: &str) -> Option<(&str, &str)> {
    let name = name.strip_prefix(SCHEME)?;
    Some(name.split_once('/').unwrap_or((name, "")))
}

/// Decodes a key as inventories and notifications write it: with `+` for a space, and `%2B` for `+`.
pub(crate) fn url_decoded(key: &str) -> Result<String, Utf8Error> {
    Ok(percent_decode_str(&key.replace('+', " ")).decode_utf8()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_by_its_url_or_its_path() {
        let in_s3 = |bucket: &str, key: &str| Source::S3(Location { bucket: bucket.into(), key: key.into() });
        for (name, source) in [
            ("s3://logs", in_s3("logs", "")),
            ("s3://logs/", in_s3("logs", "")),
            ("s3://logs/a/AWSLogs/", in_s3("logs", "a/AWSLogs/")),
            ("s3://logs/a.json.gz", in_s3("logs", "a.json.gz")),
            ("s3/logs", Source::Local("s3/logs".into())),
            ("./trail", Source::Local("./trail".into())),
        ] {
            assert_eq!(name.parse(), Ok(source), "{name}");
        }
    }

    #[test]
    fn an_encoded_key_is_decoded_once() {
        assert_eq!(url_decoded("a+b%2Bc/d%2525%C3%A9%3D"), Ok("a b+c/d%25\u{e9}=".to_owned()));
        assert!(url_decoded("%ff").is_err());
    }
}
