//! The objects that gave no row: refused as a whole, or of nothing but rejects. A list that a person works off.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use serde::Serialize;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_table::LEDGER;

use crate::ledger::ObjectState;
use crate::ledger::read_columns;
use crate::ledger::states_of;

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
    /// The run that read it.
    pub run_id: String,
}

const STATES: [&str; 3] = ["status", "records", "rejects"];
const NAMES: [&str; 4] = ["source_object", "status", "records", "rejects"];
const ALL: [&str; 6] = ["source_object", "status", "records", "rejects", "error", "run_id"];

/// Lists the objects that stand in quarantine, in the order of their names. One that gave rows since is none of them.
pub fn quarantined(lake: &Lake) -> Result<Vec<QuarantinedObject>, LakeError> {
    let mut standing: BTreeMap<String, QuarantinedObject> = BTreeMap::new();
    let parts = lake.parts(&LEDGER)?;
    for part in &parts {
        // Most files hold nothing of the kind, which three narrow columns tell.
        let states = read_columns(lake, &part.path, &STATES)?;
        if !states.iter().any(|rows| states_of(rows).any(ObjectState::stands)) {
            continue;
        }
        for rows in read_columns(lake, &part.path, &ALL)? {
            note(&rows, &mut standing);
        }
    }
    if !standing.is_empty() {
        for part in &parts {
            for rows in read_columns(lake, &part.path, &NAMES)? {
                let Some(names) = text(&rows, "source_object") else { continue };
                for (state, name) in states_of(&rows).zip(names.iter().flatten()) {
                    if state == ObjectState::Done {
                        standing.remove(name);
                    }
                }
            }
        }
    }
    Ok(standing.into_values().collect())
}

fn note(rows: &RecordBatch, standing: &mut BTreeMap<String, QuarantinedObject>) {
    let (Some(names), Some(errors), Some(runs)) =
        (text(rows, "source_object"), text(rows, "error"), text(rows, "run_id"))
    else {
        return;
    };
    for (row, state) in states_of(rows).enumerate() {
        if !state.stands() {
            continue;
        }
        let (name, run_id) = (names.value(row), runs.value(row));
        let is_refused = state == ObjectState::Quarantined;
        let reason =
            if is_refused { errors.value(row) } else { "every record was rejected; the table `rejects` says why" };
        let known = standing.entry(name.to_owned()).or_insert_with(|| QuarantinedObject {
            source_object: name.to_owned(),
            is_refused,
            reason: String::new(),
            attempts: 0,
            run_id: String::new(),
        });
        known.attempts += 1;
        if known.run_id.as_str() <= run_id {
            known.is_refused = is_refused;
            reason.clone_into(&mut known.reason);
            run_id.clone_into(&mut known.run_id);
        }
    }
}

fn text<'r>(rows: &'r RecordBatch, name: &str) -> Option<&'r StringArray> {
    rows.column_by_name(name)?.as_string_opt::<i32>()
}
