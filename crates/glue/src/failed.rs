//! Answers of Glue that are not what was asked for, with the way out.

use std::borrow::Cow;
use std::error::Error;

use aws_sdk_glue::config::http::HttpResponse;
use aws_sdk_glue::error::ProvideErrorMetadata;
use aws_sdk_glue::error::SdkError;
use trailweave_lake::Answer;
use trailweave_lake::LakeError;

const ALLOW: &str = "allow glue:GetDatabase, glue:GetTable, glue:CreateTable and glue:UpdateTable on the catalog, the database \
                     and its tables (deploy/policy.json), and the same in Lake Formation, where that guards the database";

/// Names what was tried in which database.
pub(crate) fn failed<E>(action: String, database: &str, error: SdkError<E, HttpResponse>) -> LakeError
where
    SdkError<E, HttpResponse>: ProvideErrorMetadata,
    E: Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    let remedy = remedy(database, status, error.code());
    LakeError::Catalog { action, database: database.to_owned(), remedy, source: error.into() }
}

fn remedy(database: &str, status: Option<u16>, code: Option<&str>) -> Cow<'static, str> {
    match (status, code) {
        (None, None) => "check the network, the credentials, AWS_REGION and --glue-endpoint-url".into(),
        (_, Some("EntityNotFoundException")) => format!(
            "make the database by `aws glue create-database --database-input Name={database}`, or set AWS_REGION to its region"
        )
        .into(),
        (_, code) => Answer { status, code: code.map(str::to_owned) }.remedy(ALLOW),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_is_that_of_the_answer() {
        for (status, code, said) in [
            (Some(400), Some("EntityNotFoundException"), "create-database --database-input Name=trail"),
            (Some(400), Some("AccessDeniedException"), "allow glue:GetDatabase"),
            (Some(400), Some("ExpiredToken"), "renew the AWS credentials"),
            (Some(500), Some("InternalServiceException"), "run again later"),
            (None, None, "--glue-endpoint-url"),
        ] {
            assert!(remedy("trail", status, code).contains(said), "{code:?}");
        }
    }
}
