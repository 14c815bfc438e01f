//! `sessions`: one row per access key that STS issued.

use crate::column::Encoding::{Delta, Plain};
use crate::column::Kind::{Integer, Time};
use crate::column::{Column, Table, column, id, text};
use crate::field_ids;

/// One row per STS event that issued an access key, in a lake of relevant events.
pub const SESSIONS: Table = Table {
    name: "sessions",
    doc: "One row per STS event that issued an access key, unique on (recipient_account_id, event_id): who issued which \
          key to whom. A lake of all events has them in events instead. The session token is not kept.",
    columns: COLUMNS,
    dated_by: Some("event_time"),
    sort_by: &["event_time", "event_name", "event_id"],
    field_ids: field_ids::SESSIONS,
};

/// Columns that `events` has, too, are named as there and say the same.
const COLUMNS: &[Column] = &[
    id("event_id", "eventID, as logged").written(Plain),
    column("event_time", Time, "eventTime: when the request completed, whole seconds as logged").written(Delta),
    text("event_name", "eventName, such as AssumeRole"),
    text("aws_region", "awsRegion"),
    text(
        "recipient_account_id",
        "recipientAccountId: whose trail got this copy; of an event of EventBridge without it, its account",
    ),
    text("source_ip_address", "sourceIPAddress: an address, a service's name, or AWS Internal"),
    text("user_identity_type", "userIdentity.type"),
    text("principal_id", "userIdentity.principalId"),
    text("principal_arn", "userIdentity.arn"),
    text("principal_account_id", "userIdentity.accountId"),
    id("access_key_id", "userIdentity.accessKeyId"),
    text("session_issuer_arn", "userIdentity.sessionContext.sessionIssuer.arn"),
    text("invoked_by", "userIdentity.invokedBy: the AWS service that made the call"),
    id("issued_access_key_id", "the access key that the call issued, responseElements.credentials.accessKeyId")
        .written(Plain),
    text("issued_to", "ARN of the session: that of the assumed role or federated user, else requestParameters.roleArn"),
    text(
        "amended_event_id",
        "eventID of the record that this one replaces, by an addendum UPDATED_DATA; null for every other record",
    ),
    text("source_object", "key or path of the object that the record came from"),
    column("source_index", Integer, "position of the record in its object, from 0").written(Delta),
];
