//! `_trailweave/pruned.json`: the day before which the lake was pruned.

use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use trailweave_table::{date_of_day, day_of_date};

use crate::Change;
use crate::Lake;
use crate::LakeError;

/// The content of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Pruned {
    /// The first date that the lake keeps.
    before: String,
}

impl Lake {
    /// Returns the first day that the lake keeps, counted from 1970-01-01: days before it were pruned. `None` where none
    /// was. It is read anew each time, as a change of another run may have moved it.
    pub fn pruned_before(&self) -> Result<Option<i32>, LakeError> {
        let path = path(self);
        let Some(text) = self.read(&path)? else { return Ok(None) };
        let read = || {
            let Pruned { before } = serde_json::from_slice(&text).map_err(|source| source.to_string())?;
            day_of_date(&before).ok_or_else(|| format!("`{before}` is not a date"))
        };
        read().map(Some).map_err(|fault| LakeError::Damaged { path, source: fault.into() })
    }

    /// Lets the lake keep no day before `before` once `change` holds.
    pub fn stage_pruned(&self, before: i32, change: &mut Change<'_>) -> Result<(), LakeError> {
        let staged = change.promise(&path(self));
        let text = serde_json::to_vec(&Pruned { before: date_of_day(before) }).expect("a date is plain data");
        self.write(&staged, &text)
    }
}

fn path(lake: &Lake) -> PathBuf {
    lake.state_dir().join("pruned.json")
}
