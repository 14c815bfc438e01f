//! The object store of a lake in S3, reached with what the source is reached with.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_sdk_s3::config::ProvideCredentials;
use aws_sdk_s3::config::SharedCredentialsProvider;
use object_store::ClientOptions;
use object_store::CredentialProvider;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;

use super::FALLBACK_REGION;
use super::S3Options;
use super::shared;
use crate::Location;

/// Credentials are renewed so long before they expire.
const BEFORE_EXPIRY: Duration = Duration::from_mins(5);

/// The store of a bucket. Nothing is asked of it yet.
pub async fn object_store(location: &Location, options: &S3Options) -> object_store::Result<Arc<dyn ObjectStore>> {
    let shared = Box::pin(shared(options)).await;
    let region = shared.region().map_or(FALLBACK_REGION, |region| region.as_ref());
    // The SDK, which reads the source, decides alike; object_store 0.13.2 would panic.
    let path_style = options.path_style || shared.endpoint_url().is_some_and(is_address);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&location.bucket)
        .with_region(region)
        .with_virtual_hosted_style_request(!path_style)
        .with_request_payer(options.requester_pays);
    if let Some(url) = shared.endpoint_url() {
        // A host that is named by its bucket is expected to be.
        let url = match url.split_once("://") {
            Some((scheme, host)) if !path_style => format!("{scheme}://{}.{host}", location.bucket),
            _ => url.to_owned(),
        };
        builder = builder.with_endpoint(url).with_client_options(ClientOptions::new().with_allow_http(true));
    }
    builder = match shared.credentials_provider() {
        Some(provider) if !options.anonymous => {
            builder.with_credentials(Arc::new(Credentials { provider, current: Mutex::new(None) }))
        }
        _ => builder.with_skip_signature(true),
    };
    Ok(Arc::new(builder.build()?))
}

/// Tells whether an endpoint is an IP address, below which there are no names for buckets.
fn is_address(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    let host = host.split('/').next().unwrap_or_default();
    host.parse::<IpAddr>().is_ok() || host.parse::<SocketAddr>().is_ok()
}

/// The credentials of the AWS SDK, kept until shortly before they expire.
#[derive(Debug)]
struct Credentials {
    provider: SharedCredentialsProvider,
    current: Mutex<Option<(Arc<AwsCredential>, Option<SystemTime>)>>,
}

#[async_trait]
impl CredentialProvider for Credentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        #[expect(clippy::disallowed_methods, reason = "credentials expire by the clock of the day")]
        let now = SystemTime::now();
        let mut current = self.current.lock().await;
        if let Some((credential, expiry)) = &*current
            && expiry.is_none_or(|expiry| now + BEFORE_EXPIRY < expiry)
        {
            return Ok(Arc::clone(credential));
        }
        let provided = self.provider.provide_credentials().await;
        let provided = provided
            .map_err(|source| object_store::Error::Unauthenticated { path: String::new(), source: source.into() })?;
        let credential = Arc::new(AwsCredential {
            key_id: provided.access_key_id().to_owned(),
            secret_key: provided.secret_access_key().to_owned(),
            token: provided.session_token().map(str::to_owned),
        });
        *current = Some((Arc::clone(&credential), provided.expiry()));
        Ok(credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_a_name() {
        for (url, expected) in [
            ("http://127.0.0.1:9000", true),
            ("http://127.0.0.1/", true),
            ("http://[::1]:9000", true),
            ("http://localhost:9000", false),
            ("https://s3.eu-west-1.amazonaws.com", false),
        ] {
            assert_eq!(is_address(url), expected, "{url}");
        }
    }
}
