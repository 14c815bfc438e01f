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
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::Lake;
use crate::LakeError;
use crate::WholeFile;

/// A change that is being prepared. Dropped before [`Change::commit`], it never was. Needs: the lake's lock.
#[derive(Debug)]
pub struct Change<'a> {
    lake: &'a Lake,
    name: String,
    note: Note,
    is_committed: bool,
}

/// A change that holds, with paths below the lake's folder.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    appear: BTreeSet<PathBuf>,
    vanish: BTreeSet<PathBuf>,
}

impl<'a> Change<'a> {
    /// A change of no file yet. `name` tells it from others that are made at the same time.
    pub fn new(lake: &'a Lake, name: &str) -> Self {
        Self { lake, name: name.to_owned(), note: Note::default(), is_committed: false }
    }

    /// Promises a file at `path`, which is one of the lake's. Returns where it is to be written whole before the change
    /// is committed.
    pub fn promise(&mut self, path: &Path) -> PathBuf {
        self.note.appear.insert(self.below(path));
        staged(path)
    }

    /// Lets the file at `path` vanish.
    pub fn remove(&mut self, path: &Path) {
        self.note.vanish.insert(self.below(path));
    }

    /// Makes the change.
    pub fn commit(mut self) -> Result<(), LakeError> {
        let path = folder(self.lake).join(format!("{}.json", self.name));
        let note = serde_json::to_vec(&self.note).expect("a note is plain data");
        WholeFile::write_all_at(&path, &note)?;
        self.is_committed = true;
        carry_out(self.lake, &self.note, &path)
    }

    fn below(&self, path: &Path) -> PathBuf {
        path.strip_prefix(self.lake.root()).expect("a change is of the lake's own files").to_owned()
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if !self.is_committed {
            for path in &self.note.appear {
                // A leftover is harmless, and the next change overwrites it.
                let _ = fs::remove_file(staged(&self.lake.root().join(path)));
            }
        }
    }
}

/// Carries out every change that holds and that no process has finished.
pub(crate) fn finish_all(lake: &Lake) -> Result<(), LakeError> {
    let folder = folder(lake);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(LakeError::file("list", folder)(error)),
    };
    for entry in entries {
        let path = entry.map_err(LakeError::file("list", &folder))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read(&path).map_err(LakeError::file("read", &path))?;
            let note = serde_json::from_slice(&text)
                .map_err(|source| LakeError::Damaged { path: path.clone(), source: source.into() })?;
            carry_out(lake, &note, &path)?;
        }
    }
    Ok(())
}

/// May be done again from any point at which it was cut.
fn carry_out(lake: &Lake, note: &Note, path: &Path) -> Result<(), LakeError> {
    let mut folders = BTreeSet::new();
    for file in &note.appear {
        let file = lake.root().join(file);
        match fs::rename(staged(&file), &file) {
            // It has its name since an earlier attempt.
            Err(error) if error.kind() == io::ErrorKind::NotFound && file.exists() => {}
            renamed => renamed.map_err(LakeError::file("rename to", &file))?,
        }
        folders.extend(file.parent().map(Path::to_owned));
    }
    sync(&folders)?;
    folders.clear();
    for file in &note.vanish {
        let file = lake.root().join(file);
        match fs::remove_file(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(LakeError::file("remove", &file))?,
        }
        if let Some(folder) = file.parent() {
            // It stays where something else is in it.
            let _ = fs::remove_dir(folder);
            folders.extend(folder.ancestors().find(|folder| folder.is_dir()).map(Path::to_owned));
        }
    }
    // Else a power failure could forget a removal and remember that of the note.
    sync(&folders)?;
    fs::remove_file(path).map_err(LakeError::file("remove", path))
}

fn sync(folders: &BTreeSet<PathBuf>) -> Result<(), LakeError> {
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(LakeError::file("sync the folder", folder))?;
    }
    Ok(())
}

fn folder(lake: &Lake) -> PathBuf {
    lake.state_dir().join("changes")
}

/// Where a file waits for its name.
fn staged(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.next"))
}
