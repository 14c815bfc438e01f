//! The metadata of digest objects, kept in a file beside a local copy, which has none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time;

const PREFIX: &str = "x-amz-meta-";

/// The user metadata of objects, by bucket and key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, BTreeMap<String, ObjectMetadata>>);

/// The user metadata of an object, by names in lower case without `x-amz-meta-`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectMetadata(BTreeMap<String, String>);

/// The reason why a file of metadata cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// It is not JSON of this form.
    #[error("expected a JSON object of buckets, of keys, and of the metadata of each object")]
    Json(#[from] serde_json::Error),
}

/// The forms of the file.
#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Named(BTreeMap<String, Entry>),
    Listed(Vec<ListedObject>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Object(BTreeMap<String, String>),
    Bucket(BTreeMap<String, BTreeMap<String, String>>),
}

#[derive(Deserialize)]
struct ListedObject {
    bucket: String,
    key: String,
    #[serde(alias = "Metadata")]
    metadata: BTreeMap<String, String>,
}

impl Metadata {
    /// Reads `{"bucket": {"key": {"signature": ".."}}}`. A bucket and its key may also be one URL, and the objects may
    /// be a list of `{"bucket": "..", "key": "..", "metadata": {}}`.
    pub fn parse(text: &[u8]) -> Result<Self, MetadataError> {
        let mut all = Self::default();
        let entries = match serde_json::from_slice(text)? {
            File::Named(entries) => entries,
            File::Listed(objects) => {
                for ListedObject { bucket, key, metadata } in objects {
                    all.insert(&bucket, &key, ObjectMetadata::new(metadata));
                }
                return Ok(all);
            }
        };
        for (name, entry) in entries {
            match (name.strip_prefix("s3://").and_then(|name| name.split_once('/')), entry) {
                (Some((bucket, key)), Entry::Object(metadata)) => {
                    all.insert(bucket, key, ObjectMetadata::new(metadata));
                }
                (_, Entry::Bucket(objects)) => {
                    for (key, metadata) in objects {
                        all.insert(&name, &key, ObjectMetadata::new(metadata));
                    }
                }
                (None, Entry::Object(_)) => {}
            }
        }
        Ok(all)
    }

    /// Notes the metadata of an object.
    pub fn insert(&mut self, bucket: &str, key: &str, metadata: ObjectMetadata) {
        self.0.entry(bucket.to_owned()).or_default().insert(key.to_owned(), metadata);
    }

    /// Returns the metadata of an object.
    pub fn get(&self, bucket: &str, key: &str) -> Option<&ObjectMetadata> {
        self.0.get(bucket)?.get(key)
    }

    /// Adds what another file holds, which counts where both name an object.
    pub fn extend(&mut self, more: Self) {
        for (bucket, objects) in more.0 {
            self.0.entry(bucket).or_default().extend(objects);
        }
    }

    /// Tells whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl ObjectMetadata {
    /// Takes names and values, as S3 gives them.
    pub fn new(named: impl IntoIterator<Item = (String, String)>) -> Self {
        let plain = |(name, value): (String, String)| {
            let name = name.to_ascii_lowercase();
            (name.strip_prefix(PREFIX).map_or_else(|| name.clone(), str::to_owned), value)
        };
        Self(named.into_iter().map(plain).collect())
    }

    /// Returns the signature of the object, in hexadecimal.
    pub fn signature(&self) -> Option<&str> {
        self.0.get("signature").map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Returns the time at which a backfill digest was made.
    pub fn generated(&self) -> Option<i64> {
        time::seconds(self.0.get("backfill-generation-timestamp")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_comes_back_as_it_was_written() {
        let named = [("X-Amz-Meta-Signature".to_owned(), "ab".to_owned())];
        let mut metadata = Metadata::default();
        metadata.insert("b", "k/1", ObjectMetadata::new(named));
        let text = serde_json::to_vec(&metadata).unwrap();
        assert_eq!(String::from_utf8_lossy(&text), r#"{"b":{"k/1":{"signature":"ab"}}}"#);
        assert_eq!(Metadata::parse(&text).unwrap(), metadata);
        assert_eq!(Metadata::parse(br#"{"s3://b/k/1":{"signature":"ab"}}"#).unwrap(), metadata);
        assert_eq!(metadata.get("b", "k/1").and_then(ObjectMetadata::signature), Some("ab"));
        let listed = br#"[{"bucket":"b","key":"k/1","metadata":{"signature":"ab"}}]"#;
        assert_eq!(Metadata::parse(listed).unwrap(), metadata);
        assert!(Metadata::parse(b"[1]").is_err());
    }
}
