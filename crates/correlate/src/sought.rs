//! The identifier that `trace` is asked about: its kind, and the rows that it is in.

use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use trailweave_lake::Lake;
use trailweave_lake::Part;
use trailweave_lake::read::{Ask, Keys, seek, values};
use trailweave_table::CORRELATED;
use trailweave_table::EVENTS;
use trailweave_table::GRANTS;
use trailweave_table::SESSIONS;
use trailweave_table::Table;

use crate::CorrelateError;
use crate::chain::Event;
use crate::copies::{Logged, together};
use crate::found::{CALL_COLUMNS, EVENT_COLUMNS, Rows, When, Window, find};

use arrow::array::AsArray;
use arrow::array::RecordBatch;

/// Events that are shown where no call is known.
const MAX_EVENTS: usize = 100;

/// The columns of `correlated` that name principals: who called, and who stands behind.
const PRINCIPALS: [&str; 3] = ["kms_principal_arn", "ec2_principal_arn", "root_principal_arn"];

/// The columns that name keys: a `ReEncrypt` decrypts with the second, and encrypts with the first.
const KEYS: [&str; 2] = ["key_arn", "source_key_arn"];

/// An identifier that is looked for.
#[derive(Debug)]
pub(crate) struct Sought {
    pub(crate) kind: Kind,
    lower: String,
    /// It as typed and in lower case; of an alias, the ARNs of the keys that it named.
    pub(crate) ids: Keys,
}

/// The kinds of identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Instance,
    Volume,
    Snapshot,
    Image,
    Key,
    Alias,
    /// A principal, or a role whose sessions are principals.
    Principal,
    /// A grant, an event, or a key: a UUID may be either of the latter.
    Other,
}

impl Sought {
    pub(crate) fn new(lake: &Lake, id: &str, window: Window) -> Result<Self, CorrelateError> {
        let arn: Vec<&str> = id.splitn(6, ':').collect();
        let (kind, id) = match arn[..] {
            [arn, _, service, _, _, resource] if arn.eq_ignore_ascii_case("arn") => match service {
                _ if service.eq_ignore_ascii_case("ec2") => {
                    let id = resource.rsplit('/').next().unwrap_or(resource);
                    (kind_of(id), id)
                }
                "kms" if resource.starts_with("alias/") => (Kind::Alias, id),
                "iam" | "sts" => (Kind::Principal, id),
                _ => (Kind::Key, id),
            },
            _ if id.starts_with("alias/") => (Kind::Alias, id),
            _ => (kind_of(id), id),
        };
        let lower = id.to_lowercase();
        let ids =
            if kind == Kind::Alias { keys_of_alias(lake, id, window)? } else { [id, &lower].into_iter().collect() };
        Ok(Self { kind, lower, ids })
    }

    /// Finds the rows of `correlated` that the identifier is in.
    pub(crate) fn calls(&self, lake: &Lake, window: Window) -> Result<Vec<RecordBatch>, CorrelateError> {
        let mut asks = match self.kind {
            Kind::Instance => self.asks(&["instance_id", "caller_instance_id"]),
            Kind::Volume => self.asks(&["volume_id"]),
            Kind::Snapshot => self.asks(&["snapshot_id"]),
            Kind::Image | Kind::Principal => Vec::new(),
            Kind::Key | Kind::Alias => self.asks(&KEYS),
            Kind::Other => self.asks(&["grant_id", "kms_event_id", "ec2_event_id", "launch_event_id"]),
        };
        let keys = self.keys(lake, &CORRELATED)?;
        let allowed = self.created(lake)?;
        let principals = self.principals(lake, &CORRELATED, &PRINCIPALS)?;
        asks.push(Ask::all("grant_event_id", &allowed));
        asks.extend(KEYS.map(|column| Ask::all(column, &keys)));
        asks.extend(PRINCIPALS.map(|column| Ask::all(column, &principals)));
        find(lake, &CORRELATED, &CALL_COLUMNS, &asks, window)
    }

    /// Finds the first events that name an identifier of which no row of `correlated` knows: an instance without encrypted
    /// volumes, or an event that is no part of a chain. Tells how many more there are.
    pub(crate) fn events(&self, lake: &Lake, window: Window) -> Result<(Vec<Event>, u64), CorrelateError> {
        let mut asks = match self.kind {
            Kind::Instance => self.asks(&["instance_ids"]),
            Kind::Volume => self.asks(&["volume_ids"]),
            Kind::Snapshot => self.asks(&["snapshot_ids"]),
            Kind::Image => self.asks(&["image_ids"]),
            Kind::Key | Kind::Alias => self.asks(&KEYS),
            Kind::Principal => self.asks(&["session_issuer_arn"]),
            Kind::Other => self.asks(&["grant_id", "event_id", "access_key_id", "issued_access_key_id"]),
        };
        let keys = self.keys(lake, &EVENTS)?;
        let principals = self.principals(lake, &EVENTS, &["principal_arn"])?;
        asks.push(Ask::all("principal_arn", &principals));
        asks.extend(KEYS.map(|column| Ask::all(column, &keys)));
        let first_of = |part: &Part| {
            let mut events = Vec::new();
            for batch in seek(lake, part, &EVENT_COLUMNS, &asks)? {
                let rows = Rows { batch: &batch };
                let of_window = (0..batch.num_rows()).filter(|row| window.has(rows.millis("event_time", *row)));
                let logged = |row| (rows.when("event", row), Logged::event(rows, row, rows.event(row)));
                events.extend(of_window.map(logged));
            }
            let n_events = events.len();
            Ok::<_, CorrelateError>((first(events, Vec::new()), n_events))
        };
        let mut parts = window.parts(lake, &EVENTS)?;
        parts.extend(window.parts(lake, &SESSIONS)?);
        let of_parts = parts.par_iter().map(first_of);
        let (found, n_events) = of_parts.try_reduce(Default::default, |(a, n), (b, m)| Ok((first(a, b), n + m)))?;
        let n_more = (n_events - found.len()) as u64;
        let told = together(found.into_iter().map(|(_, logged)| logged));
        Ok((told.into_iter().map(|(event, copies)| Event { copies, ..event }).collect(), n_more))
    }

    fn asks(&self, columns: &[&'static str]) -> Vec<Ask<'_>> {
        columns.iter().map(|column| Ask::all(column, &self.ids)).collect()
    }

    /// Finds the ARNs of the keys whose bare id it is.
    fn keys(&self, lake: &Lake, table: &Table) -> Result<Keys, CorrelateError> {
        if self.kind != Kind::Other {
            return Ok(Keys::default());
        }
        let is_of = |arn: &str| arn.split(":key/").nth(1).is_some_and(|id| id.to_lowercase() == self.lower);
        let mut keys = Keys::default();
        for column in KEYS {
            keys.extend(all_values(lake, table, column, is_of)?.iter());
        }
        Ok(keys)
    }

    /// Finds the events that created the grant that it is.
    fn created(&self, lake: &Lake) -> Result<Keys, CorrelateError> {
        if self.kind != Kind::Other {
            return Ok(Keys::default());
        }
        let created = find(lake, &GRANTS, &["create_event_id"], &self.asks(&["grant_id"]), Window::default())?;
        let ids = created.iter().flat_map(|rows| rows["create_event_id"].as_string::<i32>().iter().flatten());
        Ok(ids.collect())
    }

    /// Finds the principals that it is, in columns of a table: those of a role are all its sessions.
    fn principals(&self, lake: &Lake, table: &Table, columns: &[&str]) -> Result<Keys, CorrelateError> {
        let mut found = Keys::default();
        if self.kind == Kind::Principal {
            let sessions: Vec<String> = self.ids.iter().filter_map(sessions_of).collect();
            let is_of =
                |arn: &str| self.ids.contains(arn) || sessions.iter().any(|role| arn.starts_with(role.as_str()));
            for column in columns {
                found.extend(all_values(lake, table, column, is_of)?.iter());
            }
        }
        Ok(found)
    }
}

fn kind_of(id: &str) -> Kind {
    match id.to_lowercase().split_once('-').map(|(kind, _)| kind) {
        Some("i") => Kind::Instance,
        Some("vol") => Kind::Volume,
        Some("snap") => Kind::Snapshot,
        Some("ami") => Kind::Image,
        _ => Kind::Other,
    }
}

/// Returns the beginning of the ARNs of a role's sessions: `arn:aws:sts::111122223333:assumed-role/Name/`.
fn sessions_of(arn: &str) -> Option<String> {
    let (head, resource) = arn.rsplit_once(':')?;
    match resource.split('/').collect::<Vec<_>>()[..] {
        ["role", .., name] => Some(format!("{}:assumed-role/{name}/", head.replacen(":iam:", ":sts:", 1))),
        ["assumed-role", name] => Some(format!("{head}:assumed-role/{name}/")),
        _ => None,
    }
}

/// Finds the keys that an alias named, by its name or its ARN: those that it was pointed at, and those of the calls that
/// used it in a time. It may have named several.
fn keys_of_alias(lake: &Lake, id: &str, window: Window) -> Result<Keys, CorrelateError> {
    let at = id.find("alias/").unwrap_or_default();
    let (home, name) = id.split_at(at);
    // In the text of the parameters it ends with a quote, and begins after one, or as a part of an ARN.
    let ends = [format!("\"{name}\""), format!(":{name}\"")];
    let is_named = |parameters: &str| ends.iter().any(|end| parameters.contains(end.as_str()));
    let columns = ["key_arn", "event_source", "event_name", "error_code", "request_parameters"];
    let of_asks = |asks: &[Ask<'_>], window: Window| -> Result<Keys, CorrelateError> {
        let mut keys = Keys::default();
        for batch in find(lake, &EVENTS, &columns, asks, window)? {
            let rows = Rows { batch: &batch };
            let is_of = |row: &usize| {
                let name = rows.text("event_name", *row);
                // One that was refused names a key that the alias was never pointed at.
                let points = matches!(name.as_deref(), Some("CreateAlias" | "UpdateAlias"));
                rows.text("event_source", *row).is_some_and(|source| source.starts_with("kms."))
                    && rows.text("request_parameters", *row).is_some_and(|parameters| is_named(&parameters))
                    && !(points && rows.text("error_code", *row).is_some())
            };
            let arns = (0..batch.num_rows()).filter(is_of).filter_map(|row| rows.text("key_arn", row));
            keys.extend(arns.filter(|arn| arn.starts_with(home)));
        }
        Ok(keys)
    };
    let names: Keys = ["CreateAlias", "UpdateAlias"].into_iter().collect();
    let mut keys = of_asks(&[Ask::all("event_name", &names)], Window::default())?;
    let used = values_of(&window.parts(lake, &EVENTS)?, lake, "request_parameters", is_named)?;
    keys.extend(of_asks(&[Ask::all("request_parameters", &used)], window)?.iter());
    Ok(keys)
}

/// Reads the values of a column that pass, from all parts of a table.
fn all_values(
    lake: &Lake,
    table: &Table,
    column: &str,
    is_wanted: impl Fn(&str) -> bool + Sync,
) -> Result<Keys, CorrelateError> {
    values_of(&lake.parts(table)?, lake, column, is_wanted)
}

/// Does the same with some parts.
fn values_of(
    parts: &[Part],
    lake: &Lake,
    column: &str,
    is_wanted: impl Fn(&str) -> bool + Sync,
) -> Result<Keys, CorrelateError> {
    let found: Vec<_> =
        parts.par_iter().map(|part| values(lake, part, column, &is_wanted)).collect::<Result<_, _>>()?;
    Ok(found.iter().flat_map(Keys::iter).collect())
}

/// An event with its place in time.
type Placed = (When, Logged<Event>);

/// Returns the first of two lists of events together.
fn first(mut events: Vec<Placed>, others: Vec<Placed>) -> Vec<Placed> {
    events.extend(others);
    events.sort_by(|(one, _), (other, _)| one.cmp(other));
    events.truncate(MAX_EVENTS);
    events
}
