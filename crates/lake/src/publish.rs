//! The tables of a lake as Iceberg tables: a snapshot for every change, over the files where they lie.
//!
//! ```text
//!  carry out a change:  files in place --> manifests, list --> v<N+1>.metadata.json, if it is not there --> old files go
//!                                          (nobody reads them)  (from here on readers see the change)
//! ```
//!
//! A lake is published once by [`publish`], and from then on each change commits to the tables that it touches. Files that
//! only come, as those of `ingest`, wait for the next [`publish`]. A commit that was cut is made again, and finds whether it
//! was made: it changes nothing then. A catalogue follows ([`catalog`]).

mod catalog;
mod data_file;
pub(crate) mod expire;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::thread;

use parquet::file::reader::Length;
use trailweave_iceberg::{Commit, DataFile, Delta, FormatError, Metadata, file_name, live_files, prepare, version_of};
use trailweave_table::STATE_DIR;
use trailweave_table::TABLES;
use trailweave_table::Table;
use trailweave_table::day_of_date;

use crate::Iceberg;
use crate::Lake;
use crate::LakeError;
use crate::Part;
use crate::date_of_partition;
use crate::publish::data_file::data_file;
use crate::random::random;
use crate::store::Store;

/// A commit that another one forestalls is prepared anew so often.
const TRIES: usize = 8;

/// Files whose ends are read at once.
const READS: usize = 16;

/// A file that says which version of the metadata is the newest, or nearly.
const HINT: &str = "version-hint.text";

/// Lets the Iceberg table of a table hold `parts`, which are the committed ones, and no others. Tells whether that took a
/// snapshot, whose summary names `change`.
///
/// Needs: the lake's lock, and a lake that [`Lake::begin_publishing`] has begun to publish.
pub fn publish(lake: &Lake, table: &'static Table, parts: &[Part], change: &str) -> Result<bool, LakeError> {
    let place = Place::new(lake, table, lake.iceberg()?.unwrap_or_default())?;
    place.check_catalog()?;
    let parts: BTreeMap<String, &Part> = parts.iter().map(|part| (place.path(lake.below(&part.path)), part)).collect();
    let delta = |metadata: &Metadata| {
        let live = live_files(&place.commit(change), metadata, |path| place.read(path));
        let live = live.map_err(|error| place.failed(error))?;
        let removed = live.iter().filter(|(path, _)| !parts.contains_key(*path));
        let removed = removed.map(|(path, day)| (path.clone(), *day)).collect();
        let new: Vec<_> = parts.iter().filter(|(path, _)| !live.contains_key(*path)).collect();
        Ok(Delta { added: data_files(lake, table, &new)?, removed })
    };
    Ok(place.commit_delta(change, place.newest()?, delta)?.is_new)
}

/// Returns where the newest metadata of a table says that it stands, if the lake stands elsewhere: it was moved or copied
/// since it was published.
pub fn published_elsewhere(lake: &Lake) -> Result<Option<String>, LakeError> {
    let Some(iceberg) = lake.iceberg()? else { return Ok(None) };
    for table in TABLES {
        let place = Place::new(lake, table, iceberg.clone())?;
        let Some(Newest { metadata, .. }) = place.newest()? else { continue };
        let location = metadata.location().map_err(|error| place.damaged(error))?;
        if location != place.location {
            return Ok(Some(location.to_owned()));
        }
    }
    Ok(None)
}

/// Describes parts by their paths, some at once: an object store answers after some ten milliseconds.
fn data_files(lake: &Lake, table: &Table, parts: &[(&String, &&Part)]) -> Result<Vec<DataFile>, LakeError> {
    let describe = |some: &[(&String, &&Part)]| -> Result<Vec<DataFile>, LakeError> {
        some.iter().map(|(path, part)| data_file(lake, table, part, path)).collect()
    };
    let is_read = |(_, part): &&(&String, &&Part)| lake.written().metrics(&part.path).is_none();
    if parts.iter().filter(is_read).count() <= READS {
        return describe(parts);
    }
    let described: Vec<_> = thread::scope(|scope| {
        let shares = parts.chunks(parts.len().div_ceil(READS));
        let reading: Vec<_> = shares.map(|some| scope.spawn(move || describe(some))).collect();
        reading.into_iter().map(|it| it.join().expect("no file makes it panic")).collect()
    });
    Ok(described.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

/// The files of tables that a change lets appear and vanish, by paths below the lake.
pub(crate) struct Touched<'a> {
    tables: BTreeMap<&'static str, TouchedTable<'a>>,
}

struct TouchedTable<'a> {
    table: &'static Table,
    appear: Vec<&'a Path>,
    vanish: Vec<&'a Path>,
}

impl<'a> Touched<'a> {
    pub(crate) fn new(appear: impl Iterator<Item = &'a PathBuf>, vanish: impl Iterator<Item = &'a PathBuf>) -> Self {
        let mut tables = BTreeMap::new();
        let appear = appear.map(|path| (path, true));
        for (path, appears) in appear.chain(vanish.map(|path| (path, false))) {
            let Some(table) = table_of(path) else { continue };
            let it = tables.entry(table.name).or_insert(TouchedTable { table, appear: Vec::new(), vanish: Vec::new() });
            if appears { it.appear.push(path) } else { it.vanish.push(path) }
        }
        Self { tables }
    }

    /// Refuses the change where a table's newest snapshot is somebody else's.
    pub(crate) fn check(&self, lake: &Lake, iceberg: &Iceberg) -> Result<(), LakeError> {
        for it in self.tables.values() {
            let place = Place::new(lake, it.table, iceberg.clone())?;
            place.newest()?;
            place.check_catalog()?;
        }
        Ok(())
    }

    /// Commits the change to the tables that are published. Returns the time of the last snapshot.
    pub(crate) fn commit(&self, lake: &Lake, iceberg: &Iceberg, change: &str) -> Result<i64, LakeError> {
        let mut time_ms = 0;
        for TouchedTable { table, appear, vanish } in self.tables.values() {
            let place = Place::new(lake, table, iceberg.clone())?;
            // One that is still to be published gets all files at once: readers never see those of the change alone.
            let Some(newest) = place.newest()? else { continue };
            let added = |below: &&Path| {
                let path = lake.root().join(below);
                let bytes = lake.open_part(&path)?.len();
                let part = Part { event_date: date_of(below).map(str::to_owned), path, bytes };
                data_file(lake, table, &part, &place.path(below))
            };
            let added = appear.iter().map(added).collect::<Result<Vec<_>, _>>()?;
            let day = |below: &Path| date_of(below).and_then(day_of_date);
            let removed = vanish.iter().map(|below| (place.path(below), day(below))).collect();
            let delta = Delta { added, removed };
            let committed = place.commit_delta(change, Some(newest), |_| Ok(delta.clone()))?;
            time_ms = time_ms.max(committed.time_ms);
        }
        Ok(time_ms)
    }
}

/// Tells whether a path below the lake is that of a table's file.
pub(crate) fn is_part(below: &Path) -> bool {
    table_of(below).is_some()
}

/// Returns the table of a part, by its path below the lake.
fn table_of(below: &Path) -> Option<&'static Table> {
    let name = below.iter().next()?.to_str()?;
    TABLES.into_iter().find(|table| table.name == name)
}

/// Returns the date of a part, by its path below the lake.
fn date_of(below: &Path) -> Option<&str> {
    date_of_partition(below.parent()?.file_name()?.to_str()?)
}

/// The newest metadata of a table.
struct Newest {
    version: u64,
    metadata: Metadata,
    /// The version that the hint names.
    hinted: Option<u64>,
}

/// The outcome of a commit.
struct Committed {
    /// True if it took a snapshot; false if nothing came or went.
    is_new: bool,
    /// The time of the last snapshot, in milliseconds since 1970; 0 where there is none.
    time_ms: i64,
}

/// The place of a table's metadata.
struct Place<'a> {
    lake: &'a Lake,
    table: &'static Table,
    iceberg: Iceberg,
    /// Where the lake and the table stand, as Iceberg names it.
    root: String,
    location: String,
    folder: PathBuf,
}

impl<'a> Place<'a> {
    fn new(lake: &'a Lake, table: &'static Table, iceberg: Iceberg) -> Result<Self, LakeError> {
        let root = match lake.store() {
            Store::Local => {
                let root = fs::canonicalize(lake.root()).map_err(LakeError::file("find", lake.root()))?;
                root.to_string_lossy().into_owned()
            }
            Store::Remote(_) => lake.root().to_string_lossy().into_owned(),
        };
        let location = format!("{root}/{STATE_DIR}/iceberg/{}", table.name);
        let folder = lake.state_dir().join("iceberg").join(table.name).join("metadata");
        Ok(Self { lake, table, iceberg, root, location, folder })
    }

    fn path(&self, below: &Path) -> String {
        format!("{}/{}", self.root, below.to_string_lossy())
    }

    fn commit<'c>(&'c self, change: &'c str) -> Commit<'c> {
        Commit {
            table: self.table,
            location: &self.location,
            root: &self.root,
            change,
            snapshot_id: i64::try_from(random() >> 1).expect("it has 63 bits"),
            now_ms: self.lake.now_ms(),
        }
    }

    /// Commits the files that come and go upon the newest metadata, which the caller has just read. `delta` says which
    /// these are.
    fn commit_delta(
        &self,
        change: &str,
        mut newest: Option<Newest>,
        delta: impl Fn(&Metadata) -> Result<Delta, LakeError>,
    ) -> Result<Committed, LakeError> {
        for _ in 0..TRIES {
            let metadata = newest.as_ref().map(|newest| newest.metadata.clone());
            let before = metadata.unwrap_or_else(|| Metadata::new(self.table, &self.location, &uuid()));
            let prepared = prepare(&self.commit(change), &before, delta(&before)?, |path| self.read(path));
            let Some(mut prepared) = prepared.map_err(|error| self.failed(error))? else {
                // A commit that was cut may have left readers with the version before.
                if let Some(Newest { version, hinted, .. }) = newest
                    && hinted != Some(version)
                {
                    self.hint(version)?;
                }
                self.follow()?;
                return Ok(Committed { is_new: false, time_ms: self.time_ms(&before)? });
            };
            for (name, content) in &prepared.files {
                self.lake.write(&self.folder.join(name), content)?;
            }
            if let Some(newest) = &newest {
                prepared.metadata.follow(&self.metadata_path(newest.version), &newest.metadata);
            }
            let next = newest.map_or(0, |newest| newest.version) + 1;
            if self.put(next, &prepared.metadata)? {
                return Ok(Committed { is_new: true, time_ms: self.time_ms(&prepared.metadata)? });
            }
            for (name, _) in &prepared.files {
                self.lake.remove(&self.folder.join(name))?;
            }
            newest = self.newest()?;
        }
        Err(LakeError::Contended { path: self.folder.clone() })
    }

    /// Returns the time of the snapshot that readers of metadata see; 0 where there is none.
    fn time_ms(&self, metadata: &Metadata) -> Result<i64, LakeError> {
        let current = metadata.current().map_err(|error| self.damaged(error))?;
        Ok(current.map_or(0, |it| it.time_ms))
    }

    /// Makes a version of the metadata the newest, unless there is one of its number.
    fn put(&self, version: u64, metadata: &Metadata) -> Result<bool, LakeError> {
        let (path, text) = (self.folder.join(file_name(version)), metadata.text());
        // A request that was answered too late is made again, and then finds what it wrote.
        let is_ours = self.lake.create_new(&path, &text)? || self.lake.read(&path)?.as_deref() == Some(&*text);
        if is_ours {
            self.hint(version)?;
            self.follow()?;
        }
        Ok(is_ours)
    }

    /// Lets the hint name a version, or the one that somebody else has made the newest meanwhile.
    fn hint(&self, mut version: u64) -> Result<(), LakeError> {
        loop {
            self.lake.write(&self.folder.join(HINT), version.to_string().as_bytes())?;
            if self.lake.read(&self.folder.join(file_name(version + 1)))?.is_none() {
                return Ok(());
            }
            version += 1;
        }
    }

    /// Reads the newest metadata and its version; `None` before the first. Refuses one that somebody else has committed.
    fn newest(&self) -> Result<Option<Newest>, LakeError> {
        let hint = self.lake.read(&self.folder.join(HINT))?;
        let hinted: Option<u64> = hint.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok());
        // A hint that was written late may name a version that is kept no longer.
        let newest = match hinted.map(|hinted| self.newest_since(hinted)).transpose()?.flatten() {
            Some(newest) => Some(newest),
            None => self.versions()?.last().map(|last| self.newest_since(*last)).transpose()?.flatten(),
        };
        let Some((version, text)) = newest else { return Ok(None) };
        let metadata = Metadata::parse(&text).map_err(|error| self.damaged(error))?;
        match metadata.current().map_err(|error| self.damaged(error))? {
            Some(snapshot) if snapshot.change.is_none() => {
                let path = self.folder.join(file_name(version));
                Err(LakeError::ForeignSnapshot { path, snapshot_id: snapshot.id })
            }
            _ => Ok(Some(Newest { version, metadata, hinted })),
        }
    }

    /// Reads the newest of the metadata that follow each other from a version on, and its version.
    fn newest_since(&self, first: u64) -> Result<Option<(u64, Vec<u8>)>, LakeError> {
        let mut newest = None;
        for version in first.. {
            let Some(text) = self.lake.read(&self.folder.join(file_name(version)))? else { break };
            newest = Some((version, text));
        }
        Ok(newest)
    }

    /// Lists the versions of the metadata.
    fn versions(&self) -> Result<BTreeSet<u64>, LakeError> {
        Ok(self.lake.files(&self.folder)?.iter().filter_map(|file| version_of(&file.path)).collect())
    }

    /// Reads a file that metadata names.
    fn read(&self, path: &str) -> Result<Vec<u8>, PlaceError> {
        let below = path.strip_prefix(&self.root).map(|below| below.trim_start_matches('/'));
        let path = below.map_or_else(|| path.into(), |below| self.lake.root().join(below));
        Ok(self.lake.read(&path)?.ok_or_else(|| LakeError::missing(path))?)
    }

    fn failed(&self, error: PlaceError) -> LakeError {
        match error {
            PlaceError::Lake(error) => error,
            PlaceError::Format(error) => self.damaged(error),
        }
    }

    fn damaged(&self, source: FormatError) -> LakeError {
        LakeError::Damaged { path: self.folder.clone(), source: source.into() }
    }
}

/// The reason why a table's metadata could not be read or written.
enum PlaceError {
    Lake(LakeError),
    Format(FormatError),
}

impl From<LakeError> for PlaceError {
    fn from(error: LakeError) -> Self {
        Self::Lake(error)
    }
}

impl From<FormatError> for PlaceError {
    fn from(error: FormatError) -> Self {
        Self::Format(error)
    }
}

/// Makes a random UUID.
fn uuid() -> String {
    let (a, b) = (random(), random());
    let (version, variant) = ((a & 0xfff) | 0x4000, ((b >> 48) & 0x3fff) | 0x8000);
    format!("{:08x}-{:04x}-{version:04x}-{variant:04x}-{:012x}", a >> 32, (a >> 16) & 0xffff, b & 0xffff_ffff_ffff)
}
