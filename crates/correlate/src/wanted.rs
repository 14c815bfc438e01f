//! Identifiers to look for in the lake: those that have not been asked for yet.

use std::mem;

use arrow::array::Array;
use arrow::array::AsArray;
use trailweave_lake::read::{Among, Ask, Keys};

use crate::events::{IdColumn, Text, each_text, is_ec2};
use crate::id::{Id, Room};
use crate::ids::Marks;
use crate::kind::{Kind, makes_data_key};
use crate::linked::Linked;
use crate::rows::Rows;

/// The columns of `events` by which rows are asked for, and which of their rows count. Positions are those of [`By`].
const QUESTIONS: [(&str, Option<Among>); 16] = [
    ("access_key_id", None),
    ("event_id", None),
    ("grant_id", None),
    ("grant_id", Some(OF_GRANTS)),
    ("instance_ids", None),
    ("instance_ids", Some(OFFERS)),
    ("issued_access_key_id", None),
    ("request_id", None),
    ("request_id", Some(CAUSES)),
    ("shared_event_id", None),
    ("snapshot_ids", None),
    ("snapshot_ids", Some(OFFERS)),
    ("source_object", None),
    ("volume_ids", None),
    ("volume_ids", Some(OFFERS)),
    ("volume_ids", Some(LEARNERS)),
];

/// Positions in [`QUESTIONS`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    AccessKey,
    Event,
    Grant,
    /// The events that created or ended a grant.
    GrantOffer,
    Instance,
    /// The events of an instance from which others may take something.
    InstanceOffer,
    IssuedAccessKey,
    Request,
    /// The EC2 events of a request.
    RequestCause,
    Shared,
    Snapshot,
    SnapshotOffer,
    SourceObject,
    Volume,
    VolumeOffer,
    /// The events of a volume that may learn their instance from others of it.
    VolumeLearner,
}

/// Rows of the events that create or end a grant.
const OF_GRANTS: Among = Among { columns: &["event_name"], passes: |rows| each_text(rows, "event_name", is_of_grant) };

/// Rows of EC2 events.
const CAUSES: Among = Among { columns: &["event_source"], passes: |rows| each_text(rows, "event_source", is_ec2) };

/// Rows of the events from which others take a cause, a launch, a grant or a data key.
const OFFERS: Among = Among {
    columns: &["event_name", "event_source"],
    passes: |rows| {
        let causes = each_text(rows, "event_source", is_ec2).into_iter();
        let others = each_text(rows, "event_name", |name| is_create(name) || makes_data_key(Kind::named(name).0));
        causes.zip(others).map(|(is_cause, is_other)| is_cause || is_other).collect()
    },
};

/// Rows that name no instance.
const LEARNERS: Among = Among {
    columns: &["instance_ids"],
    passes: |rows| {
        let lists = rows["instance_ids"].as_list::<i32>();
        (0..lists.len()).map(|row| lists.is_null(row) || lists.value_length(row) == 0).collect()
    },
};

fn is_create(event_name: &str) -> bool {
    Kind::named(event_name).0 == Kind::CreateGrant
}

fn is_of_grant(event_name: &str) -> bool {
    matches!(Kind::named(event_name).0, Kind::CreateGrant | Kind::EndGrant)
}

/// Identifiers to look for in the lake. Each is asked for once; numbers of rows may become others meanwhile, those of identifiers do
/// not.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The next questions.
    events: [Keys; QUESTIONS.len()],
    /// EC2 events; the KMS events that `correlated` links to them are reached.
    pub(crate) causes: Keys,
    /// Instances; the KMS events that `correlated` has by their roles are reached.
    pub(crate) callers: Keys,
    asked: Asked,
}

/// The questions so far.
#[derive(Debug, Default)]
struct Asked {
    /// Numbers, each of a kind of identifier.
    numbers: [Marks; QUESTIONS.len()],
    callers: Marks,
    /// Texts, each of a column.
    texts: [Keys; QUESTIONS.len()],
    causes: Keys,
}

impl Wanted {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.iter().all(Keys::is_empty) && self.causes.is_empty() && self.callers.is_empty()
    }

    /// Returns the questions, the KMS events that `correlated` gave among them.
    pub(crate) fn asks(&mut self, linked: &Linked) -> Vec<Ask<'_>> {
        for (by, keys) in [(By::Event, &linked.ids), (By::SourceObject, &linked.objects)] {
            keys.iter().for_each(|key| self.text(by, Some(key)));
        }
        let asks =
            QUESTIONS.iter().zip(&self.events).map(|((column, among), keys)| Ask { column, keys, among: *among });
        asks.filter(|ask| !ask.keys.is_empty()).collect()
    }

    /// Forgets what was to be asked for, as it was.
    pub(crate) fn were_asked(&mut self) {
        self.events = mem::take(&mut self.events).map(|_| Keys::default());
        self.causes = Keys::default();
        self.callers = Keys::default();
    }

    /// Wants all rows of an instance, a volume or a snapshot, or the offers or learners among them.
    pub(crate) fn resource(&mut self, by: By, rows: &Rows<'_>, id: u32) {
        self.number(by, id, |keys| keys.extend(rows.resource(id)));
    }

    pub(crate) fn caller(&mut self, rows: &Rows<'_>, id: u32) {
        if self.asked.callers.insert(id) {
            self.callers.extend(rows.resource(id));
        }
    }

    /// Wants all rows of the request of a row, or the causes among them.
    pub(crate) fn request(&mut self, by: By, rows: &Rows<'_>, row: u32) {
        self.number(by, rows.requests[row as usize], |keys| add_id(keys, rows.id(IdColumn::Request, row as usize)));
    }

    /// Wants all rows of the grant of a row, or what created it.
    pub(crate) fn grant(&mut self, by: By, rows: &Rows<'_>, row: u32) {
        self.number(by, rows.grants[row as usize], |keys| keys.extend(rows.text(Text::GrantId, row as usize)));
    }

    pub(crate) fn shared(&mut self, rows: &Rows<'_>, row: u32) {
        let id = || rows.id(IdColumn::SharedEvent, row as usize);
        self.number(By::Shared, rows.shared[row as usize], |keys| add_id(keys, id()));
    }

    pub(crate) fn cause(&mut self, rows: &Rows<'_>, row: u32) {
        if let Some(id) = rows.id(IdColumn::Event, row as usize) {
            let room = &mut [0; size_of::<Room>()];
            let id = id.text(room);
            if self.asked.causes.insert(id) {
                self.causes.insert(id);
            }
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

    fn number(&mut self, by: By, number: u32, add: impl FnOnce(&mut Keys)) {
        let asked = &mut self.asked.numbers;
        let has_all = by.whole().is_some_and(|whole| asked[whole as usize].has(number));
        if !has_all && asked[by as usize].insert(number) {
            add(&mut self.events[by as usize]);
        }
    }

    fn text(&mut self, by: By, key: Option<&str>) {
        if let Some(key) = key.filter(|key| self.asked.texts[by as usize].insert(key)) {
            self.events[by as usize].insert(key);
        }
    }
}

fn add_id(keys: &mut Keys, id: Option<Id<'_>>) {
    if let Some(id) = id {
        keys.insert(id.text(&mut [0; size_of::<Room>()]));
    }
}

impl By {
    /// Returns the question for all rows where this one is for some.
    fn whole(self) -> Option<Self> {
        match self {
            Self::GrantOffer => Some(Self::Grant),
            Self::InstanceOffer => Some(Self::Instance),
            Self::RequestCause => Some(Self::Request),
            Self::SnapshotOffer => Some(Self::Snapshot),
            Self::VolumeOffer | Self::VolumeLearner => Some(Self::Volume),
            _ => None,
        }
    }
}
