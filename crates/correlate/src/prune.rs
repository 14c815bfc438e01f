//! Days leave the lake. What the join of later days may look at stays in the table `remembered`, whose rows are joined as
//! those of `events` are.
//!
//! An event of a pruned day is looked at by others as their cause, launch, grant, its end, data key or evidence, as a copy
//! of a KMS event, or as what issued an access key (`docs/join.md`). All these stay, so that the rows of the days that are
//! left are what they were, however they are computed again. What changed the state or the policy of a key stays, too:
//! questions about later uses and the report ask for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::Array;
use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::BooleanArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::array::new_null_array;
use arrow::compute::filter_record_batch;
use arrow::datatypes::Field;
use arrow::datatypes::Int32Type;
use arrow::datatypes::Schema;
use parquet::errors::ParquetError;
use parquet::file::reader::Length;
use serde::Serialize;
use trailweave_lake::Change;
use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Part;
use trailweave_lake::TableWriter;
use trailweave_lake::read::{Keys, by_group, load_shared};
use trailweave_table::{Column, KEY_CHANGES, LOGGED, REMEMBERED, Table};
use trailweave_table::{date_of_day, day_of_date, partition_dir, product_name};

use crate::CorrelateError;
use crate::correlate::{RULES, covered, joined, refuse_gone};
use crate::events::{are_joined, columns, each_text, is_ec2, is_shared};
use crate::kind::{Kind, makes_data_key};
use crate::replacement::PRUNED_PRODUCTS;
use crate::summary::rows_of;

/// Credentials of STS live for 36 hours at most, so an access key is used on the day of its issue or on these after it.
const DAYS_OF_USE: i32 = 2;
/// Clocks of services differ, so around midnight it may be used on the day before.
const DAYS_BEFORE: i32 = 1;

/// The parts that left a lake, and what stays of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Days of `events` and `sessions`.
    pub days: u64,
    /// Files of tables that went.
    pub files: u64,
    /// Rows of `events` and `sessions` in them.
    pub rows: u64,
    /// Those that stay in `remembered`.
    pub remembered: u64,
}

/// Lets all days before `before` leave the tables as a part of `change`: their events, and what happened on them. The
/// files of other days stay as they are.
///
/// Needs: the lake's lock, held by the caller, and products that cover the events of these days.
pub fn prune(lake: &Lake, before: i32, change: &mut Change<'_>) -> Result<Pruned, CorrelateError> {
    let parts = joined(lake)?;
    let Some(mut covered) = covered(lake, &parts)? else { return Err(CorrelateError::Behind) };
    // What pruned days leave is made of them, and they are not read again.
    refuse_gone(&covered, &Covered::of(lake, RULES, &parts))?;
    let days = Days::of(lake)?;
    let mut leaving = days.parts.range(..before).flat_map(|(_, parts)| parts);
    if leaving.any(|(_, part)| !covered.has(lake.below(&part.path), part.bytes)) {
        return Err(CorrelateError::Behind);
    }
    let (mut pruned, mut uses) = (Pruned::default(), Uses { days: &days, keys: BTreeMap::new() });
    for (day, parts) in days.parts.range(..before) {
        let (of_day, remembered) = remember(lake, *day, parts, &uses.around(lake, *day)?, change)?;
        pruned.days += 1;
        pruned.rows += of_day;
        pruned.files += parts.len() as u64;
        covered.forget_parts(lake, parts.iter().map(|(_, part)| part));
        for (_, part) in parts {
            change.remove(&part.path);
        }
        if let Some((part, n_rows)) = remembered {
            covered.add(lake, &part);
            pruned.remembered += n_rows;
        }
    }
    for table in PRUNED_PRODUCTS {
        for part in lake.parts(table)?.iter().filter(|part| day_of(part).is_some_and(|day| day < before)) {
            pruned.files += 1;
            change.remove(&part.path);
        }
    }
    covered.stage(lake, change)?;
    Ok(pruned)
}

/// Counts what would leave the tables with all days before `before`; none of it is said to stay in `remembered`.
pub fn prunable(lake: &Lake, before: i32) -> Result<Pruned, CorrelateError> {
    let mut pruned = Pruned::default();
    for parts in Days::of(lake)?.parts.range(..before).map(|(_, parts)| parts) {
        pruned.days += 1;
        pruned.files += parts.len() as u64;
        for (_, part) in parts {
            pruned.rows += rows_of(lake.open_listed(part)?).map_err(LakeError::parquet(&part.path))?;
        }
    }
    for table in PRUNED_PRODUCTS {
        let parts = lake.parts(table)?;
        pruned.files += parts.iter().filter(|part| day_of(part).is_some_and(|day| day < before)).count() as u64;
    }
    Ok(pruned)
}

fn day_of(part: &Part) -> Option<i32> {
    day_of_date(part.event_date.as_deref()?)
}

/// Parts of tables by their days.
type ByDay = BTreeMap<i32, Vec<(&'static Table, Part)>>;

/// The parts of `events` and `sessions`, and what is remembered of earlier ones.
struct Days {
    parts: ByDay,
    remembered: ByDay,
}

impl Days {
    fn of(lake: &Lake) -> Result<Self, LakeError> {
        Ok(Self { parts: by_day(lake, &LOGGED)?, remembered: by_day(lake, &[&REMEMBERED])? })
    }

    /// Returns all parts of a day.
    fn of_day(&self, day: i32) -> impl Iterator<Item = &Part> {
        [&self.parts, &self.remembered]
            .into_iter()
            .filter_map(move |parts| parts.get(&day))
            .flatten()
            .map(|(_, part)| part)
    }
}

fn by_day(lake: &Lake, tables: &[&'static Table]) -> Result<ByDay, LakeError> {
    let mut parts = ByDay::new();
    for &table in tables {
        for part in lake.parts(table)? {
            if let Some(day) = day_of(&part) {
                parts.entry(day).or_default().push((table, part));
            }
        }
    }
    Ok(parts)
}

/// The access keys that events used which may be a cause or have issued another key, by day.
struct Uses<'d> {
    days: &'d Days,
    keys: BTreeMap<i32, Keys>,
}

impl Uses<'_> {
    /// Returns those of a day and of the days around it on which its keys may be used. Needs: days come in their order.
    fn around(&mut self, lake: &Lake, day: i32) -> Result<Vec<&Keys>, CorrelateError> {
        self.keys.retain(|of_day, _| *of_day >= day - DAYS_BEFORE);
        for near in day - DAYS_BEFORE..=day + DAYS_OF_USE {
            if !self.keys.contains_key(&near) {
                self.keys.insert(near, used_keys(lake, self.days.of_day(near))?);
            }
        }
        Ok(self.keys.values().collect())
    }
}

fn used_keys<'p>(lake: &Lake, parts: impl Iterator<Item = &'p Part>) -> Result<Keys, CorrelateError> {
    let mut keys = Keys::default();
    for part in parts {
        each_batch(lake, part, &["access_key_id", "event_source", "event_name"], |rows| {
            let counts = if is_session(rows) { vec![true; rows.num_rows()] } else { uses_keys(rows) };
            let used = rows["access_key_id"].as_dictionary::<Int32Type>();
            let values = used.values().as_string::<i32>();
            for (key, _) in used.keys().iter().zip(counts).filter(|(_, counts)| *counts) {
                let at = key.and_then(|key| usize::try_from(key).ok());
                keys.extend(at.map(|at| values.value(at)));
            }
            Ok(())
        })?;
    }
    Ok(keys)
}

/// Tells of each row whether who made the call may stand behind others: it may be a cause, or have issued a key.
fn uses_keys(rows: &RecordBatch) -> Vec<bool> {
    let causes = may_cause(rows);
    let is_sts = each_text(rows, "event_source", |source| source.starts_with("sts."));
    causes.into_iter().zip(is_sts).map(|(is_cause, is_sts)| is_cause || is_sts).collect()
}

/// Tells of each row whether it is an EC2 event that may make a KMS event happen. A call that describes does not.
fn may_cause(rows: &RecordBatch) -> Vec<bool> {
    let of_ec2 = each_text(rows, "event_source", is_ec2);
    let describes = each_text(rows, "event_name", |name| name.starts_with("Describe"));
    of_ec2.into_iter().zip(describes).map(|(is_ec2, describes)| is_ec2 && !describes).collect()
}

/// Tells whether rows are those of `sessions`, which has no column for it, as all are of STS.
fn is_session(rows: &RecordBatch) -> bool {
    rows.column_by_name("event_source").is_none()
}

/// Writes what later days may look at of a day's rows, as a part of `change`. Returns how many rows there were, and the
/// part that stays with its rows, if any do.
fn remember(
    lake: &Lake,
    day: i32,
    parts: &[(&'static Table, Part)],
    used: &[&Keys],
    change: &mut Change<'_>,
) -> Result<(u64, Option<(Part, u64)>), CorrelateError> {
    let date = date_of_day(day);
    let folder = lake.table_dir(&REMEMBERED).join(partition_dir(&date));
    let staged = change.stage(&folder.join("part.parquet"));
    let mut writer = TableWriter::new(lake.create_file(&staged)?, &REMEMBERED)?;
    let (columns, mut n_rows) = (columns().collect::<Vec<_>>(), 0);
    for (_, part) in parts {
        each_batch(lake, part, &columns, |rows| {
            n_rows += rows.num_rows() as u64;
            let staying = filter_record_batch(rows, &stays(rows, used))
                .map_err(|source| CorrelateError::Rows { table: REMEMBERED.name, source })?;
            Ok(writer.write(&remembered(&staying))?)
        })?;
    }
    let written = writer.commit()?;
    if written.n_rows == 0 {
        return Ok((n_rows, None));
    }
    let path: PathBuf = folder.join(product_name(&written.digest));
    let bytes = lake.open_part(&staged)?.len();
    change.name(&staged, &path);
    Ok((n_rows, Some((Part { event_date: Some(date), path, bytes }, written.n_rows))))
}

/// Tells of each row whether a later one, or a question about one, may look at it.
fn stays(rows: &RecordBatch, used: &[&Keys]) -> BooleanArray {
    let issued = rows.column_by_name("issued_access_key_id").map(AsArray::as_string::<i32>);
    let is_used = |row: usize| {
        let key = issued.filter(|issued| issued.is_valid(row)).map(|issued| issued.value(row));
        key.is_some_and(|key| used.iter().any(|used| used.contains(key)))
    };
    if is_session(rows) {
        return (0..rows.num_rows()).map(|row| Some(is_used(row))).collect();
    }
    let is_joined = are_joined(rows);
    let is_cause = may_cause(rows);
    let is_kms = each_text(rows, "event_source", |source| source.starts_with("kms."));
    let of_kind = |passes: fn(Kind) -> bool| each_text(rows, "event_name", |name| passes(Kind::named(name).0));
    let of_grant = of_kind(|kind| matches!(kind, Kind::CreateGrant | Kind::EndGrant));
    let makes_key = of_kind(makes_data_key);
    let decrypts = of_kind(|kind| kind == Kind::Decrypt);
    let changes_key = each_text(rows, "event_name", |name| KEY_CHANGES.contains(&name));
    let names = |column: &str, row: usize| {
        let ids = rows[column].as_list::<i32>();
        ids.is_valid(row) && ids.value_length(row) > 0
    };
    let is_copy = |row: usize| rows["shared_event_id"].is_valid(row);
    let tells = |row: usize| makes_key[row] || decrypts[row] && names("instance_ids", row);
    let kms_stays =
        |row: usize| of_grant[row] || changes_key[row] || is_copy(row) || names("volume_ids", row) && tells(row);
    let stays = |row: usize| is_joined[row] && (is_cause[row] || is_kms[row] && kms_stays(row) || is_used(row));
    (0..rows.num_rows()).map(|row| Some(stays(row))).collect()
}

/// Gives rows the columns of `remembered`.
fn remembered(rows: &RecordBatch) -> RecordBatch {
    let n_rows = rows.num_rows();
    let column = |column: &Column| -> ArrayRef {
        match rows.column_by_name(column.name) {
            Some(array) => Arc::clone(array),
            None if column.name == "event_source" => Arc::new(StringArray::from(vec!["sts.amazonaws.com"; n_rows])),
            None => new_null_array(&REMEMBERED.data_type(column), n_rows),
        }
    };
    let columns: Vec<ArrayRef> = REMEMBERED.columns.iter().map(column).collect();
    let fields = REMEMBERED.columns.iter().zip(&columns);
    let fields = fields.map(|(column, array)| Field::new(column.name, array.data_type().clone(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)
        .expect("each column has its own type and a value of every row")
}

/// Reads columns of a part, those of few values as dictionaries.
fn each_batch(
    lake: &Lake,
    part: &Part,
    columns: &[&str],
    mut take: impl FnMut(&RecordBatch) -> Result<(), CorrelateError>,
) -> Result<(), CorrelateError> {
    let file = lake.open_listed(part)?;
    let failed = |source: ParquetError| LakeError::parquet(&part.path)(source);
    let end = load_shared(&file, is_shared).map_err(failed)?;
    for rows in by_group(file, end, columns.iter().copied()) {
        take(&rows.map_err(failed)?)?;
    }
    Ok(())
}
