//! The search for the chain of one identifier.
//!
//! Rows are found by the Bloom filters of the tables. Where a column has none, and for the bare id of a key, which is the
//! end of an ARN, for principals and for aliases, the column is read.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::num::NonZeroUsize;

use arrow::array::RecordBatch;
use trailweave_lake::Lake;
use trailweave_lake::read::{Ask, Keys};
use trailweave_table::CORRELATED;
use trailweave_table::EVENTS;
use trailweave_table::GRANTS;
use trailweave_table::INSTANCES;
use trailweave_table::REMEMBERED;
use trailweave_table::Table;
use trailweave_table::date_of_day;
use trailweave_table::day_of_time;

use crate::CorrelateError;
use crate::chain::{Call, Cause, Chain, Copy, Event, Missing};
use crate::copies::{Logged, together};
use crate::found::{LAUNCH_COLUMNS, Rows, When, Window, find};
use crate::pool::pool;
use crate::sought::{Kind, Sought};

/// A question for the chain of an identifier.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// The identifier: of an instance, volume, snapshot, image, key, alias, grant, event, access key or principal, as its
    /// id or its ARN. It is looked for as typed and in lower case, in which CloudTrail logs nearly all.
    pub id: &'q str,
    /// The time of the first call, in seconds since 1970.
    pub since: Option<i64>,
    /// The time before which calls are.
    pub until: Option<i64>,
}

impl<'q> Question<'q> {
    /// Asks for the whole chain of an identifier.
    pub fn of(id: &'q str) -> Self {
        Self { id, since: None, until: None }
    }
}

/// Finds the chain of an identifier.
pub fn trace(lake: &Lake, threads: NonZeroUsize, question: &Question<'_>) -> Result<Chain, CorrelateError> {
    pool(threads)?.install(|| chain(lake, question))
}

fn chain(lake: &Lake, question: &Question<'_>) -> Result<Chain, CorrelateError> {
    let millis = |seconds: Option<i64>| seconds.map(|it| it.saturating_mul(1000));
    let window = Window { since: millis(question.since), until: millis(question.until) };
    let sought = Sought::new(lake, question.id, window)?;
    let mut causes = causes(together(in_time(&sought.calls(lake, window)?, window)));
    let mut more_events = 0;
    if causes.is_empty() {
        let (events, n_more) = sought.events(lake, window)?;
        let cause = |event| Cause { event: Some(event), unmatched_reason: None, calls: Vec::new() };
        causes = events.into_iter().map(cause).collect();
        more_events = n_more;
    }
    let is_asked = |day: &i32| window.since.is_none_or(|since| day_of_time(since) < *day);
    let pruned_before = lake.pruned_before()?.filter(is_asked).map(date_of_day);
    if causes.is_empty() {
        return Err(CorrelateError::NothingKnown { id: question.id.to_owned(), pruned_before });
    }
    let keys = if sought.kind == Kind::Alias { sought.ids.iter().map(str::to_owned).collect() } else { Vec::new() };
    let asked = if sought.kind == Kind::Instance { Some(&sought.ids) } else { None };
    let missing = missing(lake, asked, causes.iter().flat_map(|cause| &cause.calls))?;
    let launch = match asked {
        Some(instance) => launch(lake, instance)?.filter(|launch| !is_among(launch, &causes)),
        None => None,
    };
    Ok(Chain { id: question.id.to_owned(), keys, launch, pruned_before, missing, causes, more_events })
}

/// Finds the first launch of an instance.
fn launch(lake: &Lake, instance: &Keys) -> Result<Option<Event>, CorrelateError> {
    let mut launches = Vec::new();
    for batch in find(lake, &INSTANCES, &LAUNCH_COLUMNS, &[Ask::all("instance_id", instance)], Window::default())? {
        let rows = Rows { batch: &batch };
        launches.extend((0..batch.num_rows()).map(|row| rows.launch(row)));
    }
    Ok(launches.into_iter().min_by(|one, other| (&one.time, &one.event_id).cmp(&(&other.time, &other.event_id))))
}

fn is_among(launch: &Event, causes: &[Cause]) -> bool {
    let mut events = causes.iter().filter_map(|cause| cause.event.as_ref());
    events.any(|event| (&event.event_id, &event.time) == (&launch.event_id, &launch.time))
}

/// A call with its cause, or why it has none.
#[derive(Debug)]
struct Found {
    cause: Option<Event>,
    unmatched_reason: Option<String>,
    call: Call,
}

/// Reads the rows of `correlated` in the order of the calls.
fn in_time(found: &[RecordBatch], window: Window) -> Vec<Logged<Found>> {
    let mut rows: Vec<(When, Rows<'_>, usize)> = Vec::new();
    for batch in found {
        let of_batch = Rows { batch };
        let in_window = (0..batch.num_rows()).filter(|row| window.has(of_batch.millis("kms_event_time", *row)));
        rows.extend(in_window.map(|row| (of_batch.when("kms_event", row), of_batch, row)));
    }
    rows.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let found = |(_, rows, row): (When, Rows<'_>, usize)| {
        let unmatched_reason = rows.text("unmatched_reason", row);
        Logged::call(rows, row, Found { cause: rows.cause(row), unmatched_reason, call: rows.call(row) })
    };
    rows.into_iter().map(found).collect()
}

/// Puts calls below their causes, in the order of the calls.
fn causes(calls: Vec<(Found, Vec<Copy>)>) -> Vec<Cause> {
    let mut causes = Vec::<Cause>::new();
    let mut positions = HashMap::new();
    for (Found { cause: event, unmatched_reason, call }, copies) in calls {
        let key = (event.as_ref().map(identity), unmatched_reason.clone());
        let position = *positions.entry(key).or_insert(causes.len());
        if position == causes.len() {
            causes.push(Cause { event, unmatched_reason, calls: Vec::new() });
        }
        causes[position].calls.push(Call { copies, ..call });
    }
    causes
}

/// Returns what tells a cause from others: its id or, as the first records have none, its name, its time and its object.
fn identity(event: &Event) -> [String; 3] {
    if event.event_id.is_empty() {
        [event.name.clone(), event.time.clone(), event.source_object.clone().unwrap_or_default()]
    } else {
        [event.event_id.clone(), String::new(), String::new()]
    }
}

/// Says what the lake lacks: about calls that succeeded, and the launches of the instances of all, and of that `asked` for.
fn missing<'a>(
    lake: &Lake,
    asked: Option<&Keys>,
    calls: impl Iterator<Item = &'a Call> + Clone,
) -> Result<Vec<Missing>, CorrelateError> {
    let mut missing = without_launch(lake, asked, calls.clone())?;
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

/// Finds the instances that the lake did not see launched.
fn without_launch<'a>(
    lake: &Lake,
    asked: Option<&Keys>,
    calls: impl Iterator<Item = &'a Call>,
) -> Result<Vec<Missing>, CorrelateError> {
    // Of an instance that is asked for in two spellings, the logged one counts.
    let mut instances: Keys = calls.filter_map(|call| call.instance_id.as_deref()).collect();
    let lower = asked.into_iter().flat_map(Keys::iter).find(|id| !id.bytes().any(|byte| byte.is_ascii_uppercase()));
    instances.extend(lower);
    let launched = texts(lake, &INSTANCES, ["instance_id"], &instances, |_, _| true)?;
    let instances: BTreeSet<String> = instances.iter().map(str::to_owned).collect();
    let mut begins = None;
    for part in [lake.parts(&EVENTS)?, lake.parts(&REMEMBERED)?].concat() {
        begins = [begins, part.event_date].into_iter().flatten().min();
    }
    let missing = |id: &String| Missing::Launch { instance_id: id.clone(), lake_begins: begins.clone() };
    Ok(instances.difference(&launched).map(missing).collect())
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
    for batch in find(lake, table, &columns, &[Ask::all(columns[0], keys)], Window::default())? {
        let rows = Rows { batch: &batch };
        found.extend(
            (0..batch.num_rows()).filter(|row| passes(rows, *row)).filter_map(|row| rows.text(columns[0], row)),
        );
    }
    Ok(found)
}
