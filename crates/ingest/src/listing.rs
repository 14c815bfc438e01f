//! The objects that could be read, packed: a listing may hold millions of them.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::Filter;
use crate::Location;
use crate::key::Origin;
use crate::key::Place;
use crate::key::delivery_time;
use crate::key::origin;
use crate::list::is_object_name;
use crate::source::split;

/// An object that could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ObjectRef {
    /// What the lake calls it: its URL in S3, or its path as the user named it.
    pub(crate) source_object: Box<str>,
    /// Its path, where that is not UTF-8 and so cannot be its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<Box<OsStr>>,
    /// What changes when its content does.
    pub(crate) version: Box<str>,
    /// Its size as stored.
    pub(crate) bytes: u64,
    /// How often it was read before and quarantined.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) attempt: u32,
    /// Where it stands in a trail; a plan does not keep it.
    #[serde(skip)]
    pub(crate) place: Option<Arc<Place>>,
}

/// What the sources hold. An object costs 32 bytes beside its version and what its name shares with no other: the only
/// cost that grows with what there is to read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    /// How many digests, insights and logs of other services were passed over.
    pub(crate) skipped: u64,
    /// How many the filter passed over already, of sources that name what a listing would not have met.
    pub(crate) filtered: u64,
    /// How many that were named are not there.
    pub(crate) gone: u64,
    /// How many that were named could not be looked at.
    pub(crate) left: u64,
    /// The objects of trails, and those that stand outside of a trail's layout.
    objects: Vec<Packed>,
    /// Of all objects, what follows the stem, and the version.
    text: String,
    stems: Vec<Stem>,
    positions: HashMap<Stem, u32>,
    /// Of the few objects that have one, by where their text begins.
    paths: HashMap<usize, Box<OsStr>>,
}

#[derive(Debug, Clone)]
struct Packed {
    text: usize,
    bytes: u64,
    stem: u32,
    name_bytes: u32,
    version_bytes: u32,
    attempt: u32,
}

/// What the names of objects of the same place begin with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Stem {
    text: Arc<str>,
    place: Option<Arc<Place>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(attempt: &u32) -> bool {
    *attempt == 0
}

impl ObjectRef {
    /// Whether it is read from S3, and so named by its URL.
    pub(crate) fn is_in_s3(&self) -> bool {
        split(&self.source_object).is_some()
    }

    pub(crate) fn path(&self) -> &Path {
        match &self.path {
            Some(path) => Path::new(path),
            None => Path::new(&*self.source_object),
        }
    }
}

impl Listing {
    /// Adds an object, unless its key says that it is another log.
    pub(crate) fn push(&mut self, source_object: &str, path: Option<Box<OsStr>>, version: &str, bytes: u64) {
        match origin(source_object) {
            Origin::Trail(place) => self.pack(source_object, Some(place), path, version, bytes),
            Origin::Unknown => self.pack(source_object, None, path, version, bytes),
            Origin::OtherLog => self.skipped += 1,
        }
    }

    /// Adds an object of S3 that something else than a listing names, if it is one of a trail and `filter` takes it.
    /// Its `ETag` is given without quotes.
    pub(crate) fn push_of_trail(&mut self, location: &Location, etag: &str, bytes: u64, filter: &Filter) {
        let name = location.to_string();
        match origin(&name) {
            Origin::Trail(place) if is_object_name(location.key.as_ref()) => {
                if filter.takes(Some(&place)) {
                    self.pack(&name, Some(place), None, &format!("\"{etag}\""), bytes);
                } else {
                    self.filtered += 1;
                }
            }
            _ => self.skipped += 1,
        }
    }

    fn pack(&mut self, source_object: &str, place: Option<Place>, path: Option<Box<OsStr>>, version: &str, bytes: u64) {
        let (stem, name) = source_object.split_at(stem_bytes(source_object));
        let is_last = |last: &Stem| *last.text == *stem && last.place.as_deref() == place.as_ref();
        let stem = match self.objects.last().map(|last| last.stem) {
            Some(last) if is_last(&self.stems[last as usize]) => last,
            _ => self.stem(Stem { text: stem.into(), place: place.map(Arc::new) }),
        };
        let text = self.text.len();
        let packed = |text: &str| u32::try_from(text.len()).expect("names and versions are short");
        let (name_bytes, version_bytes) = (packed(name), packed(version));
        self.text.extend([name, version]);
        self.paths.extend(path.map(|path| (text, path)));
        self.objects.push(Packed { text, bytes, stem, name_bytes, version_bytes, attempt: 0 });
    }

    fn stem(&mut self, stem: Stem) -> u32 {
        *self.positions.entry(stem).or_insert_with_key(|stem| {
            self.stems.push(stem.clone());
            u32::try_from(self.stems.len() - 1).expect("there are fewer stems than memory could hold")
        })
    }

    /// Adds what another listing holds.
    pub(crate) fn extend(&mut self, more: Self) {
        self.skipped += more.skipped;
        self.filtered += more.filtered;
        self.gone += more.gone;
        self.left += more.left;
        if self.is_empty() {
            *self = Self { skipped: self.skipped, filtered: self.filtered, gone: self.gone, left: self.left, ..more };
        } else {
            let stems: Vec<u32> = more.stems.into_iter().map(|stem| self.stem(stem)).collect();
            let before = self.text.len();
            self.text.push_str(&more.text);
            self.paths.extend(more.paths.into_iter().map(|(text, path)| (before + text, path)));
            let moved = |it: Packed| Packed { text: before + it.text, stem: stems[it.stem as usize], ..it };
            self.objects.extend(more.objects.into_iter().map(moved));
        }
    }

    /// How many objects were met.
    pub(crate) fn n_listed(&self) -> u64 {
        self.len() as u64 + self.skipped + self.filtered + self.gone + self.left
    }

    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// An object, by its position.
    pub(crate) fn get(&self, position: usize) -> ObjectRef {
        self.unpack(&self.objects[position])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = ObjectRef> {
        self.objects.iter().map(|packed| self.unpack(packed))
    }

    /// Keeps the objects that `keep` keeps, as it has set their attempt.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut ObjectRef) -> bool) {
        let mut objects = std::mem::take(&mut self.objects);
        objects.retain_mut(|packed| {
            let mut object = self.unpack(packed);
            let is_kept = keep(&mut object);
            packed.attempt = object.attempt;
            is_kept
        });
        self.objects = objects;
    }

    /// Puts the objects in the order of their places and names.
    pub(crate) fn sort(&mut self) {
        let mut by_place: Vec<_> = (0..self.stems.len()).collect();
        by_place.sort_by(|a, b| self.stems[*a].place.cmp(&self.stems[*b].place));
        let mut ranks = vec![0_usize; self.stems.len()];
        for pair in by_place.windows(2) {
            let is_same = self.stems[pair[0]].place == self.stems[pair[1]].place;
            ranks[pair[1]] = ranks[pair[0]] + usize::from(!is_same);
        }
        let mut objects = std::mem::take(&mut self.objects);
        objects.sort_unstable_by(|a, b| {
            let order = if a.stem == b.stem {
                self.name(a).cmp(self.name(b))
            } else {
                let places = ranks[a.stem as usize].cmp(&ranks[b.stem as usize]);
                places.then_with(|| self.compare_names(a, b))
            };
            order.then(a.text.cmp(&b.text))
        });
        self.objects = objects;
    }

    /// Neighbours of the same place, by their positions, with their bytes as stored.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Range<usize>, u64)> {
        let place = |packed: &Packed| self.stems[packed.stem as usize].place.as_ref();
        let mut start = 0;
        self.objects.chunk_by(move |a, b| place(a) == place(b)).map(move |neighbours| {
            let range = start..start + neighbours.len();
            start = range.end;
            (range, neighbours.iter().map(|packed| packed.bytes).sum())
        })
    }

    fn compare_names(&self, a: &Packed, b: &Packed) -> Ordering {
        let stem = |it: &Packed| self.stems[it.stem as usize].text.bytes();
        stem(a).chain(self.name(a).bytes()).cmp(stem(b).chain(self.name(b).bytes()))
    }

    fn name(&self, packed: &Packed) -> &str {
        &self.text[packed.text..][..packed.name_bytes as usize]
    }

    fn unpack(&self, packed: &Packed) -> ObjectRef {
        let Stem { text: stem, place } = &self.stems[packed.stem as usize];
        let name = self.name(packed);
        ObjectRef {
            source_object: [stem, name].concat().into(),
            path: self.paths.get(&packed.text).cloned(),
            version: self.text[packed.text + name.len()..][..packed.version_bytes as usize].into(),
            bytes: packed.bytes,
            attempt: packed.attempt,
            place: place.clone(),
        }
    }
}

/// How much of a name is what its neighbours' names begin with, too: its folder, and of a name that CloudTrail gave all
/// up to the time of the day.
fn stem_bytes(name: &str) -> usize {
    let folder = name.rfind('/').map_or(0, |slash| slash + 1);
    delivery_time(&name[folder..]).map_or(folder, |time| folder + time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAIL: &str = "s3://b/AWSLogs/210987654321/CloudTrail/eu-west-1/2026/09";

    fn names(listing: &Listing) -> Vec<String> {
        listing.iter().map(|object| object.source_object.into()).collect()
    }

    #[test]
    fn what_is_packed_comes_back_wherever_it_was_put() {
        let mut listing = Listing::default();
        let flat = "210987654321_CloudTrail_eu-west-1_20260902T0000Z_a.json.gz";
        listing.push(flat, None, "\"1\"", 1);
        listing.push("s3://b/AWSLogs/210987654321/CloudTrail-Digest/eu-west-1/2026/09/01/a.json.gz", None, "1", 1);
        let mut more = Listing::default();
        for (n, name) in ["/02/b.json.gz", "/01/b.json.gz", "/01/a.json.gz"].iter().enumerate() {
            more.push(&format!("{TRAIL}{name}"), None, &n.to_string(), n as u64);
        }
        more.push("odd.json", Some(OsStr::new("path").into()), "", 7);
        listing.extend(more);
        listing.sort();
        let expected =
            ["odd.json", &format!("{TRAIL}/01/a.json.gz"), &format!("{TRAIL}/01/b.json.gz"), flat].map(str::to_owned);
        assert_eq!(names(&listing)[..4], expected);
        assert_eq!(listing.places().collect::<Vec<_>>(), [(0..1, 7), (1..3, 3), (3..5, 1)]);
        let odd = listing.get(0);
        assert_eq!((odd.path(), &*odd.version, &odd.place), (Path::new("path"), "", &None));
        assert_eq!(&*listing.get(2).version, "1");
        listing.retain(|object| {
            object.attempt = 3;
            object.bytes == 1
        });
        assert_eq!(names(&listing), [&format!("{TRAIL}/01/b.json.gz"), flat]);
        assert_eq!((listing.get(0).attempt, listing.len(), listing.skipped), (3, 2, 1));
    }
}
