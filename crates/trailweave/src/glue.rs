//! AWS Glue, whose tables follow those of a lake in S3.

use std::sync::Arc;

use anyhow::Context;
use trailweave_glue::Glue;
use trailweave_ingest::S3Options;
use trailweave_ingest::Source;
use trailweave_lake::Catalog;

use crate::config::Config;

/// Makes the catalogue of a lake, of which nothing is asked unless the lake is published there.
pub(crate) fn catalog(config: &Config) -> anyhow::Result<Option<Arc<dyn Catalog>>> {
    if matches!(config.lake, Source::Local(_)) {
        return Ok(None);
    }
    let endpoint_url = config.glue_endpoint_url.clone();
    let glue = Glue::new(S3Options { endpoint_url, anonymous: false, ..config.s3.clone() });
    Ok(Some(Arc::new(glue.context("cannot start a thread for AWS Glue")?)))
}
