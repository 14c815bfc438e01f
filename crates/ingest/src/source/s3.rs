//! Objects in S3: how it is reached, and their bytes.

mod copy;
mod list;
pub(crate) mod store;
pub(crate) mod uploads;
mod visit;

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::Region;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::RequestPayer;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use tokio::sync::OnceCell;
use trailweave_lake::Answer;

use crate::Location;
use crate::error::chain;
use crate::fingerprint::fingerprint;
use crate::source::fetch::FetchError;
use crate::source::listing::ObjectRef;
use crate::source::split;

/// How often a request is made until it is given up: throttling, errors of the server and of the network pass.
const ATTEMPTS: u32 = 8;
/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(20);
/// How long a server may send nothing before it is asked again, where nothing else is said.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a body is asked for again that ended early.
const BODIES: u32 = 4;
/// Where a bucket is asked for when no region is named; S3 then says where the bucket is.
const FALLBACK_REGION: &str = "us-east-1";

/// The options by which S3 is reached. The rest is taken from where every AWS tool takes it: the environment, the
/// shared configuration with its profiles and SSO, the container, the instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Options {
    /// Another server than AWS's.
    pub endpoint_url: Option<String>,
    /// True if the bucket stands in the path of a request and not in its host name.
    pub path_style: bool,
    /// True if the caller pays for requests to a bucket of somebody else.
    pub requester_pays: bool,
    /// A profile of the shared configuration.
    pub profile: Option<String>,
    /// A role to assume first.
    pub assume_role_arn: Option<String>,
    /// True if requests go out without credentials, as public buckets allow.
    pub anonymous: bool,
    /// How long a server may send nothing before it is asked again; half a minute where it is not said.
    pub read_timeout: Option<Duration>,
}

/// S3 as a run uses it. Nothing is asked of it before the first object.
#[derive(Debug)]
pub(crate) struct S3 {
    options: S3Options,
    client: OnceCell<Client>,
    lists: AtomicU64,
}

/// The reason why a body could not be had.
enum GetError<E> {
    /// It ended early; another attempt may have all of it.
    Cut(Box<dyn Error + Send + Sync>),
    Failed(E),
}

#[derive(Debug, thiserror::Error)]
#[error("the body ended after {got} of {bytes} bytes")]
struct EndedEarly {
    got: u64,
    bytes: u64,
}

impl S3 {
    pub(crate) fn new(options: S3Options) -> Self {
        Self { options, client: OnceCell::new(), lists: AtomicU64::new(0) }
    }

    /// Counts the LIST requests that were answered.
    pub(crate) fn lists(&self) -> u64 {
        self.lists.load(Relaxed)
    }

    pub(super) async fn client(&self) -> &Client {
        self.client.get_or_init(|| Box::pin(connect(&self.options))).await
    }

    pub(super) fn payer(&self) -> Option<RequestPayer> {
        self.options.requester_pays.then_some(RequestPayer::Requester)
    }

    /// Fetches an object whole, in the version that was listed.
    pub(crate) async fn get(&self, object: &ObjectRef) -> Result<Vec<u8>, FetchError> {
        let name = &object.source_object;
        let cut = |source| FetchError::S3 { source_object: name.clone(), remedy: "check the network".into(), source };
        whole(name, || self.try_get(object), cut).await
    }

    /// Fetches an object whole as it is now, with its user metadata.
    pub(crate) async fn get_object(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<(Vec<u8>, HashMap<String, String>), FetchError> {
        let name: Box<str> = Location { bucket: bucket.to_owned(), key: key.to_owned() }.to_string().into();
        let cut = |source| FetchError::S3 { source_object: name.clone(), remedy: "check the network".into(), source };
        let get = || async {
            let request = self.client().await.get_object().bucket(bucket).key(key).set_request_payer(self.payer());
            let answer = Box::pin(request.send()).await;
            let answer = answer.map_err(|error| GetError::Failed(failed(name.clone(), error)))?;
            let metadata = answer.metadata.unwrap_or_default();
            let stored = answer.body.collect().await.map_err(|error| GetError::Cut(error.into()))?;
            Ok((stored.to_vec(), metadata))
        };
        whole(&name, get, cut).await
    }

    async fn try_get(&self, object: &ObjectRef) -> Result<Vec<u8>, GetError<FetchError>> {
        let (bucket, key) = split(&object.source_object).expect("an object in S3 has the name of one");
        let request = self.client().await.get_object().bucket(bucket).key(key);
        let request = request.set_request_payer(self.payer()).set_if_match(etag(object));
        let answer = Box::pin(request.send())
            .await
            .map_err(|error| GetError::Failed(failed(object.source_object.clone(), error)))?;
        if !is_version(&answer, object) {
            return Err(GetError::Failed(FetchError::Changed { source_object: object.source_object.clone() }));
        }
        let mut stored = Vec::with_capacity(usize::try_from(object.bytes).unwrap_or_default());
        let mut body = answer.body;
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| GetError::Cut(error.into()))?;
            if (stored.len() + bytes.len()) as u64 > object.bytes {
                return Err(GetError::Failed(FetchError::Changed { source_object: object.source_object.clone() }));
            }
            stored.extend_from_slice(&bytes);
        }
        let got = stored.len() as u64;
        if got == object.bytes {
            Ok(stored)
        } else {
            Err(GetError::Cut(EndedEarly { got, bytes: object.bytes }.into()))
        }
    }
}

/// Returns the body that `get` gets, and asks for it again where it ends early.
async fn whole<T, E, F: Future<Output = Result<T, GetError<E>>>>(
    name: &str,
    get: impl Fn() -> F,
    cut: impl FnOnce(Box<dyn Error + Send + Sync>) -> E,
) -> Result<T, E> {
    let mut attempt = 1;
    loop {
        match get().await {
            Ok(body) => return Ok(body),
            Err(GetError::Failed(error)) => return Err(error),
            Err(GetError::Cut(error)) if attempt == BODIES => return Err(cut(error)),
            Err(GetError::Cut(error)) => {
                tracing::debug!(object = name, error = chain(&*error), attempt, "asked for again");
                tokio::time::sleep(pause(name, attempt)).await;
                attempt += 1;
            }
        }
    }
}

/// Makes a client, which asks nothing yet.
async fn connect(options: &S3Options) -> Client {
    let shared = shared(options).await;
    let mut config = aws_sdk_s3::config::Builder::from(&shared);
    // The checksum of gzip is checked in any case.
    config = config.response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    Client::from_conf(config.force_path_style(options.path_style).build())
}

/// Reads what the options and the surroundings say: region, endpoint, credentials.
pub async fn shared(options: &S3Options) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let retry = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_max_backoff(MAX_PAUSE);
    let patience = options.read_timeout.unwrap_or(READ_TIMEOUT);
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .retry_config(retry)
        // Until an answer begins, and while its body comes.
        .timeout_config(TimeoutConfig::builder().read_timeout(patience).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(patience).build());
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if options.anonymous {
        loader = loader.no_credentials();
    }
    let found = loader.load().await;
    let mut shared = found.to_builder();
    if found.region().is_none() {
        shared = shared.region(Region::from_static(FALLBACK_REGION));
    }
    if let Some(arn) = &options.assume_role_arn {
        let role = AssumeRoleProvider::builder(arn).session_name("trailweave").configure(&found);
        shared = shared.credentials_provider(SharedCredentialsProvider::new(role.build().await));
    }
    // The endpoint is that of S3, not of STS, which the role comes from.
    if let Some(url) = &options.endpoint_url {
        shared = shared.endpoint_url(url);
    }
    shared.build()
}

/// Returns what tells one content of an object from the next: its `ETag`, quotes included, or where a server lists
/// none, its size and time.
pub(crate) fn version(etag: Option<&str>, bytes: u64, modified: Option<&DateTime>) -> Box<str> {
    match etag {
        Some(etag) if !etag.is_empty() => etag.into(),
        _ => format!("{bytes}-{}", modified.map_or(0, DateTime::secs)).into(),
    }
}

fn etag(object: &ObjectRef) -> Option<String> {
    object.version.contains('"').then(|| object.version.to_string())
}

fn is_version(answer: &GetObjectOutput, object: &ObjectRef) -> bool {
    let bytes = answer.content_length().and_then(|bytes| u64::try_from(bytes).ok());
    let is_listed = |etag| version(etag, object.bytes, answer.last_modified()) == object.version;
    bytes.is_none_or(|bytes| bytes == object.bytes) && (is_listed(answer.e_tag()) || is_listed(None))
}

fn failed(source_object: Box<str>, error: SdkError<GetObjectError, HttpResponse>) -> FetchError {
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    if error.code() == Some("NoSuchKey") {
        return FetchError::Gone { source_object };
    }
    if status == Some(412) {
        return FetchError::Changed { source_object };
    }
    let remedy = remedy(&error);
    FetchError::S3 { source_object, remedy, source: error.into() }
}

/// Returns a longer pause after every attempt, and another one for every object.
fn pause(name: &str, attempt: u32) -> Duration {
    let spread = fingerprint(&[name.as_bytes(), &attempt.to_be_bytes()]) % 100;
    Duration::from_millis((50 << attempt) + u64::try_from(spread).unwrap_or_default())
}

/// Says what a user can do about an answer of S3 while the trail is read.
pub(crate) fn remedy<E>(error: &SdkError<E, HttpResponse>) -> Cow<'static, str>
where
    SdkError<E, HttpResponse>: ProvideErrorMetadata + Error,
{
    remedy_or(error, "allow s3:ListBucket on the bucket and s3:GetObject on its objects, and kms:Decrypt on their key")
}

/// Says what a user can do about an answer of S3, or of a service like it, where `allow` names the permissions that the
/// request needs.
pub(crate) fn remedy_or<E>(error: &SdkError<E, HttpResponse>, allow: &'static str) -> Cow<'static, str>
where
    SdkError<E, HttpResponse>: ProvideErrorMetadata + Error,
{
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    let answer = Answer { status, code: error.code().map(str::to_owned) };
    if answer == Answer::default() && chain(error).contains("credential") {
        return "give AWS credentials by environment, profile or role, or --no-sign-request for a public bucket".into();
    }
    answer.remedy(allow)
}
