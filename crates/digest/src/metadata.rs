//! The metadata of digest objects, kept in a file beside a local copy, which has none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::time;

const PREFIX: &str = "x-amz-meta-";

/// The user metadata of objects, by bucket and key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, BTreeMap<String, ObjectMetadata>>);

/// The user metadata of an object, by names in lower case without `x-amz-meta-`; in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectMetadata(Box<[(Box<str>, Box<str>)]>);

/// The reason why a file of metadata cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// It is not JSON of this form.
    #[error("expected a JSON object of buckets, of keys, and of the metadata of each object")]
    Json(#[from] serde_json::Error),
}

/// The value of a name in the metadata of an object, or the metadata of a bucket's object of that name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Value(String),
    Object(BTreeMap<String, String>),
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
        if text.trim_ascii_start().starts_with(b"[") {
            for ListedObject { bucket, key, metadata } in serde_json::from_slice::<Vec<_>>(text)? {
                all.insert(&bucket, &key, ObjectMetadata::new(metadata));
            }
            return Ok(all);
        }
        for (name, entries) in serde_json::from_slice::<BTreeMap<String, BTreeMap<String, Entry>>>(text)? {
            let of_object = name.strip_prefix("s3://").and_then(|name| name.split_once('/'));
            let mut values = Vec::new();
            for (key, entry) in entries {
                match entry {
                    Entry::Value(value) => values.push((key, value)),
                    Entry::Object(metadata) => all.insert(&name, &key, ObjectMetadata::new(metadata)),
                }
            }
            if let Some((bucket, key)) = of_object {
                all.insert(bucket, key, ObjectMetadata::new(values));
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

    /// Removes the metadata of an object, and returns it.
    pub fn take(&mut self, bucket: &str, key: &str) -> Option<ObjectMetadata> {
        self.0.get_mut(bucket)?.remove(key)
    }
}

impl ObjectMetadata {
    /// Takes names and values, as S3 gives them.
    pub fn new(named: impl IntoIterator<Item = (String, String)>) -> Self {
        let plain = |(name, value): (String, String)| {
            let name = name.to_ascii_lowercase();
            (name.strip_prefix(PREFIX).unwrap_or(&name).into(), value.into())
        };
        let mut named: Vec<(Box<str>, Box<str>)> = named.into_iter().map(plain).collect();
        named.sort_unstable();
        Self(named.into())
    }

    /// Returns the signature of the object, in hexadecimal.
    pub fn signature(&self) -> Option<&str> {
        self.get("signature").filter(|text| !text.is_empty())
    }

    /// Returns the time at which a backfill digest was made.
    pub fn generated(&self) -> Option<i64> {
        time::seconds(self.get("backfill-generation-timestamp")?)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| **other == *name).map(|(_, value)| &**value)
    }
}

impl Serialize for ObjectMetadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
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
