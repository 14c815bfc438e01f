//! The rules of `docs/join.md`, each a look into sorted lists of rows.

use std::collections::HashSet;
use std::mem;

use ahash::RandomState;
use rayon::iter::IntoParallelRefMutIterator;
use rayon::iter::ParallelIterator;

use crate::in_memory::ids::{Entry, Ids, Index, NONE};
use crate::in_memory::read::{Flags, List};
use crate::in_memory::rows::{Kind, Rows};

/// An offer before the asking event counts at once when it is no older than this.
pub(super) const FRESH_MS: i64 = 600_000;
/// An offer after the asking event counts up to here.
pub(super) const LATE_MS: i64 = 10_000;

/// The rule that found a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Link {
    RequestId,
    Grant,
    Instance,
    Resource,
    Volume,
    #[default]
    None,
}

impl Link {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RequestId => "request_id",
            Self::Grant => "grant",
            Self::Instance => "instance",
            Self::Resource => "resource",
            Self::Volume => "volume",
            Self::None => "none",
        }
    }
}

/// A row of `correlated`. Rows and identifiers that it lacks are [`NONE`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) row: u32,
    /// The `CreateGrant` of its grant; none for a `CreateGrant` itself.
    pub(super) create: u32,
    /// The first copy of it, in any account, whose request an EC2 event of that account has.
    requested_copy: u32,
    /// The `CreateGrant` that allowed it, where it names no grant.
    pub(super) granted: u32,
    /// By what it is, or its grant.
    pub(super) trusted: bool,
    pub(super) external: bool,
    apart: bool,
    /// Its own identifiers, else its grant's.
    pub(super) volume: u32,
    pub(super) snapshot: u32,
    /// Its own, else its grant's, else learned, else of the request's cause.
    pub(super) instance: u32,
    learned: u32,
    /// The cause that its request or its own names gave, and how.
    found: (u32, Link),
    pub(super) cause: u32,
    pub(super) link: Link,
    pub(super) launch: u32,
    /// The event that made its volume's data key.
    pub(super) data_key: u32,
}

/// An identifier, and the row that tells of it first.
pub(super) type First = (u32, u32);

/// What was found.
#[derive(Debug)]
pub(super) struct Join {
    /// In the order of the rows.
    pub(super) calls: Vec<Call>,
    /// The position among the calls of each row; [`NONE`] for the others.
    pub(super) positions: Vec<u32>,
    /// Instances with their `RunInstances`: one of each home.
    pub(super) launches: Vec<First>,
    /// Volumes with their `CreateVolume`: one of each home.
    pub(super) created: Vec<First>,
    /// Volumes with the event that made their data key: one of each home.
    pub(super) data_keys: Vec<First>,
    /// By volume.
    pub(super) first_data_key: Vec<u32>,
    /// Rows that show a volume at an instance.
    pub(super) evidence: Vec<u32>,
    /// One `CreateGrant` of each grant and account.
    pub(super) grants: Vec<u32>,
}

impl Join {
    pub(super) fn new(rows: &mut Rows<'_>) -> Self {
        let named = Named::new(rows);
        let rows = &*rows;
        let mut join = Self {
            calls: calls(rows),
            positions: vec![NONE; rows.len()],
            evidence: Vec::new(),
            grants: Vec::new(),
            data_keys: Vec::new(),
            first_data_key: vec![NONE; rows.n_resources()],
            created: named.created.iter().map(|it| (it.key, it.row)).collect(),
            launches: named.launched.iter().map(|it| (it.key, it.row)).collect(),
        };
        for (position, call) in (0..).zip(&join.calls) {
            join.positions[call.row as usize] = position;
        }
        join.collect(rows);
        let offers = Offers::new(rows, &join, named);
        join.calls.par_iter_mut().for_each(|call| offers.find(call));
        let found: Vec<u32> = join.calls.iter().map(|call| call.found.0).collect();
        let (positions, first_data_key) = (mem::take(&mut join.positions), mem::take(&mut join.first_data_key));
        join.calls.par_iter_mut().for_each(|call| {
            let of_create = positions.get(call.create as usize).and_then(|position| found.get(*position as usize));
            call.link(rows, of_create.copied().unwrap_or(NONE));
            let serves = if call.instance == NONE { rows.caller_instances[call.row as usize] } else { call.instance };
            let at_home = offers.launched.at_home(serves, rows.homes[call.row as usize]).first();
            call.launch = at_home.or_else(|| offers.launched.of(serves).first()).copied().unwrap_or(NONE);
            if call.volume != NONE && call.teaches() {
                call.data_key = first_data_key[call.volume as usize];
            }
        });
        (join.positions, join.first_data_key) = (positions, first_data_key);
        join
    }

    /// Gathers from the calls what others learn from and what the tables list.
    fn collect(&mut self, rows: &Rows<'_>) {
        let (mut granted, mut keyed) = (Ids::new(), Ids::new());
        self.evidence.extend(rows.all().filter(|row| rows.is_candidate(*row) && shows(rows, *row)));
        for call in &self.calls {
            let (row, at) = (call.row, call.row as usize);
            let (volume, grant) = (rows.volumes[at], rows.grants[at]);
            let succeeded = !rows.has(row, Flags::FAILED);
            let teaches = call.teaches();
            match rows.kind(row) {
                Kind::CreateGrant | Kind::Decrypt if teaches && shows(rows, row) => self.evidence.push(row),
                Kind::GenerateDataKey | Kind::ReEncrypt if teaches && volume != NONE && succeeded => {
                    match self.data_keys.get_mut(keyed.number((volume, rows.homes[at])) as usize) {
                        Some((_, first)) => *first = rows.first_data_key(*first, row),
                        None => self.data_keys.push((volume, row)),
                    }
                    let first = &mut self.first_data_key[volume as usize];
                    *first = rows.first_data_key(*first, row);
                }
                _ => {}
            }
            if rows.kind(row) == Kind::CreateGrant && succeeded && grant != NONE {
                let n_before = granted.len();
                if granted.number((grant, rows.accounts[at])) as usize == n_before {
                    self.grants.push(row);
                }
            }
        }
        self.evidence.sort_unstable();
    }
}

impl Call {
    /// Chooses among what it found itself, what its grant found, and nothing.
    fn link(&mut self, rows: &Rows<'_>, of_grant: u32) {
        (self.cause, self.link) = match self.found {
            (row, Link::RequestId) => (row, Link::RequestId),
            _ if of_grant != NONE => (of_grant, Link::Grant),
            found => found,
        };
        if self.instance == NONE {
            self.instance = self.learned;
        }
        if self.instance == NONE && self.link == Link::RequestId {
            let cause = self.cause as usize;
            if rows.list(List::InstanceIds, cause).len() == 1 {
                self.instance = rows.instances[cause];
            }
        }
    }

    /// Returns the volume and the snapshot: its own, else its grant's, else what a cause of the same request names
    /// alone. A snapshot beside an instance or a volume is what these were made of.
    pub(super) fn volume_and_snapshot(&self, rows: &Rows<'_>) -> (u32, u32) {
        if (self.volume, self.snapshot) != (NONE, NONE) || self.link != Link::RequestId {
            return (self.volume, self.snapshot);
        }
        let cause = self.cause as usize;
        let n_named = [List::InstanceIds, List::VolumeIds, List::SnapshotIds].map(|list| rows.list(list, cause).len());
        match n_named {
            [_, 1, _] => (rows.volumes[cause], NONE),
            [0, 0, 1] => (NONE, rows.snapshots[cause]),
            _ => (NONE, NONE),
        }
    }

    /// Whether its context links and teaches.
    pub(super) fn teaches(&self) -> bool {
        self.trusted && !self.external
    }
}

/// Whether an event of a kind that shows a volume at an instance names both. A grant that was refused shows nothing.
pub(super) fn shows(rows: &Rows<'_>, row: u32) -> bool {
    let is_of_kind = match rows.kind(row) {
        Kind::AttachVolume | Kind::DetachVolume | Kind::Decrypt => true,
        Kind::CreateGrant => !rows.has(row, Flags::FAILED),
        _ => false,
    };
    is_of_kind && rows.instances[row as usize] != NONE && rows.volumes[row as usize] != NONE
}

/// The rows of `correlated`, with what they take from their grants.
fn calls(rows: &Rows<'_>) -> Vec<Call> {
    let mut requested = vec![false; rows.n_requests()];
    for row in rows.all().filter(|row| rows.is_ec2(*row)) {
        if let Some(requested) = requested.get_mut(rows.requests[row as usize] as usize) {
            *requested = true;
        }
    }
    let is_requested = |request: u32| requested.get(request as usize).is_some_and(|it| *it);
    let copies = RequestedCopies::new(rows, |row| is_requested(rows.requests[row as usize]));
    let touches = |row: u32| {
        let at = row as usize;
        rows.has(row, Flags::TOUCHES)
            || [&rows.instances, &rows.volumes, &rows.snapshots, &rows.caller_instances]
                .iter()
                .any(|ids| ids[at] != NONE)
            || is_requested(rows.requests[at])
            || is_requested(rows.callers[at].0)
            || copies.of(rows, row) != NONE
    };
    let creates = Creates::new(rows, touches);
    let mut calls = Vec::new();
    for row in rows.all().filter(|row| rows.is_kms(*row)) {
        let at = row as usize;
        let grant = rows.grants[at];
        if !touches(row) && !creates.touch(grant) {
            continue;
        }
        let create = if rows.kind(row) == Kind::CreateGrant { NONE } else { creates.of(grant, rows.accounts[at]) };
        let own_or = |ids: &[u32]| match ids[at] {
            NONE if create != NONE => ids[create as usize],
            own => own,
        };
        let own_or_grants = |flag| rows.has(row, flag) || create != NONE && rows.has(create, flag);
        calls.push(Call {
            row,
            create,
            requested_copy: copies.of(rows, row),
            granted: NONE,
            trusted: own_or_grants(Flags::TRUSTED),
            external: own_or_grants(Flags::EXTERNAL),
            apart: own_or_grants(Flags::APART),
            volume: own_or(&rows.volumes),
            snapshot: own_or(&rows.snapshots),
            instance: own_or(&rows.instances),
            learned: NONE,
            found: (NONE, Link::None),
            cause: NONE,
            link: Link::None,
            launch: NONE,
            data_key: NONE,
        });
    }
    calls
}

/// The first copy whose request is known in its account, for KMS events that were logged in several accounts.
struct RequestedCopies(Vec<u32>);

impl RequestedCopies {
    fn new(rows: &Rows<'_>, is_requested: impl Fn(u32) -> bool) -> Self {
        let mut firsts = vec![NONE; rows.n_shared()];
        for row in rows.all().filter(|row| rows.is_kms(*row) && is_requested(*row)) {
            if let Some(first) = firsts.get_mut(rows.shared[row as usize] as usize) {
                *first = rows.first_copy(*first, row);
            }
        }
        Self(firsts)
    }

    fn of(&self, rows: &Rows<'_>, row: u32) -> u32 {
        self.0.get(rows.shared[row as usize] as usize).copied().unwrap_or(NONE)
    }
}

/// The `CreateGrant`s of each grant, failed ones too.
struct Creates {
    /// The first of each account and grant.
    by_account: Ids<(u32, u32)>,
    firsts: Vec<u32>,
    /// By grant.
    first_of_any: Vec<u32>,
    touches: Vec<bool>,
}

impl Creates {
    fn new(rows: &Rows<'_>, touches: impl Fn(u32) -> bool) -> Self {
        let mut creates = Self {
            by_account: Ids::new(),
            firsts: Vec::new(),
            first_of_any: vec![NONE; rows.n_grants()],
            touches: vec![false; rows.n_grants()],
        };
        for row in rows.all().filter(|row| rows.kind(*row) == Kind::CreateGrant) {
            let grant = rows.grants[row as usize];
            if grant == NONE {
                continue;
            }
            if creates.by_account.number((grant, rows.accounts[row as usize])) as usize == creates.firsts.len() {
                creates.firsts.push(row);
            }
            let first = &mut creates.first_of_any[grant as usize];
            *first = (*first).min(row);
            creates.touches[grant as usize] |= touches(row);
        }
        creates
    }

    fn of(&self, grant: u32, account: u32) -> u32 {
        let at_home = self.firsts.get(self.by_account.get((grant, account)) as usize);
        at_home.or_else(|| self.first_of_any.get(grant as usize)).copied().unwrap_or(NONE)
    }

    fn touch(&self, grant: u32) -> bool {
        self.touches.get(grant as usize).is_some_and(|it| *it)
    }
}

/// What candidates name.
struct Named {
    launched: Vec<Entry>,
    started: Vec<Entry>,
    attached: Vec<Entry>,
    created: Vec<Entry>,
    /// By volume what attached it.
    placed: Vec<Entry>,
    snapshots: Vec<Entry>,
    taken: Vec<Entry>,
    /// Instances with volumes: the keys of `attached`.
    pairs: Ids<(u32, u32)>,
}

impl Named {
    fn new(rows: &mut Rows<'_>) -> Self {
        let mut named = Self {
            launched: Vec::new(),
            started: Vec::new(),
            attached: Vec::new(),
            created: Vec::new(),
            placed: Vec::new(),
            snapshots: Vec::new(),
            taken: Vec::new(),
            pairs: Ids::new(),
        };
        let mut seen: HashSet<(u32, u32), RandomState> = HashSet::default();
        for row in rows.all() {
            if !rows.is_candidate(row) {
                continue;
            }
            let home = rows.homes[row as usize];
            let entry = |key| Entry { key, home, row };
            let is_first = |key: &u32| seen.insert((*key, home));
            match rows.kind(row) {
                Kind::RunInstances => {
                    let instances = rows.numbers(List::InstanceIds, row).into_iter();
                    named.launched.extend(instances.filter(is_first).map(entry));
                }
                Kind::StartInstances | Kind::CreateReplaceRootVolumeTask => {
                    named.started.extend(rows.numbers(List::InstanceIds, row).into_iter().map(entry));
                }
                Kind::AttachVolume => {
                    let volumes = rows.numbers(List::VolumeIds, row);
                    named.placed.extend(volumes.iter().copied().map(entry));
                    for instance in rows.numbers(List::InstanceIds, row) {
                        let pairs = volumes.iter().map(|volume| named.pairs.number((instance, *volume)));
                        named.attached.extend(pairs.map(entry));
                    }
                }
                Kind::CreateVolume => {
                    let volumes = rows.numbers(List::VolumeIds, row).into_iter();
                    let firsts: Vec<Entry> = volumes.filter(is_first).map(entry).collect();
                    if !firsts.is_empty() {
                        named.snapshots.extend(rows.numbers(List::SnapshotIds, row).into_iter().map(entry));
                    }
                    named.created.extend(firsts);
                }
                Kind::Snapshot => named.snapshots.extend(rows.numbers(List::SnapshotIds, row).into_iter().map(entry)),
                Kind::CreateSnapshot => named.taken.extend(rows.numbers(List::SnapshotIds, row).into_iter().map(entry)),
                _ => {}
            }
        }
        named
    }
}

/// What calls look into.
struct Offers<'r, 'a> {
    rows: &'r Rows<'a>,
    requests: Index,
    /// The first `RunInstances` by instance.
    launched: Index,
    /// These, and what starts an instance again.
    launches: Index,
    pairs: Ids<(u32, u32)>,
    attached: Index,
    /// Events that created or attached a volume.
    handled: Index,
    snapshots: Index,
    /// By what took a snapshot, which calls no KMS itself.
    taken: Index,
    evidence: Index,
    /// `CreateGrant`s by instance and volume.
    grants: Index,
    granted_pairs: Ids<(u32, u32)>,
    /// `CreateGrant`s to a service, by volume and by snapshot.
    service_grants: Index,
}

impl<'r, 'a> Offers<'r, 'a> {
    fn new(rows: &'r Rows<'a>, join: &Join, named: Named) -> Self {
        let n = rows.n_resources();
        let under = |key: u32, row: u32| Entry { key, home: rows.homes[row as usize], row };
        let launches = named.started.into_iter().chain(named.launched.iter().copied()).collect();
        let requests = rows.all().filter(|row| rows.is_ec2(*row) && rows.requests[*row as usize] != NONE);
        let requests = requests.map(|row| under(rows.requests[row as usize], row)).collect();
        let evidence = join.evidence.iter().map(|row| under(rows.volumes[*row as usize], *row)).collect();
        let mut granted_pairs = Ids::new();
        let (mut grants, mut service_grants) = (Vec::new(), Vec::new());
        for call in &join.calls {
            let (row, at) = (call.row, call.row as usize);
            if rows.kind(row) != Kind::CreateGrant || rows.has(row, Flags::FAILED) {
                continue;
            }
            let (instance, volume, snapshot) = (rows.instances[at], rows.volumes[at], rows.snapshots[at]);
            if instance != NONE && volume != NONE {
                grants.push(under(granted_pairs.number((instance, volume)), row));
            }
            if instance == NONE && call.teaches() {
                let ids = [volume, snapshot].into_iter().filter(|id| *id != NONE);
                service_grants.extend(ids.map(|id| under(id, row)));
            }
        }
        Self {
            rows,
            requests: Index::new(rows.n_requests(), requests),
            launched: Index::new(n, named.launched),
            launches: Index::new(n, launches),
            attached: Index::new(named.pairs.len(), named.attached),
            pairs: named.pairs,
            handled: Index::new(n, named.created.into_iter().chain(named.placed).collect()),
            snapshots: Index::new(n, named.snapshots),
            taken: Index::new(n, named.taken),
            evidence: Index::new(n, evidence),
            grants: Index::new(granted_pairs.len(), grants),
            granted_pairs,
            service_grants: Index::new(n, service_grants),
        }
    }

    /// Finds a cause by rules 1, 3, 4 and 5, and the grant that allowed the call.
    fn find(&self, call: &mut Call) {
        let rows = self.rows;
        let (row, at) = (call.row, call.row as usize);
        let own_instance = rows.instances[at];
        let teaches = call.teaches();
        if teaches && call.volume != NONE && call.instance == NONE {
            call.learned = self.learned(row, call.volume);
        }
        // Rule 1: by its own request, else by that of a copy of it, else by its own in the caller's account.
        let in_own_account = |row: u32| match row {
            NONE => None,
            row => self.requested(row, (rows.requests[row as usize], rows.homes[row as usize])),
        };
        let requested = in_own_account(row)
            .or_else(|| in_own_account(call.requested_copy))
            .or_else(|| self.requested(row, rows.callers[at]))
            .unwrap_or(NONE);
        call.found = if requested != NONE {
            (rows.canonical[requested as usize], Link::RequestId)
        } else if call.trusted && !call.apart && rows.kind(row) != Kind::EndGrant {
            self.named(call, own_instance)
        } else {
            (NONE, Link::None)
        };
        if rows.kind(row) != Kind::CreateGrant && rows.grants[at] == NONE {
            call.granted = self.granted(row);
        }
    }

    /// Rules 3 to 5.
    fn named(&self, call: &Call, own_instance: u32) -> (u32, Link) {
        let made = if own_instance == NONE { self.made(call) } else { None };
        let made_near = made.filter(|made| self.is_near(call.row, *made));
        if let Some(made) = made_near {
            return (made, Link::Resource);
        }
        if call.external {
            return (NONE, Link::None);
        }
        let instance = if own_instance == NONE { call.learned } else { own_instance };
        let pair = self.pairs.get((instance, call.volume));
        // Rows are in the order of time.
        match (made, self.scoped(call.row, &[(&self.launches, instance), (&self.attached, pair)])) {
            (_, Some(found)) if own_instance != NONE => (found, Link::Instance),
            (Some(made), found) if found.is_none_or(|found| found < made) => (made, Link::Resource),
            (_, Some(found)) => (found, Link::Volume),
            (_, None) => (NONE, Link::None),
        }
    }

    /// Follows rule 4: finds the event that made the volume, unless something has attached it since; else the one that
    /// made the snapshot.
    fn made(&self, call: &Call) -> Option<u32> {
        let (index, id) = match call.volume {
            NONE => (&self.snapshots, call.snapshot),
            volume => (&self.handled, volume),
        };
        if call.external {
            let choice = self.choice(call.row, &[(index, id)], true);
            return choice.filter(|row| self.rows.kind(*row) != Kind::AttachVolume);
        }
        let of_snapshot = || self.scoped(call.row, &[(&self.taken, call.snapshot)]).filter(|_| call.volume == NONE);
        let choice = self.scoped(call.row, &[(index, id)]).filter(|row| self.rows.kind(*row) != Kind::AttachVolume);
        choice.or_else(of_snapshot)
    }

    /// The EC2 event of an event's request in an account; of several of one time the first stands for all.
    fn requested(&self, row: u32, (request, home): (u32, u32)) -> Option<u32> {
        let rows = self.rows;
        let choose = |list: &[u32]| {
            let (before, after) = around(rows, list, rows.times[row as usize]);
            let first = before.map(|before| {
                let time = rows.times[before as usize];
                list[list.partition_point(|it| rows.times[*it as usize] < time)]
            });
            first.or(after)
        };
        choose(self.requests.at_home(request, home)).or_else(|| choose(self.requests.of(request)))
    }

    /// The instance at which the volume was seen nearest in time.
    fn learned(&self, row: u32, volume: u32) -> u32 {
        let rows = self.rows;
        let (time, home) = (rows.times[row as usize], rows.homes[row as usize]);
        let distance = |row: u32| rows.times[row as usize].abs_diff(time);
        let closest = |list: &[u32]| {
            let (before, after) = list.split_at(list.partition_point(|row| rows.times[*row as usize] <= time));
            // After a DetachVolume the volume is there no more, nor where it was before.
            let before = before.last().filter(|row| rows.kind(**row) != Kind::DetachVolume);
            match (before, after.first()) {
                (Some(before), Some(after)) if distance(*before) > distance(*after) => Some(*after),
                (before, after) => before.or(after).copied(),
            }
        };
        let seen = closest(self.evidence.at_home(volume, home)).or_else(|| closest(self.evidence.of(volume)));
        seen.map_or(NONE, |seen| rows.instances[seen as usize])
    }

    /// The `CreateGrant` that allowed a call which names no grant.
    fn granted(&self, row: u32) -> u32 {
        let (rows, at) = (self.rows, row as usize);
        let (instance, volume) = (rows.instances[at], rows.volumes[at]);
        let by_service = rows.has(row, Flags::BY_SERVICE) && !rows.has(row, Flags::EXTERNAL);
        let granted = if instance != NONE && volume != NONE {
            (&self.grants, self.granted_pairs.get((instance, volume)))
        } else if instance == NONE && by_service && rows.kind(row) != Kind::EndGrant {
            (&self.service_grants, if volume == NONE { rows.snapshots[at] } else { volume })
        } else {
            return NONE;
        };
        self.scoped(row, &[granted]).unwrap_or(NONE)
    }

    /// The choice among the offers of several keys, those of the event's own home or those of any: a near one first.
    fn scoped(&self, row: u32, keys: &[(&Index, u32)]) -> Option<u32> {
        let is_near = |choice: &u32| self.is_near(row, *choice);
        let at_home = self.choice(row, keys, true);
        at_home.filter(is_near).or_else(|| {
            let any = self.choice(row, keys, false);
            any.filter(is_near).or(at_home).or(any)
        })
    }

    /// Makes the as-of choice among the offers of several keys.
    fn choice(&self, row: u32, keys: &[(&Index, u32)], at_home: bool) -> Option<u32> {
        let rows = self.rows;
        let (time, home) = (rows.times[row as usize], rows.homes[row as usize]);
        let (mut before, mut after) = (None, None);
        for (index, key) in keys {
            let list = if at_home { index.at_home(*key, home) } else { index.of(*key) };
            let (earlier, later) = around(rows, list, time);
            before = before.max(earlier);
            after = [after, later].into_iter().flatten().min();
        }
        nearest(rows, time, (before, after))
    }

    /// Tells whether a choice is near; one after the event always is.
    fn is_near(&self, row: u32, choice: u32) -> bool {
        self.rows.times[row as usize] - self.rows.times[choice as usize] <= FRESH_MS
    }
}

/// The latest row of a list at or before a time, and the earliest after it.
fn around(rows: &Rows<'_>, list: &[u32], time: i64) -> (Option<u32>, Option<u32>) {
    let split = list.partition_point(|row| rows.times[*row as usize] <= time);
    (split.checked_sub(1).map(|at| list[at]), list.get(split).copied())
}

/// The as-of choice: before when it is fresh, else after when it is not too late, else before.
fn nearest(rows: &Rows<'_>, time: i64, (before, after): (Option<u32>, Option<u32>)) -> Option<u32> {
    let times = |row: u32| rows.times[row as usize];
    match (before, after) {
        (Some(before), _) if time - times(before) <= FRESH_MS => Some(before),
        (_, Some(after)) if times(after) - time <= LATE_MS => Some(after),
        (before, _) => before,
    }
}
