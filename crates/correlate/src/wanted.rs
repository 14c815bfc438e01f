//! Identifiers to look for in the lake: those that have not been asked for yet.

use std::collections::HashSet;
use std::mem;

use ahash::RandomState;
use trailweave_lake::read::{Ask, Keys};

use crate::events::{IdColumn, Text};
use crate::id::Id;
use crate::ids::Marks;
use crate::linked::Linked;
use crate::rows::Rows;

/// The columns of `events` by which rows are asked for.
const COLUMNS: [&str; 10] = [
    "access_key_id",
    "event_id",
    "grant_id",
    "instance_ids",
    "issued_access_key_id",
    "request_id",
    "shared_event_id",
    "snapshot_ids",
    "source_object",
    "volume_ids",
];

/// Positions in [`COLUMNS`].
#[derive(Debug, Clone, Copy)]
enum By {
    AccessKey,
    Event,
    Grant,
    Instance,
    IssuedAccessKey,
    Request,
    Shared,
    Snapshot,
    SourceObject,
    Volume,
}

/// Identifiers to look for in the lake. Each is asked for once; numbers of rows may become others meanwhile, those of identifiers do
/// not.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The next questions.
    events: [Keys; COLUMNS.len()],
    /// EC2 events; the KMS events that `correlated` links to them are reached.
    pub(crate) causes: Keys,
    /// Instances; the KMS events that `correlated` has by their roles are reached.
    pub(crate) callers: Keys,
    asked: Asked,
}

/// The questions so far.
#[derive(Debug, Default)]
struct Asked {
    instances: Marks,
    volumes: Marks,
    snapshots: Marks,
    requests: Marks,
    grants: Marks,
    shared: Marks,
    callers: Marks,
    /// Texts, each of a column.
    texts: [HashSet<String, RandomState>; COLUMNS.len()],
    causes: HashSet<String, RandomState>,
}

impl Wanted {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.iter().all(Keys::is_empty) && self.causes.is_empty() && self.callers.is_empty()
    }

    /// Returns the questions, the KMS events that `correlated` gave among them.
    pub(crate) fn asks(&mut self, linked: &Linked) -> Vec<Ask<'_>> {
        for (by, keys) in [(By::Event, &linked.ids), (By::SourceObject, &linked.objects)] {
            for key in keys {
                self.text(by, Some(key));
            }
        }
        let asks = COLUMNS.iter().zip(&self.events).map(|(column, keys)| Ask { column, keys });
        asks.filter(|ask| !ask.keys.is_empty()).collect()
    }

    /// Forgets what was to be asked for, as it was.
    pub(crate) fn were_asked(&mut self) {
        self.events = mem::take(&mut self.events).map(|_| Keys::default());
        self.causes = Keys::default();
        self.callers = Keys::default();
    }

    pub(crate) fn instance(&mut self, rows: &Rows<'_>, id: u32) {
        if self.asked.instances.insert(id) {
            self.events[By::Instance as usize].extend(rows.resource(id).map(str::to_owned));
        }
    }

    pub(crate) fn volume(&mut self, rows: &Rows<'_>, id: u32) {
        if self.asked.volumes.insert(id) {
            self.events[By::Volume as usize].extend(rows.resource(id).map(str::to_owned));
        }
    }

    pub(crate) fn snapshot(&mut self, rows: &Rows<'_>, id: u32) {
        if self.asked.snapshots.insert(id) {
            self.events[By::Snapshot as usize].extend(rows.resource(id).map(str::to_owned));
        }
    }

    pub(crate) fn caller(&mut self, rows: &Rows<'_>, id: u32) {
        if self.asked.callers.insert(id) {
            self.callers.extend(rows.resource(id).map(str::to_owned));
        }
    }

    pub(crate) fn request(&mut self, rows: &Rows<'_>, row: u32) {
        if self.asked.requests.insert(rows.requests[row as usize]) {
            self.events[By::Request as usize].extend(rows.id(IdColumn::Request, row as usize).map(Id::to_text));
        }
    }

    pub(crate) fn grant(&mut self, rows: &Rows<'_>, row: u32) {
        if self.asked.grants.insert(rows.grants[row as usize]) {
            self.events[By::Grant as usize].extend(rows.text(Text::GrantId, row as usize).map(str::to_owned));
        }
    }

    pub(crate) fn shared(&mut self, rows: &Rows<'_>, row: u32) {
        if self.asked.shared.insert(rows.shared[row as usize]) {
            self.events[By::Shared as usize].extend(rows.id(IdColumn::SharedEvent, row as usize).map(Id::to_text));
        }
    }

    pub(crate) fn cause(&mut self, rows: &Rows<'_>, row: u32) {
        if let Some(id) = rows.id(IdColumn::Event, row as usize).map(Id::to_text)
            && self.asked.causes.insert(id.clone())
        {
            self.causes.insert(id);
        }
    }

    /// Wants what was done with an access key.
    pub(crate) fn access_key(&mut self, key: &str) {
        self.text(By::AccessKey, Some(key));
    }

    /// Wants what issued the access key of a call.
    pub(crate) fn issuer(&mut self, rows: &Rows<'_>, row: u32) {
        self.text(By::IssuedAccessKey, rows.text(Text::AccessKeyId, row as usize));
    }

    pub(crate) fn source_object(&mut self, rows: &Rows<'_>, row: u32) {
        self.text(By::SourceObject, rows.text(Text::SourceObject, row as usize));
    }

    fn text(&mut self, by: By, key: Option<&str>) {
        let asked = &mut self.asked.texts[by as usize];
        if let Some(key) = key.filter(|key| !asked.contains(*key)) {
            asked.insert(key.to_owned());
            self.events[by as usize].insert(key.to_owned());
        }
    }
}
