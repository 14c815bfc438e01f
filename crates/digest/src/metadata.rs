//! The metadata of digest objects, kept in a file beside a local copy, which has none.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufReader, Read};

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::signature::Signature;
use crate::time;

const PREFIX: &str = "x-amz-meta-";

/// The user metadata of objects, by bucket and key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, BTreeMap<String, ObjectMetadata>>);

/// The user metadata of an object, by names in lower case without `x-amz-meta-`; in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectMetadata(Box<[(Box<str>, Box<str>)]>);

/// The signature of a digest, and the time at which one of a backfill was made, as the metadata of its object says.
#[derive(Debug, Clone, Default)]
pub struct DigestMetadata {
    pub(crate) signature: Option<Signature>,
    pub(crate) generated: Option<i64>,
}

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
struct ListedObject {
    bucket: String,
    key: String,
    #[serde(alias = "Metadata")]
    metadata: Entry,
}

impl Metadata {
    /// Reads `{"bucket": {"key": {"signature": ".."}}}`. A bucket and its key may also be one URL, and the objects may
    /// be a list of `{"bucket": "..", "key": "..", "metadata": {}}`.
    pub fn read(file: impl Read) -> Result<Self, MetadataError> {
        let mut all = Self::default();
        each_metadata(file, |bucket, key, metadata| all.insert(bucket, key, metadata))?;
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

    /// Returns what a digest needs of it.
    pub fn of_digest(&self) -> DigestMetadata {
        DigestMetadata {
            signature: self.get("signature").filter(|text| !text.is_empty()).map(Signature::new),
            generated: self.get("backfill-generation-timestamp").and_then(time::seconds),
        }
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

/// Reads a file of metadata as [`Metadata`] does, and hands on one object after the other, so that no file is too large.
pub fn each_metadata(file: impl Read, take: impl FnMut(&str, String, ObjectMetadata)) -> Result<(), MetadataError> {
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(file));
    json.deserialize_any(FileVisitor(take))?;
    Ok(json.end()?)
}

/// Visits all of a file.
struct FileVisitor<F>(F);

impl<'de, F: FnMut(&str, String, ObjectMetadata)> Visitor<'de> for FileVisitor<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("buckets, or a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(ListedObject { bucket, key, metadata }) = list.next_element()? {
            match metadata {
                Entry::Object(metadata) => (self.0)(&bucket, key, metadata),
                Entry::Value(_) => return Err(A::Error::custom("expected names and values")),
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(Named(&name, &mut self.0))?;
        }
        Ok(())
    }
}

/// The entries of a bucket, or the metadata of an object whose URL is the name.
struct Named<'n, F>(&'n str, &'n mut F);

impl<'de, F: FnMut(&str, String, ObjectMetadata)> DeserializeSeed<'de> for Named<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, entries: D) -> Result<(), D::Error> {
        entries.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&str, String, ObjectMetadata)> Visitor<'de> for Named<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys with their metadata, or names and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(name, take) = self;
        let mut values = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match map.next_value()? {
                Entry::Value(value) => values.push((key.into(), value)),
                Entry::Object(metadata) => take(name, key, metadata),
            }
        }
        if let Some((bucket, key)) = name.strip_prefix("s3://").and_then(|name| name.split_once('/')) {
            take(bucket, key.to_owned(), ObjectMetadata::plain(values));
        }
        Ok(())
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
        let read = |text: &[u8]| Metadata::read(text);
        assert_eq!(read(&text).unwrap(), metadata);
        assert_eq!(read(br#"{"s3://b/k/1":{"signature":"ab"}}"#).unwrap(), metadata);
        assert_eq!(read(br#"[{"bucket":"b","key":"k/1","metadata":{"signature":"ab"}}]"#).unwrap(), metadata);
        let told = metadata.get("b", "k/1").and_then(|it| it.of_digest().signature);
        assert_eq!(told.as_ref().map(Signature::text).as_deref(), Some("ab"));
        for bad in ["[1]", "{} {}", r#"{"b":{"k":1}}"#, r#"[{"bucket":"b","key":"k","metadata":"ab"}]"#] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
