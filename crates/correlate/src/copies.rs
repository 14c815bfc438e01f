//! Copies of one event in the trails of several accounts, as one.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use trailweave_lake::Lake;
use trailweave_lake::read::{Ask, Keys};
use trailweave_table::EVENTS;

use crate::CorrelateError;
use crate::chain::{Call, Copy, Event};
use crate::found::{Rows, Window, find};

/// A call with its cause, or why it has none.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) cause: Option<Event>,
    pub(crate) unmatched_reason: Option<String>,
    pub(crate) call: Call,
}

/// Puts the copies of a call, which share a `shared_event_id`, into the one that has a cause, else the caller's.
pub(crate) fn of_calls(lake: &Lake, calls: Vec<Found>) -> Result<Vec<Found>, CorrelateError> {
    let shared = shared(lake, &perhaps_copies(&calls))?;
    if shared.is_empty() {
        return Ok(calls);
    }
    let key = |it: &Found| (it.call.recipient_account_id.clone(), it.call.event_id.clone().unwrap_or_default());
    let place = |it: &Found| {
        let known = shared.get(&key(it));
        (
            known.map(|known| (it.call.name.clone(), known.id.clone())),
            it.cause.is_none(),
            known.is_some_and(|it| it.is_owners),
        )
    };
    let mut best: BTreeMap<(String, String), usize> = BTreeMap::new();
    let places: Vec<_> = calls.iter().map(place).collect();
    for (at, (id, ..)) in places.iter().enumerate() {
        let Some(id) = id else { continue };
        let first = best.entry(id.clone()).or_insert(at);
        if (places[at].1, places[at].2) < (places[*first].1, places[*first].2) {
            *first = at;
        }
    }
    let mut copies: HashMap<usize, Vec<Copy>> = HashMap::new();
    let mut kept = Vec::new();
    for (at, found) in calls.into_iter().enumerate() {
        match places[at].0.as_ref().map(|id| best[id]).filter(|first| *first != at) {
            Some(first) => copies
                .entry(first)
                .or_default()
                .push(Copy { event_id: found.call.event_id, recipient_account_id: found.call.recipient_account_id }),
            None => kept.push((at, found)),
        }
    }
    let with_copies = |(at, mut found): (usize, Found)| {
        found.call.copies = copies.remove(&at).unwrap_or_default();
        found
    };
    Ok(kept.into_iter().map(with_copies).collect())
}

/// Returns the ids of the calls of one name and time in several accounts: others are surely no copies.
fn perhaps_copies(calls: &[Found]) -> Keys {
    let key = |it: &Found| (it.call.time.clone(), it.call.name.clone());
    let mut accounts: BTreeMap<_, BTreeSet<&Option<String>>> = BTreeMap::new();
    for it in calls {
        accounts.entry(key(it)).or_default().insert(&it.call.recipient_account_id);
    }
    let of_several = calls.iter().filter(|it| accounts[&key(it)].len() > 1);
    of_several.filter_map(|it| it.call.event_id.as_deref()).collect()
}

/// The sign of a copy.
struct Shared {
    id: String,
    /// It is the copy of an account that only owns the key.
    is_owners: bool,
}

/// Finds which of some events share an id, by account and event id.
fn shared(lake: &Lake, ids: &Keys) -> Result<HashMap<(Option<String>, String), Shared>, CorrelateError> {
    let columns = ["event_id", "recipient_account_id", "shared_event_id", "user_identity_type"];
    let mut shared = HashMap::new();
    for batch in find(lake, &EVENTS, &columns, &[Ask::all("event_id", ids)], Window::default())? {
        let rows = Rows { batch: &batch };
        for row in 0..batch.num_rows() {
            if let (Some(id), Some(shared_id)) = (rows.text("event_id", row), rows.text("shared_event_id", row)) {
                let is_owners = is_owners(rows, row);
                shared.insert((rows.text("recipient_account_id", row), id), Shared { id: shared_id, is_owners });
            }
        }
    }
    Ok(shared)
}

/// Tells whether an event is the copy of an account that only owns what another one used.
pub(crate) fn is_owners(rows: Rows<'_>, row: usize) -> bool {
    rows.text("user_identity_type", row).as_deref() == Some("AWSAccount")
}

/// An event, by what it shares with its copies, and whether it is an owner's.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) event: Event,
    pub(crate) shared: Option<String>,
    pub(crate) is_owners: bool,
}

/// Puts the copies of an event into the caller's, in the place of the first.
pub(crate) fn of_events(logged: Vec<Logged>) -> Vec<Event> {
    let mut events: Vec<Logged> = Vec::new();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    for mut it in logged {
        let Some(shared) = it.shared.clone() else {
            events.push(it);
            continue;
        };
        let place = *places.entry((it.event.name.clone(), shared)).or_insert(events.len());
        if place == events.len() {
            events.push(it);
            continue;
        }
        let first = &mut events[place];
        if first.is_owners && !it.is_owners {
            std::mem::swap(first, &mut it);
            first.event.copies = std::mem::take(&mut it.event.copies);
        }
        let Event { event_id, recipient_account_id, .. } = it.event;
        first.event.copies.push(Copy { event_id: Some(event_id), recipient_account_id });
    }
    events.into_iter().map(|it| it.event).collect()
}
