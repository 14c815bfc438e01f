//! The error in the place of `query` where the program is built without that feature.

use crate::args::Format;
use crate::config::ConfigError;
use crate::job::Job;
use crate::outcome::Outcome;

/// Refuses a question.
pub(super) fn query(_: &Job, _: &str, _: Option<Format>) -> anyhow::Result<Outcome> {
    Err(ConfigError::BuiltWithoutQuery.into())
}
