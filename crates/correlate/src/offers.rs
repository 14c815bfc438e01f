//! Sorted lists that calls look into: those of the rows that offer a cause, an instance or a grant.

use std::collections::HashSet;

use ahash::RandomState;

use crate::call::{Call, FRESH_MS, LATE_MS, Link};
use crate::events::Flags;
use crate::ids::{Entry, Ids, Index, NONE};
use crate::kind::Kind;
use crate::rows::Rows;

/// The resources that candidates name.
pub(crate) struct Named {
    pub(crate) launched: Vec<Entry>,
    started: Vec<Entry>,
    attached: Vec<Entry>,
    pub(crate) created: Vec<Entry>,
    /// By volume what attached it.
    placed: Vec<Entry>,
    snapshots: Vec<Entry>,
    taken: Vec<Entry>,
    /// Instances with volumes: the keys of `attached`.
    pairs: Ids<(u32, u32)>,
}

impl Named {
    pub(crate) fn new(rows: &Rows<'_>) -> Self {
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
                    let instances = rows.instance_numbers(row);
                    named.launched.extend(instances.filter(is_first).map(entry));
                }
                Kind::StartInstances | Kind::CreateReplaceRootVolumeTask => {
                    named.started.extend(rows.instance_numbers(row).map(entry));
                }
                Kind::AttachVolume => {
                    let volumes: Vec<u32> = rows.volume_numbers(row).collect();
                    named.placed.extend(volumes.iter().copied().map(entry));
                    for instance in rows.instance_numbers(row) {
                        let pairs = volumes.iter().map(|volume| named.pairs.number((instance, *volume)));
                        named.attached.extend(pairs.map(entry));
                    }
                }
                Kind::CreateVolume => {
                    let volumes = rows.volume_numbers(row);
                    let firsts: Vec<Entry> = volumes.filter(is_first).map(entry).collect();
                    if !firsts.is_empty() {
                        named.snapshots.extend(rows.snapshot_numbers(row).map(entry));
                    }
                    named.created.extend(firsts);
                }
                Kind::Snapshot => named.snapshots.extend(rows.snapshot_numbers(row).map(entry)),
                Kind::CreateSnapshot => named.taken.extend(rows.snapshot_numbers(row).map(entry)),
                _ => {}
            }
        }
        named
    }
}

/// The lists that calls look into.
pub(crate) struct Offers<'r, 'a> {
    rows: &'r Rows<'a>,
    requests: Index,
    /// The first `RunInstances` by instance.
    pub(crate) launched: Index,
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
    pub(crate) fn new(rows: &'r Rows<'a>, calls: &[Call], evidence: &[u32], named: Named) -> Self {
        let n = rows.n_resources();
        let under = |key: u32, row: u32| Entry { key, home: rows.homes[row as usize], row };
        let launches = named.started.into_iter().chain(named.launched.iter().copied()).collect();
        let requests = rows.all().filter(|row| rows.is_ec2(*row) && rows.requests[*row as usize] != NONE);
        let requests = requests.map(|row| under(rows.requests[row as usize], row)).collect();
        let evidence = evidence.iter().map(|row| under(rows.volumes[*row as usize], *row)).collect();
        let mut granted_pairs = Ids::new();
        let (mut grants, mut service_grants) = (Vec::new(), Vec::new());
        for call in calls {
            let (row, at) = (call.row, call.row as usize);
            if rows.kind(row) != Kind::CreateGrant || rows.has(row, Flags::FAILED) {
                continue;
            }
            let (instance, volume, snapshot) = (rows.instances[at], rows.volumes[at], rows.snapshots[at]);
            if call.trusted && instance != NONE && volume != NONE {
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
    pub(crate) fn find(&self, call: &mut Call) {
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

    /// Follows rules 3 to 5.
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

    /// Finds the EC2 event of an event's request in an account; of several of one time the first stands for all.
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

    /// Finds the instance at which the volume was seen nearest in time.
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

    /// Finds the `CreateGrant` that allowed a call which names no grant.
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

    /// Makes the choice among the offers of several keys, those of the event's own home or those of any: a near one
    /// goes first.
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

/// Finds the latest row of a list at or before a time, and the earliest after it.
fn around(rows: &Rows<'_>, list: &[u32], time: i64) -> (Option<u32>, Option<u32>) {
    let split = list.partition_point(|row| rows.times[*row as usize] <= time);
    (split.checked_sub(1).map(|at| list[at]), list.get(split).copied())
}

/// Makes the as-of choice: before when it is fresh, else after when it is not too late, else before.
fn nearest(rows: &Rows<'_>, time: i64, (before, after): (Option<u32>, Option<u32>)) -> Option<u32> {
    let times = |row: u32| rows.times[row as usize];
    match (before, after) {
        (Some(before), _) if time - times(before) <= FRESH_MS => Some(before),
        (_, Some(after)) if times(after) - time <= LATE_MS => Some(after),
        (before, _) => before,
    }
}
