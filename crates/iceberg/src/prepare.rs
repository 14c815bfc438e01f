//! The next metadata of a table whose files change, and the manifests that it needs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use trailweave_table::Table;
use trailweave_table::month_of_day;

use crate::DataFile;
use crate::FormatError;
use crate::Metadata;
use crate::manifest;
use crate::manifest::{Entry, Status};
use crate::manifest_list;
use crate::manifest_list::{Count, ManifestFile};
use crate::metadata::New;

/// A manifest that is larger is not written again for a file that is added: the file gets a manifest beside it.
const LARGE_BYTES: i64 = 256 << 10;

/// The changes that write rows into other files and leave them as they are have names that begin so.
pub const COMPACTION: &str = "compact-";

/// The files that come into a table and those that leave it. A file that is there already is not added again, and one
/// that is not there does not leave: so a change that was made before is no change.
#[derive(Debug, Clone, Default)]
pub struct Delta {
    /// The files that come.
    pub added: Vec<DataFile>,
    /// The paths of the files that leave, and the days of their partitions.
    pub removed: BTreeMap<String, Option<i32>>,
}

/// The commit that is to be prepared.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// The table.
    pub table: &'static Table,
    /// Where its metadata stands: a path or a URL, `/metadata` being below it.
    pub location: &'a str,
    /// Where the lake stands, and where it stood when the metadata was written.
    pub root: &'a str,
    /// The change of the lake that it is a part of.
    pub change: &'a str,
    /// The id of the new snapshot.
    pub snapshot_id: i64,
    /// The time of day, milliseconds since the epoch.
    pub now_ms: i64,
}

/// A commit that is prepared: files to write beside the metadata, then the metadata.
#[derive(Debug)]
pub struct Prepared {
    /// Names and contents.
    pub files: Vec<(String, Vec<u8>)>,
    /// The next metadata.
    pub metadata: Metadata,
}

/// Prepares the commit of a change upon `metadata`; nothing where it changes nothing. `read` reads a file by its path.
pub fn prepare<E: From<FormatError>>(
    commit: &Commit<'_>,
    metadata: &Metadata,
    mut delta: Delta,
    mut read: impl FnMut(&str) -> Result<Vec<u8>, E>,
) -> Result<Option<Prepared>, E> {
    let moved = Moved::new(metadata.location()?, commit);
    let current = metadata.current()?;
    let (mut manifests, mut entries) = match &current {
        Some(snapshot) => {
            let manifests = manifest_list::read(&read(&moved.path(&snapshot.manifest_list))?)?;
            split(manifests, &moved, &mut delta, read)?
        }
        None => (Vec::new(), Vec::new()),
    };
    let (id, sequence) = (commit.snapshot_id, metadata.last_sequence()? + 1);
    let mut is_changed = !delta.added.is_empty();
    for entry in &mut entries {
        if delta.removed.contains_key(&entry.file.path) {
            (entry.status, entry.snapshot_id, is_changed) = (Status::Deleted, id, true);
        }
    }
    if !is_changed && !moved.is_moved() && current.is_some() {
        return Ok(None);
    }
    let added = |file| Entry { status: Status::Added, snapshot_id: id, sequence, file };
    entries.extend(delta.added.into_iter().map(added));
    let mut next = metadata.clone();
    if moved.is_moved() {
        next.move_to(commit.location);
    }
    let schema_id = next.set_schema(commit.table)?;
    let mut files = Vec::new();
    for (n, entries) in by_month(entries).into_iter().enumerate() {
        let bytes = manifest::write(commit.table, schema_id, &entries)?;
        let name = format!("{id:016x}-{n}.avro");
        manifests.push(ManifestFile::new(path(commit.location, &name), bytes.len(), id, sequence, &entries));
        files.push((name, bytes));
    }
    let parent = current.filter(|_| !moved.is_moved()).map(|it| it.id);
    let name = format!("snap-{id:016x}.avro");
    let manifest_list = path(commit.location, &name);
    files.push((name, manifest_list::write(&manifests, id, parent, sequence)?));
    next.add_snapshot(&New {
        id,
        parent,
        sequence,
        schema_id,
        manifest_list: &manifest_list,
        change: commit.change,
        now_ms: commit.now_ms,
        summary: summary(&manifests, commit),
    })?;
    Ok(Some(Prepared { files, metadata: next }))
}

/// Splits the manifests of a snapshot into those that the next one takes over, and the entries of files of those that are to
/// be written anew. Takes out of `delta` the files that are there already.
fn split<E: From<FormatError>>(
    manifests: Vec<ManifestFile>,
    moved: &Moved<'_>,
    delta: &mut Delta,
    mut read: impl FnMut(&str) -> Result<Vec<u8>, E>,
) -> Result<(Vec<ManifestFile>, Vec<Entry>), E> {
    let days = delta.added.iter().map(|file| file.day).chain(delta.removed.values().copied());
    let months: BTreeSet<_> = days.map(month).collect();
    let (mut kept, mut entries) = (Vec::new(), Vec::new());
    for manifest in manifests {
        let is_touched = match manifest.days {
            Some((first, last)) => months.range(month(Some(first))..=month(Some(last))).next().is_some(),
            None => !months.is_empty(),
        };
        if !is_touched && !moved.is_moved() {
            kept.push(manifest);
            continue;
        }
        let live = live_entries(&manifest, moved, &mut read)?;
        let known: BTreeSet<&str> = live.iter().map(|entry| entry.file.path.as_str()).collect();
        delta.added.retain(|file| !known.contains(file.path.as_str()));
        let loses = live.iter().any(|entry| delta.removed.contains_key(&entry.file.path));
        if !loses && !moved.is_moved() && manifest.bytes > LARGE_BYTES {
            kept.push(manifest);
        } else {
            entries.extend(live);
        }
    }
    Ok((kept, entries))
}

/// Reads the entries of the files that a manifest's snapshot has.
fn live_entries<E: From<FormatError>>(
    manifest: &ManifestFile,
    moved: &Moved<'_>,
    read: &mut impl FnMut(&str) -> Result<Vec<u8>, E>,
) -> Result<Vec<Entry>, E> {
    let mut live = manifest::read(&read(&moved.path(&manifest.path))?)?;
    live.retain(|entry| entry.status != Status::Deleted);
    for entry in &mut live {
        entry.file.path = moved.path(&entry.file.path);
        entry.status = Status::Existing;
    }
    Ok(live)
}

/// Puts entries of a month together, in the order of their paths.
fn by_month(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let mut months: BTreeMap<_, Vec<Entry>> = BTreeMap::new();
    for entry in entries {
        months.entry(month(entry.file.day)).or_default().push(entry);
    }
    for entries in months.values_mut() {
        entries.sort_by(|a, b| a.file.path.cmp(&b.file.path));
    }
    months.into_values().collect()
}

/// Reads the data files of the current snapshot: their paths, and the days of their partitions.
pub fn live_files<E: From<FormatError>>(
    commit: &Commit<'_>,
    metadata: &Metadata,
    mut read: impl FnMut(&str) -> Result<Vec<u8>, E>,
) -> Result<BTreeMap<String, Option<i32>>, E> {
    let moved = Moved::new(metadata.location()?, commit);
    let mut files = BTreeMap::new();
    let Some(snapshot) = metadata.current()? else { return Ok(files) };
    for manifest in manifest_list::read(&read(&moved.path(&snapshot.manifest_list))?)? {
        let live = live_entries(&manifest, &moved, &mut read)?;
        files.extend(live.into_iter().map(|entry| (entry.file.path, entry.file.day)));
    }
    Ok(files)
}

/// Returns the names of the manifests and lists that the snapshots of `metadata` need.
pub fn names_below<E: From<FormatError>>(
    metadata: &Metadata,
    mut read: impl FnMut(&str) -> Result<Vec<u8>, E>,
) -> Result<BTreeSet<String>, E> {
    let mut names = BTreeSet::new();
    for snapshot in metadata.snapshots()? {
        for manifest in manifest_list::read(&read(&snapshot.manifest_list)?)? {
            names.insert(name(&manifest.path).to_owned());
        }
        names.insert(name(&snapshot.manifest_list).to_owned());
    }
    Ok(names)
}

/// A lake that may have been moved since its metadata was written.
struct Moved<'a> {
    /// Where it stood, and where it stands.
    roots: Option<(&'a str, &'a str)>,
}

impl<'a> Moved<'a> {
    fn new(location: &'a str, commit: &Commit<'a>) -> Self {
        let below = commit.location.strip_prefix(commit.root);
        let before = below.and_then(|below| location.strip_suffix(below));
        let roots = (location != commit.location).then(|| (before.unwrap_or(location), commit.root));
        Self { roots }
    }

    fn is_moved(&self) -> bool {
        self.roots.is_some()
    }

    fn path(&self, path: &str) -> String {
        match self.roots.and_then(|(before, root)| Some((path.strip_prefix(before)?, root))) {
            Some((below, root)) => format!("{root}{below}"),
            None => path.to_owned(),
        }
    }
}

/// Returns the month of a day, counted; all files of a table without partitions are of one.
fn month(day: Option<i32>) -> Option<i32> {
    day.map(month_of_day)
}

fn path(location: &str, name: &str) -> String {
    format!("{location}/metadata/{name}")
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Counts the files and rows of a snapshot, and those that it changes. Readers that follow a table pass over a
/// `replace`, so only one that holds the rows that were there is called so: a compaction may bring parts that were not
/// published yet.
fn summary(manifests: &[ManifestFile], commit: &Commit<'_>) -> Map<String, Value> {
    let sum = |count: &dyn Fn(&ManifestFile) -> Count| {
        manifests
            .iter()
            .map(count)
            .fold(Count::default(), |it, other| Count { files: it.files + other.files, rows: it.rows + other.rows })
    };
    let ours = |count: fn(&ManifestFile) -> Count| {
        sum(&move |manifest| {
            if manifest.snapshot_id == commit.snapshot_id { count(manifest) } else { Count::default() }
        })
    };
    let (added, deleted, total) = (ours(|it| it.added), ours(|it| it.deleted), sum(&ManifestFile::live));
    let operation = match (added.files, deleted.files) {
        (_, 0) => "append",
        (0, _) => "delete",
        _ if commit.change.starts_with(COMPACTION) && added.rows == deleted.rows => "replace",
        _ => "overwrite",
    };
    let mut summary = Map::new();
    summary.insert("operation".to_owned(), json!(operation));
    for (name, count) in [
        ("added-data-files", added.files),
        ("added-records", added.rows),
        ("deleted-data-files", deleted.files),
        ("deleted-records", deleted.rows),
        ("total-data-files", total.files),
        ("total-records", total.rows),
    ] {
        summary.insert(name.to_owned(), json!(count.to_string()));
    }
    summary
}
