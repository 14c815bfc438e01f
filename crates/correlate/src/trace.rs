//! The search for the chain of one identifier.
//!
//! Rows are found by the Bloom filters of the tables. Where a column has none, and for the bare id of a key, which is the
//! end of an ARN, the column is read.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::num::NonZeroUsize;

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::datatypes::TimestampMicrosecondType;
use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use trailweave_lake::Lake;
use trailweave_lake::Part;
use trailweave_lake::read::{Ask, Keys, seek, values};
use trailweave_table::CORRELATED;
use trailweave_table::EVENTS;
use trailweave_table::GRANTS;
use trailweave_table::REMEMBERED;
use trailweave_table::SESSIONS;
use trailweave_table::Table;
use trailweave_table::ms_of_time;

use crate::CorrelateError;
use crate::chain::{Call, Cause, Chain, Event, Missing};
use crate::pool::pool;

/// Finds the chain of an instance, volume, snapshot, key (ARN or bare id), grant or event, or the event that issued an
/// access key. An identifier is looked for as
/// typed and in lower case, in which CloudTrail logs nearly all.
pub fn trace(lake: &Lake, threads: NonZeroUsize, id: &str) -> Result<Chain, CorrelateError> {
    pool(threads)?.install(|| chain(lake, id))
}

fn chain(lake: &Lake, id: &str) -> Result<Chain, CorrelateError> {
    let sought = Sought::new(id);
    let mut causes = causes(&sought.calls(lake)?);
    if causes.is_empty() {
        causes = sought.events(lake)?;
    }
    if causes.is_empty() {
        return Err(CorrelateError::NothingKnown { id: id.to_owned() });
    }
    let missing = missing(lake, causes.iter().flat_map(|cause| &cause.calls))?;
    Ok(Chain { id: id.to_owned(), causes, missing })
}

/// Puts the rows of `correlated` below their causes, in the order of the calls.
fn causes(found: &[RecordBatch]) -> Vec<Cause> {
    let mut rows: Vec<(When, Rows<'_>, usize)> = Vec::new();
    for batch in found {
        let of_batch = Rows { batch };
        rows.extend((0..batch.num_rows()).map(|row| (of_batch.when("kms_event", row), of_batch, row)));
    }
    rows.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let mut causes = Vec::<Cause>::new();
    let mut positions = HashMap::new();
    for (_, rows, row) in rows {
        let (event, unmatched_reason) = (rows.cause(row), rows.text("unmatched_reason", row));
        let key = (event.as_ref().map(|event| event.event_id.clone()), unmatched_reason.clone());
        let position = *positions.entry(key).or_insert(causes.len());
        if position == causes.len() {
            causes.push(Cause { event, unmatched_reason, calls: Vec::new() });
        }
        causes[position].calls.push(rows.call(row));
    }
    causes
}

/// Says what the lake lacks about calls that succeeded.
fn missing<'a>(lake: &Lake, calls: impl Iterator<Item = &'a Call>) -> Result<Vec<Missing>, CorrelateError> {
    let mut missing = Vec::new();
    let (mut grants, mut volumes) = (Keys::default(), Keys::default());
    for call in calls.filter(|call| call.error_code.is_none()) {
        match call.name.as_str() {
            "Decrypt" if call.volume_id.is_some() && call.grant_event_id.is_none() => {
                missing.push(Missing::Grant { kms_event_id: call.event_id.clone(), time: call.time.clone() });
            }
            "CreateGrant" => grants.extend(call.grant_id.as_deref()),
            name if name.starts_with("GenerateDataKey") => volumes.extend(call.volume_id.as_deref()),
            _ => {}
        }
    }
    let alive =
        texts(lake, &GRANTS, ["grant_id", "ended_at"], &grants, |rows, row| rows.millis("ended_at", row).is_none())?;
    let columns = ["volume_id", "kms_event_name", "kms_error_code"];
    let decrypted = texts(lake, &CORRELATED, columns, &volumes, |rows, row| {
        rows.text("kms_event_name", row).as_deref() == Some("Decrypt") && rows.text("kms_error_code", row).is_none()
    })?;
    missing.extend(alive.into_iter().map(|grant_id| Missing::Retirement { grant_id }));
    let volumes: BTreeSet<String> = volumes.iter().map(str::to_owned).collect();
    missing.extend(volumes.difference(&decrypted).map(|volume_id| Missing::Decrypt { volume_id: volume_id.clone() }));
    Ok(missing)
}

/// Finds which of `keys` the first column has in a row that passes.
fn texts<const N: usize>(
    lake: &Lake,
    table: &Table,
    columns: [&'static str; N],
    keys: &Keys,
    passes: impl Fn(Rows<'_>, usize) -> bool,
) -> Result<BTreeSet<String>, CorrelateError> {
    let mut found = BTreeSet::new();
    for batch in find(lake, table, &columns, &[Ask::all(columns[0], keys)])? {
        let rows = Rows { batch: &batch };
        found.extend(
            (0..batch.num_rows()).filter(|row| passes(rows, *row)).filter_map(|row| rows.text(columns[0], row)),
        );
    }
    Ok(found)
}

/// Reads columns of the rows of a table that answer a question, from several parts at once.
fn find(lake: &Lake, table: &Table, columns: &[&str], asks: &[Ask<'_>]) -> Result<Vec<RecordBatch>, CorrelateError> {
    if asks.iter().all(|ask| ask.keys.is_empty()) {
        return Ok(Vec::new());
    }
    let mut parts = lake.parts(table)?;
    if table.name == EVENTS.name {
        parts.extend(lake.parts(&REMEMBERED)?);
    }
    let found: Vec<_> = parts.par_iter().map(|part| seek(lake, part, columns, asks)).collect::<Result<_, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// An identifier that is looked for.
#[derive(Debug)]
struct Sought {
    kind: Kind,
    lower: String,
    /// It as typed and in lower case.
    ids: Keys,
}

/// The kinds of identifiers.
#[derive(Debug)]
enum Kind {
    Instance,
    Volume,
    Snapshot,
    Arn,
    /// A grant, an event, or a key: a UUID may be either of the latter.
    Other,
}

impl Sought {
    fn new(id: &str) -> Self {
        let lower = id.to_lowercase();
        let kind = match lower.split_once(['-', ':']).map(|(kind, _)| kind) {
            Some("i") => Kind::Instance,
            Some("vol") => Kind::Volume,
            Some("snap") => Kind::Snapshot,
            Some("arn") => Kind::Arn,
            _ => Kind::Other,
        };
        Self { kind, ids: [id, &lower].into_iter().collect(), lower }
    }

    /// Finds the rows of `correlated` that the identifier is in.
    fn calls(&self, lake: &Lake) -> Result<Vec<RecordBatch>, CorrelateError> {
        let named = match self.kind {
            Kind::Instance => self.asks(&["instance_id", "caller_instance_id"]),
            Kind::Volume => self.asks(&["volume_id"]),
            Kind::Snapshot => self.asks(&["snapshot_id"]),
            Kind::Arn => self.asks(&["key_arn"]),
            Kind::Other => self.asks(&["grant_id", "kms_event_id", "ec2_event_id", "launch_event_id"]),
        };
        let keys = self.keys(lake, &CORRELATED)?;
        let allowed = self.created(lake)?;
        let others = [Ask::all("key_arn", &keys), Ask::all("grant_event_id", &allowed)];
        find(lake, &CORRELATED, &CALL_COLUMNS, &[named, others.to_vec()].concat())
    }

    /// Finds the first events that name an identifier of which no row of `correlated` knows: an instance without encrypted
    /// volumes, or an event that is no part of a chain.
    fn events(&self, lake: &Lake) -> Result<Vec<Cause>, CorrelateError> {
        let mut asks = match self.kind {
            Kind::Instance => self.asks(&["instance_ids"]),
            Kind::Volume => self.asks(&["volume_ids"]),
            Kind::Snapshot => self.asks(&["snapshot_ids"]),
            Kind::Arn => self.asks(&["key_arn", "source_key_arn"]),
            Kind::Other => self.asks(&["grant_id", "event_id", "issued_access_key_id"]),
        };
        let keys = self.keys(lake, &EVENTS)?;
        asks.push(Ask::all("key_arn", &keys));
        let first_of = |part: &Part| -> Result<Vec<(When, Event)>, CorrelateError> {
            let mut events = Vec::new();
            for batch in seek(lake, part, &EVENT_COLUMNS, &asks)? {
                let rows = Rows { batch: &batch };
                events.extend((0..batch.num_rows()).map(|row| (rows.when("event", row), rows.event(row))));
            }
            Ok(first(events, Vec::new()))
        };
        let mut parts = lake.parts(&EVENTS)?;
        parts.extend(lake.parts(&SESSIONS)?);
        let found = parts.par_iter().map(first_of).try_reduce(Vec::new, |a, b| Ok(first(a, b)))?;
        let cause = |(_, event)| Cause { event: Some(event), unmatched_reason: None, calls: Vec::new() };
        Ok(found.into_iter().map(cause).collect())
    }

    fn asks(&self, columns: &[&'static str]) -> Vec<Ask<'_>> {
        columns.iter().map(|column| Ask::all(column, &self.ids)).collect()
    }

    /// Finds the ARNs of the keys whose bare id it is.
    fn keys(&self, lake: &Lake, table: &Table) -> Result<Keys, CorrelateError> {
        if !matches!(self.kind, Kind::Other) {
            return Ok(Keys::default());
        }
        let is_of = |arn: &str| arn.split(":key/").nth(1).is_some_and(|id| id.to_lowercase() == self.lower);
        let parts = lake.parts(table)?;
        let found: Vec<_> =
            parts.par_iter().map(|part| values(lake, part, "key_arn", is_of)).collect::<Result<_, _>>()?;
        Ok(found.iter().flat_map(Keys::iter).collect())
    }

    /// Finds the events that created the grant that it is.
    fn created(&self, lake: &Lake) -> Result<Keys, CorrelateError> {
        if !matches!(self.kind, Kind::Other) {
            return Ok(Keys::default());
        }
        let created = find(lake, &GRANTS, &["create_event_id"], &self.asks(&["grant_id"]))?;
        let ids = created.iter().flat_map(|rows| rows["create_event_id"].as_string::<i32>().iter().flatten());
        Ok(ids.collect())
    }
}

/// Events that are shown where no call is known.
const MAX_EVENTS: usize = 100;

/// Returns the first of two lists of events together.
fn first(mut events: Vec<(When, Event)>, others: Vec<(When, Event)>) -> Vec<(When, Event)> {
    events.extend(others);
    events.sort_by(|(one, _), (other, _)| one.cmp(other));
    events.truncate(MAX_EVENTS);
    events
}

/// The columns that a call and its cause are read from.
const CALL_COLUMNS: [&str; 26] = [
    "kms_event_id",
    "kms_event_time",
    "kms_event_name",
    "kms_error_code",
    "kms_principal_arn",
    "kms_invoked_by",
    "kms_source_object",
    "instance_id",
    "caller_instance_id",
    "volume_id",
    "snapshot_id",
    "grant_id",
    "grant_event_id",
    "key_arn",
    "link",
    "confidence",
    "unmatched_reason",
    "ec2_event_id",
    "ec2_event_time",
    "ec2_event_name",
    "ec2_principal_arn",
    "ec2_source_ip_address",
    "ec2_error_code",
    "ec2_source_object",
    "root_principal_arn",
    "root_source",
];

/// The columns that an event without calls is read from.
const EVENT_COLUMNS: [&str; 7] =
    ["event_id", "event_time", "event_name", "principal_arn", "source_ip_address", "error_code", "source_object"];

/// The place of a row in time: its time in milliseconds, then its id, one without an id last.
type When = (Option<i64>, bool, Option<String>);

/// Rows of `correlated` or `events`.
#[derive(Clone, Copy)]
struct Rows<'a> {
    batch: &'a RecordBatch,
}

impl Rows<'_> {
    fn text(self, column: &str, row: usize) -> Option<String> {
        let column = self.batch.column_by_name(column)?.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row).to_owned())
    }

    fn millis(self, column: &str, row: usize) -> Option<i64> {
        let times = self.batch.column_by_name(column)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        times.is_valid(row).then(|| ms_of_time(times.value(row)))
    }

    fn time(self, column: &str, row: usize) -> String {
        let time = self.millis(column, row).and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
        time.map_or_else(String::new, |time| time.to_string())
    }

    /// Returns when an event was, whose columns begin with `what`.
    fn when(self, what: &str, row: usize) -> When {
        let id = self.text(&format!("{what}_id"), row);
        (self.millis(&format!("{what}_time"), row), id.is_none(), id)
    }

    fn event(self, row: usize) -> Event {
        Event {
            event_id: self.text("event_id", row).unwrap_or_default(),
            time: self.time("event_time", row),
            name: self.text("event_name", row).unwrap_or_default(),
            principal_arn: self.text("principal_arn", row),
            root_principal_arn: None,
            root_source: None,
            source_ip_address: self.text("source_ip_address", row),
            error_code: self.text("error_code", row),
            source_object: self.text("source_object", row),
        }
    }

    fn cause(self, row: usize) -> Option<Event> {
        let name = self.text("ec2_event_name", row)?;
        Some(Event {
            event_id: self.text("ec2_event_id", row).unwrap_or_default(),
            time: self.time("ec2_event_time", row),
            name,
            principal_arn: self.text("ec2_principal_arn", row),
            root_principal_arn: self.text("root_principal_arn", row),
            root_source: self.text("root_source", row),
            source_ip_address: self.text("ec2_source_ip_address", row),
            error_code: self.text("ec2_error_code", row),
            source_object: self.text("ec2_source_object", row),
        })
    }

    fn call(self, row: usize) -> Call {
        Call {
            event_id: self.text("kms_event_id", row),
            time: self.time("kms_event_time", row),
            name: self.text("kms_event_name", row).unwrap_or_default(),
            error_code: self.text("kms_error_code", row),
            principal_arn: self.text("kms_principal_arn", row),
            invoked_by: self.text("kms_invoked_by", row),
            instance_id: self.text("instance_id", row),
            caller_instance_id: self.text("caller_instance_id", row),
            volume_id: self.text("volume_id", row),
            snapshot_id: self.text("snapshot_id", row),
            grant_id: self.text("grant_id", row),
            grant_event_id: self.text("grant_event_id", row),
            key_arn: self.text("key_arn", row),
            link: self.text("link", row).unwrap_or_default(),
            confidence: self.text("confidence", row),
            source_object: self.text("kms_source_object", row),
        }
    }
}
