//! Copies of one event in the trails of several accounts, as one.

use std::collections::HashMap;
use std::mem;

use crate::chain::Copy;
use crate::found::Rows;

/// An event as one trail logged it, with what tells it from copies in the trails of other accounts.
#[derive(Debug)]
pub(crate) struct Logged<T> {
    pub(crate) what: T,
    /// The name and the id that copies share.
    shared: Option<[String; 2]>,
    /// The least of the copies is told.
    rank: [bool; 3],
    copy: Copy,
}

impl<T> Logged<T> {
    /// Takes the row of a KMS call: the copies are told by the one that has a cause, then by the caller's, then by another
    /// than that of the key's owner.
    pub(crate) fn call(rows: Rows<'_>, row: usize, what: T) -> Self {
        let account = rows.text("recipient_account_id", row);
        let has_no_cause = rows.text("ec2_event_name", row).is_none();
        let has_no_caller = rows.text("kms_principal_arn", row).is_none();
        let is_owners = account.is_some() && account == rows.text("key_account_id", row);
        Self::new(rows, row, "kms_event", what, [has_no_cause, has_no_caller, is_owners])
    }

    /// Takes the row of an event: the copies are told by the caller's.
    pub(crate) fn event(rows: Rows<'_>, row: usize, what: T) -> Self {
        let is_owners = rows.text("user_identity_type", row).as_deref() == Some("AWSAccount");
        Self::new(rows, row, "event", what, [is_owners, false, false])
    }

    /// Takes a row whose columns of the event begin with `event`.
    fn new(rows: Rows<'_>, row: usize, event: &str, what: T, rank: [bool; 3]) -> Self {
        let name = rows.text(&format!("{event}_name"), row).unwrap_or_default();
        let event_id = rows.text(&format!("{event}_id"), row);
        let recipient_account_id = rows.text("recipient_account_id", row);
        let shared = rows.text("shared_event_id", row).map(|id| [name, id]);
        Self { what, shared, rank, copy: Copy { event_id, recipient_account_id } }
    }
}

/// Tells copies as one, in the place of the first: each with the others of it.
pub(crate) fn together<T>(logged: impl IntoIterator<Item = Logged<T>>) -> Vec<(T, Vec<Copy>)> {
    let mut told: Vec<(Logged<T>, Vec<Copy>)> = Vec::new();
    let mut places = HashMap::new();
    for mut it in logged {
        let next = told.len();
        let place = it.shared.take().map_or(next, |shared| *places.entry(shared).or_insert(next));
        match told.get_mut(place) {
            Some((first, copies)) => {
                if it.rank < first.rank {
                    mem::swap(first, &mut it);
                }
                copies.push(it.copy);
            }
            None => told.push((it, Vec::new())),
        }
    }
    told.into_iter().map(|(it, copies)| (it.what, copies)).collect()
}
