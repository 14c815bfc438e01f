//! The lacks of a chain, in words.

use trailweave_correlate::Missing;

/// So many of a kind are told one by one.
const FEW: usize = 3;

pub(crate) fn said(missing: &Missing) -> String {
    match missing {
        Missing::Launch { instance_id, lake_begins } => {
            format!("the launch of {instance_id}{}", since(lake_begins.as_ref()))
        }
        Missing::Grant { kms_event_id, time } => {
            let id = kms_event_id.as_deref().unwrap_or("without an id");
            format!("the CreateGrant that allowed the Decrypt of {time}, event {id}")
        }
        Missing::Retirement { grant_id } => format!("the end of grant {grant_id}: no RetireGrant or RevokeGrant"),
        Missing::Decrypt { volume_id } => format!("a use of the data key of {volume_id}: no Decrypt"),
    }
}

/// Says it all, many of a kind together.
pub(crate) fn said_together(missing: &[Missing]) -> Vec<String> {
    let mut said_so_far = Vec::new();
    for of_kind in missing.chunk_by(|one, other| kind(one) == kind(other)) {
        let n = of_kind.len();
        match &of_kind[0] {
            _ if n <= FEW => said_so_far.extend(of_kind.iter().map(said)),
            Missing::Launch { instance_id, lake_begins } => {
                let since = since(lake_begins.as_ref());
                said_so_far.push(format!("the launches of {n} instances, such as {instance_id}{since}"));
            }
            Missing::Grant { time, .. } => {
                said_so_far.push(format!("the CreateGrants that allowed {n} Decrypts, such as that of {time}"));
            }
            Missing::Retirement { grant_id } => said_so_far.push(format!("the ends of {n} grants, such as {grant_id}")),
            Missing::Decrypt { volume_id } => {
                said_so_far.push(format!("a use of the data keys of {n} volumes, such as {volume_id}"));
            }
        }
    }
    said_so_far
}

fn kind(missing: &Missing) -> std::mem::Discriminant<Missing> {
    std::mem::discriminant(missing)
}

fn since(lake_begins: Option<&String>) -> String {
    lake_begins.map(|day| format!(": nothing before {day} was read")).unwrap_or_default()
}
