//! The rows in the order of (`event_time`, `rid`), and what rules ask of them as numbers.

use std::cmp::Ordering;
use std::mem;

use arrow::array::Array;
use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use rayon::slice::ParallelSliceMut;

use crate::events::{Batch, Flags, IdColumn, List, Text};
use crate::id::Id;
use crate::ids::NONE;
use crate::kind::Kind;
use crate::numbers::Numbers;

/// All rows, each named by its number. An identifier that a row lacks is [`NONE`].
#[derive(Debug, Default)]
pub(crate) struct Rows<'a> {
    batches: Vec<&'a Batch>,
    /// The place of each row: its batch, and its row there.
    places: Vec<(u32, u32)>,
    /// Milliseconds since the epoch.
    pub(crate) times: Vec<i64>,
    pub(crate) flags: Vec<Flags>,
    pub(crate) kinds: Vec<Kind>,
    /// Account and region together.
    pub(crate) homes: Vec<u32>,
    pub(crate) accounts: Vec<u32>,
    /// Request ids, each of one account.
    pub(crate) requests: Vec<u32>,
    /// The request and the home of a KMS event in the account of its caller, where that is another.
    pub(crate) callers: Vec<(u32, u32)>,
    pub(crate) grants: Vec<u32>,
    /// The first of each list.
    pub(crate) instances: Vec<u32>,
    pub(crate) volumes: Vec<u32>,
    pub(crate) snapshots: Vec<u32>,
    /// The instance whose role made a KMS call.
    pub(crate) caller_instances: Vec<u32>,
    /// The number that the copies of an event have in common.
    pub(crate) shared: Vec<u32>,
    /// For an EC2 event the first copy of it, an owner's copy last.
    pub(crate) canonical: Vec<u32>,
    numbers: Numbers<'a>,
}

impl<'a> Rows<'a> {
    /// Adds rows, which may stand anywhere in the order of time: numbers of rows are others afterwards, those of
    /// identifiers the same.
    pub(crate) fn add(&mut self, batches: &'a [Batch]) {
        let (n_before, first_batch) = (self.len(), self.batches.len());
        self.batches.extend(batches);
        self.numbers.add(batches);
        for (at, batch) in (first_batch..).zip(batches) {
            let at = u32::try_from(at).expect("rows that do not fit are not read");
            self.places.extend((0..).take(batch.len()).map(|row| (at, row)));
            self.times.extend(batch.times.values());
            self.flags.extend(&batch.flags);
        }
        let order = self.order(n_before);
        let Numbers { resources, origins, copies } = &mut self.numbers;
        put_in(&mut self.places, Vec::new(), &order);
        put_in(&mut self.times, Vec::new(), &order);
        put_in(&mut self.flags, Vec::new(), &order);
        put_in(&mut self.kinds, mem::take(&mut origins.kinds), &order);
        put_in(&mut self.homes, mem::take(&mut origins.homes), &order);
        put_in(&mut self.accounts, mem::take(&mut origins.accounts), &order);
        put_in(&mut self.requests, mem::take(&mut origins.requests), &order);
        put_in(&mut self.callers, mem::take(&mut origins.callers), &order);
        put_in(&mut self.shared, mem::take(&mut copies.shared), &order);
        put_in(&mut self.grants, mem::take(&mut resources.grants), &order);
        put_in(&mut self.instances, mem::take(&mut resources.instances), &order);
        put_in(&mut self.volumes, mem::take(&mut resources.volumes), &order);
        put_in(&mut self.snapshots, mem::take(&mut resources.snapshots), &order);
        put_in(&mut self.caller_instances, mem::take(&mut resources.caller_instances), &order);
        self.canonical = self.canonical();
    }

    /// Returns the order of time of the first `n_before` rows, which are in it, and of those that were added behind
    /// them.
    fn order(&self, n_before: usize) -> Vec<u32> {
        let numbers = |n: usize| u32::try_from(n).expect("rows that do not fit are not read");
        let (n_before, n_rows) = (numbers(n_before), numbers(self.places.len()));
        // The time beside the row spares a look elsewhere at each step.
        let mut added: Vec<(i64, u32)> = (n_before..n_rows).map(|row| (self.times[row as usize], row)).collect();
        // Files are sorted by time, so most of it is merging.
        added.par_sort_by(|(time, row), (other_time, other)| {
            time.cmp(other_time).then_with(|| self.by_rid(*row, *other))
        });
        let mut order = Vec::with_capacity(n_rows as usize);
        let mut next = 0;
        for (time, row) in added {
            // Most rows that are added lie near each other.
            let earlier = |other: u32| {
                let other_time = self.times[other as usize];
                other_time < time || other_time == time && self.by_rid(other, row).is_lt()
            };
            let (mut until, mut beyond) = (next, n_before);
            while until < beyond {
                let middle = until + (beyond - until) / 2;
                if earlier(middle) { until = middle + 1 } else { beyond = middle }
            }
            order.extend(next..until);
            order.push(row);
            next = until;
        }
        order.extend(next..n_before);
        order
    }

    fn by_rid(&self, row: u32, other: u32) -> Ordering {
        by_rid(self.place(row as usize), self.place(other as usize))
    }

    fn canonical(&self) -> Vec<u32> {
        let mut firsts = vec![NONE; self.n_shared()];
        for row in self.all().filter(|row| self.is_ec2(*row)) {
            if let Some(first) = firsts.get_mut(self.shared[row as usize] as usize) {
                *first = self.first_copy(*first, row);
            }
        }
        let first = |row: u32| firsts.get(self.shared[row as usize] as usize).copied().filter(|first| *first != NONE);
        self.all().map(|row| first(row).filter(|_| self.is_ec2(row)).unwrap_or(row)).collect()
    }

    /// Chooses between the copy of an event that was the first so far, if any, and a later one: an owner's copy comes
    /// last.
    pub(crate) fn first_copy(&self, first: u32, row: u32) -> u32 {
        let is_owners = |row: u32| self.has(row, Flags::OF_ANOTHER_ACCOUNT);
        if first == NONE || is_owners(first) && !is_owners(row) { row } else { first }
    }

    /// Chooses likewise between events that made a volume's data key, where those that made it of a snapshot's stand
    /// after all others.
    pub(crate) fn first_data_key(&self, first: u32, row: u32) -> u32 {
        let rank = |row: u32| (self.kind(row) == Kind::ReEncrypt, self.has(row, Flags::OF_ANOTHER_ACCOUNT));
        if first == NONE || rank(row) < rank(first) { row } else { first }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn all(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.len()).expect("rows that do not fit are not read")
    }

    pub(crate) fn has(&self, row: u32, flag: u16) -> bool {
        self.flags[row as usize].has(flag)
    }

    pub(crate) fn is_kms(&self, row: u32) -> bool {
        self.has(row, Flags::KMS)
    }

    pub(crate) fn is_ec2(&self, row: u32) -> bool {
        self.has(row, Flags::EC2)
    }

    pub(crate) fn kind(&self, row: u32) -> Kind {
        self.kinds[row as usize]
    }

    /// Tells whether an EC2 event may be a cause of rules 3 to 5.
    pub(crate) fn is_candidate(&self, row: u32) -> bool {
        self.is_ec2(row) && self.canonical[row as usize] == row && !self.has(row, Flags::FAILED)
    }

    fn place(&self, row: usize) -> (&'a Batch, usize) {
        let (batch, row) = self.places[row];
        (self.batches[batch as usize], row as usize)
    }

    /// Returns the position of the batch in which a row stands.
    pub(crate) fn batch(&self, row: u32) -> usize {
        self.places[row as usize].0 as usize
    }

    pub(crate) fn text(&self, column: Text, row: usize) -> Option<&'a str> {
        let (batch, row) = self.place(row);
        batch.text(column, row)
    }

    pub(crate) fn id(&self, column: IdColumn, row: usize) -> Option<Id<'a>> {
        let (batch, row) = self.place(row);
        batch.id(column, row)
    }

    pub(crate) fn list(&self, column: List, row: usize) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let (batch, row) = self.place(row);
        batch.list(column, row)
    }

    /// Returns where the lists of a column stand: all of them, and which of them is each row's.
    pub(crate) fn lists(&self, column: List) -> (Vec<&'a dyn Array>, impl Fn(u32) -> (usize, usize) + '_) {
        let arrays = self.batches.iter().map(|batch| -> &dyn Array { batch.lists(column) }).collect();
        (arrays, |row| {
            let (batch, row) = self.places[row as usize];
            (batch as usize, row as usize)
        })
    }

    pub(crate) fn encrypted(&self, row: u32) -> Option<bool> {
        let (batch, row) = self.place(row as usize);
        batch.encrypted.is_valid(row).then(|| batch.encrypted.value(row))
    }

    /// Returns the account of the trail; else, in old records, of the caller; else empty.
    pub(crate) fn account(&self, row: usize) -> &'a str {
        let (batch, row) = self.place(row);
        account(batch, row)
    }

    /// Returns the numbers of a list's identifiers. `first` are those of the first of each row.
    fn numbers(&self, column: List, first: &[u32], row: u32) -> impl ExactSizeIterator<Item = u32> {
        let (first, names) = (first[row as usize], &self.numbers.resources.names);
        let ids = self.list(column, row as usize).enumerate();
        ids.map(move |(at, id)| if at == 0 { first } else { names.get(id) })
    }

    pub(crate) fn instance_numbers(&self, row: u32) -> impl ExactSizeIterator<Item = u32> {
        self.numbers(List::InstanceIds, &self.instances, row)
    }

    pub(crate) fn volume_numbers(&self, row: u32) -> impl ExactSizeIterator<Item = u32> {
        self.numbers(List::VolumeIds, &self.volumes, row)
    }

    pub(crate) fn snapshot_numbers(&self, row: u32) -> impl ExactSizeIterator<Item = u32> {
        self.numbers(List::SnapshotIds, &self.snapshots, row)
    }

    /// Returns the identifier of a number.
    pub(crate) fn resource(&self, number: u32) -> Option<&'a str> {
        self.numbers.resources.names.text(number)
    }

    /// Tells by number where the identifier stands in the order of their texts.
    pub(crate) fn resource_ranks(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..).take(self.n_resources()).collect();
        numbers.sort_unstable_by_key(|number| self.resource(*number));
        let mut ranks = vec![0; numbers.len()];
        for (rank, number) in (0..).zip(numbers) {
            ranks[number as usize] = rank;
        }
        ranks
    }

    pub(crate) fn n_resources(&self) -> usize {
        self.numbers.resources.names.len()
    }

    pub(crate) fn n_requests(&self) -> usize {
        self.numbers.n_requests()
    }

    pub(crate) fn n_grants(&self) -> usize {
        self.numbers.n_grants()
    }

    pub(crate) fn n_shared(&self) -> usize {
        self.numbers.n_shared()
    }
}

/// Appends values to a column, and puts it in an order.
fn put_in<T: Copy + Send + Sync>(column: &mut Vec<T>, added: Vec<T>, order: &[u32]) {
    if column.is_empty() {
        *column = added;
    } else {
        column.extend_from_slice(&added);
    }
    *column = order.par_iter().map(|row| column[*row as usize]).collect();
}

/// Compares row ids: `account/event_id`, or `account/source_object#source_index`.
fn by_rid((batch, row): (&Batch, usize), (other, of_other): (&Batch, usize)) -> Ordering {
    let (account_of, account_of_other) = (account(batch, row), account(other, of_other));
    if let (Some(id), Some(other)) = (batch.id(IdColumn::Event, row), other.id(IdColumn::Event, of_other))
        && account_of.len() == account_of_other.len()
    {
        return (account_of, id).cmp(&(account_of_other, other));
    }
    rid(batch, row).cmp(&rid(other, of_other))
}

fn rid(batch: &Batch, row: usize) -> String {
    let account = account(batch, row);
    if let Some(event_id) = batch.id(IdColumn::Event, row) {
        return format!("{account}/{}", event_id.to_text());
    }
    let object = batch.text(Text::SourceObject, row).unwrap_or_default();
    format!("{account}/{object}#{}", batch.source_index(row))
}

fn account(batch: &Batch, row: usize) -> &str {
    let account = batch.text(Text::RecipientAccountId, row);
    account.or_else(|| batch.text(Text::PrincipalAccountId, row)).unwrap_or_default()
}
