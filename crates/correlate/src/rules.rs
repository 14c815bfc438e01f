//! The rules of `docs/join.md`, each a look into sorted lists of rows.

use std::mem;

use rayon::iter::IntoParallelRefMutIterator;
use rayon::iter::ParallelIterator;

use crate::call::{Call, calls, shows};
use crate::events::Flags;
use crate::ids::{Ids, NONE};
use crate::kind::Kind;
use crate::offers::{Named, Offers};
use crate::rows::Rows;

/// An identifier, and the row that tells of it first.
pub(crate) type First = (u32, u32);

/// The findings of the rules.
#[derive(Debug)]
pub(crate) struct Join {
    /// In the order of the rows.
    pub(crate) calls: Vec<Call>,
    /// The position among the calls of each row; [`NONE`] for the others.
    pub(crate) positions: Vec<u32>,
    /// Instances with their `RunInstances`: one of each home.
    pub(crate) launches: Vec<First>,
    /// Volumes with their `CreateVolume`: one of each home.
    pub(crate) created: Vec<First>,
    /// Volumes with the event that made their data key: one of each home.
    pub(crate) data_keys: Vec<First>,
    /// By volume.
    pub(crate) first_data_key: Vec<u32>,
    /// Rows that show a volume at an instance.
    pub(crate) evidence: Vec<u32>,
    pub(crate) grants: Vec<Grant>,
}

/// A grant, of whose events the first copies stand for all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grant {
    /// Its `CreateGrant`.
    pub(crate) create: u32,
    /// The `RetireGrant` or `RevokeGrant`; [`NONE`] where the lake has none.
    pub(crate) end: u32,
}

impl Join {
    pub(crate) fn new(rows: &Rows<'_>) -> Self {
        let named = Named::new(rows);
        let mut join = Self {
            calls: calls(rows),
            positions: vec![NONE; rows.len()],
            evidence: Vec::new(),
            grants: vec![Grant { create: NONE, end: NONE }; rows.n_grants()],
            data_keys: Vec::new(),
            first_data_key: vec![NONE; rows.n_resources()],
            created: named.created.iter().map(|it| (it.key, it.row)).collect(),
            launches: named.launched.iter().map(|it| (it.key, it.row)).collect(),
        };
        for (position, call) in (0..).zip(&join.calls) {
            join.positions[call.row as usize] = position;
        }
        join.collect(rows);
        let offers = Offers::new(rows, &join.calls, &join.evidence, named);
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
        let mut keyed = Ids::new();
        self.evidence.extend(rows.all().filter(|row| rows.is_candidate(*row) && shows(rows, *row)));
        for call in &self.calls {
            let (row, at) = (call.row, call.row as usize);
            let volume = rows.volumes[at];
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
            if let Some(grant) = self.grants.get_mut(rows.grants[at] as usize).filter(|_| succeeded) {
                match rows.kind(row) {
                    Kind::CreateGrant => grant.create = rows.first_copy(grant.create, row),
                    Kind::EndGrant => grant.end = rows.first_copy(grant.end, row),
                    _ => {}
                }
            }
        }
        self.grants.retain(|grant| grant.create != NONE);
        self.evidence.sort_unstable();
    }
}
