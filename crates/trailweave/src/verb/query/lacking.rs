//! What stands in the place of `query` where the program is built without that feature: an error that says so.

use super::Job;
use super::Outcome;
use crate::config::ConfigError;

/// Refuses a question.
pub(super) fn query(_: &Job, _: &str) -> anyhow::Result<Outcome> {
    Err(ConfigError::BuiltWithoutQuery.into())
}
