//! Files that no table holds any more, kept because older snapshots name them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::LakeError;
use crate::store::Store;

/// The file that says so, in the lake's state.
const NAME: &str = "retired.json";

/// The kept files by their paths below the lake, and when they left their tables, in milliseconds since the epoch.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Retired(BTreeMap<PathBuf, i64>);

impl Retired {
    /// Reads which files are kept.
    pub(crate) fn read(store: &Store, state_dir: &Path) -> Result<Self, LakeError> {
        let path = state_dir.join(NAME);
        let Some(text) = store.read(&path)? else { return Ok(Self::default()) };
        serde_json::from_slice(&text).map_err(|source| LakeError::Damaged { path, source: source.into() })
    }

    pub(crate) fn write(&self, store: &Store, state_dir: &Path) -> Result<(), LakeError> {
        let text = serde_json::to_vec(self).expect("paths of a lake are text");
        store.create(&state_dir.join(NAME))?.write_whole(&text)
    }

    /// Notes files that left at `time_ms`, and those that stand in a table again.
    pub(crate) fn note<'a>(
        &mut self,
        gone: impl Iterator<Item = &'a PathBuf>,
        back: impl Iterator<Item = &'a PathBuf>,
        time_ms: i64,
    ) {
        for path in gone {
            self.0.entry(path.clone()).or_insert(time_ms);
        }
        for path in back {
            self.0.remove(path);
        }
    }

    /// Returns the files that left before `before_ms`.
    pub(crate) fn before(&self, before_ms: i64) -> BTreeSet<PathBuf> {
        self.0.iter().filter(|(_, time_ms)| **time_ms < before_ms).map(|(path, _)| path.clone()).collect()
    }

    /// Forgets files that were removed; tells whether it knew any.
    pub(crate) fn forget(&mut self, files: &BTreeSet<PathBuf>) -> bool {
        let n_known = self.0.len();
        self.0.retain(|path, _| !files.contains(path));
        self.0.len() < n_known
    }

    /// Iterates over the files, by their paths below the lake.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    pub(crate) fn has(&self, below: &Path) -> bool {
        self.0.contains_key(below)
    }
}
