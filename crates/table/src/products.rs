//! The tables that the read arm writes: `correlated` and the dimensions of its star.

use crate::column::Encoding::Plain;
use crate::column::Kind::{Bool, Integer, TextList, Time};
use crate::column::{Column, Table, column, id, text};
use crate::field_ids;

/// One row per KMS event that touches EC2 or EBS, with the EC2 event that caused it.
pub const CORRELATED: Table = Table {
    name: "correlated",
    doc: "One row per KMS event that touches EC2 or EBS, with the EC2 event that caused it, or why there is none.",
    columns: CORRELATED_COLUMNS,
    dated_by: Some("kms_event_time"),
    sort_by: &["instance_id", "kms_event_time", "kms_event_id"],
    field_ids: field_ids::CORRELATED,
};

/// One row per EC2 instance that the lake saw launched.
pub const INSTANCES: Table = Table {
    name: "instances",
    doc: "One row per EC2 instance that the lake saw launched.",
    columns: &[
        id("instance_id", "the instance").written(Plain),
        text("recipient_account_id", "account of the trail"),
        text("aws_region", "region of the launch"),
        id("launch_event_id", "event_id of the RunInstances that created it").written(Plain),
        column("launched_at", Time, "event_time of that event").written(Plain),
        text("launch_principal_arn", "who launched it"),
        text("root_principal_arn", "who stands behind the launch: its caller, followed through STS"),
        text("root_source", "how that is known, as in `correlated`"),
        text("image_id", "the machine image"),
        text("instance_type", "its type"),
        text("reservation_id", "its reservation").written(Plain),
        text("client_token", "client token of the request"),
    ],
    dated_by: Some("launched_at"),
    sort_by: &["instance_id", "launched_at"],
    field_ids: field_ids::INSTANCES,
};

/// One row per EBS volume whose creation, or whose data key's, the lake saw.
pub const VOLUMES: Table = Table {
    name: "volumes",
    doc: "One row per EBS volume whose creation, or whose data key's, the lake saw.",
    columns: &[
        id("volume_id", "the volume").written(Plain),
        text("recipient_account_id", "account of the trail"),
        text("aws_region", "region of the volume"),
        id("created_event_id", "event_id of the CreateVolume, or of the RunInstances or CreateReplaceRootVolumeTask that its data key is linked to")
            .written(Plain),
        column("created_at", Time, "event_time of that event, else of the data key's").written(Plain),
        text("created_by_arn", "who created it"),
        text("snapshot_id", "the snapshot that it was made from"),
        column("encrypted", Bool, "whether it is encrypted"),
        id("key_arn", "ARN of its KMS key"),
        text("data_key_event_id", "event_id of the GenerateDataKey* that made its data key").written(Plain),
    ],
    dated_by: Some("created_at"),
    sort_by: &["volume_id", "created_at"],
    field_ids: field_ids::VOLUMES,
};

/// One row per event that shows a volume at an instance.
pub const ATTACHMENTS: Table = Table {
    name: "attachments",
    doc: "One row per event that shows a volume at an instance.",
    columns: &[
        id("volume_id", "the volume").written(Plain),
        id("instance_id", "the instance").written(Plain),
        text("recipient_account_id", "account of the trail"),
        text("aws_region", "region of the event"),
        column("attached_at", Time, "event_time of the event").written(Plain),
        text("source_event_id", "event_id of the event").written(Plain),
        text("source", "its event_name: AttachVolume, DetachVolume, CreateGrant or Decrypt"),
    ],
    dated_by: Some("attached_at"),
    sort_by: &["volume_id", "attached_at", "source_event_id"],
    field_ids: field_ids::ATTACHMENTS,
};

/// One row per KMS grant for EC2, EBS or a service that launches instances.
pub const GRANTS: Table = Table {
    name: "grants",
    doc: "One row per KMS grant for EC2, EBS or a service-linked role that launches instances, of the account that made \
          it; of the key owner's only where there is no other.",
    columns: &[
        id("grant_id", "the grant").written(Plain),
        id("key_arn", "ARN of its KMS key"),
        text("recipient_account_id", "account of the trail"),
        text("aws_region", "region of the CreateGrant"),
        text("create_event_id", "event_id of the CreateGrant").written(Plain),
        column("created_at", Time, "event_time of the CreateGrant").written(Plain),
        text("grantee_principal", "who may use it"),
        id("instance_id", "the instance that it serves"),
        id("volume_id", "the volume that it is limited to"),
        id("snapshot_id", "the snapshot that it is limited to"),
        column("operations", TextList, "the operations that it allows"),
        text("retiring_principal", "who may retire it"),
        text("end_event_id", "event_id of the RetireGrant or RevokeGrant that ended it").written(Plain),
        column("ended_at", Time, "event_time of that event; null where the lake has none").written(Plain),
        text("ended_by_arn", "who ended it; null where AWS retired it by itself, or only a key owner's copy is there"),
    ],
    dated_by: Some("created_at"),
    sort_by: &["grant_id", "created_at"],
    field_ids: field_ids::GRANTS,
};

const CORRELATED_COLUMNS: &[Column] = &[
    id("kms_event_id", "event_id of the KMS event").written(Plain),
    column("kms_event_time", Time, "its event_time").written(Plain),
    text("kms_event_name", "its event_name"),
    text("kms_error_code", "its error_code"),
    text("kms_principal_arn", "who called KMS"),
    text("kms_principal_account_id", "account of the caller, which a key owner's copy tells without the ARN"),
    text("kms_invoked_by", "the AWS service that forwarded the call"),
    text("kms_request_id", "its request_id").written(Plain),
    text(
        "shared_event_id",
        "its shared_event_id, which copies of one call in the trails of several accounts share; null for most",
    )
    .written(Plain),
    text("recipient_account_id", "account of the trail; else, in old records, of the caller"),
    text("aws_region", "region of the KMS event"),
    id("key_arn", "ARN of the key"),
    text("key_account_id", "account that owns the key"),
    id("source_key_arn", "ReEncrypt: ARN of the key that it decrypts with"),
    id("grant_id", "the grant that it created, retired or revoked").written(Plain),
    id("instance_id", "the instance that the volume or grant serves; may be learned from other events").written(Plain),
    id(
        "volume_id",
        "the volume: the call's or its grant's; else the only one that its cause of the same request names",
    )
    .written(Plain),
    id("snapshot_id", "the snapshot, found the same way"),
    id(
        "caller_instance_id",
        "the instance whose role made the call, by the name of its session; other callers of AssumeRole may choose that name; never taken for instance_id",
    ),
    id("ec2_event_id", "event_id of the EC2 event that caused the call, or null").written(Plain),
    column("ec2_event_time", Time, "its event_time").written(Plain),
    text("ec2_event_name", "its event_name"),
    text("ec2_principal_arn", "who made it"),
    text("ec2_source_ip_address", "from where"),
    text("ec2_request_id", "its request_id").written(Plain),
    text("ec2_error_code", "its error_code"),
    text("link", "the rule that found the cause: request_id, grant, instance, resource, volume, none"),
    text("confidence", "exact, strong or inferred; null when there is no link"),
    text(
        "unmatched_reason",
        "no_ec2_event, external_service, instance_role, denied, outside_lookback; null when linked",
    ),
    column("delta_ms", Integer, "kms_event_time - ec2_event_time, milliseconds"),
    id("launch_event_id", "event_id of the RunInstances that created instance_id, else caller_instance_id")
        .written(Plain),
    column("launch_event_time", Time, "its event_time").written(Plain),
    text("launch_principal_arn", "who launched"),
    text("root_principal_arn", "who stands behind the cause, else behind the launch: its caller, followed through STS"),
    text("root_source", "how that is known: direct, assume_role, service, source_identity, session"),
    text("grant_event_id", "event_id of the CreateGrant that allowed this call").written(Plain),
    text("data_key_event_id", "event_id of the GenerateDataKey* that made the volume's key").written(Plain),
    text("kms_source_object", "object in which the KMS event was logged"),
    text("ec2_source_object", "object in which the EC2 event was logged"),
];
