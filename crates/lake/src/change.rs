//! Files that appear and vanish together, whatever kills the process.
//!
//! ```text
//!  create --write--> .part-0.parquet.next    (durable, no reader lists it)
//!  commit            _trailweave/changes/<name>.json: what is to appear and to vanish; from here on the change holds
//!    '-> carry out   rename what appears, remove what vanishes, remove the note
//! ```
//!
//! Killed before its note stands, a change leaves nothing that a reader lists; killed after, the next process that takes
//! the lake's lock carries it out. A reader who lists the lake in the moment of the renames may see both, the old and
//! the new.

use std::collections::BTreeSet;
use std::mem;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::Lake;
use crate::LakeError;

/// A change that is being prepared. Dropped before [`Change::commit`], it never was. Needs: the lake's lock.
#[derive(Debug)]
pub struct Change<'a> {
    lake: &'a Lake,
    name: String,
    /// Empty once the change holds.
    note: Note,
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
    appear: BTreeSet<PathBuf>,
    vanish: BTreeSet<PathBuf>,
}

impl<'a> Change<'a> {
    /// A change of no file yet. `name` tells it from others that are made at the same time.
    pub fn new(lake: &'a Lake, name: &str) -> Self {
        Self { lake, name: name.to_owned(), note: Note::default() }
    }

    /// Promises a file at `path`, which is one of the lake's, in the place of what stands there. Returns where it is to
    /// be written whole before the change is committed, and from where it may be read until then.
    pub fn promise(&mut self, path: &Path) -> PathBuf {
        let below = self.lake.below(path);
        self.note.vanish.remove(below);
        self.note.appear.insert(below.to_owned());
        staged(path)
    }

    /// Lets the file at `path` vanish, also one that was promised.
    pub fn remove(&mut self, path: &Path) {
        let below = self.lake.below(path);
        if self.note.appear.remove(below) {
            // A leftover is harmless, and the next change overwrites it.
            let _ = self.lake.remove(&staged(path));
        }
        self.note.vanish.insert(below.to_owned());
    }

    /// How many files appear or vanish.
    pub fn n_files(&self) -> u64 {
        (self.note.appear.len() + self.note.vanish.len()) as u64
    }

    /// Returns the files that there will be after the change where `files` are now, all named below the lake's folder.
    pub(crate) fn outcome(&self, mut files: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        files.extend(self.note.appear.iter().cloned());
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
        let note = serde_json::to_vec(&self.note).expect("a note is plain data");
        self.lake.write(&path, &note)?;
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
        for path in &self.note.appear {
            // A leftover is harmless, and the next change overwrites it.
            let _ = self.lake.remove(&staged(&self.lake.root().join(path)));
        }
    }
}

/// Carries out every change that holds and that no process has finished.
pub(crate) fn finish_all(lake: &Lake) -> Result<(), LakeError> {
    for path in lake.files(&folder(lake))?.into_iter().map(|file| file.path) {
        if path.extension().is_some_and(|extension| extension == "json") {
            carry_out(lake, &read(lake, &path)?, &path)?;
        }
    }
    Ok(())
}

/// Reads a note, and refuses one that names a file outside of the lake, which no change writes.
fn read(lake: &Lake, path: &Path) -> Result<Note, LakeError> {
    let text = lake.read(path)?.unwrap_or_default();
    let note: Note = serde_json::from_slice(&text)
        .map_err(|source| LakeError::Damaged { path: path.to_owned(), source: source.into() })?;
    match note.appear.iter().chain(&note.vanish).find(|file| !is_below_the_lake(file)) {
        None => Ok(note),
        Some(file) => {
            let source = format!("it names `{}`, which is not below the lake", file.display()).into();
            Err(LakeError::Damaged { path: path.to_owned(), source })
        }
    }
}

fn is_below_the_lake(file: &Path) -> bool {
    file.components().all(|part| matches!(part, Component::Normal(_)))
}

/// May be done again from any point at which it was cut.
fn carry_out(lake: &Lake, note: &Note, path: &Path) -> Result<(), LakeError> {
    for file in &note.appear {
        let file = lake.root().join(file);
        lake.store().rename(&staged(&file), &file)?;
    }
    lake.store().sync(&folders(lake, &note.appear))?;
    for file in &note.vanish {
        lake.remove(&lake.root().join(file))?;
    }
    // Else a power failure could forget a removal and remember that of the note.
    lake.store().sync(&folders(lake, &note.vanish))?;
    lake.remove(path)
}

fn folders(lake: &Lake, files: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    files.iter().filter_map(|file| Some(lake.root().join(file.parent()?))).collect()
}

fn folder(lake: &Lake) -> PathBuf {
    lake.state_dir().join("changes")
}

/// Where a file waits for its name.
fn staged(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.next"))
}
