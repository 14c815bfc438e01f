//! The lacks of a chain, in words.

use trailweave_correlate::Missing;

/// So many of a kind are told one by one.
const FEW: usize = 3;

/// The words before a lack, none before an open grant, and the lack.
type Lack = (&'static str, String);

const MISSING: &str = "missing: ";
const NOT_SEEN: &str = "not seen: ";

pub(crate) fn said(missing: &Missing) -> Lack {
    match missing {
        Missing::Launch { instance_id, lake_begins } => {
            (MISSING, format!("the launch of {instance_id}{}", since(lake_begins.as_ref())))
        }
        Missing::Grant { kms_event_id, time } => {
            let id = kms_event_id.as_deref().unwrap_or("without an id");
            (MISSING, format!("the CreateGrant that allowed the Decrypt of {time}, event {id}"))
        }
        Missing::Retirement { grant_id } => {
            ("", format!("grant {grant_id} is still open: the lake has no RetireGrant or RevokeGrant"))
        }
        Missing::Decrypt { volume_id } => {
            (NOT_SEEN, format!("a Decrypt for {volume_id}; it was never attached, or its Decrypt is not in the lake"))
        }
    }
}

/// Says it all, many of a kind together.
pub(crate) fn said_together(missing: &[Missing]) -> Vec<Lack> {
    let mut said_so_far = Vec::new();
    for of_kind in missing.chunk_by(|one, other| kind(one) == kind(other)) {
        let n = of_kind.len();
        if n <= FEW {
            said_so_far.extend(of_kind.iter().map(said));
            continue;
        }
        said_so_far.push(match &of_kind[0] {
            Missing::Launch { instance_id, lake_begins } => {
                let since = since(lake_begins.as_ref());
                (MISSING, format!("the launches of {n} instances, such as {instance_id}{since}"))
            }
            Missing::Grant { time, .. } => {
                (MISSING, format!("the CreateGrants that allowed {n} Decrypts, such as that of {time}"))
            }
            Missing::Retirement { grant_id } => {
                ("", format!("{n} grants are still open, such as {grant_id}: the lake has no end of them"))
            }
            Missing::Decrypt { volume_id } => {
                (NOT_SEEN, format!("Decrypts for {n} volumes, such as {volume_id}; never attached, or not in the lake"))
            }
        });
    }
    said_so_far
}

fn kind(missing: &Missing) -> std::mem::Discriminant<Missing> {
    std::mem::discriminant(missing)
}

fn since(lake_begins: Option<&String>) -> String {
    lake_begins.map(|day| format!(": nothing before {day} was read")).unwrap_or_default()
}
