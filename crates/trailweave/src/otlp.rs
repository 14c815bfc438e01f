//! Figures as OTLP metrics, sent over HTTP at the end of a run: one request, no second try.

mod message;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::bail;
use jiff::Timestamp;
use prost::Message as _;
use reqwest::Client;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use tokio::runtime::Runtime;

use crate::figures::Figure;

/// Where figures are posted. As text it is without what may be secret in it: user, password and query.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Url);

/// Why a text is no endpoint. It does not repeat the text, in which a password may stand.
#[derive(Debug, thiserror::Error)]
#[error("a URL such as http://localhost:4318 or https://collector.example.com/otlp is expected")]
pub(crate) struct EndpointError;

/// How long a run that has ended waits for an endpoint.
const PATIENCE: Duration = Duration::from_secs(5);

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(base: &str) -> Result<Self, EndpointError> {
        let mut url = base.parse::<Url>().map_err(|_| EndpointError)?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(EndpointError);
        }
        url.path_segments_mut().map_err(|()| EndpointError)?.pop_if_empty().extend(["v1", "metrics"]);
        Ok(Self(url))
    }
}

impl Endpoint {
    /// Sends the figures of a run that ended.
    pub(crate) fn send(&self, runtime: &Runtime, figures: &[Figure], ended: Timestamp) -> anyhow::Result<()> {
        let request = message::request(figures, ended).encode_to_vec();
        runtime.block_on(post(self.0.clone(), request, PATIENCE))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.origin().ascii_serialization(), self.0.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

async fn post(url: Url, request: Vec<u8>, patience: Duration) -> anyhow::Result<()> {
    // A redirected POST may become a GET, whose answer tells nothing of the figures.
    let client = Client::builder().redirect(Policy::none()).timeout(patience).user_agent(USER_AGENT).build()?;
    let sent = client.post(url).header(CONTENT_TYPE, "application/x-protobuf").body(request).send().await;
    let answer = sent.map_err(reqwest::Error::without_url)?;
    if !answer.status().is_success() {
        bail!("it answers {}", answer.status());
    }
    let body = answer.bytes().await.map_err(reqwest::Error::without_url)?;
    // Some servers answer a success with a text of their own.
    let response = message::Response::decode(body).unwrap_or_default();
    match response.partial_success {
        Some(it) if it.rejected_data_points > 0 => {
            bail!("it rejects {} points: {}", it.rejected_data_points, it.error_message)
        }
        _ => Ok(()),
    }
}

const USER_AGENT: &str = concat!("trailweave/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests;
