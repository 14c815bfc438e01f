//! The ledger beside the rows that the lake has: whether each day has what its objects gave.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::path::PathBuf;

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::datatypes::Int64Type;
use arrow::datatypes::TimestampMicrosecondType;
use jiff::civil::Date;
use serde::Serialize;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Part;
use trailweave_lake::read;
use trailweave_table::LEDGER;
use trailweave_table::LOGGED;
use trailweave_table::PRODUCTS;
use trailweave_table::date_of_day;
use trailweave_table::day_of_time;
use trailweave_table::ms_of_time;

use crate::IngestError;
use crate::kept_days::KeptDays;
use crate::ledger::DONE;
use crate::ledger::read_columns;
use crate::run::leftovers::{Found, find_all};
use crate::source::key::place_of;

const COLUMNS: [&str; 5] = ["source_object", "status", "rows", "min_event_time", "max_event_time"];

/// The rows of `events` and `sessions` beside those that the ledger counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    /// Rows by the ledger. In a lake whose days were pruned, those of objects of which every row is of a day that is kept.
    pub counted_rows: u64,
    /// Rows in the parts that can be read.
    pub found_rows: u64,
    /// True in a lake whose days were pruned: there may be more rows than were counted.
    pub is_pruned: bool,
    /// The days that lack rows, as far as that can be told of a day alone.
    pub lacking: Vec<LackingDay>,
    /// Parts of these that are damaged.
    pub damaged: Vec<PathBuf>,
    /// Files of the tables of the join that are damaged.
    pub damaged_tables: Vec<PathBuf>,
    /// The first and the last day of delivery of the objects that gave rows, where their names tell any.
    pub delivered: Option<(String, String)>,
    /// Files that killed runs left behind.
    pub leftovers: u64,
    /// Parts of batches that the ledger has lost; their rows are not among those that were found.
    pub orphans: Vec<PathBuf>,
}

/// A day that has fewer rows than its objects gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LackingDay {
    /// The day of the events, `YYYY-MM-DD`.
    pub event_date: String,
    /// Rows that the ledger knows to be of this day: all of an object, where its earliest and latest row are; else these.
    pub counted_rows: u64,
    /// Rows in the parts of the day.
    pub found_rows: u64,
    /// The first and the last day of delivery of these objects, where their names tell any.
    pub delivered: Option<(String, String)>,
}

impl Reconciled {
    /// Counts the rows that are lacking; 0 where there are as many as were counted, or more.
    pub fn lacking_rows(&self) -> u64 {
        let of_days = self.lacking.iter().map(|day| day.counted_rows - day.found_rows).sum();
        self.counted_rows.saturating_sub(self.found_rows).max(of_days)
    }

    /// Counts the rows that nobody counted; 0 in a lake whose days were pruned, where that cannot be told.
    pub fn surplus_rows(&self) -> u64 {
        if self.is_pruned { 0 } else { self.found_rows.saturating_sub(self.counted_rows) }
    }
}

/// The objects of a day.
#[derive(Debug, Default)]
struct OfDay {
    rows: u64,
    delivered: Option<(Date, Date)>,
}

/// Compares the ledger with the ends of all parts.
///
/// Needs: the lake's lock.
pub fn reconcile(lake: &Lake) -> Result<Reconciled, IngestError> {
    let kept = KeptDays::of(lake)?;
    let mut reconciled = Reconciled { is_pruned: lake.pruned_before()?.is_some(), ..Reconciled::default() };
    let Found { leftovers, orphans } = find_all(lake)?;
    reconciled.leftovers = leftovers.len() as u64;
    reconciled.orphans = orphans.iter().map(|path| lake.below(path).to_owned()).collect();
    let uncounted: HashSet<PathBuf> = leftovers.into_iter().chain(orphans).collect();
    let mut days: BTreeMap<String, OfDay> = BTreeMap::new();
    for part in lake.parts(&LEDGER)?.into_iter().filter(|part| !uncounted.contains(&part.path)) {
        for rows in read_columns(lake, &part.path, &COLUMNS)? {
            reconciled.counted_rows += count(&rows?, kept, &mut days).ok_or_else(|| LakeError::Damaged {
                path: part.path.clone(),
                source: "it lacks a column of the ledger, or has one of another type".into(),
            })?;
        }
    }
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for table in LOGGED {
        for part in lake.parts(table)?.into_iter().filter(|part| !uncounted.contains(&part.path)) {
            let Some(n_rows) = rows_by_end(lake, &part) else {
                reconciled.damaged.push(lake.below(&part.path).to_owned());
                continue;
            };
            *found.entry(part.event_date.unwrap_or_default()).or_default() += n_rows;
            reconciled.found_rows += n_rows;
        }
    }
    for table in PRODUCTS {
        let damaged = lake.parts(table)?.into_iter().filter(|part| rows_by_end(lake, part).is_none());
        reconciled.damaged_tables.extend(damaged.map(|part| lake.below(&part.path).to_owned()));
    }
    let delivered = || days.values().filter_map(|of_day| of_day.delivered);
    let bounds = delivered().map(|(from, _)| from).min().zip(delivered().map(|(_, to)| to).max());
    reconciled.delivered = bounds.map(|(from, to)| (from.to_string(), to.to_string()));
    reconciled.lacking = lacking(days, &found);
    Ok(reconciled)
}

/// Reads from the end of a part how many rows it has; `None` where that is damaged.
fn rows_by_end(lake: &Lake, part: &Part) -> Option<u64> {
    let end = read::load(&lake.open_listed(part).ok()?).ok()?;
    Some(u64::try_from(end.metadata().file_metadata().num_rows()).unwrap_or_default())
}

/// Counts the rows of the objects that a batch of the ledger names; those of one day by it, too.
fn count(batch: &RecordBatch, kept: KeptDays, days: &mut BTreeMap<String, OfDay>) -> Option<u64> {
    let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
    let time = |name| batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>();
    let (objects, statuses) = (text("source_object")?, text("status")?);
    let (earliest, latest) = (time("min_event_time")?, time("max_event_time")?);
    let rows = batch.column_by_name("rows")?.as_primitive_opt::<Int64Type>()?;
    let mut counted = 0;
    for row in (0..batch.num_rows()).filter(|row| statuses.value(*row) == DONE && earliest.is_valid(*row)) {
        let [first, last] = [earliest, latest].map(|times| day_of_time(ms_of_time(times.value(row))));
        if !kept.has(first) {
            continue;
        }
        let n_rows = u64::try_from(rows.value(row)).unwrap_or_default();
        counted += n_rows;
        // The earliest and the latest row are of these days; of which those between are, nobody knows.
        let known = if first == last { [(first, n_rows), (last, 0)] } else { [(first, 1), (last, 1)] };
        for (day, n_rows) in known {
            days.entry(date_of_day(day)).or_default().add(n_rows, objects.value(row));
        }
    }
    Some(counted)
}

impl OfDay {
    fn add(&mut self, n_rows: u64, object: &str) {
        self.rows += n_rows;
        if let Some(place) = place_of(object) {
            let (from, to) = self.delivered.unwrap_or((place.day, place.day));
            self.delivered = Some((from.min(place.day), to.max(place.day)));
        }
    }
}

fn lacking(days: BTreeMap<String, OfDay>, found: &BTreeMap<String, u64>) -> Vec<LackingDay> {
    let mut lacking = Vec::new();
    for (event_date, OfDay { rows, delivered }) in days {
        let found_rows = found.get(&event_date).copied().unwrap_or_default();
        if found_rows < rows {
            let delivered = delivered.map(|(from, to)| (from.to_string(), to.to_string()));
            lacking.push(LackingDay { event_date, counted_rows: rows, found_rows, delivered });
        }
    }
    lacking
}
