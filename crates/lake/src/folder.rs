//! A folder of files that is not a lake, in a store of the same kinds.

use std::path::Path;
use std::path::PathBuf;

use crate::LakeError;
use crate::LakeFile;
use crate::Listed;
use crate::store::Store;

/// A local folder, or a prefix of a bucket. Nobody holds a lock of it.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
    store: Store,
}

impl Folder {
    pub(crate) fn new(root: PathBuf, store: Store) -> Self {
        Self { root, store }
    }

    /// Returns its path, or its URL.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Lists everything below a path in it, in the order of the paths.
    pub fn files(&self, below: &str) -> Result<Vec<Listed>, LakeError> {
        self.store.files(&self.root.join(below))
    }

    /// Reads the content of a small file in it; `None` where there is none.
    pub fn read(&self, below: &str) -> Result<Option<Vec<u8>>, LakeError> {
        self.store.read(&self.root.join(below))
    }

    /// Writes a whole file in it.
    pub fn write(&self, below: &str, content: &[u8]) -> Result<(), LakeError> {
        self.store.create(&self.root.join(below))?.write_whole(content)
    }

    /// Opens a file that was listed.
    pub fn open(&self, path: &Path) -> Result<LakeFile, LakeError> {
        self.store.open(path)?.ok_or_else(|| LakeError::missing(path))
    }

    /// Removes a file that was listed, and the folders that it leaves empty.
    pub fn remove(&self, path: &Path) -> Result<(), LakeError> {
        self.store.remove(path)?;
        let above =
            path.ancestors().skip(1).take_while(|folder| *folder != self.root && folder.starts_with(&self.root));
        for folder in above {
            self.store.sync(&[folder.to_owned()].into())?;
        }
        Ok(())
    }
}
