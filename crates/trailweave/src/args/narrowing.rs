//! The arguments by which verbs are about a part of a trail or lake.

use clap::Args;

/// The accounts and regions that a verb is about.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct PlaceArgs {
    /// Only this account; repeatable
    #[arg(long, env = "TRAILWEAVE_ACCOUNT", value_delimiter = ',', value_name = "ID")]
    pub(crate) account: Vec<String>,
    /// Only this region; repeatable
    #[arg(long, env = "TRAILWEAVE_REGION", value_delimiter = ',', value_name = "REGION")]
    pub(crate) region: Vec<String>,
}

/// The time of the events that a verb is asked about.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct TimeArgs {
    /// Events from then on: a date (2026-09-01), today, yesterday, an RFC 3339 time or a time ago (7d, 12h, 2w)
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Events before then, in the same forms; of a date all of its day
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
}
