//! The store of a lake's files: a local folder, or an object store.
//!
//! Both are spoken to in the same words by blocking calls, because what reads and writes files is compute: it runs on
//! threads that may wait. A path is a local path, or one that begins with the URL of the lake.

use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::LakeError;
use crate::LakeFile;
use crate::WholeFile;
use crate::listed::Listed;
use crate::remote::Remote;

/// The place of files.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    Local,
    Remote(Arc<Remote>),
}

impl Store {
    /// Reads the content of a small file; `None` where there is none.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, LakeError> {
        match self {
            Self::Local => found(fs::read(path)).map_err(LakeError::file("read", path)),
            Self::Remote(remote) => remote.read(path),
        }
    }

    /// Opens a Parquet file; `None` where there is none.
    pub(crate) fn open(&self, path: &Path) -> Result<Option<LakeFile>, LakeError> {
        match self {
            Self::Local => {
                let opened = found(File::open(path)).map_err(LakeError::file("open", path))?;
                Ok(opened.map(LakeFile::Local))
            }
            Self::Remote(remote) => Ok(remote.open(path)?.map(LakeFile::Remote)),
        }
    }

    /// Begins a file that appears whole or not at all.
    pub(crate) fn create(&self, path: &Path) -> Result<WholeFile, LakeError> {
        match self {
            Self::Local => WholeFile::create(path),
            Self::Remote(remote) => Ok(WholeFile::upload(remote, path)),
        }
    }

    /// Writes a small file, unless it is there, and tells whether it was not. One of several who try at once succeeds.
    pub(crate) fn write_new(&self, path: &Path, content: &[u8]) -> Result<bool, LakeError> {
        match self {
            Self::Local => WholeFile::write_new(path, content),
            Self::Remote(remote) => remote.write_new(path, content),
        }
    }

    /// Lists everything below a folder, in the order of the paths; nothing where there is no such folder.
    pub(crate) fn files(&self, folder: &Path) -> Result<Vec<Listed>, LakeError> {
        let mut files = match self {
            Self::Local => {
                let mut files = Vec::new();
                walk(folder, &mut files).map_err(LakeError::file("list", folder))?;
                files
            }
            Self::Remote(remote) => remote.files(folder)?,
        };
        files.sort();
        Ok(files)
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), LakeError> {
        match self {
            Self::Local => found(fs::remove_file(path)).map(|_| ()).map_err(LakeError::file("remove", path)),
            Self::Remote(remote) => remote.remove(path),
        }
    }

    /// Gives a file another name. May be done again after it was cut: then `from` may be gone and `to` be there.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), LakeError> {
        match self {
            Self::Local => match fs::rename(from, to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && to.exists() => Ok(()),
                renamed => renamed.map_err(LakeError::file("rename to", to)),
            },
            Self::Remote(remote) => remote.rename(from, to),
        }
    }

    /// Makes durable what was renamed and removed in `folders`, and removes those that are empty.
    pub(crate) fn sync(&self, folders: &BTreeSet<PathBuf>) -> Result<(), LakeError> {
        if matches!(self, Self::Remote(_)) {
            return Ok(());
        }
        let mut left = BTreeSet::new();
        for folder in folders {
            // It stays where something is in it.
            let _ = fs::remove_dir(folder);
            left.extend(folder.ancestors().find(|folder| folder.is_dir()));
        }
        for folder in left {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(LakeError::file("sync the folder", folder))?;
        }
        Ok(())
    }
}

/// Tells a file that is not there from an operation that failed; it is `None`.
fn found<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lists a folder. Another process may remove what is just being listed.
fn walk(folder: &Path, files: &mut Vec<Listed>) -> io::Result<()> {
    for entry in found(fs::read_dir(folder))?.into_iter().flatten() {
        let entry = entry?;
        let Some(metadata) = found(entry.metadata())? else { continue };
        if metadata.is_dir() {
            walk(&entry.path(), files)?;
        } else {
            files.push(Listed { path: entry.path(), bytes: metadata.len(), written: metadata.modified()? });
        }
    }
    Ok(())
}
