//! The objects that gave no row: refused as a whole, or of nothing but rejects. A list that a person works off.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::Array;
use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use serde::Serialize;
use trailweave_lake::Change;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Part;
use trailweave_lake::read_once;
use trailweave_table::LEDGER;

use crate::kept_days::KeptDays;
use crate::ledger::NOTE;
use crate::ledger::ObjectState;
use crate::ledger::names_any;
use crate::ledger::read_columns;
use crate::ledger::rewrite::{NamedColumn, rewrite};
use crate::ledger::states_of;
use crate::source::key::place_of;

/// An object that gave no row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarantinedObject {
    /// Its name in the lake.
    pub source_object: String,
    /// True if it was refused as a whole; else every record of it was rejected.
    pub is_refused: bool,
    /// The reason.
    pub reason: String,
    /// How often it was read.
    pub attempts: u32,
    /// The run that read it last.
    pub run_id: String,
    /// Why it is right that it gave no row; none where it stands in quarantine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A name of an object, or what its name begins with: one that ends with `/` or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(String);

/// The columns that tell whether a file of the ledger holds such an object, those that tell whether one was read since, and
/// all that is told of one.
const STATES: [&str; 4] = ["status", "records", "rejects", NOTE];
const NAMES: [&str; 5] = ["source_object", "status", "records", "rejects", NOTE];
const ALL: [&str; 7] = ["source_object", "status", "records", "rejects", NOTE, "error", "run_id"];

impl From<&str> for NamePattern {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl NamePattern {
    /// Returns it as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether it is an object's name, or the beginning of it.
    pub fn takes(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.0 || self.0.ends_with('/') && name.starts_with(&self.0),
        }
    }
}

impl QuarantinedObject {
    /// Tells whether nobody has dismissed it.
    pub fn stands(&self) -> bool {
        self.note.is_none()
    }
}

/// Lists the objects that gave no row, dismissed or not, in the order of their names. One that gave rows since is none of
/// them, nor is one of a day that was pruned.
pub fn quarantined(lake: &Lake) -> Result<Vec<QuarantinedObject>, LakeError> {
    let mut found = read_once(lake, &LEDGER, |parts| gave_no_row(lake, &parts))?;
    let kept = KeptDays::of(lake)?;
    found.retain(|name, _| kept.has_place(place_of(name).as_ref()));
    Ok(found.into_values().collect())
}

/// Finds the objects of files of the ledger that gave no row, whatever their days.
fn gave_no_row(lake: &Lake, parts: &[Part]) -> Result<BTreeMap<String, QuarantinedObject>, LakeError> {
    let mut found: BTreeMap<String, QuarantinedObject> = BTreeMap::new();
    for part in parts {
        // Most files hold nothing of the kind, which narrow columns tell.
        let mut has_others = false;
        for rows in read_columns(lake, &part.path, &STATES)? {
            has_others |= states_of(&rows?).any(|state| state != ObjectState::Done);
        }
        if !has_others {
            continue;
        }
        for rows in read_columns(lake, &part.path, &ALL)? {
            note(&rows?, &mut found);
        }
    }
    let parts = if found.is_empty() { &[] } else { parts };
    for part in parts {
        for rows in read_columns(lake, &part.path, &NAMES)? {
            let rows = rows?;
            let Some(names) = text(&rows, "source_object") else { continue };
            for (state, name) in states_of(&rows).zip(names.iter().flatten()) {
                if state == ObjectState::Done {
                    found.remove(name);
                }
            }
        }
    }
    Ok(found)
}

/// Notes in the ledger why it is right that these objects gave no row. They stand in quarantine no more.
///
/// Needs: the caller holds the lake's lock.
pub fn dismiss(lake: &Lake, objects: &BTreeSet<&str>, note: &str) -> Result<(), LakeError> {
    let mut change = Change::new(lake, "dismiss");
    for part in lake.parts(&LEDGER)? {
        if names_any(lake, &part.path, |name| objects.contains(name))? {
            rewrite(lake, &part.path, &mut change, |rows| dismissed(rows, objects, note))?;
        }
    }
    change.commit()
}

/// Returns the notes of rows of the ledger, with `note` for those of `objects` that stand in quarantine, if one of them does.
fn dismissed(rows: &RecordBatch, objects: &BTreeSet<&str>, note: &str) -> Vec<NamedColumn> {
    let names = rows.column(LEDGER.position("source_object")).as_string::<i32>();
    let before = rows.column(LEDGER.position(NOTE)).as_string::<i32>();
    let states = states_of(rows).zip(names.iter().zip(before));
    let after = states.map(|(state, (name, before))| {
        let is_meant = state.stands() && name.is_some_and(|name| objects.contains(name));
        if is_meant { Some(note) } else { before }
    });
    let after: StringArray = after.collect();
    if after == *before { Vec::new() } else { vec![(NOTE, Arc::new(after) as ArrayRef)] }
}

fn note(rows: &RecordBatch, found: &mut BTreeMap<String, QuarantinedObject>) {
    let [Some(names), Some(errors), Some(runs)] = ["source_object", "error", "run_id"].map(|name| text(rows, name))
    else {
        return;
    };
    let notes = text(rows, NOTE);
    for (row, state) in states_of(rows).enumerate().filter(|(_, state)| *state != ObjectState::Done) {
        let error = value(errors, row);
        let reason = error.unwrap_or("every record was rejected; the table `rejects` says why");
        let note = notes.and_then(|notes| value(notes, row));
        let (name, run_id) = (names.value(row), runs.value(row));
        let known = found.entry(name.to_owned()).or_insert_with(|| QuarantinedObject {
            source_object: name.to_owned(),
            is_refused: error.is_some(),
            reason: reason.to_owned(),
            attempts: 0,
            run_id: run_id.to_owned(),
            note: note.map(str::to_owned),
        });
        known.attempts += 1;
        if state.stands() {
            known.note = None;
        }
        if known.run_id.as_str() < run_id {
            known.is_refused = error.is_some();
            reason.clone_into(&mut known.reason);
            run_id.clone_into(&mut known.run_id);
        }
    }
}

fn value(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn text<'r>(rows: &'r RecordBatch, name: &str) -> Option<&'r StringArray> {
    rows.column_by_name(name)?.as_string_opt::<i32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_or_what_it_begins_with() {
        let takes = |pattern: &str, name: &str| NamePattern::from(pattern).takes(name);
        assert!(takes("s3://b/a.gz", "s3://b/a.gz") && !takes("s3://b/a.gz", "s3://b/a.gz.old"));
        assert!(takes("s3://b/config/", "s3://b/config/a.gz") && !takes("s3://b/config", "s3://b/config/a.gz"));
        assert!(takes("s3://b/conf*", "s3://b/config/a.gz") && takes("*", "anything"));
    }
}
