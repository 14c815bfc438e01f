//! Answers of a server of S3 that are not what was asked for, and what can be done about them.

use std::borrow::Cow;
use std::fmt;

/// The way out where a server does not do what Amazon S3 does.
pub(crate) const OTHER_SERVER: &str =
    "keep the lake in a local folder, or on another server (docs/operations.md lists some)";

/// The status and the code of an answer, as far as there were some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status of HTTP.
    pub status: Option<u16>,
    /// The code of S3, such as `NoSuchKey`.
    pub code: Option<String>,
}

impl Answer {
    /// Reads the answer out of the text of an error, because `object_store` keeps its own types for it private.
    pub(crate) fn of(error: &object_store::Error) -> Self {
        let text = error.to_string();
        let between = |start, end| Some(text.split_once(start)?.1.split_once(end)?.0);
        let redirect = || text.contains("redirect without LOCATION").then_some("PermanentRedirect");
        let code = between("<Code>", "</Code>").or_else(|| between("(code: ", ")")).or_else(redirect);
        let status = between("status code: ", " ").and_then(|status| status.parse().ok());
        Self { status, code: code.map(str::to_owned) }
    }

    /// Tells whether the server does not do what Amazon S3 does.
    pub(crate) fn is_lacking(&self) -> bool {
        matches!(self.code.as_deref(), Some("MethodNotAllowed" | "NotImplemented"))
            || matches!(self.status, Some(405 | 501))
    }

    /// Says what a user can do. `allow` names the permissions that the request needs.
    pub fn remedy(&self, allow: &'static str) -> Cow<'static, str> {
        let denied = (self.status == Some(403)).then_some("Forbidden");
        match (self.code.as_deref().or(denied), self.status) {
            (Some("NoSuchKey" | "NotFound"), _) => "check its name, or take it from the list".into(),
            (Some("NoSuchBucket"), _) => "check the name of the bucket".into(),
            (Some("AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" | "Forbidden"), _) => allow.into(),
            (Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"), _) => {
                "set AWS_REGION to the region of the bucket".into()
            }
            (
                Some(
                    "ExpiredToken"
                    | "InvalidAccessKeyId"
                    | "InvalidToken"
                    | "SignatureDoesNotMatch"
                    | "TokenRefreshRequired",
                ),
                _,
            ) => "renew the AWS credentials".into(),
            (Some("InvalidObjectState"), _) => "restore it from its archive first".into(),
            _ if self.is_lacking() => format!("the server answered {self}: it does not know this request").into(),
            (Some("SlowDown" | "ServiceUnavailable" | "InternalError" | "RequestTimeout"), _)
            | (_, Some(429 | 500..600)) => format!("the server answered {self}; run again later").into(),
            (None, Some(200..300)) => {
                format!("the server answered {self}, but not as Amazon S3 does; check --endpoint-url").into()
            }
            (None, None) => "check the network and --endpoint-url".into(),
            _ => format!("the server answered {self}; see what it said").into(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status, &self.code) {
            (Some(status), Some(code)) => write!(f, "{status} {code}"),
            (Some(status), None) => status.fmt(f),
            (None, Some(code)) => code.fmt(f),
            (None, None) => f.write_str("nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, code: &str) -> Answer {
        let code = (!code.is_empty()).then(|| code.to_owned());
        Answer { status: (status > 0).then_some(status), code }
    }

    #[test]
    fn a_remedy_is_that_of_the_answer_and_names_one_that_is_not_known() {
        for (status, code, remedy) in [
            (0, "", "check the network and --endpoint-url"),
            (403, "", "allow it"),
            (403, "AccessDenied", "allow it"),
            (403, "SignatureDoesNotMatch", "renew the AWS credentials"),
            (400, "ExpiredToken", "renew the AWS credentials"),
            (301, "PermanentRedirect", "set AWS_REGION to the region of the bucket"),
            (501, "NotImplemented", "the server answered 501 NotImplemented: it does not know this request"),
            (405, "", "the server answered 405: it does not know this request"),
            (503, "SlowDown", "the server answered 503 SlowDown; run again later"),
            (502, "", "the server answered 502; run again later"),
            (400, "InvalidArgument", "the server answered 400 InvalidArgument; see what it said"),
            (200, "", "the server answered 200, but not as Amazon S3 does; check --endpoint-url"),
        ] {
            assert_eq!(answer(status, code).remedy("allow it"), remedy);
        }
    }

    #[test]
    fn an_answer_is_read_out_of_what_object_store_says() {
        for (said, expected) in [
            ("Server returned non-2xx status code: 404 Not Found: ", answer(404, "")),
            (
                "Server returned non-2xx status code: 501 Not Implemented: <Error><Code>NotImplemented</Code></Error>",
                answer(501, "NotImplemented"),
            ),
            ("DeleteObjects request failed for key a: no (code: AccessDenied)", answer(0, "AccessDenied")),
            ("Received redirect without LOCATION, this normally indicates ..", answer(0, "PermanentRedirect")),
            ("error sending request", Answer::default()),
        ] {
            let error = object_store::Error::Generic { store: "S3", source: said.into() };
            assert_eq!(Answer::of(&error), expected, "{said}");
        }
    }
}
