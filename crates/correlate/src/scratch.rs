//! The folder for what lives no longer than one correlation.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process;

use trailweave_lake::Lake;
use trailweave_lake::LakeError;

/// `_trailweave/scratch`, or in the system's folder for such: empty when made, removed when dropped. What a killed run left there goes with the next one.
/// Needs: the lake's lock.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(crate) fn create(lake: &Lake) -> Result<Self, LakeError> {
        // A lake in an object store has no folder to spill to.
        let path = match lake.object_store() {
            None => lake.state_dir().join("scratch"),
            Some(_) => env::temp_dir().join(format!("trailweave-scratch-{}", process::id())),
        };
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(LakeError::file("remove the folder", path)(error));
            }
            _ => {}
        }
        let scratch = Self { path };
        scratch.folder("spill")?;
        Ok(scratch)
    }

    /// Where the engine puts what does not fit into memory.
    pub(crate) fn spill(&self) -> PathBuf {
        self.path.join("spill")
    }

    /// Makes a folder inside, without what an earlier attempt left there.
    pub(crate) fn emptied(&self, name: &str) -> Result<PathBuf, LakeError> {
        let folder = self.folder(name)?;
        fs::remove_dir_all(&folder).map_err(LakeError::file("empty the folder", &folder))?;
        self.folder(name)
    }

    fn folder(&self, name: &str) -> Result<PathBuf, LakeError> {
        let folder = self.path.join(name);
        fs::create_dir_all(&folder).map_err(LakeError::file("make the folder", &folder))?;
        Ok(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover is invisible to readers, and the next run removes it.
        let _ = fs::remove_dir_all(&self.path);
    }
}
