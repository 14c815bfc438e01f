//! Kinds of events.

/// The kind of event of a row, as far as rules tell kinds apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    AttachVolume,
    CreateGrant,
    CreateReplaceRootVolumeTask,
    CreateVolume,
    Decrypt,
    DetachVolume,
    /// `RetireGrant` or `RevokeGrant`.
    EndGrant,
    /// `CreateSnapshot` or `CreateSnapshots`.
    CreateSnapshot,
    /// `GenerateDataKey` and its variants.
    GenerateDataKey,
    Other,
    ReEncrypt,
    RunInstances,
    /// `CopySnapshot` or `ImportSnapshot`.
    Snapshot,
    StartInstances,
}

impl Kind {
    /// Returns the kinds of a KMS event and of an EC2 event of a name.
    pub(crate) fn named(name: &str) -> (Self, Self) {
        let of_kms = match name {
            "CreateGrant" => Self::CreateGrant,
            "Decrypt" => Self::Decrypt,
            "ReEncrypt" => Self::ReEncrypt,
            "RetireGrant" | "RevokeGrant" => Self::EndGrant,
            _ if name.starts_with("GenerateDataKey") => Self::GenerateDataKey,
            _ => Self::Other,
        };
        let of_ec2 = match name {
            "AttachVolume" => Self::AttachVolume,
            "CreateReplaceRootVolumeTask" => Self::CreateReplaceRootVolumeTask,
            "CreateVolume" => Self::CreateVolume,
            "DetachVolume" => Self::DetachVolume,
            "RunInstances" => Self::RunInstances,
            "CreateSnapshot" | "CreateSnapshots" => Self::CreateSnapshot,
            "CopySnapshot" | "ImportSnapshot" => Self::Snapshot,
            "StartInstances" => Self::StartInstances,
            _ => Self::Other,
        };
        (of_kms, of_ec2)
    }
}

/// Tells whether KMS events of a kind make data keys.
pub(crate) fn makes_data_key(kind: Kind) -> bool {
    matches!(kind, Kind::GenerateDataKey | Kind::ReEncrypt)
}
