//! Stands in the place of `glue` where the program is built without that feature: there is no catalogue.

use std::sync::Arc;

use trailweave_lake::Catalog;

use crate::config::Config;

/// Makes none.
#[expect(clippy::unnecessary_wraps, reason = "with the feature it can fail")]
pub(crate) fn catalog(_: &Config) -> anyhow::Result<Option<Arc<dyn Catalog>>> {
    Ok(None)
}
