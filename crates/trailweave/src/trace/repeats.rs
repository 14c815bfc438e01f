//! Calls that repeat, as one.

use std::collections::HashMap;

use trailweave_correlate::Call;

/// Calls below one cause that differ only in who made them and for what are one where they are more than that.
const MANY: usize = 10;

/// Groups calls of which one line tells, in the order of the first of each: the same again, and many of a kind.
pub(crate) fn grouped(calls: &[Call]) -> Vec<Vec<&Call>> {
    let mut n_of_kind: HashMap<Kind<'_>, usize> = HashMap::new();
    for call in calls {
        *n_of_kind.entry(kind(call)).or_default() += 1;
    }
    let mut positions = HashMap::new();
    let mut groups: Vec<Vec<&Call>> = Vec::new();
    for call in calls {
        let of_kind = kind(call);
        let details = (n_of_kind[&of_kind] <= MANY).then(|| details(call));
        let position = *positions.entry((of_kind, details)).or_insert(groups.len());
        if position == groups.len() {
            groups.push(Vec::new());
        }
        groups[position].push(call);
    }
    groups
}

type Kind<'c> = [Option<&'c str>; 6];

/// Returns the fields in which many calls are alike.
fn kind(call: &Call) -> Kind<'_> {
    [
        Some(call.name.as_str()),
        call.error_code.as_deref(),
        Some(call.link.as_str()),
        call.confidence.as_deref(),
        call.key_arn.as_deref(),
        call.source_key_arn.as_deref(),
    ]
}

/// Returns the other fields in which the same call is alike.
fn details(call: &Call) -> [Option<&str>; 9] {
    [
        call.principal_arn.as_deref(),
        call.principal_account_id.as_deref(),
        call.invoked_by.as_deref(),
        call.recipient_account_id.as_deref(),
        call.instance_id.as_deref(),
        call.caller_instance_id.as_deref(),
        call.volume_id.as_deref(),
        call.snapshot_id.as_deref(),
        call.grant_id.as_deref(),
    ]
}
