//! Records that amend others: those that belong together, and the one of them that stays a row.
//!
//! An amendment ties its own event to the one that it amends. Events that are tied, however far, are a family, and of a
//! family one row stays: its greatest amendment by `event_time`, then `event_id`, then a digest of all that was logged.
//! That order is total and looks at two amendments alone, so which one stays depends neither on the order in which they
//! arrive nor on copies; and one that was outranked never comes back, so its row need not be kept.

use std::collections::HashMap;
use std::collections::HashSet;

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::datatypes::Int64Type;
use arrow::util::display::array_value_to_string;
use serde::Deserialize;
use serde::Serialize;
use trailweave_table::Table;

use crate::fingerprint::fingerprint;
use crate::rows::chunk::event_times_ms;
use crate::rows::row_key::ACCOUNT;
use crate::rows::row_key::EVENT_ID;
use crate::rows::row_key::row_key;
use crate::rows::texts::Texts;

/// Where a record was logged, which its copies differ in, and what is compared by itself.
const NOT_DIGESTED: [&str; 3] = ["source_object", "source_index", "event_time"];

/// A record that amends another, as the ledger notes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Amendment {
    account: Option<String>,
    event_id: String,
    amended_event_id: String,
    event_time_ms: i64,
    /// The digest of the rest of the row, except for where it was logged, in hexadecimal.
    digest: String,
    /// Its position in its object.
    source_index: i64,
}

impl Amendment {
    /// Finds every amendment among rows of a table, with its row.
    pub(crate) fn among(table: &Table, rows: &RecordBatch) -> Vec<(usize, Self)> {
        let text = |name| Texts::at(rows, table.position(name));
        let amended = text("amended_event_id");
        if rows.column(table.position("amended_event_id")).null_count() == rows.num_rows() {
            return Vec::new();
        }
        let accounts = text(ACCOUNT);
        let (event_ids, times) = (text(EVENT_ID), event_times_ms(table, rows).collect::<Vec<_>>());
        let positions = rows.column(table.position("source_index")).as_primitive::<Int64Type>();
        let amendment = |row| Self {
            account: accounts.get(row).map(str::to_owned),
            event_id: event_ids.get(row).unwrap_or_default().to_owned(),
            amended_event_id: amended.get(row).unwrap_or_default().to_owned(),
            event_time_ms: times[row],
            digest: digest(table, rows, row),
            source_index: positions.value(row),
        };
        (0..rows.num_rows()).filter(|row| amended.get(*row).is_some()).map(|row| (row, amendment(row))).collect()
    }

    /// Returns the events that it ties: its own and the one that it amends.
    fn events(&self) -> [EventId<'_>; 2] {
        [&self.event_id, &self.amended_event_id].map(|event_id| EventId { account: self.account.as_deref(), event_id })
    }

    /// Returns the keys of [`Self::events`].
    pub(crate) fn keys(&self) -> [u128; 2] {
        self.events().map(EventId::key)
    }

    /// Returns what is the same for its copies, and for nothing else.
    pub(crate) fn identity(&self) -> u128 {
        fingerprint(&[&self.event_time_ms.to_be_bytes(), self.digest.as_bytes()])
    }

    fn rank(&self) -> (i64, &str, &str) {
        (self.event_time_ms, &self.event_id, &self.digest)
    }
}

fn digest(table: &Table, rows: &RecordBatch, row: usize) -> String {
    let columns = table.columns.iter().enumerate().filter(|(_, column)| !NOT_DIGESTED.contains(&column.name));
    let texts: Vec<String> = columns
        .map(|(at, _)| array_value_to_string(rows.column(at), row).expect("every type of a table can be shown"))
        .collect();
    let parts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    format!("{:032x}", fingerprint(&parts))
}

/// The name of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventId<'a> {
    pub(crate) account: Option<&'a str>,
    pub(crate) event_id: &'a str,
}

impl EventId<'_> {
    pub(crate) fn key(self) -> u128 {
        row_key(self.account, Some(self.event_id))
    }
}

/// Every amendment that a lake has read, row or not. They are few: CloudTrail amends hardly ever.
#[derive(Debug, Default)]
pub(crate) struct Amendments {
    noted: Vec<Noted>,
    identities: HashSet<u128>,
    /// The amendments that tie an event, by its key.
    by_key: HashMap<u128, Vec<usize>>,
}

#[derive(Debug)]
struct Noted {
    batch_id: String,
    source_object: String,
    amendment: Amendment,
}

/// Families of which a row may have to leave the lake.
#[derive(Debug, Default)]
pub(crate) struct Families<'a> {
    /// Their events.
    pub(crate) events: Vec<EventId<'a>>,
    /// Where the row that stays was logged, it or a copy of it, by the key of every event of its family.
    staying: HashMap<u128, Vec<(&'a str, i64)>>,
}

impl Amendments {
    pub(crate) fn note(&mut self, batch_id: &str, source_object: &str, amendment: Amendment) {
        self.identities.insert(amendment.identity());
        for key in amendment.keys() {
            self.by_key.entry(key).or_default().push(self.noted.len());
        }
        let (batch_id, source_object) = (batch_id.to_owned(), source_object.to_owned());
        self.noted.push(Noted { batch_id, source_object, amendment });
    }

    /// Tells whether this amendment, or a copy of it, was read before.
    pub(crate) fn has(&self, amendment: &Amendment) -> bool {
        self.identities.contains(&amendment.identity())
    }

    /// Tells whether an amendment has taken the place of every other record of this key.
    pub(crate) fn replace(&self, key: u128) -> bool {
        self.by_key.contains_key(&key)
    }

    /// Returns the families of the amendments of some batches.
    pub(crate) fn families(&self, is_meant: impl Fn(&str) -> bool) -> Families<'_> {
        let mut families = Families::default();
        for (at, noted) in self.noted.iter().enumerate() {
            if is_meant(&noted.batch_id) && !families.staying.contains_key(&noted.amendment.keys()[0]) {
                self.add_family(at, &mut families);
            }
        }
        families
    }

    /// Follows the ties from one amendment to all of its family.
    fn add_family<'a>(&'a self, at: usize, families: &mut Families<'a>) {
        let mut members = HashSet::from([at]);
        let mut events = HashMap::new();
        let mut unvisited = vec![at];
        while let Some(at) = unvisited.pop() {
            for event in self.noted[at].amendment.events() {
                if events.insert(event.key(), event).is_none() {
                    unvisited.extend(self.by_key[&event.key()].iter().filter(|at| members.insert(**at)));
                }
            }
        }
        let rank = |at: &usize| self.noted[*at].amendment.rank();
        let greatest = members.iter().map(rank).max();
        let stays = members.iter().filter(|at| Some(rank(at)) == greatest);
        let stays: Vec<_> =
            stays.map(|at| (&*self.noted[*at].source_object, self.noted[*at].amendment.source_index)).collect();
        families.staying.extend(events.keys().map(|key| (*key, stays.clone())));
        families.events.extend(events.into_values());
    }
}

impl Families<'_> {
    /// Tells whether a row stays.
    pub(crate) fn keep(&self, key: u128, source_object: &str, source_index: i64) -> bool {
        self.staying.get(&key).is_none_or(|stays| stays.contains(&(source_object, source_index)))
    }
}
