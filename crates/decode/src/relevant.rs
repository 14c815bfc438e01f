//! The choice of the records that a lake of relevant events keeps.

/// The facts that the choice depends on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Facts<'a> {
    /// `eventSource`.
    pub(crate) event_source: &'a str,
    /// `eventName`.
    pub(crate) event_name: &'a str,
    /// True if an encryption context or a grant's constraint has the key `aws:ebs:id`.
    pub(crate) names_ebs: bool,
    /// True if EC2's own role `aws:ec2-infrastructure` is the caller or the grantee.
    pub(crate) is_infrastructure: bool,
    /// `invokedBy`, `userAgent` and `sourceIPAddress`, as far as they are texts.
    pub(crate) callers: [Option<&'a str>; 3],
    /// The session name of the caller's assumed role.
    pub(crate) session_name: Option<&'a str>,
    /// True if the call was refused and hides what it asked for: then nothing but its request id tells what it was for.
    pub(crate) is_blind: bool,
}

/// Tells whether the event is KMS's.
pub(crate) fn is_kms(event_source: &str) -> bool {
    service(event_source.as_bytes()) == Some(b"kms")
}

/// Tells whether the event is EC2's.
pub(crate) fn is_ec2(event_source: &str) -> bool {
    service(event_source.as_bytes()) == Some(b"ec2")
}

/// Tells whether the event is STS's.
pub(crate) fn is_sts(event_source: &[u8]) -> bool {
    service(event_source) == Some(b"sts")
}

/// Tells whether the source is that of an event notification, such as S3's `aws:s3`. Services give themselves such
/// names in notifications, and never in CloudTrail.
pub(crate) fn is_notification(event_source: &[u8]) -> bool {
    event_source.starts_with(b"aws:")
}

/// Returns the name of a service, such as `ec2` of `ec2.amazonaws.com`; of a host, what stands before that.
fn service(event_source: &[u8]) -> Option<&[u8]> {
    event_source.strip_suffix(b".cn").unwrap_or(event_source).strip_suffix(b".amazonaws.com")
}

/// Tells whether a record carries or creates an identifier that the join can use, or changes the state, the policy or
/// the alias of a key, or issues the credentials with which others are made.
pub(crate) fn is_relevant(facts: &Facts<'_>) -> bool {
    by_name(facts.event_source.as_bytes(), facts.event_name.as_bytes()).unwrap_or_else(|| {
        facts.names_ebs
            || facts.is_infrastructure
            || facts.callers.iter().flatten().any(|caller| is_ec2_family(caller))
            || facts.session_name.is_some_and(crate::normalise::is_instance_id)
            || facts.is_blind && facts.callers.iter().flatten().any(|caller| is_aws(caller))
    })
}

/// Decides by the two names alone; none for those KMS events that need a sign of EC2.
pub(crate) fn by_name(event_source: &[u8], event_name: &[u8]) -> Option<bool> {
    // Few names are as long as another, so this is faster than a search.
    let is_among = |names: &[&str]| names.iter().any(|name| name.as_bytes() == event_name);
    match service(event_source) {
        Some(b"ec2") => Some(is_among(EC2_EVENTS)),
        Some(b"sts") => Some(is_among(STS_EVENTS)),
        Some(b"kms") => is_among(KMS_EVENTS).then_some(true),
        _ => Some(false),
    }
}

/// Tells whether a service's host name is of EC2, EBS or what launches instances: `ec2-frontend-api.amazonaws.com`,
/// `prod.kms-caller.ebs.us-east-1.amazonaws.com`.
fn is_ec2_family(caller: &str) -> bool {
    const FAMILY: [&[u8]; 7] =
        [b"ec2", b"ebs", b"ec2-frontend-api", b"autoscaling", b"spot", b"spotfleet", b"ec2fleet"];
    let is_of_family = |name: &[u8]| name.split(|byte| *byte == b'.').any(|label| FAMILY.contains(&label));
    service(caller.as_bytes()).is_some_and(is_of_family)
}

/// Tells whether a caller is a service of AWS: any may have called EC2, and then KMS, for its own caller.
fn is_aws(caller: &str) -> bool {
    AWS_ITSELF.contains(&caller) || service(caller.as_bytes()).is_some()
}

/// The names that stand for any service of AWS, EC2 too.
const AWS_ITSELF: [&str; 3] = ["AWS Internal", "Amazon Internal", "&AWS; Internal"];

/// KMS events that are kept whoever calls: grants, and what changes a key.
const KMS_EVENTS: &[&str] = &[
    "CancelKeyDeletion",
    "CreateAlias",
    "CreateGrant",
    "CreateKey",
    "DeleteAlias",
    "DeleteExpiredKeyMaterial",
    "DeleteImportedKeyMaterial",
    "DeleteKey",
    "DisableKey",
    "DisableKeyRotation",
    "EnableKey",
    "EnableKeyRotation",
    "ImportKeyMaterial",
    "PutKeyPolicy",
    "ReplicateKey",
    "RetireGrant",
    "RevokeGrant",
    "RotateKey",
    "RotateKeyOnDemand",
    "ScheduleKeyDeletion",
    "SynchronizeMultiRegionKey",
    "UpdateAlias",
    "UpdatePrimaryRegion",
];

/// EC2 events that make, change, attach or name instances, volumes, snapshots or images. None only reads.
const EC2_EVENTS: &[&str] = &[
    "AttachVolume",
    "BidEvictedEvent",
    "CancelSpotFleetRequests",
    "CancelSpotInstanceRequests",
    "CopyImage",
    "CopySnapshot",
    "CopyVolumes",
    "CreateFleet",
    "CreateImage",
    "CreateReplaceRootVolumeTask",
    "CreateRestoreImageTask",
    "CreateSnapshot",
    "CreateSnapshots",
    "CreateStoreImageTask",
    "CreateTags",
    "CreateVolume",
    "DeleteFleets",
    "DeleteSnapshot",
    "DeleteVolume",
    "DeregisterImage",
    "DetachVolume",
    "DisableEbsEncryptionByDefault",
    "DisableFastSnapshotRestores",
    "EnableEbsEncryptionByDefault",
    "EnableFastSnapshotRestores",
    "ImportImage",
    "ImportInstance",
    "ImportSnapshot",
    "ImportVolume",
    "LockSnapshot",
    "ModifyEbsDefaultKmsKeyId",
    "ModifyFleet",
    "ModifyImageAttribute",
    "ModifyInstanceAttribute",
    "ModifySnapshotAttribute",
    "ModifySnapshotTier",
    "ModifySpotFleetRequest",
    "ModifyVolume",
    "ModifyVolumeAttribute",
    "RebootInstances",
    "RegisterImage",
    "RequestSpotFleet",
    "RequestSpotInstances",
    "ResetEbsDefaultKmsKeyId",
    "ResetSnapshotAttribute",
    "RestoreImageFromRecycleBin",
    "RestoreSnapshotFromRecycleBin",
    "RestoreSnapshotTier",
    "RestoreVolumeFromRecycleBin",
    "RunInstances",
    "RunScheduledInstances",
    "SharedSnapshotCopyInitiated",
    "SharedSnapshotVolumeCreated",
    "StartInstances",
    "StopInstances",
    "TerminateInstances",
    "UnlockSnapshot",
];

/// STS events that issue credentials.
const STS_EVENTS: &[&str] = &[
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetSessionToken",
];

#[cfg(test)]
mod tests;
