//! *What was read*: the ledger by account, region and day of delivery.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::mem;

use ahash::RandomState;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use serde::Serialize;
use trailweave_lake::read::columns;
use trailweave_lake::{Lake, LakeError, Part, read_once};
use trailweave_table::LEDGER;

use crate::choice::Choice;
use crate::grid::{Cell, Grid};
use crate::texts::text;

const COLUMNS: [&str; 9] =
    ["source_object", "status", "records", "rows", "duplicates", "filtered", "rejects", "verdict", "note"];
/// The columns that tell whether an object was read, after all.
const NAMES: [&str; 2] = ["source_object", "status"];
/// Lines of the table of days.
const MAX_DAYS: usize = 400;
/// Months that are drawn.
const MAX_MONTHS: usize = 60;

/// The entries of the ledger, each with the name of its object where that stands in quarantine, as a subquery.
const ENTRIES: &str = "\
WITH had AS (
  SELECT DISTINCT source_object AS had_object FROM ledger WHERE status = 'done'
), entries AS (
  SELECT
    ledger.*,
    CASE WHEN status = 'quarantined' AND note IS NULL AND had_object IS NULL THEN source_object END AS quarantined_object
  FROM ledger LEFT JOIN had ON source_object = had_object
)";
/// The same with the places of the objects, as what follows.
const OBJECTS: &str = "\
, named AS (
  SELECT *, split_part(source_object, '/CloudTrail/', 2) AS below, right(split_part(source_object, '/CloudTrail/', 1), 12) AS account
  FROM entries
  WHERE status <> 'again' AND source_object LIKE '%/CloudTrail/%'
), objects AS (
  SELECT
    *, split_part(below, '/', 1) AS region,
    concat(split_part(below, '/', 2), '-', split_part(below, '/', 3), '-', split_part(below, '/', 4)) AS day,
    substr(split_part(split_part(below, '/', 5), '_', 4), 10, 2) AS hour
  FROM named
)";

/// The counts of objects.
#[derive(Debug, Clone, Default)]
struct Counts {
    objects: u64,
    quarantined: u64,
    records: u64,
    rows: u64,
    duplicates: u64,
    filtered: u64,
    rejects: u64,
    valid: u64,
    hours: BTreeSet<String>,
}

/// Where and when an object was delivered: account, region, day.
type Place = (String, String, String);

/// All that the ledger says.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    total: Counts,
    places: BTreeMap<Place, Counts>,
    verdicts: BTreeMap<String, u64>,
    /// The objects that were refused, by their names.
    refused: BTreeMap<String, Option<Place>>,
}

/// A month of a calendar.
#[derive(Debug, Serialize)]
pub(crate) struct Month {
    account: String,
    region: String,
    name: String,
    days: Vec<Day>,
}

/// A day of a calendar.
#[derive(Debug, Serialize)]
struct Day {
    x: usize,
    class: &'static str,
    mark: String,
    says: String,
}

impl Reading {
    /// Reads the ledger.
    pub(crate) fn read(lake: &Lake, choice: &Choice) -> Result<Self, LakeError> {
        read_once(lake, &LEDGER, |parts| {
            let mut reading = Self::default();
            each(lake, &parts, &COLUMNS, |rows| reading.add(rows, choice))?;
            if !reading.refused.is_empty() {
                each(lake, &parts, &NAMES, |rows| reading.forgive(rows))?;
            }
            for place in mem::take(&mut reading.refused).into_values() {
                reading.total.quarantined += 1;
                if let Some(place) = place {
                    reading.places.entry(place).or_default().quarantined += 1;
                }
            }
            Ok(reading)
        })
    }

    fn add(&mut self, rows: &RecordBatch, choice: &Choice) {
        let chooses = *choice != Choice::default();
        for row in 0..rows.num_rows() {
            let status = text(rows, "status", row).unwrap_or_default();
            let place = text(rows, "source_object", row).and_then(place);
            let is_taken = match &place {
                Some(((account, region, day), _)) => choice.takes_object(account, region, day),
                None => !chooses,
            };
            if status == "again" || !is_taken {
                continue;
            }
            let mut counts = Counts::of(rows, row, status);
            self.total.add(&counts);
            if status == "done" {
                let verdict = text(rows, "verdict", row).unwrap_or("not looked at");
                *self.verdicts.entry(verdict.to_owned()).or_default() += 1;
            }
            let place = place.map(|(place, hour)| {
                counts.hours.insert(hour);
                self.places.entry(place.clone()).or_default().add(&counts);
                place
            });
            if let Some(name) = text(rows, "source_object", row)
                .filter(|_| status == "quarantined" && text(rows, "note", row).is_none())
            {
                self.refused.insert(name.to_owned(), place);
            }
        }
    }

    /// Lets objects stand in quarantine no more that were read before or since.
    fn forgive(&mut self, rows: &RecordBatch) {
        for row in (0..rows.num_rows()).filter(|row| text(rows, "status", *row) == Some("done")) {
            if let Some(name) = text(rows, "source_object", row) {
                self.refused.remove(name);
            }
        }
    }

    pub(crate) fn objects(&self) -> u64 {
        self.total.objects
    }

    /// Shows that every record is accounted for.
    pub(crate) fn reconciliation(&self, choice: &Choice) -> Grid {
        let it = &self.total;
        let counts =
            [it.objects, it.quarantined, it.records, it.rows, it.duplicates, it.filtered, it.rejects].map(Cell::number);
        let done =
            |column: &str| format!("coalesce(sum(CASE WHEN status = 'done' THEN {column} ELSE 0 END), 0) AS {column}");
        let sums = ["records", "rows", "duplicates", "filtered", "rejects"].map(done).join(",\n  ");
        let (before, from) = source(choice);
        Grid {
            id: "reconciliation".into(),
            heads: vec!["objects read", "quarantined", "records", "rows", "duplicates", "filtered", "rejects"],
            rows: vec![counts.into()],
            sql: format!(
                "{before}\nSELECT\n  coalesce(sum(CASE WHEN status = 'done' THEN 1 ELSE 0 END), 0) AS objects,\n  \
                 count(DISTINCT quarantined_object) AS quarantined,\n  {sums}\n{from}"
            ),
            left_out: 0,
        }
    }

    /// Shows what `verify` found.
    pub(crate) fn verdicts(&self, choice: &Choice) -> Grid {
        let (before, from) = source(choice);
        let and = if from.contains("WHERE") { "\n  AND status = 'done'" } else { "\nWHERE status = 'done'" };
        Grid {
            id: "verdicts".into(),
            heads: vec!["verdict", "objects"],
            rows: self.verdicts.iter().map(|(it, n)| vec![Cell::text(Some(it)), Cell::number(*n)]).collect(),
            sql: format!(
                "{before}\nSELECT coalesce(verdict, 'not looked at') AS verdict, count(*) AS objects\n{from}{and}\nGROUP BY 1\nORDER BY 1"
            ),
            left_out: 0,
        }
    }

    /// Tells how many objects were proven, of those read.
    pub(crate) fn proven(&self) -> u64 {
        self.total.valid
    }

    /// Shows each day.
    pub(crate) fn days(&self, choice: &Choice) -> Grid {
        let row = |((account, region, day), it): (&Place, &Counts)| {
            let mut row = vec![Cell::text(Some(account)), Cell::text(Some(region)), Cell::text(Some(day))];
            row.extend([it.objects, it.quarantined, it.records, it.rows, it.without(), it.valid].map(Cell::number));
            row
        };
        let done = |value: &str| format!("sum(CASE WHEN status = 'done' THEN {value} ELSE 0 END)");
        Grid {
            id: "days".into(),
            heads: vec![
                "account",
                "region",
                "day",
                "objects",
                "quarantined",
                "records",
                "rows",
                "hours without an object",
                "verified",
            ],
            rows: self.places.iter().take(MAX_DAYS).map(row).collect(),
            sql: format!(
                "{ENTRIES}{OBJECTS}\nSELECT\n  account, region, day, {} AS objects,\n  \
                 count(DISTINCT quarantined_object) AS quarantined,\n  {} AS records, {} AS rows,\n  \
                 24 - count(DISTINCT hour) AS hours_without_an_object,\n  \
                 sum(CASE WHEN status = 'done' AND verdict = 'valid' THEN 1 ELSE 0 END) AS verified\nFROM objects{}\n\
                 GROUP BY 1, 2, 3\nORDER BY 1, 2, 3\nLIMIT {MAX_DAYS}",
                done("1"),
                done("records"),
                done("rows"),
                choice.objects(&[]),
            ),
            left_out: self.places.len().saturating_sub(MAX_DAYS),
        }
    }

    /// Draws the days as a calendar, a line for each account, region and month; says how many lines were left out.
    pub(crate) fn calendar(&self) -> (Vec<Month>, usize) {
        let mut months: Vec<Month> = Vec::new();
        let mut left_out = HashSet::<_, RandomState>::default();
        for ((account, region, day), counts) in &self.places {
            let Some((month, of_month)) = day.split_at_checked(7) else { continue };
            let is_same = |last: &Month| (&last.account, &last.region, &*last.name) == (account, region, month);
            if !months.last().is_some_and(is_same) {
                if months.len() == MAX_MONTHS {
                    left_out.insert((account, region, month));
                    continue;
                }
                let [account, region] = [account, region].map(String::clone);
                months.push(Month { account, region, name: month.to_owned(), days: Vec::new() });
            }
            let nth: usize = of_month.trim_start_matches('-').parse().unwrap_or_default();
            if let Some(last) = months.last_mut() {
                last.days.push(counts.day(nth, day));
            }
        }
        (months, left_out.len())
    }
}

impl Counts {
    fn of(rows: &RecordBatch, row: usize, status: &str) -> Self {
        let is_done = status == "done";
        let count = |column: &str| {
            let numbers = rows.column_by_name(column).and_then(|column| column.as_primitive_opt::<Int64Type>());
            let number = numbers.filter(|it| is_done && it.is_valid(row)).map_or(0, |it| it.value(row));
            u64::try_from(number).unwrap_or_default()
        };
        Self {
            objects: u64::from(is_done),
            quarantined: 0,
            records: count("records"),
            rows: count("rows"),
            duplicates: count("duplicates"),
            filtered: count("filtered"),
            rejects: count("rejects"),
            valid: u64::from(is_done && text(rows, "verdict", row) == Some("valid")),
            hours: BTreeSet::new(),
        }
    }

    fn add(&mut self, more: &Self) {
        self.objects += more.objects;
        self.quarantined += more.quarantined;
        self.records += more.records;
        self.rows += more.rows;
        self.duplicates += more.duplicates;
        self.filtered += more.filtered;
        self.rejects += more.rejects;
        self.valid += more.valid;
        self.hours.extend(more.hours.iter().cloned());
    }

    fn without(&self) -> u64 {
        24_u64.saturating_sub(self.hours.len() as u64)
    }

    fn day(&self, nth: usize, day: &str) -> Day {
        let without = self.without();
        let (class, mark) = match without {
            _ if self.quarantined > 0 => ("refused", "Q".to_owned()),
            0 => ("whole", "24".to_owned()),
            n => ("gaps", (24 - n).to_string()),
        };
        let says = format!(
            "{day}: {} objects, {} records, {} quarantined, {without} hours without an object, {} verified",
            self.objects, self.records, self.quarantined, self.valid
        );
        Day { x: nth.saturating_sub(1), class, mark, says }
    }
}

/// Returns what stands before a SELECT over the chosen objects, and its FROM.
fn source(choice: &Choice) -> (String, String) {
    if *choice == Choice::default() {
        (ENTRIES.to_owned(), "FROM entries".to_owned())
    } else {
        (format!("{ENTRIES}{OBJECTS}"), format!("FROM objects{}", choice.objects(&[])))
    }
}

/// Visits the rows of files of the ledger.
fn each(lake: &Lake, parts: &[Part], names: &[&str], mut visit: impl FnMut(&RecordBatch)) -> Result<(), LakeError> {
    for part in parts {
        let file = lake.open_listed(part)?;
        let read = || {
            for rows in columns(file, names.iter().copied())?.build()? {
                visit(&rows?);
            }
            Ok(())
        };
        read().map_err(LakeError::parquet(&part.path))?;
    }
    Ok(())
}

/// Returns the place of an object by its name, and the hour of its delivery, as the SQL takes them.
fn place(name: &str) -> Option<(Place, String)> {
    let (above, below) = name.split_once("/CloudTrail/")?;
    let below = below.split("/CloudTrail/").next()?;
    let piece = |n: usize| below.split('/').nth(n).unwrap_or_default();
    let account = above.char_indices().rev().nth(11).map_or(above, |(at, _)| &above[at..]);
    let day = format!("{}-{}-{}", piece(1), piece(2), piece(3));
    let hour = piece(4).split('_').nth(3).unwrap_or_default().chars().skip(9).take(2).collect();
    Some(((account.to_owned(), piece(0).to_owned(), day), hour))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_by_the_name_of_an_object() {
        let name = "s3://b/AWSLogs/o-1/111122223333/CloudTrail/eu-west-1/2026/09/01/111122223333_CloudTrail_eu-west-1_20260901T0355Z_x.json.gz";
        let (place, hour) = place(name).unwrap();
        assert_eq!(place, ("111122223333".into(), "eu-west-1".into(), "2026-09-01".into()));
        assert_eq!(hour, "03");
    }
}
