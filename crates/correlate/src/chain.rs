//! The chain of one identifier: the EC2 events that caused KMS calls on it, and those calls.

use serde::Serialize;

/// The events around one identifier, in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// The identifier as asked.
    pub id: String,
    /// The ARNs of the keys that it named, if it is an alias.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The launch, if it is an instance of which the lake knows that, and no cause is it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch: Option<Event>,
    /// The first day that the lake keeps, `YYYY-MM-DD`, if days were pruned that were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruned_before: Option<String>,
    /// The parts of a whole chain that the lake does not hold.
    pub missing: Vec<Missing>,
    /// The causes, earliest call first.
    pub causes: Vec<Cause>,
    /// Events after those of `causes` that are left out, each copy counted. Only events without calls are.
    pub more_events: u64,
}

/// A part of a chain that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "missing", rename_all = "snake_case")]
pub enum Missing {
    /// An instance was not seen launched.
    Launch {
        /// The instance.
        instance_id: String,
        /// The first day of the lake's events, `YYYY-MM-DD`.
        lake_begins: Option<String>,
    },
    /// A Decrypt of a volume's key succeeded, and no `CreateGrant` allowed it.
    Grant {
        /// The event id of the Decrypt.
        kms_event_id: Option<String>,
        /// When it was, RFC 3339.
        time: String,
    },
    /// A grant was neither retired nor revoked.
    Retirement {
        /// The grant.
        grant_id: String,
    },
    /// A volume's data key was made, and never decrypted.
    Decrypt {
        /// The volume.
        volume_id: String,
    },
}

/// An EC2 event and the KMS calls that it made; or calls without one, by the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The EC2 event; `None`: the calls have none.
    pub event: Option<Event>,
    /// Why there is none.
    pub unmatched_reason: Option<String>,
    /// The calls, in time.
    pub calls: Vec<Call>,
}

/// An EC2 event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its event id.
    pub event_id: String,
    /// When, RFC 3339.
    pub time: String,
    /// Its name.
    pub name: String,
    /// The caller.
    pub principal_arn: Option<String>,
    /// The account of the caller; told of an event without calls alone.
    pub principal_account_id: Option<String>,
    /// The principal behind the caller.
    pub root_principal_arn: Option<String>,
    /// The column `root_source`.
    pub root_source: Option<String>,
    /// From where.
    pub source_ip_address: Option<String>,
    /// Its error, if it failed.
    pub error_code: Option<String>,
    /// The object in which it was logged.
    pub source_object: Option<String>,
    /// The account in whose trail it was logged; told of an event without calls alone.
    pub recipient_account_id: Option<String>,
    /// The same event in the trails of other accounts.
    pub copies: Vec<Copy>,
}

/// The copy of an event in the trail of another account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Copy {
    /// Its event id.
    pub event_id: Option<String>,
    /// The account.
    pub recipient_account_id: Option<String>,
}

/// A KMS call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(
    missing_docs,
    reason = "each field is the column of `correlated` of the same name, less the prefix kms_; copies: see Event"
)]
pub struct Call {
    pub event_id: Option<String>,
    pub time: String,
    pub name: String,
    pub error_code: Option<String>,
    pub principal_arn: Option<String>,
    pub principal_account_id: Option<String>,
    pub invoked_by: Option<String>,
    pub recipient_account_id: Option<String>,
    pub instance_id: Option<String>,
    pub caller_instance_id: Option<String>,
    pub volume_id: Option<String>,
    pub snapshot_id: Option<String>,
    pub grant_id: Option<String>,
    pub grant_event_id: Option<String>,
    pub key_arn: Option<String>,
    pub source_key_arn: Option<String>,
    pub link: String,
    pub confidence: Option<String>,
    pub source_object: Option<String>,
    pub copies: Vec<Copy>,
}
