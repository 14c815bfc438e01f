//! *Keys*: who uses each, and what became of it.

use std::collections::{BTreeMap, HashMap};

use ahash::RandomState;
use arrow::array::RecordBatch;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;
use trailweave_lake::read::{Ask, Keys, by_group, load_shared, seek};
use trailweave_lake::{Lake, LakeError, Part};
use trailweave_table::{EVENTS, KEY_CHANGES, REMEMBERED};

use crate::choice::Choice;
use crate::choice::quoted;
use crate::grid::{Cell, Grid};
use crate::texts::{NONE, Texts, micros, text};
use crate::uses::{Sum, Uses};

const MAX_KEYS: usize = 30;
const MAX_USERS: usize = 10;
const MAX_CHANGES: usize = 100;

const EVENT_COLUMNS: [&str; 9] = [
    "event_id",
    "event_time",
    "event_source",
    "event_name",
    "recipient_account_id",
    "aws_region",
    "error_code",
    "key_arn",
    "principal_arn",
];

/// Those by which they are counted.
const COUNTED_BY: [&str; 4] = ["event_name", "event_source", "recipient_account_id", "aws_region"];

/// A key, and who uses it.
#[derive(Debug, Serialize)]
pub(crate) struct KeyUsers {
    pub(crate) key: Cell,
    pub(crate) users: Grid,
}

/// Shows the keys in use, the busiest first.
pub(crate) fn keys(uses: &Uses, choice: &Choice) -> Grid {
    let by_key = uses.by(|it| (it.key != NONE).then_some([it.key, it.key_account]));
    let instances = distinct(&uses.by(|it| (it.instance != NONE).then_some([it.key, it.instance])));
    let launchers = distinct(&uses.by(|it| (it.launcher != NONE).then_some([it.key, it.launcher])));
    let left_out = by_key.len().saturating_sub(MAX_KEYS);
    let row = |([key, owner], calls): &Sum<2>| {
        let of_key = |counts: &HashMap<u32, u64, RandomState>| Cell::number(counts.get(key).copied().unwrap_or(0));
        vec![
            Cell::id(uses.texts.text(*key)),
            Cell::text(uses.texts.text(*owner)),
            Cell::number(calls.n),
            Cell::number(calls.failed),
            of_key(&instances),
            of_key(&launchers),
            Cell::time(Some(calls.first)),
            Cell::time(Some(calls.last)),
        ]
    };
    Grid {
        id: "keys-used".into(),
        heads: vec!["key", "owner", "calls", "failed", "instances", "launchers", "first use", "last use"],
        rows: uses.first(by_key, MAX_KEYS).iter().map(row).collect(),
        sql: format!(
            "{}\nSELECT\n  key_arn, key_account_id, count(*) AS calls, count(kms_error_code) AS failed,\n  \
             count(DISTINCT instance_id) AS instances, count(DISTINCT launch_principal_arn) AS launched_by,\n  \
             min(kms_event_time) AS first_use, max(kms_event_time) AS last_use\nFROM used\n\
             WHERE key_arn IS NOT NULL\nGROUP BY 1, 2\nORDER BY calls DESC, key_arn\nLIMIT {MAX_KEYS}",
            choice.uses()
        ),
        left_out,
    }
}

/// Counts by key what was found of each.
fn distinct(pairs: &[Sum<2>]) -> HashMap<u32, u64, RandomState> {
    let mut counts: HashMap<u32, u64, RandomState> = HashMap::default();
    for ([key, _], _) in pairs {
        *counts.entry(*key).or_default() += 1;
    }
    counts
}

/// Shows for each key the instances and the principals that launched them.
pub(crate) fn users(uses: &Uses, choice: &Choice, chain: &impl Fn(&str) -> Option<String>) -> Vec<KeyUsers> {
    let keys = uses.first(uses.by(|it| (it.key != NONE).then_some([it.key])), MAX_KEYS);
    let mut by_key: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for ([key, instance, launcher], calls) in
        uses.by(|it| (it.key != NONE).then_some([it.key, it.instance, it.launcher]))
    {
        by_key.entry(key).or_default().push(([instance, launcher], calls));
    }
    let key_users = |(nth, ([key], _)): (usize, &Sum<1>)| {
        let arn = uses.texts.text(*key).unwrap_or_default();
        let found = by_key.remove(key).unwrap_or_default();
        let left_out = found.len().saturating_sub(MAX_USERS);
        let row = |([instance, launcher], calls): &Sum<2>| {
            let instance = uses.texts.text(*instance);
            vec![
                Cell::id(instance).leads_to(instance.and_then(chain)),
                Cell::id(uses.texts.text(*launcher)),
                Cell::number(calls.n),
                Cell::time(Some(calls.first)),
                Cell::time(Some(calls.last)),
            ]
        };
        let grid = Grid {
            id: format!("key-{nth}"),
            heads: vec!["instance", "launched by", "calls", "first use", "last use"],
            rows: uses.first(found, MAX_USERS).iter().map(row).collect(),
            sql: format!(
                "{}\nSELECT\n  instance_id, launch_principal_arn, count(*) AS calls, min(kms_event_time) AS first_use,\n  \
                 max(kms_event_time) AS last_use\nFROM used\nWHERE key_arn = {}\nGROUP BY 1, 2\n\
                 ORDER BY calls DESC, instance_id NULLS LAST, launch_principal_arn NULLS LAST\nLIMIT {MAX_USERS}",
                choice.uses(),
                quoted(arn)
            ),
            left_out,
        };
        KeyUsers { key: Cell::id(Some(arn)), users: grid }
    };
    keys.iter().enumerate().map(key_users).collect()
}

/// Shows which keys were used by other accounts than their owners.
pub(crate) fn foreign(uses: &Uses, choice: &Choice) -> Grid {
    let found = uses.by(|it| {
        let is_foreign = it.key_account != it.caller && ![it.key_account, it.caller].contains(&NONE);
        is_foreign.then_some([it.caller, it.key_account, it.key])
    });
    let left_out = found.len().saturating_sub(MAX_KEYS);
    let row = |([caller, owner, key], calls): &Sum<3>| {
        vec![
            Cell::text(uses.texts.text(*caller)),
            Cell::text(uses.texts.text(*owner)),
            Cell::id(uses.texts.text(*key)),
            Cell::number(calls.n),
            Cell::time(Some(calls.first)),
            Cell::time(Some(calls.last)),
        ]
    };
    Grid {
        id: "keys-foreign".into(),
        heads: vec!["caller's account", "owner of the key", "key", "calls", "first use", "last use"],
        rows: uses.first(found, MAX_KEYS).iter().map(row).collect(),
        sql: format!(
            "{}\nSELECT\n  caller_account_id, key_account_id, key_arn, count(*) AS calls, min(kms_event_time) AS first_use,\n  \
             max(kms_event_time) AS last_use\nFROM used\nWHERE key_account_id <> caller_account_id\nGROUP BY 1, 2, 3\n\
             ORDER BY calls DESC, caller_account_id, key_account_id, key_arn\nLIMIT {MAX_KEYS}",
            choice.uses()
        ),
        left_out,
    }
}

/// Tells whether an event of this source, account and region counts. Other services have actions of such names, too.
fn is_taken(choice: &Choice, [source, account, region]: [Option<&str>; 3]) -> bool {
    source.is_some_and(|source| source.starts_with("kms."))
        && choice.takes_place(account.unwrap_or_default(), region.unwrap_or_default())
}

/// Counts the events of a part that change keys.
fn count(lake: &Lake, part: &Part, choice: &Choice) -> Result<usize, LakeError> {
    let mut texts = Texts::default();
    let changes = KEY_CHANGES.map(|name| texts.code(name));
    let file = lake.open_listed(part)?;
    let mut count = || {
        let end = load_shared(&file, |name| COUNTED_BY.contains(&name))?;
        let columns = if choice.takes_all_places() { &COUNTED_BY[..2] } else { &COUNTED_BY };
        let mut n = 0;
        for rows in by_group(file.try_clone()?, end, columns.iter().copied()) {
            let rows = rows?;
            let [names, sources, accounts, regions] = COUNTED_BY.map(|column| texts.codes(&rows, column));
            let is_change = |row: &usize| {
                changes.contains(&names[*row])
                    && is_taken(choice, [&sources, &accounts, &regions].map(|codes| texts.text(codes[*row])))
            };
            n += (0..rows.num_rows()).filter(is_change).count();
        }
        Ok(n)
    };
    count().map_err(LakeError::parquet(&part.path))
}

/// The changes of keys, by `events` and what stays of pruned days.
#[derive(Debug, Default)]
pub(crate) struct KeyEvents {
    /// The first of them: time, event id, and the cells of a line.
    changes: Vec<(Option<i64>, String, Vec<Cell>)>,
    n_changes: usize,
}

impl KeyEvents {
    /// Counts the events that change keys, and reads those of the first days that have as many as are shown.
    pub(crate) fn read(lake: &Lake, choice: &Choice) -> Result<Self, LakeError> {
        let names: Keys = KEY_CHANGES.iter().collect();
        let asks = [Ask::all("event_name", &names)];
        let mut parts = [lake.parts(&EVENTS)?, lake.parts(&REMEMBERED)?].concat();
        parts.retain(|part| choice.takes_part(part));
        parts.sort_unstable();
        let counts = parts.par_iter().map(|part| count(lake, part, choice)).collect::<Result<Vec<_>, _>>()?;
        let mut found = Self { changes: Vec::new(), n_changes: counts.iter().sum() };
        let with_changes: Vec<&Part> =
            parts.iter().zip(counts).filter(|(_, count)| *count > 0).map(|(part, _)| part).collect();
        for of_day in with_changes.chunk_by(|a, b| a.event_date == b.event_date) {
            let read = of_day.par_iter().map(|part| seek(lake, part, &EVENT_COLUMNS, &asks));
            for rows in read.collect::<Result<Vec<_>, LakeError>>()?.into_iter().flatten() {
                (0..rows.num_rows()).for_each(|row| found.add(&rows, row, choice));
            }
            if found.changes.len() >= MAX_CHANGES {
                break;
            }
        }
        found.changes.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        found.changes.truncate(MAX_CHANGES);
        Ok(found)
    }

    fn add(&mut self, rows: &RecordBatch, row: usize, choice: &Choice) {
        let of = |column| text(rows, column, row);
        if is_taken(choice, ["event_source", "recipient_account_id", "aws_region"].map(of)) {
            let (time, id) = (micros(rows, "event_time", row), of("event_id"));
            let cells = vec![
                Cell::time(time),
                Cell::text(of("event_name")),
                Cell::id(of("key_arn")),
                Cell::id(of("principal_arn")),
                Cell::text(of("error_code")),
                Cell::id(id),
            ];
            self.changes.push((time, id.unwrap_or_default().to_owned(), cells));
        }
    }

    /// Shows the changes of keys, in time.
    pub(crate) fn changes(&self, choice: &Choice) -> Grid {
        let names = KEY_CHANGES.map(quoted).join(", ");
        let columns = format!("event_date, {}", EVENT_COLUMNS.join(", "));
        Grid {
            id: "keys-changed".into(),
            heads: vec!["when", "what", "key", "who", "error", "event"],
            rows: self.changes.iter().map(|(.., cells)| cells.clone()).collect(),
            sql: format!(
                "SELECT event_time, event_name, key_arn, principal_arn, error_code, event_id\nFROM (\n  \
                 SELECT {columns} FROM events\n  UNION ALL\n  -- Those of pruned days.\n  \
                 SELECT {columns} FROM remembered\n) AS logged{}\n\
                 ORDER BY event_time, event_id\nLIMIT {MAX_CHANGES}",
                choice.rows(&["event_source LIKE 'kms.%'".into(), format!("event_name IN ({names})")])
            ),
            left_out: self.n_changes - self.changes.len(),
        }
    }
}
