//! The public keys of digests: from a file, or from CloudTrail.

use std::collections::BTreeSet;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::config::{Builder, Region};
use aws_sdk_cloudtrail::primitives::DateTime;
use trailweave_digest::PublicKeys;

use super::digests::Gathered;
use super::verification::Verification;
use crate::IngestError;
use crate::S3Options;
use crate::source::s3::{remedy_or, shared};

/// Keys are asked for so long around the digests, as `validate-logs` does.
const BEFORE_SECS: i64 = 3_600;
const AFTER_SECS: i64 = 2 * 3_600;

impl Verification<'_> {
    /// Returns the keys of a file; else asks CloudTrail in the home regions of the trails, and where that does not tell
    /// all, in the regions of the digests.
    pub(super) async fn public_keys(&self, gathered: &Gathered) -> Result<PublicKeys, IngestError> {
        if let Some(path) = &self.verify.public_keys {
            let text = std::fs::read(path).map_err(IngestError::source("read", path))?;
            return PublicKeys::parse(&text).map_err(IngestError::proof(path));
        }
        let read = || gathered.digests.iter().filter(|it| !it.is_kept);
        let times = || read().flat_map(|it| [Some(it.start), Some(it.end), it.generated]).flatten();
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(PublicKeys::default()) };
        let span = (first - BEFORE_SECS, last + AFTER_SECS);
        let homes: BTreeSet<&str> = read().map(|it| it.name.home_region()).collect();
        let others: BTreeSet<&str> = read().map(|it| it.name.region()).collect();
        let mut keys = PublicKeys::default();
        let config = Box::pin(shared(&S3Options { endpoint_url: None, ..self.options.s3.clone() })).await;
        for region in homes.iter().chain(others.difference(&homes)) {
            if read().all(|digest| keys.get(&digest.fingerprint).is_some()) {
                break;
            }
            let client = Client::from_conf(Builder::from(&config).region(Region::new((*region).to_owned())).build());
            keys.extend(list(&client, region, span).await?);
        }
        Ok(keys)
    }
}

async fn list(client: &Client, region: &str, (from, to): (i64, i64)) -> Result<PublicKeys, IngestError> {
    let mut keys = PublicKeys::default();
    let mut token = None;
    loop {
        let request = client.list_public_keys().set_next_token(token);
        let request = request.start_time(DateTime::from_secs(from)).end_time(DateTime::from_secs(to));
        let answer = Box::pin(request.send()).await.map_err(|error| IngestError::Aws {
            action: "list the public keys of",
            name: format!("CloudTrail in {region}"),
            remedy: remedy_or(&error, "allow cloudtrail:ListPublicKeys, or give them with --public-keys"),
            source: error.into(),
        })?;
        for key in answer.public_key_list() {
            let time = |time: Option<&DateTime>| time.map(DateTime::secs);
            if let Some(value) = key.value() {
                keys.insert(value.as_ref(), time(key.validity_start_time()), time(key.validity_end_time()));
            }
        }
        match answer.next_token {
            Some(next) => token = Some(next),
            None => return Ok(keys),
        }
    }
}
