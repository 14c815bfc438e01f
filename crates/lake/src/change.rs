//! Files that appear and vanish together, whatever kills the process.
//!
//! ```text
//!  stage  --write--> .part.parquet.next      (durable, no reader lists it)
//!  commit            _trailweave/changes/<name>.json: what is to appear and to vanish; from here on the change holds
//!    '-> carry out   rename what appears, commit to the Iceberg tables, remove what vanishes, remove the note
//! ```
//!
//! Killed before its note stands, a change leaves nothing that a reader lists; killed after, the next process that
//! takes the lake's lock carries it out. A reader who lists the lake in the moment of the renames may see both, the old
//! and the new.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::mem;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::Lake;
use crate::LakeError;
use crate::publish::Touched;
use crate::publish::is_part;
use crate::retired::Retired;

/// A change that is being prepared. Dropped before [`Change::commit`], it never was. Needs: the lake's lock.
#[derive(Debug)]
pub struct Change<'a> {
    lake: &'a Lake,
    name: String,
    /// Empty once the change holds.
    note: Note,
    /// Where files are written that may appear.
    staged: BTreeSet<PathBuf>,
}

/// A change that holds. Dropped, it is carried out by the next process that takes the lake's lock.
#[derive(Debug)]
#[must_use = "readers see it only when it is carried out"]
pub struct HeldChange<'a> {
    lake: &'a Lake,
    note: Note,
    path: PathBuf,
}

/// The files of a change, with paths below the lake's folder.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    /// By its path, where each file waits for its name.
    appear: BTreeMap<PathBuf, PathBuf>,
    vanish: BTreeSet<PathBuf>,
}

impl Note {
    fn touched(&self) -> Touched<'_> {
        Touched::new(self.appear.keys(), self.vanish.iter())
    }
}

impl<'a> Change<'a> {
    /// Begins a change of no file yet. `name` tells it from others that are made at the same time.
    pub fn new(lake: &'a Lake, name: &str) -> Self {
        Self { lake, name: name.to_owned(), note: Note::default(), staged: BTreeSet::new() }
    }

    /// Promises a file at `path`, which is one of the lake's, in the place of what stands there. Returns where it is to
    /// be written whole before the change is committed, and from where it may be read until then.
    pub fn promise(&mut self, path: &Path) -> PathBuf {
        let staged = self.stage(path);
        self.name(&staged, path);
        staged
    }

    /// Returns where a file is to be written whole that gets its name later; `path` is like it, and in the same folder.
    pub fn stage(&mut self, path: &Path) -> PathBuf {
        let staged = staged(path);
        self.staged.insert(staged.clone());
        staged
    }

    /// Promises the file that stands at `staged` the name `path`, in the place of what stands there.
    pub fn name(&mut self, staged: &Path, path: &Path) {
        let [below, staged] = [path, staged].map(|path| self.lake.below(path).to_owned());
        self.note.vanish.remove(&below);
        self.note.appear.insert(below, staged);
    }

    /// Lets the file at `path` vanish, also one that was promised.
    pub fn remove(&mut self, path: &Path) {
        let below = self.lake.below(path);
        // What was staged for it stays until the change holds, or is dropped.
        self.note.appear.remove(below);
        self.note.vanish.insert(below.to_owned());
    }

    /// Returns the files that there will be after the change where `files` are now, all named below the lake's folder.
    pub(crate) fn outcome(&self, mut files: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        files.extend(self.note.appear.keys().cloned());
        files.retain(|file| !self.note.vanish.contains(file));
        files
    }

    /// Makes the change.
    pub fn commit(self) -> Result<(), LakeError> {
        self.hold()?.carry_out()
    }

    /// Notes the change, which from here on holds.
    pub fn hold(mut self) -> Result<HeldChange<'a>, LakeError> {
        let path = folder(self.lake).join(format!("{}.json", self.name));
        if let Some(iceberg) = self.lake.iceberg()? {
            self.note.touched().check(self.lake, &iceberg)?;
        }
        let note = serde_json::to_vec(&self.note).expect("a note is plain data");
        // Where the answer is an error, the note may stand all the same, and then its files are needed.
        let staged = mem::take(&mut self.staged);
        self.lake.write(&path, &note)?;
        let is_needed = |staged: &Path| self.note.appear.values().any(|it| it == self.lake.below(staged));
        self.staged = staged.into_iter().filter(|staged| !is_needed(staged)).collect();
        Ok(HeldChange { lake: self.lake, note: mem::take(&mut self.note), path })
    }
}

impl HeldChange<'_> {
    /// Lets appear and vanish what is to.
    pub fn carry_out(self) -> Result<(), LakeError> {
        carry_out(self.lake, &self.note, &self.path)
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        for staged in &self.staged {
            // A leftover is harmless, and the next change overwrites it.
            let _ = self.lake.remove(staged);
        }
    }
}

/// Carries out every change that holds and that no process has finished.
pub(crate) fn finish_all(lake: &Lake) -> Result<(), LakeError> {
    for path in notes(lake)? {
        carry_out(lake, &read(lake, &path)?, &path)?;
    }
    Ok(())
}

/// Reads a note, and refuses one that names a file outside of the lake, which no change writes.
fn read(lake: &Lake, path: &Path) -> Result<Note, LakeError> {
    let text = lake.read(path)?.unwrap_or_default();
    let note: Note = serde_json::from_slice(&text)
        .map_err(|source| LakeError::Damaged { path: path.to_owned(), source: source.into() })?;
    let named = note.appear.iter().flat_map(|(path, staged)| [path, staged]).chain(&note.vanish);
    if let Some(file) = named.into_iter().find(|file| !is_below_the_lake(file)) {
        let source = format!("it names `{}`, which is not below the lake", file.display()).into();
        return Err(LakeError::Damaged { path: path.to_owned(), source });
    }
    Ok(note)
}

fn is_below_the_lake(file: &Path) -> bool {
    file.components().all(|part| matches!(part, Component::Normal(_)))
}

/// Carries out a change. May be done again from any point at which it was cut.
fn carry_out(lake: &Lake, note: &Note, path: &Path) -> Result<(), LakeError> {
    for (file, staged) in &note.appear {
        let [staged, file] = [staged, file].map(|below| lake.root().join(below));
        lake.store().rename(&staged, &file)?;
        lake.written().rename(&staged, &file);
    }
    lake.store().sync(&folders(lake, note.appear.keys()))?;
    let keeps = publish(lake, note, path)?;
    for file in &note.vanish {
        if !(keeps && is_part(file)) {
            lake.remove(&lake.root().join(file))?;
        }
    }
    // Else a power failure could forget a removal and remember that of the note.
    lake.store().sync(&folders(lake, &note.vanish))?;
    lake.remove(path)
}

/// Commits the change to the Iceberg tables, if the lake is published. Tells whether the files stay that it replaces.
fn publish(lake: &Lake, note: &Note, path: &Path) -> Result<bool, LakeError> {
    let Some(iceberg) = lake.iceberg()? else { return Ok(false) };
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let time_ms = note.touched().commit(lake, &iceberg, &name)?;
    let keeps = iceberg.keeps_files();
    if iceberg.keep_secs.is_some() {
        let gone = note.vanish.iter().filter(|file| keeps && is_part(file));
        let (store, state_dir) = (lake.store(), lake.state_dir());
        let mut retired = Retired::read(store, &state_dir)?;
        retired.note(gone, note.appear.keys(), time_ms);
        retired.write(store, &state_dir)?;
    }
    Ok(keeps)
}

fn folders<'f>(lake: &Lake, files: impl IntoIterator<Item = &'f PathBuf>) -> BTreeSet<PathBuf> {
    files.into_iter().filter_map(|file| Some(lake.root().join(file.parent()?))).collect()
}

/// Tells whether a change is being carried out, or was cut in the midst of it.
pub fn is_changing(lake: &Lake) -> Result<bool, LakeError> {
    Ok(!notes(lake)?.is_empty())
}

/// Lists the changes that hold. One that is being noted has no name yet.
fn notes(lake: &Lake) -> Result<Vec<PathBuf>, LakeError> {
    let is_note = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    Ok(lake.files(&folder(lake))?.into_iter().map(|file| file.path).filter(is_note).collect())
}

fn folder(lake: &Lake) -> PathBuf {
    lake.state_dir().join("changes")
}

/// Returns where a file waits for its name.
fn staged(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.next"))
}
