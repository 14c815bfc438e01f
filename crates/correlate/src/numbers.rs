//! Numbers of what rows are looked up by. They are made in the order of the batches, in which columns lie one after the
//! other, and not in that of time.

use std::collections::HashMap;

use ahash::RandomState;
use uuid::Uuid;

use crate::events::{Batch, Flags, IdColumn, List, Text};
use crate::id::Id;
use crate::ids::{Ids, NONE, Names};
use crate::kind::Kind;

/// The numbers that have been given, and those of the rows that were added last, in the order of their batches. What a
/// row lacks is [`NONE`].
#[derive(Debug, Default)]
pub(crate) struct Numbers<'a> {
    pub(crate) resources: Resources<'a>,
    pub(crate) origins: Origins<'a>,
    pub(crate) copies: Copies<'a>,
}

/// The identifiers of resources and grants, by row.
#[derive(Debug, Default)]
pub(crate) struct Resources<'a> {
    pub(crate) names: Names<'a>,
    grant_ids: Ids<&'a str>,
    /// The first of each list.
    pub(crate) instances: Vec<u32>,
    pub(crate) volumes: Vec<u32>,
    pub(crate) snapshots: Vec<u32>,
    pub(crate) caller_instances: Vec<u32>,
    pub(crate) grants: Vec<u32>,
}

/// The origin of each row: account, region, request.
#[derive(Debug, Default)]
pub(crate) struct Origins<'a> {
    account_ids: Ids<&'a str>,
    regions: Ids<&'a str>,
    home_ids: Ids<(u32, u32)>,
    request_ids: Requests<'a>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) accounts: Vec<u32>,
    pub(crate) homes: Vec<u32>,
    pub(crate) requests: Vec<u32>,
    /// The request and the home of a KMS event in the account of its caller, where that is another.
    pub(crate) callers: Vec<(u32, u32)>,
}

/// The number that the copies of an event have in common, by row.
#[derive(Debug, Default)]
pub(crate) struct Copies<'a> {
    ids: IdNumbers<'a>,
    names: Ids<&'a str>,
    by_name: HashMap<(u32, u32), u32, RandomState>,
    pub(crate) shared: Vec<u32>,
}

impl<'a> Numbers<'a> {
    /// Numbers more rows, each kind of number side by side with the others.
    pub(crate) fn add(&mut self, batches: &'a [Batch]) {
        let Self { resources, origins, copies } = self;
        let others = || rayon::join(|| origins.add(batches), || copies.add(batches));
        rayon::join(|| resources.add(batches), others);
    }

    pub(crate) fn n_requests(&self) -> usize {
        self.origins.request_ids.len()
    }

    pub(crate) fn n_grants(&self) -> usize {
        self.resources.grant_ids.len()
    }

    pub(crate) fn n_shared(&self) -> usize {
        self.copies.ids.len()
    }
}

impl<'a> Resources<'a> {
    fn add(&mut self, batches: &'a [Batch]) {
        let Self { names, grant_ids, .. } = self;
        let mut first = |list| {
            by_row(batches, |batch, row| {
                let mut ids = batch.list(list, row);
                let first = ids.next().map_or(NONE, |id| names.number(id));
                for id in ids {
                    names.number(id);
                }
                first
            })
        };
        self.instances = first(List::InstanceIds);
        self.volumes = first(List::VolumeIds);
        self.snapshots = first(List::SnapshotIds);
        let caller = |batch: &'a Batch, row| batch.caller_instance(row).map_or(NONE, |id| names.number(id));
        self.caller_instances = by_row(batches, caller);
        let grant = |batch: &'a Batch, row| batch.text(Text::GrantId, row).map_or(NONE, |id| grant_ids.number(id));
        self.grants = by_row(batches, grant);
    }
}

impl<'a> Origins<'a> {
    fn add(&mut self, batches: &'a [Batch]) {
        let Self { account_ids, regions, home_ids, request_ids, .. } = self;
        let n = n_rows(batches);
        let column = || Vec::with_capacity(n);
        (self.kinds, self.callers) = (Vec::with_capacity(n), Vec::with_capacity(n));
        (self.accounts, self.homes, self.requests) = (column(), column(), column());
        for batch in batches {
            let of_none = account_ids.number("");
            let mut account = |id: Option<&'a str>| id.map(|id| account_ids.number(id));
            let of_trail = batch.each(Text::RecipientAccountId, &mut account);
            let of_caller = batch.each(Text::PrincipalAccountId, &mut account);
            let regions = batch.each(Text::AwsRegion, |region| regions.number(region.unwrap_or_default()));
            let kinds = batch.each(Text::EventName, |name| Kind::named(name.unwrap_or_default()));
            for (row, flags) in batch.flags.iter().enumerate() {
                let account = of_trail[row].or(of_caller[row]).unwrap_or(of_none);
                let (of_kms, of_ec2) = kinds[row];
                let kind = if flags.has(Flags::KMS) {
                    of_kms
                } else if flags.has(Flags::EC2) {
                    of_ec2
                } else {
                    Kind::Other
                };
                let id = batch.id(IdColumn::Request, row);
                let caller = of_caller[row].filter(|caller| flags.has(Flags::KMS) && *caller != account);
                let at_caller =
                    |(caller, id)| (request_ids.number(caller, id), home_ids.number((caller, regions[row])));
                self.callers.push(caller.zip(id).map_or((NONE, NONE), at_caller));
                let request = id.map(|id| request_ids.number(account, id));
                self.kinds.push(kind);
                self.accounts.push(account);
                self.homes.push(home_ids.number((account, regions[row])));
                self.requests.push(request.unwrap_or(NONE));
            }
        }
    }
}

impl<'a> Copies<'a> {
    fn add(&mut self, batches: &'a [Batch]) {
        let Self { ids, names, by_name, .. } = self;
        let number = |batch: &'a Batch, row: usize| {
            let Some(id) = batch.id(IdColumn::SharedEvent, row) else { return NONE };
            let shared = ids.number(id);
            if !batch.flags[row].has(Flags::EC2) {
                return shared;
            }
            // What EC2 itself says of a call may share the id of the call, and is not a copy of it.
            let name = names.number(batch.text(Text::EventName, row).unwrap_or_default());
            *by_name.entry((shared, name)).or_insert_with(|| ids.fresh())
        };
        self.shared = by_row(batches, number);
    }
}

/// Numbers identifiers as they come. Those that are UUIDs take a third of the room.
#[derive(Debug, Default)]
struct IdNumbers<'a> {
    uuids: HashMap<Uuid, u32, RandomState>,
    texts: HashMap<&'a str, u32, RandomState>,
    next: u32,
}

impl<'a> IdNumbers<'a> {
    fn number(&mut self, id: Id<'a>) -> u32 {
        let number = match id {
            Id::Uuid(uuid) => *self.uuids.entry(uuid).or_insert(self.next),
            Id::Text(text) => *self.texts.entry(text).or_insert(self.next),
        };
        self.next = self.next.max(number + 1);
        number
    }

    /// Takes a number that no identifier has.
    fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    fn len(&self) -> usize {
        self.next as usize
    }
}

/// Numbers requests, each of one account. Nearly every id is known to one only.
#[derive(Debug, Default)]
struct Requests<'a> {
    ids: IdNumbers<'a>,
    /// By number.
    accounts: Vec<u32>,
    /// The numbers in an account which is not the first to know an id, by that account and the number of the first.
    others: HashMap<(u32, u32), u32, RandomState>,
}

impl<'a> Requests<'a> {
    fn number(&mut self, account: u32, id: Id<'a>) -> u32 {
        let first = self.ids.number(id);
        let number = match self.accounts.get(first as usize) {
            Some(known) if *known != account => {
                *self.others.entry((account, first)).or_insert_with(|| self.ids.fresh())
            }
            _ => first,
        };
        if number as usize == self.accounts.len() {
            self.accounts.push(account);
        }
        number
    }

    fn len(&self) -> usize {
        self.ids.len()
    }
}

fn by_row<'a>(batches: &'a [Batch], mut number: impl FnMut(&'a Batch, usize) -> u32) -> Vec<u32> {
    let mut numbers = Vec::with_capacity(n_rows(batches));
    for batch in batches {
        numbers.extend((0..batch.len()).map(|row| number(batch, row)));
    }
    numbers
}

fn n_rows(batches: &[Batch]) -> usize {
    batches.iter().map(Batch::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_of_its_account() {
        let mut requests = Requests::default();
        let asked = [(0, "a"), (1, "a"), (0, "b"), (1, "a"), (0, "a"), (2, "a"), (1, "b"), (3, "c"), (2, "a")];
        let asked = asked.map(|(account, id)| requests.number(account, Id::new(id)));
        assert_eq!(asked, [0, 1, 2, 1, 0, 3, 4, 5, 3]);
        assert_eq!(requests.len(), 6);
    }
}
