//! The arguments that say how AWS, or another server of S3, is reached.

use clap::Args;
use clap::builder::FalseyValueParser;

/// How S3 is reached; what is not said comes from where every AWS tool takes it.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct S3Args {
    /// Another S3 server than AWS's
    #[arg(long, global = true, help_heading = "S3", env = "TRAILWEAVE_ENDPOINT_URL", value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// Another AWS Glue than that of the region
    #[arg(long, global = true, help_heading = "S3", env = "TRAILWEAVE_GLUE_ENDPOINT_URL", value_name = "URL")]
    #[arg(hide = cfg!(not(feature = "glue")))]
    pub(crate) glue_endpoint_url: Option<String>,
    /// A profile of the shared AWS configuration
    #[arg(long, global = true, help_heading = "S3", env = "TRAILWEAVE_PROFILE", value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// A role to assume first, such as one of the account that owns the bucket
    #[arg(long, global = true, help_heading = "S3", env = "TRAILWEAVE_ASSUME_ROLE_ARN", value_name = "ARN")]
    pub(crate) assume_role_arn: Option<String>,
    /// Name the bucket in the path of a request, not in its host name
    #[arg(long, global = true, help_heading = "S3", env = "TRAILWEAVE_PATH_STYLE", value_parser = FalseyValueParser::new())]
    #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) path_style: Option<bool>,
    /// Pay for the requests to a bucket of somebody else
    #[arg(long, global = true, help_heading = "S3", env = "TRAILWEAVE_REQUESTER_PAYS", value_parser = FalseyValueParser::new())]
    #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) requester_pays: Option<bool>,
    /// Send requests without credentials, to a public bucket
    #[arg(long, global = true, help_heading = "S3", env = "TRAILWEAVE_NO_SIGN_REQUEST", value_parser = FalseyValueParser::new())]
    #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) no_sign_request: Option<bool>,
}
