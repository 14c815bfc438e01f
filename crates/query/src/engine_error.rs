//! Failures of the engine, in words for users.

use std::fmt;

use datafusion::common::Column;
use datafusion::common::SchemaError;
use datafusion::common::utils::datafusion_strsim::normalized_levenshtein;
use datafusion::error::DataFusionError;
use trailweave_table::AUDIT;
use trailweave_table::TABLES;
use trailweave_table::VIEWS;

/// A failure of the engine. It says its cause itself and has no source: the engine's errors repeat theirs.
#[derive(Debug)]
pub struct EngineError(Box<DataFusionError>);

impl From<DataFusionError> for EngineError {
    fn from(error: DataFusionError) -> Self {
        Self(Box::new(error))
    }
}

impl std::error::Error for EngineError {}

impl fmt::Display for EngineError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.find_root() {
            DataFusionError::SchemaError(error, _) => match &**error {
                SchemaError::FieldNotFound { field, valid_fields } => write_no_column(out, field, valid_fields),
                other => write!(out, "{other}"),
            },
            DataFusionError::SQL(error, _) => write!(out, "{error}"),
            DataFusionError::Plan(message) => write_plan_error(out, message),
            other => out.write_str(&other.message()),
        }
    }
}

/// The share of a name that must be alike.
const NEAR: f64 = 0.6;
const MAX_NEAR: usize = 5;

/// Names the columns whose names come near, else all.
fn write_no_column(out: &mut fmt::Formatter<'_>, field: &Column, valid_fields: &[Column]) -> fmt::Result {
    let asked = field.name.to_lowercase();
    let mut near: Vec<_> =
        valid_fields.iter().map(|valid| (normalized_levenshtein(&asked, &valid.name), valid.flat_name())).collect();
    near.retain(|(likeness, _)| *likeness >= NEAR);
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    near.truncate(MAX_NEAR);
    write!(out, "no column is named `{}`; ", field.flat_name())?;
    if near.is_empty() {
        let all: Vec<_> = valid_fields.iter().map(Column::flat_name).collect();
        write!(out, "the columns are {}", all.join(", "))
    } else {
        let names: Vec<_> = near.into_iter().map(|(_, name)| name).collect();
        write!(out, "near it are {}", names.join(", "))
    }
}

/// Names the lake's tables where one is not found.
fn write_plan_error(out: &mut fmt::Formatter<'_>, message: &str) -> fmt::Result {
    let found = message.strip_prefix("table 'datafusion.public.").and_then(|rest| rest.strip_suffix("' not found"));
    let Some(table) = found else {
        return out.write_str(message);
    };
    let tables = TABLES.into_iter().chain(AUDIT).map(|table| table.name);
    let names: Vec<_> = tables.chain(VIEWS.iter().map(|view| view.name)).collect();
    write!(out, "no table is named `{table}`; the lake has {}", names.join(", "))
}
