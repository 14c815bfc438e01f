//! Stands in the place of `otlp` where the program is built without that feature: there is no endpoint.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use tokio::runtime::Runtime;

use crate::figures::Figure;

/// None can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Infallible);

/// The reason why none can be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "this program was built without the feature `otlp`; `cargo build --release -p trailweave --features otlp` builds one with it"
)]
pub(crate) struct EndpointError;

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(_: &str) -> Result<Self, EndpointError> {
        Err(EndpointError)
    }
}

impl Endpoint {
    /// Takes the place of the real one, and cannot be called.
    pub(crate) fn with_headers(self, _: &str) -> Result<Self, EndpointError> {
        match self.0 {}
    }

    /// Takes the place of the real one, and cannot be called.
    pub(crate) fn send(&self, _: &Runtime, _: &[Figure], _: Timestamp) -> anyhow::Result<()> {
        match self.0 {}
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}
