//! How far new events reach: which rows of the products they can change, and which other events these need.
//!
//! ```text
//!  new events --spread--> events whose products are opened again --keys--> what to read of the lake
//!      ^                  (by the ways of docs/join.md)                          |
//!      '---- rows found <--------------------------------------------------------'   until nothing is left to read
//! ```
//!
//! A way that is taken too often costs time only: what is opened again is computed anew and comes out as it was. A way
//! that is forgotten leaves a wrong row, so each rule of the page stands here once more, as the identifiers by which it
//! looks. What an offer changes lies after it, but for ten seconds; so most days stay closed.

use std::collections::HashMap;
use std::collections::HashSet;
use std::hash::Hash;

use ahash::RandomState;
use trailweave_lake::read::{Ask, Keys};

use crate::in_memory::id::{Id, Room};
use crate::in_memory::ids::NONE;
use crate::in_memory::join::{LATE_MS, shows};
use crate::in_memory::read::{Flags, IdColumn, List, Text};
use crate::in_memory::rows::{Kind, Rows};

type Set<T> = HashSet<T, RandomState>;
/// Identifiers, each with the earliest time of the events that are reached by it.
type Since<'a> = HashMap<&'a str, i64, RandomState>;

/// What new events reach among the rows that have been read.
#[derive(Debug)]
pub(super) struct Reach<'r, 'a> {
    pub(super) rows: &'r Rows<'a>,
    groups: Groups,
    /// By row: whether it is new, or a copy of a new EC2 event, which may stand for it now.
    pub(super) changed: Vec<bool>,
    /// By row: whether it is a KMS event whose row of `correlated` may be another now.
    pub(super) reopened: Vec<bool>,
    /// Whose rows of `instances` may be others now.
    pub(super) instances: Set<&'a str>,
    /// Whose rows of `volumes` may be others now.
    pub(super) volumes: Set<&'a str>,
    /// The ways to KMS events that are reached.
    ways: Ways<'a>,
    /// Access keys of which a new STS event says, perhaps through others, who stands behind them.
    access_keys: Set<&'a str>,
}

/// Rows that belong together.
#[derive(Debug)]
struct Groups {
    /// The `CreateGrant`s of each grant.
    creates: Grouped<u32>,
    /// What made the data key of each volume.
    data_keys: Grouped<u32>,
    /// The EC2 events that are copies of one, by the one that stands for them.
    copies: Grouped<u32>,
    /// What surely shows a volume at an instance, by volume and home, in the order of time.
    evidence: Grouped<(u32, u32)>,
    /// The KMS events without an id, by account and object: rows of `correlated` tell no more of them.
    nameless: Vec<Vec<u32>>,
    /// What shows a volume and has no id, by account and volume: rows of `attachments` tell no more of it.
    nameless_shows: Vec<Vec<u32>>,
}

type Grouped<K> = HashMap<K, Vec<u32>, RandomState>;

impl Groups {
    fn new(rows: &Rows<'_>) -> Self {
        let if_kind = |kind: Kind, row: u32, id: u32| (rows.kind(row) == kind && id != NONE).then_some(id);
        Self {
            creates: grouped(rows, |row| if_kind(Kind::CreateGrant, row, rows.grants[row as usize])),
            data_keys: grouped(rows, |row| {
                let volume = rows.volumes[row as usize];
                (makes_data_key(rows, row) && volume != NONE).then_some(volume)
            }),
            copies: grouped(rows, |row| rows.is_ec2(row).then(|| rows.canonical[row as usize])),
            evidence: grouped(rows, |row| {
                let is_sure = if rows.is_ec2(row) { rows.is_candidate(row) } else { surely_teaches(rows, row) };
                let at = row as usize;
                (is_sure && shows(rows, row)).then(|| (rows.volumes[at], rows.homes[at]))
            }),
            nameless: grouped(rows, |row| {
                let object = rows.text(Text::SourceObject, row as usize);
                (rows.is_kms(row) && is_nameless(rows, row)).then(|| (rows.accounts[row as usize], object))
            })
            .into_values()
            .collect(),
            nameless_shows: grouped(rows, |row| {
                let at = row as usize;
                let place = || (rows.accounts[at], rows.volumes[at]);
                (is_nameless(rows, row) && shows(rows, row)).then(place)
            })
            .into_values()
            .collect(),
        }
    }
}

fn is_nameless(rows: &Rows<'_>, row: u32) -> bool {
    rows.id(IdColumn::Event, row as usize).is_none()
}

fn grouped<K: Eq + Hash>(rows: &Rows<'_>, key: impl Fn(u32) -> Option<K>) -> Grouped<K> {
    let mut grouped = Grouped::default();
    for (row, key) in rows.all().filter_map(|row| Some((row, key(row)?))) {
        grouped.entry(key).or_default().push(row);
    }
    grouped
}

fn makes_data_key(rows: &Rows<'_>, row: u32) -> bool {
    matches!(rows.kind(row), Kind::GenerateDataKey | Kind::ReEncrypt)
}

/// Whether the context of a KMS event teaches, whatever the `CreateGrant` of its grant says.
fn surely_teaches(rows: &Rows<'_>, row: u32) -> bool {
    let is_alone = rows.kind(row) == Kind::CreateGrant || rows.grants[row as usize] == NONE;
    is_alone && rows.has(row, Flags::TRUSTED) && !rows.has(row, Flags::EXTERNAL)
}

/// Identifiers by which KMS events are reached.
#[derive(Debug, Default)]
struct Ways<'a> {
    requests: Set<u32>,
    grants: Set<u32>,
    shared: Set<Id<'a>>,
    by_instance: Since<'a>,
    by_volume: Since<'a>,
    /// Those that name no instance, because the one that they learn is reached, or the volume was attached.
    by_volume_alone: Since<'a>,
    by_snapshot: Since<'a>,
    /// Evidence that has changed, by volume; who names no instance may learn from it.
    evidence: HashMap<&'a str, Vec<u32>, RandomState>,
}

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

/// What to read of the lake.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    events: [Keys; COLUMNS.len()],
    /// EC2 events; the KMS events that `correlated` links to them are reached.
    pub(super) causes: Keys,
    /// Instances; the KMS events that `correlated` has by their roles are reached.
    pub(super) callers: Keys,
}

impl Wanted {
    pub(super) fn is_empty(&self) -> bool {
        self.events.iter().all(Keys::is_empty) && self.causes.is_empty() && self.callers.is_empty()
    }

    pub(super) fn asks(&self) -> Vec<Ask<'_>> {
        let asks = COLUMNS.iter().zip(&self.events).map(|(column, keys)| Ask { column, keys });
        asks.filter(|ask| !ask.keys.is_empty()).collect()
    }

    /// Takes out what was asked before, and adds the rest to that.
    pub(super) fn take_new(&mut self, asked: &mut Self) {
        let pairs = self.events.iter_mut().zip(&mut asked.events);
        let others = [(&mut self.causes, &mut asked.causes), (&mut self.callers, &mut asked.callers)];
        for (keys, asked) in pairs.chain(others) {
            keys.retain(|key| asked.insert(key.clone()));
        }
    }

    /// Asks for KMS events by their ids, or by the objects of those that have none.
    pub(super) fn of_linked(linked: &Linked) -> Self {
        let mut wanted = Self::default();
        wanted.events[By::Event as usize].clone_from(&linked.ids);
        wanted.events[By::SourceObject as usize].clone_from(&linked.objects);
        wanted
    }

    fn add_id(&mut self, by: By, id: Option<Id<'_>>) {
        let mut room: Room = [0; size_of::<Room>()];
        self.add(by, id.map(|id| id.text(&mut room)));
    }

    fn add(&mut self, by: By, key: Option<&str>) {
        let keys = &mut self.events[by as usize];
        if let Some(key) = key.filter(|key| !keys.contains(*key)) {
            keys.insert(key.to_owned());
        }
    }
}

/// The KMS events that `correlated` gave.
#[derive(Debug, Default)]
pub(super) struct Linked {
    ids: Keys,
    /// The objects of those that have no id.
    objects: Keys,
}

impl Linked {
    pub(super) fn len(&self) -> usize {
        self.ids.len() + self.objects.len()
    }

    /// Adds the events of rows of `correlated`, each told by its `kms_event_id` and `kms_source_object`.
    pub(super) fn extend(&mut self, rows: Vec<[Option<String>; 2]>) {
        for row in rows {
            match row {
                [Some(id), _] => self.ids.insert(id),
                [None, Some(object)] => self.objects.insert(object),
                [None, None] => false,
            };
        }
    }

    fn has(&self, rows: &Rows<'_>, row: u32) -> bool {
        if self.len() == 0 {
            return false;
        }
        match rows.id(IdColumn::Event, row as usize) {
            Some(id) => self.ids.contains(id.text(&mut [0; size_of::<Room>()])),
            None => rows.text(Text::SourceObject, row as usize).is_some_and(|it| self.objects.contains(it)),
        }
    }
}

impl<'r, 'a> Reach<'r, 'a> {
    /// Follows the new rows as far as the rows that have been read allow.
    pub(super) fn new(rows: &'r Rows<'a>, is_new: impl Fn(u32) -> bool, linked: &Linked) -> Self {
        let mut reach = Self {
            rows,
            groups: Groups::new(rows),
            changed: rows.all().map(&is_new).collect(),
            reopened: rows.all().map(|row| rows.is_kms(row) && (is_new(row) || linked.has(rows, row))).collect(),
            instances: Set::default(),
            volumes: Set::default(),
            ways: Ways::default(),
            access_keys: Set::default(),
        };
        reach.spread_access_keys();
        while reach.spread() || reach.spread_to_nameless() {}
        reach
    }

    /// Reaches those that cannot be told from others that are reached, in the products; tells whether there are any.
    fn spread_to_nameless(&mut self) -> bool {
        let (rows, groups) = (self.rows, &self.groups);
        let mut has_spread = false;
        for group in groups.nameless.iter().chain(&groups.nameless_shows) {
            let is_reached = |row: &u32| self.reopened[*row as usize] || self.changed[*row as usize];
            if group.iter().any(is_reached) {
                for row in group {
                    let mark = if rows.is_kms(*row) { &mut self.reopened } else { &mut self.changed };
                    has_spread |= !std::mem::replace(&mut mark[*row as usize], true);
                }
            }
        }
        has_spread
    }

    /// Goes one step further; whether that reached anything.
    fn spread(&mut self) -> bool {
        self.mark_copies();
        self.collect_resources();
        let mut ways = Ways::default();
        for row in self.rows.all() {
            if self.rows.is_ec2(row) {
                self.ways_of_ec2(row, &mut ways);
            } else if self.reopened[row as usize] {
                self.ways_of_kms(row, &mut ways);
            }
        }
        self.ways_of_pairs(&mut ways);
        let mut has_spread = false;
        for row in self.rows.all().filter(|row| self.rows.is_kms(*row)) {
            if !self.reopened[row as usize] && self.is_reached(row, &ways) {
                self.reopened[row as usize] = true;
                has_spread = true;
            }
        }
        self.ways = ways;
        has_spread
    }

    /// A copy of a new EC2 event may stand for it now, or not any more.
    fn mark_copies(&mut self) {
        let rows = self.rows;
        let shared = |row: u32| if rows.is_ec2(row) { rows.id(IdColumn::SharedEvent, row as usize) } else { None };
        let new: Set<Id<'_>> = rows.all().filter(|row| self.changed[*row as usize]).filter_map(shared).collect();
        for row in rows.all() {
            self.changed[row as usize] |= shared(row).is_some_and(|id| new.contains(&id));
        }
    }

    /// Collects whose rows of `instances` and `volumes` may be others now, before any way that hangs on it is taken.
    fn collect_resources(&mut self) {
        let rows = self.rows;
        for row in rows.all() {
            let at = row as usize;
            let is_ec2 = rows.is_ec2(row) && self.changed[at];
            match rows.kind(row) {
                // Whatever its time: it may be the launch of all that the instance ever did.
                Kind::RunInstances if is_ec2 => self.instances.extend(rows.list(List::InstanceIds, at)),
                Kind::CreateVolume if is_ec2 => self.volumes.extend(rows.list(List::VolumeIds, at)),
                Kind::GenerateDataKey | Kind::ReEncrypt if self.reopened[at] => {
                    self.volumes.extend(rows.resource(rows.volumes[at]));
                }
                _ => {}
            }
        }
    }

    /// What an EC2 event offers: rules 1, 3 and 4, evidence, and launches.
    fn ways_of_ec2(&self, row: u32, ways: &mut Ways<'a>) {
        let rows = self.rows;
        let at = row as usize;
        // A call that is linked by the request learns the one instance that its cause names, and so its launch.
        let names_one = rows.list(List::InstanceIds, at).len() == 1;
        if names_one && rows.list(List::InstanceIds, at).any(|id| self.instances.contains(id)) {
            let copies = &self.groups.copies[&rows.canonical[at]];
            ways.requests.extend(copies.iter().map(|row| rows.requests[*row as usize]));
        }
        let since = rows.times[at] - LATE_MS;
        // It may be the first of its volume now, or not any more.
        if rows.kind(row) == Kind::CreateVolume && rows.list(List::VolumeIds, at).any(|id| self.volumes.contains(id)) {
            rows.list(List::SnapshotIds, at).for_each(|id| reach_since(&mut ways.by_snapshot, id, since));
        }
        if !self.changed[at] {
            return;
        }
        ways.requests.insert(rows.requests[at]);
        let (instances, volumes) = (rows.list(List::InstanceIds, at), rows.list(List::VolumeIds, at));
        let snapshots = rows.list(List::SnapshotIds, at);
        match rows.kind(row) {
            Kind::RunInstances => instances.for_each(|id| reach_since(&mut ways.by_instance, id, i64::MIN)),
            Kind::StartInstances | Kind::CreateReplaceRootVolumeTask => {
                instances.for_each(|id| reach_since(&mut ways.by_instance, id, since));
            }
            Kind::AttachVolume | Kind::DetachVolume => {
                instances.for_each(|id| reach_since(&mut ways.by_instance, id, since));
                for id in volumes {
                    ways.evidence.entry(id).or_default().push(row);
                    if rows.kind(row) == Kind::AttachVolume {
                        // The event that created the volume is not a cause after it.
                        reach_since(&mut ways.by_volume_alone, id, since);
                    }
                }
            }
            Kind::CreateVolume => {
                volumes.for_each(|id| reach_since(&mut ways.by_volume, id, since));
                snapshots.for_each(|id| reach_since(&mut ways.by_snapshot, id, since));
            }
            Kind::CreateSnapshot | Kind::Snapshot => {
                snapshots.for_each(|id| reach_since(&mut ways.by_snapshot, id, since));
            }
            _ => {}
        }
    }

    /// What others take from a KMS event: its grant, its copies, evidence and data keys.
    fn ways_of_kms(&self, row: u32, ways: &mut Ways<'a>) {
        let rows = self.rows;
        let at = row as usize;
        let since = rows.times[at] - LATE_MS;
        let [volume, snapshot] = [rows.volumes[at], rows.snapshots[at]].map(|id| rows.resource(id));
        ways.shared.extend(rows.id(IdColumn::SharedEvent, at));
        let is_create = rows.kind(row) == Kind::CreateGrant;
        // Whether an event teaches may hang on its grant.
        let may_teach = self.changed[at] || !is_create && rows.grants[at] != NONE;
        if is_create {
            ways.grants.insert(rows.grants[at]);
        }
        if is_create && self.changed[at] {
            for (ways, id) in [(&mut ways.by_volume, volume), (&mut ways.by_snapshot, snapshot)] {
                if let Some(id) = id {
                    reach_since(ways, id, since);
                }
            }
        }
        match (rows.kind(row), volume) {
            (Kind::CreateGrant | Kind::Decrypt, Some(volume)) if may_teach && shows(rows, row) => {
                ways.evidence.entry(volume).or_default().push(row);
            }
            (Kind::GenerateDataKey | Kind::ReEncrypt, Some(volume)) => {
                if may_teach && !self.has_earlier_data_key(row) {
                    reach_since(&mut ways.by_volume, volume, i64::MIN);
                }
            }
            _ => {}
        }
    }

    /// Whether the lake had a data key of the volume that stays the first.
    fn has_earlier_data_key(&self, row: u32) -> bool {
        let rows = self.rows;
        self.groups.data_keys[&rows.volumes[row as usize]].iter().any(|&other| {
            other < row
                && !self.changed[other as usize]
                && rows.kind(other) == Kind::GenerateDataKey
                && surely_teaches(rows, other)
                && !rows.has(other, Flags::FAILED | Flags::OF_ANOTHER_ACCOUNT)
        })
    }

    /// Adds the ways between instances and volumes: a call that learns an instance learns what starts it, too.
    fn ways_of_pairs(&self, ways: &mut Ways<'a>) {
        let rows = self.rows;
        for row in rows.all().filter(|row| shows(rows, *row)) {
            let [instance, volume] =
                [&rows.instances, &rows.volumes].map(|ids| rows.resource(ids[row as usize]).unwrap_or_default());
            if let Some(since) = ways.by_instance.get(instance) {
                reach_since(&mut ways.by_volume_alone, volume, *since);
            }
        }
    }

    /// Whether an event without an instance may learn one from changed evidence of a volume: not where other evidence of
    /// the same home is nearer.
    fn may_learn(&self, row: u32, volume: u32, ways: &Ways<'a>) -> bool {
        let rows = self.rows;
        let time = rows.times[row as usize];
        let distance = |other: u32| rows.times[other as usize].abs_diff(time);
        let is_beaten = |changed: &u32| {
            let Some(others) = self.groups.evidence.get(&(volume, rows.homes[*changed as usize])) else { return false };
            let split = others.partition_point(|other| rows.times[*other as usize] <= time);
            let is_old = |other: &&u32| !self.changed[**other as usize];
            // A DetachVolume beats what lies before it, and nothing else; nor does what one elsewhere may end.
            let is_later = rows.times[*changed as usize] > time;
            let is_home = rows.homes[row as usize] == rows.homes[*changed as usize];
            let beats = |other: &&u32| !is_later || is_home && rows.kind(**other) != Kind::DetachVolume;
            let before = others[..split].iter().rev().find(is_old).filter(beats);
            let after = others[split..].iter().find(is_old);
            before.into_iter().chain(after).any(|other| distance(*other) < distance(*changed))
        };
        let evidence = rows.resource(volume).and_then(|id| ways.evidence.get(id));
        evidence.is_some_and(|evidence| !evidence.iter().all(is_beaten))
    }

    fn is_reached(&self, row: u32, ways: &Ways<'a>) -> bool {
        let rows = self.rows;
        let (at, time) = (row as usize, rows.times[row as usize]);
        let is_since = |since: &Since<'a>, id: u32| {
            rows.resource(id).and_then(|id| since.get(id)).is_some_and(|since| *since <= time)
        };
        let lacks_instance = rows.instances[at] == NONE;
        let is_reached_by = |of: &u32| {
            let (volume, snapshot) = (rows.volumes[*of as usize], rows.snapshots[*of as usize]);
            is_since(&ways.by_volume, volume)
                || lacks_instance && (is_since(&ways.by_volume_alone, volume) || self.may_learn(row, volume, ways))
                || is_since(&ways.by_snapshot, snapshot)
        };
        let names = |set: &Set<&str>, id: u32| rows.resource(id).is_some_and(|id| set.contains(id));
        let is_requested = |request: u32| request != NONE && ways.requests.contains(&request);
        is_requested(rows.requests[at])
            || is_requested(rows.callers[at].0)
            || rows.grants[at] != NONE && ways.grants.contains(&rows.grants[at])
            || rows.id(IdColumn::SharedEvent, at).is_some_and(|id| ways.shared.contains(&id))
            || is_since(&ways.by_instance, rows.instances[at])
            || names(&self.instances, rows.caller_instances[at])
            || makes_data_key(rows, row) && names(&self.volumes, rows.volumes[at])
            || is_reached_by(&row)
            || self.creates_of(row).iter().any(is_reached_by)
    }

    /// The `CreateGrant`s of the grant of another event.
    fn creates_of(&self, row: u32) -> &[u32] {
        let grant = self.rows.grants[row as usize];
        if grant == NONE || !self.rows.is_kms(row) || self.rows.kind(row) == Kind::CreateGrant {
            return &[];
        }
        self.groups.creates.get(&grant).map_or(&[], Vec::as_slice)
    }

    /// Follows what new STS events issued to those who used it, and so on. `correlated` cannot be asked for what an EC2
    /// event without an id caused, so it counts as new where somebody else stands behind it now.
    fn spread_access_keys(&mut self) {
        let rows = self.rows;
        let is_sts = |row: &u32| rows.has(*row, Flags::STS) && !rows.has(*row, Flags::FAILED);
        loop {
            let before = self.access_keys.len();
            for at in rows.all().filter(is_sts).map(|row| row as usize) {
                let by = rows.text(Text::AccessKeyId, at);
                if self.changed[at] || by.is_some_and(|key| self.access_keys.contains(key)) {
                    self.access_keys.extend(rows.text(Text::IssuedAccessKeyId, at));
                }
            }
            if self.access_keys.len() == before {
                break;
            }
        }
        let is_behind = |key: &str| self.access_keys.contains(key);
        for row in rows.all().filter(|row| rows.is_ec2(*row) && is_nameless(rows, *row)) {
            self.changed[row as usize] |= rows.text(Text::AccessKeyId, row as usize).is_some_and(is_behind);
        }
    }
}

impl Reach<'_, '_> {
    /// What else of the lake must be read for all that is reached to come out as from the whole lake.
    pub(super) fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        self.want_ways(&mut wanted);
        self.want_needs(&mut wanted);
        wanted
    }

    /// Whatever may be reached by the ways.
    fn want_ways(&self, wanted: &mut Wanted) {
        let (rows, ways) = (self.rows, &self.ways);
        let volumes = ways.by_volume.keys().chain(ways.by_volume_alone.keys()).chain(ways.evidence.keys());
        let volumes = volumes.chain(&self.volumes);
        volumes.for_each(|id| wanted.add(By::Volume, Some(id)));
        ways.by_instance.keys().for_each(|id| wanted.add(By::Instance, Some(id)));
        ways.by_snapshot.keys().for_each(|id| wanted.add(By::Snapshot, Some(id)));
        ways.shared.iter().for_each(|id| wanted.add_id(By::Shared, Some(*id)));
        self.access_keys.iter().for_each(|key| wanted.add(By::AccessKey, Some(key)));
        wanted.callers.extend(self.instances.iter().map(|id| (*id).to_owned()));
        for row in rows.all() {
            let at = row as usize;
            let text = |column: Text| rows.text(column, at);
            let id = |column: IdColumn| rows.id(column, at);
            if rows.is_ec2(row) {
                if ways.requests.contains(&rows.requests[at]) {
                    wanted.add_id(By::Request, id(IdColumn::Request));
                }
                if text(Text::AccessKeyId).is_some_and(|key| self.access_keys.contains(key)) {
                    wanted.causes.extend(id(IdColumn::Event).map(Id::to_text));
                }
            }
            if self.reopened[at] && is_nameless(rows, row) {
                wanted.add(By::SourceObject, text(Text::SourceObject));
            }
            let is_volume = |id: &str| {
                ways.by_volume.contains_key(id)
                    || ways.by_volume_alone.contains_key(id)
                    || ways.evidence.contains_key(id)
            };
            let is_snapshot = |id: &str| ways.by_snapshot.contains_key(id);
            if rows.kind(row) == Kind::CreateGrant
                && (self.reopened[at]
                    || rows.resource(rows.volumes[at]).is_some_and(is_volume)
                    || rows.resource(rows.snapshots[at]).is_some_and(is_snapshot))
            {
                wanted.add(By::Grant, text(Text::GrantId));
            }
        }
    }

    /// Whatever the rules look at for what is reached.
    fn want_needs(&self, wanted: &mut Wanted) {
        let rows = self.rows;
        let needs = self.needs();
        for row in rows.all() {
            let at = row as usize;
            let text = |column: Text| rows.text(column, at);
            let id = |column: IdColumn| rows.id(column, at);
            if !rows.is_kms(row) {
                // A copy may stand for it, and somebody behind it.
                if rows.is_ec2(row) {
                    wanted.add_id(By::Shared, id(IdColumn::SharedEvent));
                }
                wanted.add(By::IssuedAccessKey, text(Text::AccessKeyId));
            } else if rows.kind(row) != Kind::CreateGrant {
                // Whether it teaches may hang on its grant.
                wanted.add(By::Grant, text(Text::GrantId));
            }
            if needs.requests.contains(&rows.requests[at]) {
                wanted.add_id(By::Request, id(IdColumn::Request));
            }
            let names_one = rows.list(List::InstanceIds, at).len() == 1;
            let shows = rows.resource(rows.volumes[at]).is_some_and(|id| needs.learning.contains(id));
            if rows.is_ec2(row) && names_one && needs.causes.contains(&rows.canonical[at]) || shows {
                wanted.add(By::Instance, rows.resource(rows.instances[at]));
            }
            if needs.computed[at] {
                wanted.add_id(By::Shared, id(IdColumn::SharedEvent));
                for (by, id) in [
                    (By::Instance, rows.instances[at]),
                    (By::Instance, rows.caller_instances[at]),
                    (By::Volume, rows.volumes[at]),
                    (By::Snapshot, rows.snapshots[at]),
                ] {
                    wanted.add(by, rows.resource(id));
                }
            }
        }
    }

    fn needs(&self) -> Needs<'_> {
        let rows = self.rows;
        let mut needs = Needs { computed: self.reopened.clone(), ..Needs::default() };
        for row in rows.all().filter(|row| self.reopened[*row as usize]) {
            self.creates_of(row).iter().for_each(|create| needs.computed[*create as usize] = true);
        }
        let is_computed = |row: &u32| needs.computed[*row as usize];
        let shared = |row: u32| rows.id(IdColumn::SharedEvent, row as usize);
        let copied: Set<Id<'_>> = rows.all().filter(is_computed).filter_map(shared).collect();
        for row in rows.all().filter(|row| rows.is_kms(*row)) {
            let at = row as usize;
            if is_computed(&row) || shared(row).is_some_and(|id| copied.contains(&id)) {
                needs.requests.extend([rows.requests[at], rows.callers[at].0]);
            }
            let mut with_creates = std::iter::once(&row).chain(self.creates_of(row));
            if is_computed(&row) && with_creates.all(|row| rows.instances[*row as usize] == NONE) {
                let volumes = std::iter::once(&row).chain(self.creates_of(row)).map(|row| rows.volumes[*row as usize]);
                needs.learning.extend(volumes.filter_map(|id| rows.resource(id)));
            }
        }
        needs.requests.remove(&NONE);
        let asked =
            rows.all().filter(|row| rows.is_ec2(*row) && needs.requests.contains(&rows.requests[*row as usize]));
        needs.causes = asked.map(|row| rows.canonical[row as usize]).collect();
        needs
    }
}

/// What rows need to come out right.
#[derive(Debug, Default)]
struct Needs<'a> {
    /// By row: those that are reached, and the `CreateGrant`s whose causes these take.
    computed: Vec<bool>,
    /// Requests of these and of their copies.
    requests: Set<u32>,
    /// The EC2 events of these requests.
    causes: Set<u32>,
    /// Volumes from which an instance may be learned.
    learning: Set<&'a str>,
}

fn reach_since<'a>(ways: &mut Since<'a>, id: &'a str, since: i64) {
    let earliest = ways.entry(id).or_insert(since);
    *earliest = since.min(*earliest);
}
