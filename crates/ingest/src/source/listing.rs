//! The objects that could be read, packed: a listing may hold millions of them.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::mem;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::Filter;
use crate::Location;
use crate::source::key::Origin;
use crate::source::key::Place;
use crate::source::key::delivery_time;
use crate::source::key::origin;
use crate::source::skipped::SkipReason;
use crate::source::skipped::Skipped;
use crate::source::span::Span;
use crate::source::split;

/// An object that could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ObjectRef {
    /// Its name in the lake: its URL in S3, or its path as the user named it.
    pub(crate) source_object: Box<str>,
    /// Its path, where that is not UTF-8 and so cannot be its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<Box<OsStr>>,
    /// The text that changes when its content does.
    pub(crate) version: Box<str>,
    /// Its size as stored.
    pub(crate) bytes: u64,
    /// How often it was read before, and quarantined or read again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) attempt: u32,
    /// Where it stands in a trail; a plan does not keep it.
    #[serde(skip)]
    pub(crate) place: Option<Arc<Place>>,
}

/// The text that changes when the content of an object does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Version<'a> {
    /// The time of the last write to a file, in nanoseconds since 1970; its size counts, too.
    Written(i128),
    /// As what holds the object says.
    Text(&'a str),
}

/// The objects that the sources hold. One costs some 14 bytes beside its version and what its name shares with no
/// other: the only cost that grows with what there is to read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    /// Objects and folders that are passed over, because they are not CloudTrail objects or are not named so.
    pub(crate) skipped: Skipped,
    /// How many the filter passed over already, of sources that name what a listing would not have met.
    pub(crate) filtered: u64,
    /// The places of those, and of the folders in S3 that the filter passed over.
    pub(crate) beyond: Span,
    /// How many that were named are not there.
    pub(crate) gone: u64,
    /// How many that were named could not be looked at.
    pub(crate) left: u64,
    /// Where the text of each object begins, of trails and of those that stand outside of a trail's layout.
    objects: Vec<usize>,
    /// The numbers of a [`Packed`] for each object, each in as few bytes as it needs; the rest of its name after the
    /// stem; the version.
    text: Vec<u8>,
    stems: Vec<Stem>,
    positions: HashMap<Stem, usize>,
    /// The paths of the few objects that have one, by where their text begins.
    paths: HashMap<usize, Box<OsStr>>,
    /// The same of attempts.
    attempts: HashMap<usize, u32>,
}

/// An object as it is held.
#[derive(Debug, Clone, Copy)]
struct Packed<'a> {
    /// The position of its stem.
    stem: usize,
    bytes: u64,
    /// The rest of its name after the stem.
    name: &'a [u8],
    form: Form,
    version: &'a [u8],
}

/// The form in which a version is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The 16 bytes of an `ETag` of 32 hexadecimal digits.
    Digest,
    /// The size of a file and the nanoseconds of its time, the latter in 8 bytes.
    Time,
    /// As it is.
    Text,
}

/// The beginning of the names of objects of the same place.
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
    /// Tells whether it is read from S3, and so named by its URL.
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
    pub(crate) fn push(&mut self, source_object: &str, path: Option<Box<OsStr>>, version: Version<'_>, bytes: u64) {
        let stem = &source_object[..stem_bytes(source_object)];
        // Where objects stand whose names CloudTrail gave, their stem says, and most follow one of the same.
        let last = self.last_stem().filter(|_| !stem.is_empty() && !stem.ends_with('/'));
        if let Some(stem) = last.filter(|last| *self.stems[*last].text == *stem) {
            return self.pack(stem, source_object, path, version, bytes);
        }
        match origin(source_object) {
            Origin::Trail(place) => self.pack_at(Some(place), source_object, path, version, bytes),
            Origin::Unknown => self.pack_at(None, source_object, path, version, bytes),
            Origin::Other(reason) => self.skipped.add_object(reason, source_object),
        }
    }

    /// Adds an object of S3 that something else than a listing names, if it is one of a trail and `filter` takes it.
    /// Its `ETag` is given without quotes.
    pub(crate) fn push_of_trail(&mut self, location: &Location, etag: &str, bytes: u64, filter: &Filter) {
        let name = location.to_string();
        match origin(&name) {
            Origin::Trail(_) if !filter.names.takes(location.key.as_ref()) => {
                self.skipped.add_object(SkipReason::OtherName, name);
            }
            Origin::Trail(place) if filter.takes(Some(&place)) => {
                self.pack_at(Some(place), &name, None, Version::Text(&format!("\"{etag}\"")), bytes);
            }
            Origin::Trail(place) => {
                self.beyond.note(&place);
                self.filtered += 1;
            }
            Origin::Other(reason) => self.skipped.add_object(reason, name),
            Origin::Unknown => self.skipped.add_object(SkipReason::OutsideOfTrail, name),
        }
    }

    fn pack_at(
        &mut self,
        place: Option<Place>,
        name: &str,
        path: Option<Box<OsStr>>,
        version: Version<'_>,
        bytes: u64,
    ) {
        let stem = &name[..stem_bytes(name)];
        let is_last = |last: &Stem| *last.text == *stem && last.place.as_deref() == place.as_ref();
        let stem = match self.last_stem() {
            Some(last) if is_last(&self.stems[last]) => last,
            _ => self.stem(Stem { text: stem.into(), place: place.map(Arc::new) }),
        };
        self.pack(stem, name, path, version, bytes);
    }

    /// Packs an object. Needs: its name begins with the stem.
    fn pack(&mut self, stem: usize, source_object: &str, path: Option<Box<OsStr>>, version: Version<'_>, bytes: u64) {
        self.paths.extend(path.map(|path| (self.text.len(), path)));
        let name = &source_object.as_bytes()[self.stems[stem].text.len()..];
        let mut put = |form, version: &[u8]| self.put(Packed { stem, bytes, name, form, version });
        match version {
            Version::Written(nanos) => match u64::try_from(nanos) {
                Ok(nanos) => put(Form::Time, &nanos.to_le_bytes()),
                Err(_) => put(Form::Text, version.text(bytes).as_bytes()),
            },
            Version::Text(text) => match digest(text) {
                Some(digest) => put(Form::Digest, &digest),
                None => put(Form::Text, text.as_bytes()),
            },
        }
    }

    fn put(&mut self, object: Packed<'_>) {
        self.objects.push(self.text.len());
        let Packed { stem, bytes, name, form, version } = object;
        let form = match form {
            Form::Digest => 0,
            Form::Time => 1,
            Form::Text => 2 + version.len() as u64,
        };
        for number in [stem as u64, bytes, name.len() as u64, form] {
            put_number(&mut self.text, number);
        }
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(version);
    }

    /// Returns the object whose text begins there.
    fn packed(&self, text: usize) -> Packed<'_> {
        let mut rest = &self.text[text..];
        let mut number = || take_number(&mut rest);
        let (stem, bytes, name_bytes, form) = (number(), number(), number(), number());
        let (form, version_bytes) = match form {
            0 => (Form::Digest, 16),
            1 => (Form::Time, 8),
            more => (Form::Text, more - 2),
        };
        let [stem, name_bytes, version_bytes] = [stem, name_bytes, version_bytes].map(position);
        let (name, rest) = rest.split_at(name_bytes);
        Packed { stem, bytes, name, form, version: &rest[..version_bytes] }
    }

    fn last_stem(&self) -> Option<usize> {
        self.objects.last().map(|last| self.packed(*last).stem)
    }

    fn stem(&mut self, stem: Stem) -> usize {
        *self.positions.entry(stem).or_insert_with_key(|stem| {
            self.stems.push(stem.clone());
            self.stems.len() - 1
        })
    }

    /// Adds what another listing holds.
    pub(crate) fn extend(&mut self, mut more: Self) {
        self.skipped.extend(mem::take(&mut more.skipped));
        self.beyond.extend(mem::take(&mut more.beyond));
        self.filtered += more.filtered;
        self.gone += more.gone;
        self.left += more.left;
        if self.is_empty() {
            let (skipped, beyond) = (mem::take(&mut self.skipped), mem::take(&mut self.beyond));
            *self = Self { skipped, beyond, filtered: self.filtered, gone: self.gone, left: self.left, ..more };
            return;
        }
        let stems: Vec<usize> = mem::take(&mut more.stems).into_iter().map(|stem| self.stem(stem)).collect();
        for text in &more.objects {
            let here = self.text.len();
            self.paths.extend(more.paths.remove(text).map(|path| (here, path)));
            self.attempts.extend(more.attempts.remove(text).map(|attempt| (here, attempt)));
            let object = more.packed(*text);
            self.put(Packed { stem: stems[object.stem], ..object });
        }
    }

    /// Counts the objects that were met.
    pub(crate) fn n_listed(&self) -> u64 {
        self.len() as u64 + self.skipped.objects() + self.filtered + self.gone + self.left
    }

    /// Counts the objects.
    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Returns an object, by its position.
    pub(crate) fn get(&self, position: usize) -> ObjectRef {
        self.unpack(self.objects[position])
    }

    /// Returns the size of an object as stored.
    pub(crate) fn bytes(&self, position: usize) -> u64 {
        self.packed(self.objects[position]).bytes
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = ObjectRef> {
        self.objects.iter().map(|text| self.unpack(*text))
    }

    /// Keeps the objects that `keep` keeps, as it has set their attempt.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut ObjectRef) -> bool) {
        let mut objects = mem::take(&mut self.objects);
        objects.retain(|text| {
            let mut object = self.unpack(*text);
            let is_kept = keep(&mut object);
            if object.attempt > 0 {
                self.attempts.insert(*text, object.attempt);
            }
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
        let mut objects = mem::take(&mut self.objects);
        // The stable sort makes use of folders that are in order already.
        objects.sort_by(|a, b| {
            let (a, b) = (self.packed(*a), self.packed(*b));
            if a.stem == b.stem {
                return a.name.cmp(b.name);
            }
            ranks[a.stem].cmp(&ranks[b.stem]).then_with(|| self.compare_names(a, b))
        });
        self.objects = objects;
    }

    /// Neighbours of the same place, by their positions, with their bytes as stored.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Range<usize>, u64)> {
        let place = |text: &usize| self.stems[self.packed(*text).stem].place.as_ref();
        let mut start = 0;
        self.objects.chunk_by(move |a, b| place(a) == place(b)).map(move |neighbours| {
            let range = start..start + neighbours.len();
            start = range.end;
            (range, neighbours.iter().map(|text| self.packed(*text).bytes).sum())
        })
    }

    fn compare_names(&self, a: Packed<'_>, b: Packed<'_>) -> Ordering {
        let stem = |object: Packed<'_>| self.stems[object.stem].text.bytes();
        stem(a).chain(a.name.iter().copied()).cmp(stem(b).chain(b.name.iter().copied()))
    }

    fn unpack(&self, text: usize) -> ObjectRef {
        let packed = self.packed(text);
        let Stem { text: stem, place } = &self.stems[packed.stem];
        ObjectRef {
            source_object: [stem, whole(packed.name)].concat().into(),
            path: self.paths.get(&text).cloned(),
            version: packed.version().into(),
            bytes: packed.bytes,
            attempt: self.attempts.get(&text).copied().unwrap_or_default(),
            place: place.clone(),
        }
    }
}

impl Version<'_> {
    /// Returns the text of the version of an object of so many bytes.
    pub(crate) fn text(self, bytes: u64) -> String {
        match self {
            Self::Written(nanos) => format!("{bytes}-{nanos}"),
            Self::Text(text) => text.to_owned(),
        }
    }
}

impl Packed<'_> {
    fn version(&self) -> String {
        match (self.form, self.version.first_chunk(), self.version.first_chunk()) {
            (Form::Digest, Some(digest), _) => format!("\"{:032x}\"", u128::from_le_bytes(*digest)),
            (Form::Time, _, Some(nanos)) => Version::Written(u64::from_le_bytes(*nanos).into()).text(self.bytes),
            _ => whole(self.version).to_owned(),
        }
    }
}

fn whole(text: &[u8]) -> &str {
    str::from_utf8(text).expect("names and versions were packed whole")
}

fn position(number: u64) -> usize {
    usize::try_from(number).expect("it was a length or a position")
}

/// Writes seven bits a byte, the lowest first; the highest bit says that more follow.
fn put_number(text: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return text.push(low & 0x7f);
        }
        text.push(low | 0x80);
    }
}

fn take_number(text: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = text.split_first().expect("a number was packed whole");
        *text = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

/// Reads a version that is `"<32 hexadecimal digits>"` as a number.
fn digest(version: &str) -> Option<[u8; 16]> {
    let digits = version.strip_prefix('"')?.strip_suffix('"')?;
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_digest = digits.len() == 32 && digits.bytes().all(is_digit);
    let digest = is_digest.then(|| u128::from_str_radix(digits, 16))?.ok()?;
    Some(digest.to_le_bytes())
}

/// Tells how much of a name is what its neighbours' names begin with, too: its folder, and of a name that CloudTrail
/// gave all up to the time of the day.
pub(crate) fn stem_bytes(name: &str) -> usize {
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
    fn numbers_come_back() {
        for number in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut text = Vec::new();
            put_number(&mut text, number);
            let mut rest = &text[..];
            assert_eq!((take_number(&mut rest), rest), (number, &[][..]));
        }
    }

    #[test]
    fn a_version_comes_back_as_it_was() {
        let mut listing = Listing::default();
        let digest = "\"00ff00ff00ff00ff00ff00ff00ff00ff\"";
        let odd = ["", "1", "7-1", "\"7\"", "\"7-1\""];
        let upper = digest.to_uppercase();
        let versions =
            odd.iter().copied().chain([digest, &digest[..33], &upper, "\"00ff00ff00ff00ff00ff00ff00ff00ff-2\""]);
        let versions: Vec<&str> = versions.collect();
        for version in &versions {
            listing.push("a/b.json", None, Version::Text(version), 7);
        }
        let nanos = [0, 1, i128::from(u64::MAX), i128::from(u64::MAX) + 1, -1];
        for nanos in nanos {
            listing.push("a/b.json", None, Version::Written(nanos), 7);
        }
        let back: Vec<_> = listing.iter().map(|object| (object.version, object.bytes)).collect();
        let written = nanos.iter().map(|nanos| (format!("7-{nanos}").into(), 7));
        let expected = versions.iter().map(|version| ((*version).into(), 7)).chain(written);
        assert_eq!(back, expected.collect::<Vec<_>>());
    }

    #[test]
    fn what_is_packed_comes_back_wherever_it_was_put() {
        let mut listing = Listing::default();
        let flat = "210987654321_CloudTrail_eu-west-1_20260902T0000Z_a.json.gz";
        listing.push(flat, None, Version::Text("\"1\""), 1);
        listing.push(
            "s3://b/AWSLogs/210987654321/CloudTrail-Digest/eu-west-1/2026/09/01/a.json.gz",
            None,
            Version::Text("1"),
            1,
        );
        let mut more = Listing::default();
        for (n, name) in ["/02/b.json.gz", "/01/b.json.gz", "/01/a.json.gz"].iter().enumerate() {
            more.push(&format!("{TRAIL}{name}"), None, Version::Text(&n.to_string()), n as u64);
        }
        more.push("odd.json", Some(OsStr::new("path").into()), Version::Text(""), 7);
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
        assert_eq!((listing.get(0).attempt, listing.len(), listing.skipped.objects()), (3, 2, 1));
    }
}
