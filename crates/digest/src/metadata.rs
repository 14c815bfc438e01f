//! The metadata of digest objects, kept in a file beside a local copy, which has none.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

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
enum Entry {
    Value(Box<str>),
    Object(ObjectMetadata),
}

#[derive(Deserialize)]
struct ListedObject<'t> {
    bucket: String,
    key: String,
    #[serde(alias = "Metadata", borrow)]
    metadata: &'t RawValue,
}

impl Metadata {
    /// Reads `{"bucket": {"key": {"signature": ".."}}}`. A bucket and its key may also be one URL, and the objects may
    /// be a list of `{"bucket": "..", "key": "..", "metadata": {}}`.
    pub fn parse(text: &[u8]) -> Result<Self, MetadataError> {
        Self::parse_some(text, |_, _| true)
    }

    /// Reads the same, and keeps the objects of which bucket and key are wanted; the others are passed over as text.
    pub fn parse_some(text: &[u8], is_wanted: impl Fn(&str, &str) -> bool) -> Result<Self, MetadataError> {
        let mut all = Self::default();
        if text.trim_ascii_start().starts_with(b"[") {
            for ListedObject { bucket, key, metadata } in serde_json::from_slice::<Vec<_>>(text)? {
                if is_wanted(&bucket, &key) {
                    all.insert(&bucket, key, serde_json::from_str(metadata.get())?);
                }
            }
            return Ok(all);
        }
        for (name, entries) in serde_json::from_slice::<BTreeMap<String, BTreeMap<String, &RawValue>>>(text)? {
            let url = name.strip_prefix("s3://").and_then(|name| name.split_once('/'));
            let url = url.filter(|(bucket, key)| is_wanted(bucket, key));
            let mut values = Vec::new();
            for (key, entry) in entries {
                if url.is_none() && !is_wanted(&name, &key) {
                    continue;
                }
                match serde_json::from_str(entry.get())? {
                    Entry::Value(value) => values.push((key.into(), value)),
                    Entry::Object(metadata) => all.insert(&name, key, metadata),
                }
            }
            if let Some((bucket, key)) = url {
                all.insert(bucket, key.to_owned(), ObjectMetadata::plain(values));
            }
        }
        Ok(all)
    }

    /// Notes the metadata of an object.
    pub fn insert(&mut self, bucket: &str, key: String, metadata: ObjectMetadata) {
        if let Some(objects) = self.0.get_mut(bucket) {
            objects.insert(key, metadata);
        } else {
            self.0.insert(bucket.to_owned(), BTreeMap::from([(key, metadata)]));
        }
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
        Self::plain(named.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    fn plain(mut named: Vec<(Box<str>, Box<str>)>) -> Self {
        for (name, _) in &mut named {
            name.make_ascii_lowercase();
            if let Some(plain) = name.strip_prefix(PREFIX) {
                *name = plain.into();
            }
        }
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

impl<'de> Deserialize<'de> for ObjectMetadata {
    fn deserialize<D: Deserializer<'de>>(object: D) -> Result<Self, D::Error> {
        match Entry::deserialize(object)? {
            Entry::Object(metadata) => Ok(metadata),
            Entry::Value(_) => Err(D::Error::custom("expected names and values")),
        }
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(entry: D) -> Result<Self, D::Error> {
        entry.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or names and values")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Entry, E> {
        Ok(Entry::Value(value.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let mut named = Vec::new();
        while let Some(entry) = map.next_entry()? {
            named.push(entry);
        }
        Ok(Entry::Object(ObjectMetadata::plain(named)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_comes_back_as_it_was_written() {
        let named = [("X-Amz-Meta-Signature".to_owned(), "ab".to_owned())];
        let mut metadata = Metadata::default();
        metadata.insert("b", "k/1".to_owned(), ObjectMetadata::new(named));
        let text = serde_json::to_vec(&metadata).unwrap();
        assert_eq!(String::from_utf8_lossy(&text), r#"{"b":{"k/1":{"signature":"ab"}}}"#);
        assert_eq!(Metadata::parse(&text).unwrap(), metadata);
        assert_eq!(Metadata::parse(br#"{"s3://b/k/1":{"signature":"ab"}}"#).unwrap(), metadata);
        let some =
            |key: &'static str| Metadata::parse_some(&text, move |bucket, it| (bucket, it) == ("b", key)).unwrap();
        assert_eq!([some("k/1"), some("k/2")], [metadata.clone(), Metadata::default()]);
        assert_eq!(metadata.get("b", "k/1").and_then(ObjectMetadata::signature), Some("ab"));
        let listed = br#"[{"bucket":"b","key":"k/1","metadata":{"signature":"ab"}}]"#;
        assert_eq!(Metadata::parse(listed).unwrap(), metadata);
        for text in [&listed[..], br#"{"s3://b/k/1":{"signature":"ab"}}"#] {
            assert_eq!(Metadata::parse_some(text, |_, key| key == "k/1").unwrap(), metadata);
            assert_eq!(Metadata::parse_some(text, |_, key| key == "k/2").unwrap(), Metadata::default());
        }
        assert!(Metadata::parse(b"[1]").is_err());
    }
}
