//! The error in the place of `query` where the program is built without that feature.

use crate::args::Format;
use crate::config::ConfigError;
use crate::job::Job;

/// Refuses a question.
pub(super) fn query(_: &Job, _: &str, _: Option<Format>) -> anyhow::Result<usize> {
    Err(ConfigError::BuiltWithoutQuery.into())
}
