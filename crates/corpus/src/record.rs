//! One `CloudTrail` record, with the fields that its version has, in the order in which they are logged.

use serde_json::{Map, Value, json};

use crate::clock::rfc3339;

/// The minor number of `eventVersion`, which says which fields exist.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u8);

impl Version {
    pub(crate) const LEGACY: Self = Self(2);
    pub(crate) const LATEST: Self = Self(11);

    /// Tells whether records look as in 2014.
    pub(crate) fn is_legacy(self) -> bool {
        self < Self(8)
    }
}

/// An error of a call: its code, and its message unless the service gives none.
#[derive(Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) message: Option<&'static str>,
}

/// The parts of a record; what the version lacks is left out.
pub(crate) struct Record {
    pub(crate) version: Version,
    pub(crate) identity: Value,
    pub(crate) at: i64,
    pub(crate) source: &'static str,
    pub(crate) name: &'static str,
    pub(crate) region: &'static str,
    pub(crate) address: String,
    /// Empty: not logged.
    pub(crate) agent: String,
    pub(crate) failure: Option<Failure>,
    pub(crate) request: Value,
    pub(crate) response: Value,
    pub(crate) additional: Option<Value>,
    /// Empty: not logged.
    pub(crate) request_id: String,
    pub(crate) event_id: String,
    pub(crate) read_only: bool,
    pub(crate) resources: Vec<Resource>,
    pub(crate) event_type: &'static str,
    pub(crate) details: Option<Value>,
    pub(crate) recipient: String,
    pub(crate) shared: Option<String>,
    pub(crate) category: &'static str,
    pub(crate) link: Connection,
}

/// One entry of `resources`.
#[derive(Clone)]
pub(crate) struct Resource {
    pub(crate) arn: String,
    pub(crate) account: String,
    pub(crate) kind: &'static str,
}

/// How the call reached AWS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// From outside: `tlsDetails` is logged.
    Tls,
    /// From the console in a browser.
    Console,
    /// From inside AWS.
    Internal,
}

impl Record {
    /// A successful management call without parameters, from inside AWS.
    pub(crate) fn new(source: &'static str, name: &'static str, at: i64, identity: Value) -> Self {
        Self {
            version: Version::LATEST,
            identity,
            at,
            source,
            name,
            region: "",
            address: String::new(),
            agent: String::new(),
            failure: None,
            request: Value::Null,
            response: Value::Null,
            additional: None,
            request_id: String::new(),
            event_id: String::new(),
            read_only: false,
            resources: Vec::new(),
            event_type: "AwsApiCall",
            details: None,
            recipient: String::new(),
            shared: None,
            category: "Management",
            link: Connection::Internal,
        }
    }

    /// The record as `CloudTrail` writes it.
    pub(crate) fn into_json(self) -> Value {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| {
            fields.insert(name.to_owned(), value);
        };
        put("eventVersion", json!(format!("1.{:02}", self.version.0)));
        put("userIdentity", self.identity);
        put("eventTime", json!(rfc3339(self.at)));
        put("eventSource", json!(self.source));
        put("eventName", json!(self.name));
        put("awsRegion", json!(self.region));
        put("sourceIPAddress", json!(self.address));
        if !self.agent.is_empty() {
            put("userAgent", json!(self.agent));
        }
        if let Some(failure) = self.failure {
            put("errorCode", json!(failure.code));
            if let Some(message) = failure.message {
                put("errorMessage", json!(message));
            }
        }
        put("requestParameters", self.request);
        put("responseElements", self.response);
        if let Some(additional) = self.additional {
            put("additionalEventData", additional);
        }
        if !self.request_id.is_empty() {
            put("requestID", json!(self.request_id));
        }
        put("eventID", json!(self.event_id));
        put("readOnly", json!(self.read_only));
        if !self.resources.is_empty() {
            put("resources", resources_json(&self.resources, self.version));
        }
        put("eventType", json!(self.event_type));
        if !self.version.is_legacy() {
            put("managementEvent", json!(self.category == "Management"));
        }
        put("recipientAccountId", json!(self.recipient));
        if let Some(shared) = self.shared {
            put("sharedEventID", json!(shared));
        }
        if let Some(details) = self.details {
            put("serviceEventDetails", details);
        }
        if !self.version.is_legacy() {
            put("eventCategory", json!(self.category));
            connection_json(self.link, self.version, self.source, self.region, &mut put);
        }
        Value::Object(fields)
    }
}

fn resources_json(resources: &[Resource], version: Version) -> Value {
    let render = |resource: &Resource| {
        if version.is_legacy() {
            json!({"ARN": resource.arn, "accountId": resource.account})
        } else {
            json!({"accountId": resource.account, "type": resource.kind, "ARN": resource.arn})
        }
    };
    resources.iter().map(render).collect()
}

fn connection_json(link: Connection, version: Version, source: &str, region: &str, put: &mut impl FnMut(&str, Value)) {
    if link == Connection::Internal {
        return;
    }
    let service = source.split('.').next().unwrap_or(source);
    let mut tls = json!({
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_128_GCM_SHA256",
        "clientProvidedHostHeader": format!("{service}.{region}.amazonaws.com"),
    });
    if version >= Version::LATEST {
        tls["keyExchange"] = json!("x25519");
    }
    put("tlsDetails", tls);
    if link == Connection::Console {
        put("sessionCredentialFromConsole", json!("true"));
    }
}
