//! The reach of new events: which rows of the products they can change, and which other events these need.
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
use std::mem;

use ahash::RandomState;

use crate::call::{LATE_MS, shows};
use crate::events::{Flags, IdColumn, List, Text};
use crate::ids::{Entry, Index, Marks, NONE};
use crate::kind::{Kind, makes_data_key};
use crate::linked::Linked;
use crate::rows::Rows;
use crate::wanted::{By, Wanted};

/// The reach of new events among the rows that have been read.
#[derive(Debug)]
pub(crate) struct Reach<'r, 'a> {
    pub(crate) rows: &'r Rows<'a>,
    groups: Groups,
    /// By row: whether it is new, or a copy of a new EC2 event, which may stand for it now.
    pub(crate) changed: Vec<bool>,
    /// By row: whether it is a KMS event whose row of `correlated` may be another now.
    pub(crate) reopened: Vec<bool>,
    /// Whose rows of `instances` may be others now.
    pub(crate) instances: Marks,
    /// Whose rows of `volumes` may be others now.
    pub(crate) volumes: Marks,
    /// Whose rows of `grants` may be others now.
    pub(crate) grants: Marks,
    /// The ways to KMS events that are reached.
    ways: Ways,
    /// Access keys of which a new STS event says, perhaps through others, who stands behind them.
    access_keys: HashSet<&'a str, RandomState>,
}

/// Rows that belong together.
#[derive(Debug)]
struct Groups {
    /// The `CreateGrant`s of each grant.
    creates: Index,
    /// The events that made the data key of each volume.
    data_keys: Index,
    /// The EC2 events that are copies of one, by what they share.
    copies: Index,
    /// The events that surely show a volume at an instance, by volume.
    evidence: Index,
    /// The KMS events without an id, by account and object: rows of `correlated` tell no more of them.
    nameless: Vec<Vec<u32>>,
    /// The events that show a volume and have no id, by account and volume: rows of `attachments` tell no more of it.
    nameless_shows: Vec<Vec<u32>>,
}

impl Groups {
    fn new(rows: &Rows<'_>) -> Self {
        let index = |n_keys: usize, ids: &[u32], is_of: &dyn Fn(u32) -> bool| {
            let of = rows.all().filter(|row| ids[*row as usize] != NONE && is_of(*row));
            let entry = |row: u32| Entry { key: ids[row as usize], home: rows.homes[row as usize], row };
            Index::new(n_keys, of.map(entry).collect())
        };
        let is_sure = |row: u32| if rows.is_ec2(row) { rows.is_candidate(row) } else { surely_teaches(rows, row) };
        let nameless = || rows.all().filter(|row| is_nameless(rows, *row));
        Self {
            creates: index(rows.n_grants(), &rows.grants, &|row| rows.kind(row) == Kind::CreateGrant),
            data_keys: index(rows.n_resources(), &rows.volumes, &|row| makes_data_key(rows.kind(row))),
            copies: index(rows.n_shared(), &rows.shared, &|row| rows.is_ec2(row)),
            evidence: index(rows.n_resources(), &rows.volumes, &|row| is_sure(row) && shows(rows, row)),
            nameless: grouped(nameless().filter(|row| rows.is_kms(*row)), |row| {
                (rows.accounts[row as usize], rows.text(Text::SourceObject, row as usize))
            }),
            nameless_shows: grouped(nameless().filter(|row| shows(rows, *row)), |row| {
                (rows.accounts[row as usize], rows.volumes[row as usize])
            }),
        }
    }
}

fn grouped<K: Eq + Hash>(rows: impl Iterator<Item = u32>, key: impl Fn(u32) -> K) -> Vec<Vec<u32>> {
    let mut grouped: HashMap<K, Vec<u32>, RandomState> = HashMap::default();
    for row in rows {
        grouped.entry(key(row)).or_default().push(row);
    }
    grouped.into_values().collect()
}

pub(crate) fn is_nameless(rows: &Rows<'_>, row: u32) -> bool {
    rows.id(IdColumn::Event, row as usize).is_none()
}

/// Tells whether the context of a KMS event teaches, whatever the `CreateGrant` of its grant says.
fn surely_teaches(rows: &Rows<'_>, row: u32) -> bool {
    let is_alone = rows.kind(row) == Kind::CreateGrant || rows.grants[row as usize] == NONE;
    is_alone && rows.has(row, Flags::TRUSTED) && !rows.has(row, Flags::EXTERNAL)
}

/// Identifiers by which KMS events are reached.
#[derive(Debug, Default)]
struct Ways {
    requests: Marks,
    grants: Marks,
    shared: Marks,
    by_instance: Since,
    by_volume: Since,
    /// Those that name no instance, because the one that they learn is reached, or the volume was attached.
    by_volume_alone: Since,
    by_snapshot: Since,
    /// Evidence that has changed, by volume; what names no instance may learn from it.
    evidence: HashMap<u32, Vec<u32>, RandomState>,
}

/// Identifiers, each with the earliest time of the events that are reached by it.
#[derive(Debug, Default)]
struct Since {
    times: Vec<i64>,
    marks: Marks,
}

impl Since {
    fn reach(&mut self, id: u32, since: i64) {
        if self.marks.insert(id) {
            self.times.resize(self.times.len().max(id as usize + 1), i64::MAX);
        }
        if let Some(earliest) = self.times.get_mut(id as usize) {
            *earliest = since.min(*earliest);
        }
    }

    /// Returns the earliest time; the greatest where nothing is reached.
    fn of(&self, id: u32) -> i64 {
        self.times.get(id as usize).copied().unwrap_or(i64::MAX)
    }

    fn has(&self, id: u32) -> bool {
        self.marks.has(id)
    }
}

impl<'r, 'a> Reach<'r, 'a> {
    /// Follows the new rows as far as the rows that have been read allow.
    pub(crate) fn new(rows: &'r Rows<'a>, is_new: impl Fn(u32) -> bool, linked: &Linked) -> Self {
        let mut reach = Self {
            rows,
            groups: Groups::new(rows),
            changed: rows.all().map(&is_new).collect(),
            reopened: rows.all().map(|row| rows.is_kms(row) && (is_new(row) || linked.has(rows, row))).collect(),
            instances: Marks::default(),
            volumes: Marks::default(),
            grants: Marks::default(),
            ways: Ways::default(),
            access_keys: HashSet::default(),
        };
        reach.spread_access_keys();
        while reach.spread() || reach.spread_to_nameless() {}
        let makes_or_ends = |row: &u32| matches!(rows.kind(*row), Kind::CreateGrant | Kind::EndGrant);
        let of_grants = rows.all().filter(|row| reach.reopened[*row as usize] && makes_or_ends(row));
        reach.grants.extend(of_grants.map(|row| rows.grants[row as usize]));
        reach
    }

    /// Goes one step further; tells whether that reached anything.
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

    /// Marks the copies of a new EC2 event: one may stand for it now, or not any more.
    fn mark_copies(&mut self) {
        let rows = self.rows;
        let mut new = Marks::default();
        for row in rows.all().filter(|row| rows.is_ec2(*row) && self.changed[*row as usize]) {
            new.insert(rows.shared[row as usize]);
        }
        for row in rows.all().filter(|row| rows.is_ec2(*row)) {
            self.changed[row as usize] |= new.has(rows.shared[row as usize]);
        }
    }

    /// Collects whose rows of `instances` and `volumes` may be others now, before any way that hangs on it is taken.
    fn collect_resources(&mut self) {
        let rows = self.rows;
        for row in rows.all() {
            let at = row as usize;
            let is_ec2 = rows.is_ec2(row) && self.changed[at];
            match rows.kind(row) {
                // Whatever its time: it may be the launch of all that the instance ever did. Its row names who is behind it.
                Kind::RunInstances if is_ec2 || self.is_behind(row) => {
                    self.instances.extend(rows.instance_numbers(row));
                }
                Kind::CreateVolume if is_ec2 => self.volumes.extend(rows.volume_numbers(row)),
                Kind::GenerateDataKey | Kind::ReEncrypt if self.reopened[at] => {
                    self.volumes.insert(rows.volumes[at]);
                }
                _ => {}
            }
        }
    }

    /// Finds what an EC2 event offers: rules 1, 3 and 4, evidence, and launches.
    fn ways_of_ec2(&self, row: u32, ways: &mut Ways) {
        let rows = self.rows;
        let at = row as usize;
        // A call that is linked by the request learns the one instance that its cause names, and so its launch.
        if self.instances.has(rows.instances[at]) && rows.list(List::InstanceIds, at).len() == 1 {
            let copies = self.groups.copies.of(rows.shared[at]);
            ways.requests.extend(copies.iter().chain([&row]).map(|row| rows.requests[*row as usize]));
        }
        let since = rows.times[at] - LATE_MS;
        // It may be the first of its volume now, or not any more.
        if rows.kind(row) == Kind::CreateVolume && rows.volume_numbers(row).any(|id| self.volumes.has(id)) {
            rows.snapshot_numbers(row).for_each(|id| ways.by_snapshot.reach(id, since));
        }
        if !self.changed[at] {
            return;
        }
        ways.requests.insert(rows.requests[at]);
        match rows.kind(row) {
            Kind::RunInstances => rows.instance_numbers(row).for_each(|id| ways.by_instance.reach(id, i64::MIN)),
            Kind::StartInstances | Kind::CreateReplaceRootVolumeTask => {
                rows.instance_numbers(row).for_each(|id| ways.by_instance.reach(id, since));
            }
            Kind::AttachVolume | Kind::DetachVolume => {
                rows.instance_numbers(row).for_each(|id| ways.by_instance.reach(id, since));
                for id in rows.volume_numbers(row) {
                    ways.evidence.entry(id).or_default().push(row);
                    if rows.kind(row) == Kind::AttachVolume {
                        // The event that created the volume is not a cause after it.
                        ways.by_volume_alone.reach(id, since);
                    }
                }
            }
            Kind::CreateVolume => {
                rows.volume_numbers(row).for_each(|id| ways.by_volume.reach(id, since));
                rows.snapshot_numbers(row).for_each(|id| ways.by_snapshot.reach(id, since));
            }
            Kind::CreateSnapshot | Kind::Snapshot => {
                rows.snapshot_numbers(row).for_each(|id| ways.by_snapshot.reach(id, since));
            }
            _ => {}
        }
    }

    /// Finds what others take from a KMS event: its grant, its copies, evidence and data keys.
    fn ways_of_kms(&self, row: u32, ways: &mut Ways) {
        let rows = self.rows;
        let at = row as usize;
        let since = rows.times[at] - LATE_MS;
        let [volume, snapshot] = [rows.volumes[at], rows.snapshots[at]];
        ways.shared.insert(rows.shared[at]);
        let is_create = rows.kind(row) == Kind::CreateGrant;
        // Whether an event teaches may hang on its grant.
        let may_teach = self.changed[at] || !is_create && rows.grants[at] != NONE;
        if is_create {
            ways.grants.insert(rows.grants[at]);
        }
        if is_create && self.changed[at] {
            ways.by_volume.reach(volume, since);
            ways.by_snapshot.reach(snapshot, since);
        }
        match rows.kind(row) {
            Kind::CreateGrant | Kind::Decrypt if may_teach && shows(rows, row) => {
                ways.evidence.entry(volume).or_default().push(row);
            }
            Kind::GenerateDataKey | Kind::ReEncrypt
                if volume != NONE && may_teach && !self.has_earlier_data_key(row) =>
            {
                ways.by_volume.reach(volume, i64::MIN);
            }
            _ => {}
        }
    }

    /// Tells whether the lake had a data key of the volume that stays the first.
    fn has_earlier_data_key(&self, row: u32) -> bool {
        let rows = self.rows;
        self.groups.data_keys.of(rows.volumes[row as usize]).iter().any(|&other| {
            other < row
                && !self.changed[other as usize]
                && rows.kind(other) == Kind::GenerateDataKey
                && surely_teaches(rows, other)
                && !rows.has(other, Flags::FAILED | Flags::OF_ANOTHER_ACCOUNT)
        })
    }

    /// Adds the ways between instances and volumes: a call that learns an instance learns what starts it, too.
    fn ways_of_pairs(&self, ways: &mut Ways) {
        let rows = self.rows;
        for row in rows.all().filter(|row| shows(rows, *row)) {
            let (instance, volume) = (rows.instances[row as usize], rows.volumes[row as usize]);
            if ways.by_instance.has(instance) {
                ways.by_volume_alone.reach(volume, ways.by_instance.of(instance));
            }
        }
    }

    /// Tells whether an event without an instance may learn one from changed evidence of a volume: not where other
    /// evidence of the same home is nearer.
    fn may_learn(&self, row: u32, volume: u32, ways: &Ways) -> bool {
        let rows = self.rows;
        let time = rows.times[row as usize];
        let distance = |other: u32| rows.times[other as usize].abs_diff(time);
        let is_beaten = |changed: &u32| {
            let others = self.groups.evidence.at_home(volume, rows.homes[*changed as usize]);
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
        ways.evidence.get(&volume).is_some_and(|evidence| !evidence.iter().all(is_beaten))
    }

    fn is_reached(&self, row: u32, ways: &Ways) -> bool {
        let rows = self.rows;
        let (at, time) = (row as usize, rows.times[row as usize]);
        let lacks_instance = rows.instances[at] == NONE;
        let is_reached_by = |of: &u32| {
            let (volume, snapshot) = (rows.volumes[*of as usize], rows.snapshots[*of as usize]);
            ways.by_volume.of(volume) <= time
                || lacks_instance && (ways.by_volume_alone.of(volume) <= time || self.may_learn(row, volume, ways))
                || ways.by_snapshot.of(snapshot) <= time
        };
        ways.requests.has(rows.requests[at])
            || ways.requests.has(rows.callers[at].0)
            || ways.grants.has(rows.grants[at])
            || ways.shared.has(rows.shared[at])
            || ways.by_instance.of(rows.instances[at]) <= time
            || self.instances.has(rows.caller_instances[at])
            || makes_data_key(rows.kind(row)) && self.volumes.has(rows.volumes[at])
            || is_reached_by(&row)
            || self.creates_of(row).iter().any(is_reached_by)
    }

    /// Returns the `CreateGrant`s of the grant of another event.
    fn creates_of(&self, row: u32) -> &[u32] {
        if !self.rows.is_kms(row) || self.rows.kind(row) == Kind::CreateGrant {
            return &[];
        }
        self.groups.creates.of(self.rows.grants[row as usize])
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
                    has_spread |= !mem::replace(&mut mark[*row as usize], true);
                }
            }
        }
        has_spread
    }

    /// Follows what new STS events issued to those who used it, and so on. `correlated` cannot be asked for what an EC2
    /// event without an id caused, so it counts as new where somebody else stands behind it now.
    fn spread_access_keys(&mut self) {
        let rows = self.rows;
        let is_sts = |row: &u32| rows.has(*row, Flags::STS) && !rows.has(*row, Flags::FAILED);
        let sts: Vec<u32> = rows.all().filter(is_sts).collect();
        loop {
            let before = self.access_keys.len();
            for at in sts.iter().map(|row| *row as usize) {
                let by = rows.text(Text::AccessKeyId, at);
                if self.changed[at] || by.is_some_and(|key| self.access_keys.contains(key)) {
                    self.access_keys.extend(rows.text(Text::IssuedAccessKeyId, at));
                }
            }
            if self.access_keys.len() == before {
                break;
            }
        }
        for row in rows.all().filter(|row| rows.is_ec2(*row) && is_nameless(rows, *row)) {
            self.changed[row as usize] |= self.is_behind(row);
        }
    }

    /// Tells whether another principal may stand behind an event now.
    fn is_behind(&self, row: u32) -> bool {
        let key = self.rows.text(Text::AccessKeyId, row as usize);
        !self.access_keys.is_empty() && key.is_some_and(|key| self.access_keys.contains(key))
    }
}

impl Reach<'_, '_> {
    /// Adds to `wanted` what else of the lake must be read for all that is reached to come out as from the whole lake.
    /// `is_new` says of a row whether the products cannot know it. The lake has nothing else at `until` or later.
    pub(crate) fn want(&self, is_new: impl Fn(u32) -> bool, until: i64, wanted: &mut Wanted) {
        self.want_ways(is_new, until, wanted);
        self.want_needs(wanted);
    }

    /// Wants all that may be reached by the ways.
    fn want_ways(&self, is_new: impl Fn(u32) -> bool, until: i64, wanted: &mut Wanted) {
        let (rows, ways) = (self.rows, &self.ways);
        for (by, ways) in [
            (By::Volume, &ways.by_volume),
            (By::Volume, &ways.by_volume_alone),
            (By::Instance, &ways.by_instance),
            (By::Snapshot, &ways.by_snapshot),
        ] {
            ways.marks.all().filter(|id| ways.of(*id) < until).for_each(|id| wanted.resource(by, rows, id));
        }
        self.volumes.all().for_each(|id| wanted.resource(By::VolumeOffer, rows, id));
        self.instances.all().for_each(|id| wanted.resource(By::InstanceOffer, rows, id));
        for id in ways.evidence.keys() {
            wanted.resource(By::VolumeOffer, rows, *id);
            wanted.resource(By::VolumeLearner, rows, *id);
        }
        self.access_keys.iter().for_each(|key| wanted.access_key(key));
        self.instances.all().for_each(|id| wanted.caller(rows, id));
        for row in rows.all() {
            let at = row as usize;
            if rows.is_ec2(row) {
                if ways.requests.has(rows.requests[at]) {
                    wanted.request(By::Request, rows, row);
                }
                if !is_new(row) && self.is_behind(row) {
                    wanted.cause(rows, row);
                }
            }
            if self.reopened[at] {
                wanted.shared(rows, row);
                if is_nameless(rows, row) {
                    wanted.source_object(rows, row);
                }
            }
            if rows.kind(row) == Kind::CreateGrant && (self.reopened[at] || self.leads_to_its_grants(row, until)) {
                wanted.grant(By::Grant, rows, row);
            }
        }
    }

    /// Tells whether a way leads through a `CreateGrant` to events of its grant that the lake may have.
    fn leads_to_its_grants(&self, row: u32, until: i64) -> bool {
        let (rows, ways, at) = (self.rows, &self.ways, row as usize);
        let (volume, snapshot) = (rows.volumes[at], rows.snapshots[at]);
        // Events of a grant that names an instance need not learn one.
        rows.instances[at] == NONE && ways.evidence.contains_key(&volume)
            || [ways.by_volume.of(volume), ways.by_volume_alone.of(volume), ways.by_snapshot.of(snapshot)]
                .iter()
                .any(|since| *since < until)
    }

    /// Wants all that the rules look at for what is reached.
    fn want_needs(&self, wanted: &mut Wanted) {
        let rows = self.rows;
        let needs = self.needs();
        needs.learning.all().for_each(|id| wanted.resource(By::Volume, rows, id));
        for row in rows.all() {
            let at = row as usize;
            if !rows.is_kms(row) {
                // A copy may stand for it, and somebody behind it.
                if rows.is_ec2(row) {
                    wanted.shared(rows, row);
                }
                // Whether it made anything of a snapshot hangs on earlier ones of the same volumes.
                if rows.kind(row) == Kind::CreateVolume && rows.snapshot_numbers(row).next().is_some() {
                    rows.volume_numbers(row).for_each(|id| wanted.resource(By::VolumeOffer, rows, id));
                }
                wanted.issuer(rows, row);
            } else if rows.kind(row) != Kind::CreateGrant {
                // Whether it teaches may hang on its grant; and one that ends a grant may not be the first that does.
                wanted.grant(By::GrantOffer, rows, row);
            }
            if needs.requests.has(rows.requests[at]) {
                wanted.request(By::RequestCause, rows, row);
            }
            let is_cause = || rows.is_ec2(row) && needs.causes.has(rows.canonical[at]);
            let names_one = || rows.list(List::InstanceIds, at).len() == 1;
            if needs.learning.has(rows.volumes[at]) || is_cause() && names_one() {
                wanted.resource(By::InstanceOffer, rows, rows.instances[at]);
            }
            if needs.computed[at] {
                wanted.shared(rows, row);
                wanted.resource(By::InstanceOffer, rows, rows.instances[at]);
                wanted.resource(By::InstanceOffer, rows, rows.caller_instances[at]);
                wanted.resource(By::VolumeOffer, rows, rows.volumes[at]);
                wanted.resource(By::SnapshotOffer, rows, rows.snapshots[at]);
            }
        }
    }

    fn needs(&self) -> Needs {
        let rows = self.rows;
        let mut needs = Needs { computed: self.reopened.clone(), ..Needs::default() };
        let mut copied = Marks::default();
        for row in rows.all().filter(|row| self.reopened[*row as usize]) {
            for row in self.creates_of(row).iter().chain([&row]) {
                needs.computed[*row as usize] = true;
                copied.insert(rows.shared[*row as usize]);
            }
        }
        for row in rows.all().filter(|row| rows.is_kms(*row)) {
            let at = row as usize;
            if needs.computed[at] || copied.has(rows.shared[at]) {
                needs.requests.extend([rows.requests[at], rows.callers[at].0]);
            }
            let with_creates = || self.creates_of(row).iter().chain([&row]).map(|row| *row as usize);
            if needs.computed[at] && with_creates().all(|at| rows.instances[at] == NONE) {
                needs.learning.extend(with_creates().map(|at| rows.volumes[at]));
            }
        }
        for row in rows.all().filter(|row| rows.is_ec2(*row) && needs.requests.has(rows.requests[*row as usize])) {
            needs.causes.insert(rows.canonical[row as usize]);
        }
        needs
    }
}

/// The needs of rows that are to come out right.
#[derive(Debug, Default)]
struct Needs {
    /// By row: those that are reached, and the `CreateGrant`s whose causes these take.
    computed: Vec<bool>,
    /// Requests of these and of their copies.
    requests: Marks,
    /// The EC2 events of these requests.
    causes: Marks,
    /// Volumes from which an instance may be learned.
    learning: Marks,
}
