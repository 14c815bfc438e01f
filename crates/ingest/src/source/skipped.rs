//! Counts of the objects of a source that are not CloudTrail objects, by why they are passed over.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// The reason why an object is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkipReason {
    /// A digest file, which proves log files and holds no event.
    Digest,
    /// Insights events, which count calls and hold none.
    Insight,
    /// Aggregated events, which repeat what other objects hold.
    Aggregated,
    /// The log of another service below `AWSLogs`.
    OtherLog,
    /// A name that ends otherwise than `.gz`, `.json`, `.jsonl` and `.ndjson`.
    OtherName,
    /// A name, or a folder, that begins with `.` or `_`.
    Hidden,
    /// Named by an inventory or a message, outside of a trail's layout.
    OutsideOfTrail,
    /// A message of something else than a new object.
    NotCreated,
    /// A late object: new to the lake, and of a day that was pruned.
    Pruned,
}

/// The objects that were passed over for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SkippedObjects {
    /// The number of objects that were met.
    pub objects: u64,
    /// The number of folders that were passed over as a whole, so that nobody knows how many objects they hold.
    pub folders: u64,
    /// The first of them.
    pub example: String,
}

/// The objects that were passed over, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Skipped(BTreeMap<SkipReason, SkippedObjects>);

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digest => "digest",
            Self::Insight => "Insights",
            Self::Aggregated => "aggregated events",
            Self::OtherLog => "log of another service",
            Self::OtherName => "other name",
            Self::Hidden => "hidden",
            Self::OutsideOfTrail => "outside of a trail",
            Self::NotCreated => "not a new object",
            Self::Pruned => "late, of a pruned day",
        })
    }
}

impl Skipped {
    /// Iterates over the reasons for which anything was passed over.
    pub fn iter(&self) -> impl Iterator<Item = (SkipReason, &SkippedObjects)> {
        self.0.iter().map(|(reason, objects)| (*reason, objects))
    }

    /// Returns what was passed over for this reason, if anything was.
    pub fn get(&self, reason: SkipReason) -> Option<&SkippedObjects> {
        self.0.get(&reason)
    }

    /// Counts the objects that were passed over.
    pub fn objects(&self) -> u64 {
        self.0.values().map(|skipped| skipped.objects).sum()
    }

    /// Counts an object.
    pub(crate) fn add_object(&mut self, reason: SkipReason, name: impl fmt::Display) {
        self.at(reason, name).objects += 1;
    }

    /// Counts a folder that is not looked into.
    pub(crate) fn add_folder(&mut self, reason: SkipReason, name: impl fmt::Display) {
        self.at(reason, name).folders += 1;
    }

    /// Adds what was passed over elsewhere.
    pub(crate) fn extend(&mut self, more: Self) {
        for (reason, SkippedObjects { objects, folders, example }) in more.0 {
            let found = self.at(reason, example);
            found.objects += objects;
            found.folders += folders;
        }
    }

    /// Finds the count of a reason; a new one has `name` as its example.
    fn at(&mut self, reason: SkipReason, name: impl fmt::Display) -> &mut SkippedObjects {
        self.0
            .entry(reason)
            .or_insert_with(|| SkippedObjects { example: name.to_string(), ..SkippedObjects::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_counted_apart_and_the_first_is_its_example() {
        let mut skipped = Skipped::default();
        skipped.add_object(SkipReason::Digest, "a");
        skipped.add_object(SkipReason::OtherName, "b");
        let mut more = Skipped::default();
        more.add_object(SkipReason::Digest, "c");
        more.add_folder(SkipReason::Insight, "d/");
        skipped.extend(more);
        let found = |reason| skipped.get(reason).map(|it| (it.objects, it.folders, it.example.as_str()));
        assert_eq!(found(SkipReason::Digest), Some((2, 0, "a")));
        assert_eq!(found(SkipReason::Insight), Some((0, 1, "d/")));
        assert_eq!((skipped.objects(), found(SkipReason::Hidden)), (3, None));
    }
}
