//! A record as a tree that keeps every number as logged and every field, also those that are there twice.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Returns the tree of `json`, if every part of it is valid. One level at a time, so that serde's own limits on
    /// depth do not matter.
    pub(super) fn parse(json: &str) -> Option<Self> {
        match json.trim_ascii_start().as_bytes().first()? {
            b'{' => {
                let Pairs(pairs) = serde_json::from_str(json).ok()?;
                let fields = pairs.into_iter().map(|(key, value)| Some((key, Self::parse(value.get())?)));
                fields.collect::<Option<Vec<_>>>().map(Self::Object)
            }
            b'[' => {
                let elements = serde_json::from_str::<Vec<Box<RawValue>>>(json).ok()?;
                elements.iter().map(|element| Self::parse(element.get())).collect::<Option<Vec<_>>>().map(Self::Array)
            }
            b'"' => serde_json::from_str(json).ok().map(Self::Text),
            b't' | b'f' => serde_json::from_str(json).ok().map(Self::Bool),
            b'n' => serde_json::from_str::<()>(json).ok().map(|()| Self::Null),
            _ => serde_json::from_str::<f64>(json).ok().map(|_| Self::Number(json.trim_ascii().to_owned())),
        }
    }

    /// Returns the last field of this name; null if there is none.
    pub(super) fn get(&self, key: &str) -> &Self {
        match self {
            Self::Object(fields) => {
                fields.iter().rev().find(|(name, _)| name == key).map_or(&Self::Null, |(_, value)| value)
            }
            _ => &Self::Null,
        }
    }

    /// Returns the value at the end of a path of fields.
    pub(super) fn at(&self, path: &[&str]) -> &Self {
        path.iter().fold(self, |tree, key| tree.get(key))
    }

    /// Returns the first of the fields that is not null.
    pub(super) fn any(&self, keys: &[&str]) -> &Self {
        keys.iter().map(|key| self.get(key)).find(|value| **value != Self::Null).unwrap_or(&Self::Null)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a text, an integer of 64 bits or a truth value, in words.
    pub(super) fn scalar(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Bool(truth) => Some(truth.to_string()),
            Self::Number(raw) if raw == "-0" => None,
            Self::Number(raw) if raw.parse::<i64>().is_ok() || raw.parse::<u64>().is_ok() => Some(raw.clone()),
            _ => None,
        }
    }

    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn elements(&self) -> &[Self] {
        match self {
            Self::Array(elements) => elements,
            _ => &[],
        }
    }

    pub(super) fn fields(&self) -> &[(String, Self)] {
        match self {
            Self::Object(fields) => fields,
            _ => &[],
        }
    }
}

struct Pairs(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = access.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}
