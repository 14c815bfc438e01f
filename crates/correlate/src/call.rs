//! The rows of `correlated`: which KMS events have one, and what each takes from its grant and its copies.

use crate::events::{Flags, List};
use crate::ids::{Ids, NONE};
use crate::kind::Kind;
use crate::rows::Rows;

/// An offer before the asking event counts at once when it is no older than this.
pub(crate) const FRESH_MS: i64 = 600_000;
/// An offer after the asking event counts up to here.
pub(crate) const LATE_MS: i64 = 10_000;

/// The rule that found a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Link {
    RequestId,
    Grant,
    Instance,
    Resource,
    Volume,
    #[default]
    None,
}

impl Link {
    pub(crate) fn name(self) -> &'static str {
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
pub(crate) struct Call {
    pub(crate) row: u32,
    /// The `CreateGrant` of its grant; none for a `CreateGrant` itself.
    pub(crate) create: u32,
    /// The first copy of it, in any account, whose request an EC2 event of that account has.
    pub(crate) requested_copy: u32,
    /// The `CreateGrant` that allowed it, where it names no grant.
    pub(crate) granted: u32,
    /// By what it is, or its grant.
    pub(crate) trusted: bool,
    pub(crate) external: bool,
    pub(crate) apart: bool,
    /// Its own identifiers, else its grant's.
    pub(crate) volume: u32,
    pub(crate) snapshot: u32,
    /// Its own, else its grant's, else learned, else of the request's cause.
    pub(crate) instance: u32,
    pub(crate) learned: u32,
    /// The cause that its request or its own names gave, and how.
    pub(crate) found: (u32, Link),
    pub(crate) cause: u32,
    pub(crate) link: Link,
    pub(crate) launch: u32,
    /// The event that made its volume's data key.
    pub(crate) data_key: u32,
}

impl Call {
    /// Chooses among what it found itself, what its grant found, and nothing.
    pub(crate) fn link(&mut self, rows: &Rows<'_>, of_grant: u32) {
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
    pub(crate) fn volume_and_snapshot(&self, rows: &Rows<'_>) -> (u32, u32) {
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

    /// Tells whether its context links and teaches.
    pub(crate) fn teaches(&self) -> bool {
        self.trusted && !self.external
    }
}

/// Tells whether an event of a kind that shows a volume at an instance names both. A grant that was refused shows nothing.
pub(crate) fn shows(rows: &Rows<'_>, row: u32) -> bool {
    let is_of_kind = match rows.kind(row) {
        Kind::AttachVolume | Kind::DetachVolume | Kind::Decrypt => true,
        Kind::CreateGrant => !rows.has(row, Flags::FAILED),
        _ => false,
    };
    is_of_kind && rows.instances[row as usize] != NONE && rows.volumes[row as usize] != NONE
}

/// Returns the rows of `correlated`, with what they take from their grants.
pub(crate) fn calls(rows: &Rows<'_>) -> Vec<Call> {
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
