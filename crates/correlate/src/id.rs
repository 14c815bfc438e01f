//! Identifiers of events and requests. Nearly all are UUIDs in small letters; these are kept and compared as numbers.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::array::StringArray;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// An identifier, ordered as its text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Id<'a> {
    Uuid(Uuid),
    /// One that is no UUID in small letters.
    Text(&'a str),
}

/// The room in which the text of an [`Id`] is put together.
pub(crate) type Room = [u8; Hyphenated::LENGTH];

impl<'a> Id<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let is_lower = || !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let parse = || if is_lower() { Uuid::try_parse(text).ok() } else { None };
        // A UUID has other forms, which are texts of their own.
        if text.len() == Hyphenated::LENGTH { parse().map_or(Self::Text(text), Self::Uuid) } else { Self::Text(text) }
    }

    pub(crate) fn text<'t>(self, room: &'t mut Room) -> &'t str
    where
        'a: 't,
    {
        match self {
            Self::Uuid(uuid) => uuid.as_hyphenated().encode_lower(room),
            Self::Text(text) => text,
        }
    }

    pub(crate) fn to_text(self) -> String {
        self.text(&mut [0; Hyphenated::LENGTH]).to_owned()
    }
}

impl Ord for Id<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Uuid(id), Self::Uuid(other)) => id.cmp(other),
            _ => self.text(&mut [0; Hyphenated::LENGTH]).cmp(other.text(&mut [0; Hyphenated::LENGTH])),
        }
    }
}

impl PartialOrd for Id<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A column of identifiers; none in any row by default.
#[derive(Debug, Default)]
pub(crate) struct IdValues {
    /// By row; [`Uuid::max`] where there is none or another text.
    uuids: Vec<Uuid>,
    others: HashMap<usize, Box<str>>,
}

impl IdValues {
    pub(crate) fn new(texts: &StringArray) -> Self {
        let mut others = HashMap::new();
        let uuid = |(row, text): (usize, Option<&str>)| match text.map(Id::new) {
            Some(Id::Uuid(uuid)) if !uuid.is_max() => uuid,
            Some(_) => {
                others.extend(text.map(|text| (row, Box::from(text))));
                Uuid::max()
            }
            None => Uuid::max(),
        };
        let uuids = texts.iter().enumerate().map(uuid).collect();
        Self { uuids, others }
    }

    pub(crate) fn get(&self, row: usize) -> Option<Id<'_>> {
        let uuid = *self.uuids.get(row)?;
        if uuid.is_max() { self.others.get(&row).map(|text| Id::new(text)) } else { Some(Id::Uuid(uuid)) }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let other = |text: &str| text.len() + 2 * size_of::<(usize, Box<str>)>();
        self.uuids.capacity() * size_of::<Uuid>() + self.others.values().map(|text| other(text)).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 9] = [
        "",
        "0",
        "1b5f2d3e-0000-4000-8000-00000000abcd",
        "1b5f2d3e-0000-4000-8000-00000000abce",
        "1B5F2D3E-0000-4000-8000-00000000ABCD",
        "1b5f2d3e0000400080000000000000abcd00",
        "{1b5f2d3e-0000-4000-8000-00000000abcd}",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "req-1",
    ];

    #[test]
    fn an_identifier_is_its_text_and_stands_where_its_text_stands() {
        let values = IdValues::new(&TEXTS.iter().copied().map(Some).chain([None]).collect());
        for (row, text) in TEXTS.iter().enumerate() {
            let id = values.get(row).unwrap();
            assert_eq!(id.to_text(), *text);
            for (other, other_text) in TEXTS.iter().enumerate() {
                assert_eq!(id.cmp(&values.get(other).unwrap()), text.cmp(other_text), "{text} beside {other_text}");
                assert_eq!(id == values.get(other).unwrap(), text == other_text, "{text} beside {other_text}");
            }
        }
        assert_eq!(values.get(TEXTS.len()), None);
    }
}
