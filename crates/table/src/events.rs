//! `events`: one row per CloudTrail record.

use crate::column::Encoding::{Delta, Plain};
use crate::column::Kind::{Bool, Integer, TextList, TextMap, Time};
use crate::column::{Column, Table, column, id, ids, json, text};
use crate::field_ids;

/// One row per CloudTrail record, unique on (`recipient_account_id`, `event_id`).
/// Source: the record contents page of the CloudTrail user guide.
pub const EVENTS: Table = Table {
    name: "events",
    doc: "One row per CloudTrail record, unique on (recipient_account_id, event_id).",
    columns: COLUMNS,
    dated_by: Some("event_time"),
    sort_by: &["event_time", "event_source", "event_name", "event_id"],
    field_ids: field_ids::EVENTS,
};

const COLUMNS: &[Column] = &[
    id("event_id", "eventID, as logged").written(Plain),
    column("event_time", Time, "eventTime: when the request completed, whole seconds as logged").written(Delta),
    text("event_version", "eventVersion"),
    text("event_source", "eventSource, such as kms.amazonaws.com"),
    text("event_name", "eventName"),
    text("event_type", "eventType"),
    text("event_category", "eventCategory"),
    text("aws_region", "awsRegion"),
    text(
        "recipient_account_id",
        "recipientAccountId: whose trail got this copy; of an event of EventBridge without it, its account",
    ),
    id("request_id", "requestID in lower case; compare it within one account only").written(Plain),
    id("shared_event_id", "sharedEventID, which the copies of one event in several accounts share").written(Plain),
    column("read_only", Bool, "readOnly"),
    column("management_event", Bool, "managementEvent"),
    text("source_ip_address", "sourceIPAddress: an address, a service's name, or AWS Internal"),
    text("user_agent", "userAgent"),
    text("error_code", "errorCode; null when the call succeeded"),
    text("error_message", "errorMessage"),
    text("vpc_endpoint_id", "vpcEndpointId"),
    text("user_identity_type", "userIdentity.type"),
    text("principal_id", "userIdentity.principalId"),
    text("principal_arn", "userIdentity.arn"),
    text("principal_account_id", "userIdentity.accountId"),
    id("access_key_id", "userIdentity.accessKeyId"),
    text("user_name", "userIdentity.userName"),
    text("session_issuer_arn", "userIdentity.sessionContext.sessionIssuer.arn"),
    text("session_name", "the session of an assumed role, from its ARN"),
    text("source_identity", "userIdentity.sessionContext.sourceIdentity"),
    text("invoked_by", "userIdentity.invokedBy: the AWS service that made the call"),
    id(
        "key_arn",
        "ARN of the KMS key that the call used; ReEncrypt: the destination. From resources, else the parameters or the \
         response, else the errorMessage of a refused call",
    ),
    id("source_key_arn", "ReEncrypt: ARN of the source key, found the same way"),
    id("grant_id", "the KMS grant that the call created, or was to retire or revoke"),
    text("grantee_principal", "CreateGrant: granteePrincipal"),
    ids(
        "instance_ids",
        "EC2 instances that the record names, normalised; KMS: from the infrastructure principal or grantee",
    ),
    ids("volume_ids", "EBS volumes that the record names, normalised; KMS: from aws:ebs:id"),
    ids("snapshot_ids", "EBS snapshots that the record names, normalised; KMS: from aws:ebs:id"),
    ids("image_ids", "machine images that the record names, normalised"),
    column(
        "encryption_context",
        TextMap,
        "the call's encryption context, grant constraint, or ReEncrypt's destination context, else its source context",
    ),
    column("operations", TextList, "CreateGrant: the operations that it allows"),
    text("retiring_principal", "CreateGrant: retiringPrincipal"),
    text("instance_type", "RunInstances: type of the instances"),
    text("reservation_id", "RunInstances: reservationId"),
    text("client_token", "clientToken of the request"),
    column("encrypted", Bool, "CreateVolume, CopySnapshot, CreateSnapshot: whether the result is encrypted"),
    id("issued_access_key_id", "STS: the access key that the call issued, responseElements.credentials.accessKeyId")
        .written(Plain),
    text(
        "amended_event_id",
        "eventID of the record that this one replaces, by an addendum UPDATED_DATA; null for every other record",
    ),
    json("request_parameters", "requestParameters, JSON text as logged, also where an export holds it as a string"),
    json("response_elements", "responseElements, JSON text as logged"),
    json("additional_event_data", "additionalEventData, JSON text as logged"),
    json("service_event_details", "serviceEventDetails, JSON text as logged"),
    json("resources", "resources, JSON text as logged"),
    json(
        "extra",
        "every other top-level field, and what no column holds of userIdentity, as one JSON object; null when there is none",
    ),
    text("source_object", "key or path of the object that the record came from"),
    column("source_index", Integer, "position of the record in its object, from 0").written(Delta),
];
