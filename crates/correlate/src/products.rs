//! The products: which rows, in which order, and what each column shows.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ptr;
use std::sync::Arc;

use arrow::array::ArrayBuilder;
use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::BooleanArray;
use arrow::array::DictionaryArray;
use arrow::array::Int32Builder;
use arrow::array::Int64Array;
use arrow::array::ListArray;
use arrow::array::RecordBatch;
use arrow::array::StringBuilder;
use arrow::array::TimestampMicrosecondArray;
use arrow::compute::interleave;
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::datatypes::Int32Type;
use arrow::datatypes::SchemaRef;
use rayon::iter::ParallelIterator;
use rayon::slice::ParallelSlice;
use rayon::slice::ParallelSliceMut;
use trailweave_table::ATTACHMENTS;
use trailweave_table::CORRELATED;
use trailweave_table::Column;
use trailweave_table::GRANTS;
use trailweave_table::INSTANCES;
use trailweave_table::Table;
use trailweave_table::VOLUMES;
use trailweave_table::day_of_time;
use trailweave_table::time_of_ms;

use crate::CorrelateError;
use crate::call::{Call, FRESH_MS, LATE_MS, Link};
use crate::events::{Flags, IdColumn, List, Text};
use crate::id::{Id, Room};
use crate::ids::{Marks, NONE};
use crate::kind::Kind;
use crate::merge::Replaced;
use crate::replaced::Opened;
use crate::replacement;
use crate::replacement::Replacement;
use crate::roots::{Root, Roots};
use crate::rows::Rows;
use crate::rules::{First, Grant, Join};

/// Rows of a batch of a product.
const BATCH_ROWS: usize = 1024;
/// How many places of texts a column looks back for.
const PLACES: usize = 256;

/// Writes every product, or of each what is `opened`, so many files at once.
pub(crate) fn write(
    replacement: &Replacement<'_>,
    n_writers: NonZeroUsize,
    rows: &Rows<'_>,
    join: &Join,
    opened: Option<&Opened>,
) -> Result<(), CorrelateError> {
    let (roots, ranks) = rayon::join(|| Roots::new(rows), || rows.resource_ranks());
    let products = Products { rows, join, roots, ranks, opened };
    let out = Out { replacement, n_writers };
    let (correlated, (instances, volumes, attachments, grants)) = rayon::join(
        || products.correlated(),
        || (products.instances(), products.volumes(), products.attachments(), products.grants()),
    );
    out.write(
        &CORRELATED,
        opened.map(|it| &it.correlated),
        &correlated,
        |it| rows.times[it.row as usize],
        |name, calls| products.correlated_column(name, calls),
    )?;
    out.write(
        &INSTANCES,
        opened.map(|it| &it.instances),
        &instances,
        |it| rows.times[it.1 as usize],
        |name, launches| products.instances_column(name, launches),
    )?;
    out.write(
        &VOLUMES,
        opened.map(|it| &it.volumes),
        &volumes,
        |it| it.created_at,
        |name, volumes| products.volumes_column(name, volumes),
    )?;
    out.write(
        &ATTACHMENTS,
        opened.map(|it| &it.attachments),
        &attachments,
        |it| rows.times[*it as usize],
        |name, shown| products.attachments_column(name, shown),
    )?;
    out.write(
        &GRANTS,
        opened.map(|it| &it.grants),
        &grants,
        |it| rows.times[it.create as usize],
        |name, grants| products.grants_column(name, grants),
    )
}

/// The place where products go.
struct Out<'a, 'l> {
    replacement: &'a Replacement<'l>,
    n_writers: NonZeroUsize,
}

impl Out<'_, '_> {
    /// Writes the items of a table, which are in the order of their dates and then of the table: all that it has, or
    /// those in the place of the replaced ones.
    fn write<T: Sync>(
        &self,
        table: &'static Table,
        replaced: Option<&Replaced>,
        items: &[T],
        time: impl Fn(&T) -> i64,
        column: impl Fn(&str, &[T]) -> ArrayRef + Sync,
    ) -> Result<(), CorrelateError> {
        let day = |item: &T| day_of_time(time(item));
        let mut days: BTreeMap<i32, &[T]> =
            items.chunk_by(|a, b| day(a) == day(b)).map(|day_of| (day(&day_of[0]), day_of)).collect();
        for day in replaced.iter().flat_map(|replaced| &replaced.days) {
            days.entry(*day).or_default();
        }
        let days: Vec<(i32, &[T])> = days.into_iter().filter(|(day, _)| self.replacement.keeps(table, *day)).collect();
        let is_coded = |it: &Column| replaced.is_none() && it.is_coded();
        let schema = if replaced.is_none() { table.coded_schema() } else { table.schema() };
        let batch = |items: &[T]| {
            let column = |it: &Column| match column(it.name, items) {
                coded if is_coded(it) => coded,
                other => plain(other),
            };
            let columns = table.columns.iter().map(column).collect();
            RecordBatch::try_new(SchemaRef::clone(&schema), columns).expect("each column is made as the table says")
        };
        let write = |(day, items): &(i32, &[T])| {
            let rows = || items.chunks(BATCH_ROWS).map(batch);
            match replaced {
                Some(replaced) => replaced.write(self.replacement, table, *day, items.len(), rows),
                None => Ok(replacement::write(self.replacement, table, *day, rows())?),
            }
        };
        let days_of_writer = days.len().div_ceil(self.n_writers.get()).max(1);
        days.par_chunks(days_of_writer).try_for_each(|days| days.iter().try_for_each(write))
    }
}

struct Products<'r, 'a> {
    rows: &'r Rows<'a>,
    join: &'r Join,
    roots: Roots<'r, 'a>,
    /// By resource.
    ranks: Vec<u32>,
    opened: Option<&'r Opened>,
}

/// A row of `volumes`.
#[derive(Debug, Clone, Copy)]
struct Volume {
    id: u32,
    /// The `CreateVolume`, else the event that made the data key.
    row: u32,
    /// The `RunInstances` or `CreateReplaceRootVolumeTask` that made a volume of which only the data key tells.
    maker: u32,
    data_key: u32,
    is_created: bool,
    created_at: i64,
}

impl<'a> Products<'_, 'a> {
    fn time(&self, row: u32) -> Option<i64> {
        self.rows.times.get(row as usize).copied()
    }

    fn text(&self, column: Text, row: u32) -> Option<&str> {
        if row == NONE { None } else { self.rows.text(column, row as usize) }
    }

    fn id(&self, column: IdColumn, row: u32) -> Option<Id<'a>> {
        if row == NONE { None } else { self.rows.id(column, row as usize) }
    }

    fn account(&self, row: u32) -> Option<&str> {
        Some(self.rows.account(row as usize)).filter(|account| !account.is_empty())
    }

    fn region(&self, row: u32) -> Option<&str> {
        self.text(Text::AwsRegion, row).filter(|region| !region.is_empty())
    }

    fn day(&self, row: u32) -> i32 {
        day_of_time(self.rows.times[row as usize])
    }

    /// Tells whether the rows of a resource or grant in one of its tables are computed anew.
    fn is_opened(&self, id: u32, marks: fn(&Opened) -> &Marks) -> bool {
        self.opened.is_none_or(|opened| marks(opened).has(id))
    }

    /// Returns where an identifier stands in the order of their texts; none comes first.
    fn rank(&self, resource: u32) -> u32 {
        self.ranks.get(resource as usize).map_or(0, |rank| rank + 1)
    }

    /// Returns what stands before the row itself in the order of a table that is sorted by a resource and time.
    fn place(&self, resource: u32, row: u32) -> (i32, u32, i64) {
        (self.day(row), self.rank(resource), self.rows.times[row as usize])
    }

    fn by_id(&self, row: u32, other: u32) -> Ordering {
        self.id(IdColumn::Event, row).cmp(&self.id(IdColumn::Event, other)).then(row.cmp(&other))
    }

    fn correlated(&self) -> Vec<&Call> {
        let calls = self.join.calls.iter();
        let calls = calls.filter(|call| self.opened.is_none_or(|it| it.reopened[call.row as usize]));
        let mut calls: Vec<_> = calls.map(|call| (self.place(call.instance, call.row), call)).collect();
        calls.par_sort_unstable_by(|(place, call), (other_place, other)| {
            place.cmp(other_place).then_with(|| self.by_id(call.row, other.row))
        });
        calls.into_iter().map(|(_, call)| call).collect()
    }

    fn instances(&self) -> Vec<(u32, u32)> {
        let mut launches = self.join.launches.clone();
        launches.retain(|&(instance, _)| self.is_opened(instance, |it| &it.launched));
        launches.sort_unstable_by_key(|&(instance, row)| (self.day(row), self.rank(instance), row));
        launches
    }

    fn volumes(&self) -> Vec<Volume> {
        let mut created = vec![false; self.rows.n_resources()];
        let mut volumes = Vec::new();
        let is_own = |it: &&First| !self.rows.has(it.1, Flags::OF_ANOTHER_ACCOUNT);
        for &(volume, row) in self.join.created.iter().filter(is_own) {
            created[volume as usize] = true;
            let created_at = self.rows.times[row as usize];
            let data_key = self.join.first_data_key[volume as usize];
            volumes.push(Volume { id: volume, row, maker: NONE, data_key, is_created: true, created_at });
        }
        let data_keys = self.join.data_keys.iter().filter(is_own);
        for &(volume, row) in data_keys.filter(|(volume, _)| !created[*volume as usize]) {
            let call = &self.join.calls[self.join.positions[row as usize] as usize];
            let maker = if self.is_made_by_cause(call) { call.cause } else { NONE };
            let created_at = self.rows.times[if maker == NONE { row } else { maker } as usize];
            volumes.push(Volume { id: volume, row, maker, data_key: row, is_created: false, created_at });
        }
        volumes.retain(|it| self.is_opened(it.id, |opened| &opened.created));
        let place = |it: &Volume| (day_of_time(it.created_at), self.rank(it.id), it.created_at);
        let home = |it: &Volume| (self.account(it.row), self.region(it.row));
        volumes.sort_unstable_by(|it, other| place(it).cmp(&place(other)).then_with(|| home(it).cmp(&home(other))));
        volumes
    }

    fn attachments(&self) -> Vec<u32> {
        let shown = self.join.evidence.iter().copied();
        let is_opened =
            |row: &u32| self.opened.is_none_or(|it| it.changed[*row as usize] || it.reopened[*row as usize]);
        let place = |row: u32| (self.place(self.rows.volumes[row as usize], row), row);
        let mut shown: Vec<_> = shown.filter(is_opened).map(place).collect();
        shown.sort_unstable_by(|(place, row), (other_place, other)| {
            place.cmp(other_place).then_with(|| self.by_id(*row, *other))
        });
        shown.into_iter().map(|(_, row)| row).collect()
    }

    fn grants(&self) -> Vec<Grant> {
        let mut grants = self.join.grants.clone();
        grants.retain(|it| self.is_opened(self.rows.grants[it.create as usize], |opened| &opened.granted));
        grants.sort_unstable_by_key(|it| (self.day(it.create), self.text(Text::GrantId, it.create)));
        grants
    }

    fn correlated_column(&self, name: &str, calls: &[&Call]) -> ArrayRef {
        let rows = self.rows;
        let of_row = |column: Text| texts(calls, |call| self.text(column, call.row));
        let of_cause = |column: Text| texts(calls, |call| self.text(column, call.cause));
        let id_of_row = |column: IdColumn| ids(calls, |call| self.id(column, call.row));
        let id_of_cause = |column: IdColumn| ids(calls, |call| self.id(column, call.cause));
        let resource = |number: fn(&Call) -> u32| texts(calls, |call| rows.resource(number(call)));
        match name {
            "kms_event_id" => id_of_row(IdColumn::Event),
            "kms_event_time" => times(calls, |call| self.time(call.row)),
            "kms_event_name" => texts(calls, |call| Some(self.text(Text::EventName, call.row).unwrap_or_default())),
            "kms_error_code" => of_row(Text::ErrorCode),
            "kms_principal_arn" => of_row(Text::PrincipalArn),
            "kms_principal_account_id" => of_row(Text::PrincipalAccountId),
            "kms_invoked_by" => of_row(Text::InvokedBy),
            "kms_request_id" => id_of_row(IdColumn::Request),
            "shared_event_id" => id_of_row(IdColumn::SharedEvent),
            "recipient_account_id" => texts(calls, |call| self.account(call.row)),
            "aws_region" => texts(calls, |call| self.region(call.row)),
            "key_arn" => texts(calls, |call| self.key_arn(call)),
            "key_account_id" => texts(calls, |call| {
                self.key_arn(call).and_then(|arn| arn.split(':').nth(4)).filter(|account| !account.is_empty())
            }),
            "source_key_arn" => of_row(Text::SourceKeyArn),
            "grant_id" => of_row(Text::GrantId),
            "instance_id" => resource(|call| call.instance),
            "volume_id" => texts(calls, |call| rows.resource(call.volume_and_snapshot(rows).0)),
            "snapshot_id" => texts(calls, |call| rows.resource(call.volume_and_snapshot(rows).1)),
            "caller_instance_id" => texts(calls, |call| rows.resource(rows.caller_instances[call.row as usize])),
            "ec2_event_id" => id_of_cause(IdColumn::Event),
            "ec2_event_time" => times(calls, |call| self.time(call.cause)),
            "ec2_event_name" => of_cause(Text::EventName),
            "ec2_principal_arn" => of_cause(Text::PrincipalArn),
            "ec2_source_ip_address" => of_cause(Text::SourceIpAddress),
            "ec2_request_id" => id_of_cause(IdColumn::Request),
            "ec2_error_code" => of_cause(Text::ErrorCode),
            "link" => texts(calls, |call| Some(call.link.name())),
            "confidence" => texts(calls, |call| self.confidence(call)),
            "unmatched_reason" => texts(calls, |call| self.unmatched_reason(call)),
            "delta_ms" => Arc::new(calls.iter().map(|call| self.delta_ms(call)).collect::<Int64Array>()),
            "launch_event_id" => ids(calls, |call| self.id(IdColumn::Event, call.launch)),
            "launch_event_time" => times(calls, |call| self.time(call.launch)),
            "launch_principal_arn" => texts(calls, |call| self.text(Text::PrincipalArn, call.launch)),
            "root_principal_arn" => texts(calls, |call| self.root(call).map(|root| root.principal)),
            "root_source" => texts(calls, |call| self.root(call).map(|root| root.source)),
            "grant_event_id" => ids(calls, |call| {
                let of_create = self.id(IdColumn::Event, call.create);
                of_create.or_else(|| self.id(IdColumn::Event, call.granted))
            }),
            "data_key_event_id" => ids(calls, |call| self.data_key(call.data_key)),
            "kms_source_object" => of_row(Text::SourceObject),
            "ec2_source_object" => of_cause(Text::SourceObject),
            other => unreachable!("`correlated` has no column `{other}`"),
        }
    }

    fn key_arn(&self, call: &Call) -> Option<&str> {
        self.text(Text::KeyArn, call.row).or_else(|| self.text(Text::KeyArn, call.create))
    }

    /// Finds the principal behind the cause, else behind the launch.
    fn root(&self, call: &Call) -> Option<Root<'a>> {
        let row = if call.cause == NONE { call.launch } else { call.cause };
        if row == NONE { None } else { self.roots.root(row) }
    }

    fn delta_ms(&self, call: &Call) -> Option<i64> {
        Some(self.time(call.row)? - self.time(call.cause)?)
    }

    /// Tells whether a call and its cause are of about one time.
    fn is_near(&self, call: &Call) -> bool {
        self.delta_ms(call).is_some_and(|ms| (-LATE_MS..=FRESH_MS).contains(&ms))
    }

    /// Tells whether the cause of a data key's event made the volume. A launch of long ago did not.
    fn is_made_by_cause(&self, call: &Call) -> bool {
        call.cause != NONE
            && matches!(self.rows.kind(call.cause), Kind::RunInstances | Kind::CreateReplaceRootVolumeTask)
            && (call.link == Link::RequestId || self.is_near(call))
    }

    fn confidence(&self, call: &Call) -> Option<&'static str> {
        // An event that took a snapshot calls no KMS itself.
        let took_snapshot = || self.rows.kind(call.cause) == Kind::CreateSnapshot;
        match call.link {
            Link::RequestId | Link::Grant => Some("exact"),
            Link::Resource if self.is_near(call) && !took_snapshot() => Some("exact"),
            Link::Instance if self.is_near(call) => Some("strong"),
            Link::Instance | Link::Resource | Link::Volume => Some("inferred"),
            Link::None => None,
        }
    }

    /// Returns the event id of what made a data key, if that was not made of another.
    fn data_key(&self, row: u32) -> Option<Id<'_>> {
        if row == NONE || self.rows.kind(row) == Kind::ReEncrypt { None } else { self.id(IdColumn::Event, row) }
    }

    /// Tells whether nothing says that a call has to do with EC2 or EBS but who made it.
    fn is_of_no_volume(&self, call: &Call) -> bool {
        [call.instance, call.volume, call.snapshot] == [NONE; 3] && !self.rows.has(call.row, Flags::FORWARDED)
    }

    fn unmatched_reason(&self, call: &Call) -> Option<&'static str> {
        let row = call.row;
        if call.link != Link::None {
            None
        } else if call.external {
            Some("external_service")
        } else if self.rows.caller_instances[row as usize] != NONE && (!call.trusted || self.is_of_no_volume(call)) {
            Some("instance_role")
        } else if self.rows.has(row, Flags::FAILED) {
            Some("denied")
        } else if self.rows.kind(row) == Kind::EndGrant && call.create == NONE {
            Some("outside_lookback")
        } else {
            Some("no_ec2_event")
        }
    }

    fn instances_column(&self, name: &str, launches: &[(u32, u32)]) -> ArrayRef {
        let of_row = |column: Text| texts(launches, |(_, row)| self.text(column, *row));
        match name {
            "instance_id" => texts(launches, |(instance, _)| self.rows.resource(*instance)),
            "recipient_account_id" => texts(launches, |(_, row)| self.account(*row)),
            "aws_region" => texts(launches, |(_, row)| self.region(*row)),
            "launch_event_id" => ids(launches, |(_, row)| self.id(IdColumn::Event, *row)),
            "launched_at" => times(launches, |(_, row)| self.time(*row)),
            "launch_principal_arn" => of_row(Text::PrincipalArn),
            "root_principal_arn" => texts(launches, |(_, row)| self.roots.root(*row).map(|root| root.principal)),
            "root_source" => texts(launches, |(_, row)| self.roots.root(*row).map(|root| root.source)),
            "image_id" => texts(launches, |(_, row)| self.rows.list(List::ImageIds, *row as usize).next()),
            "instance_type" => of_row(Text::InstanceType),
            "reservation_id" => of_row(Text::ReservationId),
            "client_token" => of_row(Text::ClientToken),
            other => unreachable!("`instances` has no column `{other}`"),
        }
    }

    fn volumes_column(&self, name: &str, volumes: &[Volume]) -> ArrayRef {
        let creation = |it: &Volume| if it.is_created { it.row } else { it.maker };
        match name {
            "volume_id" => texts(volumes, |it| self.rows.resource(it.id)),
            "recipient_account_id" => texts(volumes, |it| self.account(it.row)),
            "aws_region" => texts(volumes, |it| self.region(it.row)),
            "created_event_id" => ids(volumes, |it| self.id(IdColumn::Event, creation(it))),
            "created_at" => times(volumes, |it| Some(it.created_at)),
            "created_by_arn" => texts(volumes, |it| self.text(Text::PrincipalArn, creation(it))),
            "snapshot_id" => texts(volumes, |it| {
                let snapshot = self.rows.snapshots[it.row as usize];
                if it.is_created { self.rows.resource(snapshot) } else { None }
            }),
            "encrypted" => {
                let is_encrypted =
                    |it: &Volume| if it.data_key == NONE { self.rows.encrypted(it.row) } else { Some(true) };
                Arc::new(volumes.iter().map(is_encrypted).collect::<BooleanArray>())
            }
            "key_arn" => {
                texts(volumes, |it| self.text(Text::KeyArn, it.data_key).or_else(|| self.text(Text::KeyArn, it.row)))
            }
            "data_key_event_id" => ids(volumes, |it| self.data_key(it.data_key)),
            other => unreachable!("`volumes` has no column `{other}`"),
        }
    }

    fn attachments_column(&self, name: &str, shown: &[u32]) -> ArrayRef {
        match name {
            "volume_id" => texts(shown, |row| self.rows.resource(self.rows.volumes[*row as usize])),
            "instance_id" => texts(shown, |row| self.rows.resource(self.rows.instances[*row as usize])),
            "recipient_account_id" => texts(shown, |row| self.account(*row)),
            "aws_region" => texts(shown, |row| self.region(*row)),
            "attached_at" => times(shown, |row| self.time(*row)),
            "source_event_id" => ids(shown, |row| self.id(IdColumn::Event, *row)),
            "source" => texts(shown, |row| self.text(Text::EventName, *row)),
            other => unreachable!("`attachments` has no column `{other}`"),
        }
    }

    fn grants_column(&self, name: &str, grants: &[Grant]) -> ArrayRef {
        let of_create = |column: Text| texts(grants, |it| self.text(column, it.create));
        let resource = |numbers: &[u32]| texts(grants, |it| self.rows.resource(numbers[it.create as usize]));
        match name {
            "grant_id" => of_create(Text::GrantId),
            "key_arn" => of_create(Text::KeyArn),
            "recipient_account_id" => texts(grants, |it| self.account(it.create)),
            "aws_region" => texts(grants, |it| self.region(it.create)),
            "create_event_id" => ids(grants, |it| self.id(IdColumn::Event, it.create)),
            "created_at" => times(grants, |it| self.time(it.create)),
            "end_event_id" => ids(grants, |it| self.id(IdColumn::Event, it.end)),
            "ended_at" => times(grants, |it| self.time(it.end)),
            "ended_by_arn" => texts(grants, |it| self.text(Text::PrincipalArn, it.end)),
            "grantee_principal" => of_create(Text::GranteePrincipal),
            "instance_id" => resource(&self.rows.instances),
            "volume_id" => resource(&self.rows.volumes),
            "snapshot_id" => resource(&self.rows.snapshots),
            "operations" => {
                let (arrays, place) = self.rows.lists(List::Operations);
                let places: Vec<(usize, usize)> = grants.iter().map(|it| place(it.create)).collect();
                let lists = interleave(&arrays, &places).expect("the lists are of one type");
                let DataType::List(element) = GRANTS.data_type(&GRANTS.columns[GRANTS.position(name)]) else {
                    unreachable!("`{name}` is a column of lists");
                };
                let (_, offsets, values, nulls) = lists.as_list::<i32>().clone().into_parts();
                Arc::new(ListArray::new(element, offsets, values, nulls))
            }
            "retiring_principal" => of_create(Text::RetiringPrincipal),
            other => unreachable!("`grants` has no column `{other}`"),
        }
    }
}

/// Makes a column of texts, as a dictionary that holds a text once for each place in memory where it stands: those of
/// few values stand in few.
fn texts<'t, T>(items: &[T], text: impl Fn(&T) -> Option<&'t str>) -> ArrayRef {
    let mut values = StringBuilder::with_capacity(0, 0);
    let mut codes = Int32Builder::with_capacity(items.len());
    let mut known: [(Option<&str>, i32); PLACES] = [(None, 0); PLACES];
    for item in items {
        let Some(text) = text(item) else {
            codes.append_null();
            continue;
        };
        let (at, code) = &mut known[text.as_ptr().addr() / size_of::<usize>() % PLACES];
        if !at.is_some_and(|at| ptr::eq(at, text)) {
            (*at, *code) = (Some(text), i32::try_from(values.len()).expect("a batch has few rows"));
            values.append_value(text);
        }
        codes.append_value(*code);
    }
    Arc::new(DictionaryArray::new(codes.finish(), Arc::new(values.finish())))
}

/// Returns a column with every text in its row.
fn plain(column: ArrayRef) -> ArrayRef {
    match column.as_dictionary_opt::<Int32Type>() {
        Some(coded) => take(coded.values(), coded.keys(), None).expect("each code has a text"),
        None => column,
    }
}

fn ids<'t, T>(items: &[T], id: impl Fn(&T) -> Option<Id<'t>>) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(items.len(), items.len() * size_of::<Room>());
    for item in items {
        let mut room: Room = [0; size_of::<Room>()];
        builder.append_option(id(item).map(|id| id.text(&mut room)));
    }
    Arc::new(builder.finish())
}

fn times<T>(items: &[T], time: impl Fn(&T) -> Option<i64>) -> ArrayRef {
    let times = items.iter().map(|item| time(item).map(time_of_ms)).collect::<TimestampMicrosecondArray>();
    Arc::new(times.with_timezone("UTC"))
}
