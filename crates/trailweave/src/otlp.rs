//! Figures as OTLP metrics, sent over HTTP at the end of a run: one request, no second try.

mod message;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::bail;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use prost::Message as _;
use reqwest::Client;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use tokio::runtime::Runtime;

use crate::figures::Figure;

/// The endpoint to which figures are posted. As text it is without what may be secret in it: user, password, query and
/// headers.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    url: Url,
    headers: HeaderMap,
}

/// The reason why a text is not an endpoint, or gives it no headers. It does not repeat the text, in which a secret may
/// stand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error("a URL such as http://localhost:4318 or https://collector.example.com/otlp is expected")]
    Url,
    /// Nothing of it is said: what stands there may be a value.
    #[error("its header {position} is not a pair: name=value,other=value is expected, with values percent-encoded")]
    Header { position: usize },
    #[error("its header `{name}` has a value that no header can have")]
    Value { name: HeaderName },
}

/// How long a run that has ended waits for an endpoint.
const PATIENCE: Duration = Duration::from_secs(5);

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(base: &str) -> Result<Self, EndpointError> {
        let mut url = base.parse::<Url>().map_err(|_| EndpointError::Url)?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(EndpointError::Url);
        }
        url.path_segments_mut().map_err(|()| EndpointError::Url)?.pop_if_empty().extend(["v1", "metrics"]);
        Ok(Self { url, headers: HeaderMap::new() })
    }
}

impl Endpoint {
    /// Returns the endpoint with the headers of `name=value,other=value`, whose values are percent-encoded.
    pub(crate) fn with_headers(mut self, text: &str) -> Result<Self, EndpointError> {
        for (n, pair) in text.split(',').enumerate().filter(|(_, pair)| !pair.trim().is_empty()) {
            let malformed = EndpointError::Header { position: n + 1 };
            let Some((name, value)) = pair.split_once('=') else { return Err(malformed) };
            let Ok(name) = name.trim().parse::<HeaderName>() else { return Err(malformed) };
            let decoded: Vec<u8> = percent_decode_str(value.trim()).collect();
            let Ok(mut value) = HeaderValue::from_bytes(&decoded) else { return Err(EndpointError::Value { name }) };
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        Ok(self)
    }

    /// Sends the figures of a run that ended.
    pub(crate) fn send(&self, runtime: &Runtime, figures: &[Figure], ended: Timestamp) -> anyhow::Result<()> {
        let request = message::request(figures, ended).encode_to_vec();
        runtime.block_on(post(self.clone(), request, PATIENCE))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.url.origin().ascii_serialization(), self.url.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

async fn post(mut endpoint: Endpoint, request: Vec<u8>, patience: Duration) -> anyhow::Result<()> {
    // A redirected POST may become a GET, whose answer tells nothing of the figures.
    let client = Client::builder().redirect(Policy::none()).timeout(patience).user_agent(USER_AGENT).build()?;
    endpoint.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    let sent = client.post(endpoint.url).headers(endpoint.headers).body(request).send().await;
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
