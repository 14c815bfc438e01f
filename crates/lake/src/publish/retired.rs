//! Files that no table holds any more, kept because older snapshots name them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::Lake;
use crate::LakeError;

/// The kept files by their paths below the lake, and when they left their tables, in milliseconds since the epoch.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Retired(BTreeMap<PathBuf, i64>);

impl Retired {
    /// Reads which files are kept.
    pub(crate) fn read(lake: &Lake) -> Result<Self, LakeError> {
        let path = path(lake);
        let Some(text) = lake.read(&path)? else { return Ok(Self::default()) };
        serde_json::from_slice(&text).map_err(|source| LakeError::Damaged { path, source: source.into() })
    }

    /// Notes files that left at `time_ms`, and those that stand in a table again.
    pub(crate) fn note<'a>(
        lake: &Lake,
        gone: impl Iterator<Item = &'a PathBuf>,
        back: impl Iterator<Item = &'a PathBuf>,
        time_ms: i64,
    ) -> Result<(), LakeError> {
        let mut retired = Self::read(lake)?;
        for path in gone {
            retired.0.entry(path.clone()).or_insert(time_ms);
        }
        for path in back {
            retired.0.remove(path);
        }
        retired.write(lake)
    }

    /// Returns the files that left before `before_ms`.
    pub(super) fn before(&self, before_ms: i64) -> BTreeSet<PathBuf> {
        self.0.iter().filter(|(_, time_ms)| **time_ms < before_ms).map(|(path, _)| path.clone()).collect()
    }

    pub(super) fn forget(&mut self, lake: &Lake, files: &BTreeSet<PathBuf>) -> Result<(), LakeError> {
        self.0.retain(|path, _| !files.contains(path));
        self.write(lake)
    }

    /// Iterates over the files, by their paths below the lake.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    pub(crate) fn has(&self, below: &Path) -> bool {
        self.0.contains_key(below)
    }

    fn write(&self, lake: &Lake) -> Result<(), LakeError> {
        lake.write(&path(lake), &serde_json::to_vec(self).expect("paths of a lake are text"))
    }
}

fn path(lake: &Lake) -> PathBuf {
    lake.state_dir().join("retired.json")
}
