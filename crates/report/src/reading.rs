//! *What was read*: the ledger by account, region and day of delivery.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::mem;

use ahash::RandomState;
use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use serde::Serialize;
use trailweave_lake::read::columns;
use trailweave_lake::{Lake, LakeError, Part, read_once};
use trailweave_table::LEDGER;

use crate::choice::Choice;
use crate::grid::{Cell, Grid};
use crate::passes::read_all;
use crate::texts::{texts, value};

const COLUMNS: [&str; 9] =
    ["source_object", "status", "verdict", "note", "records", "rows", "duplicates", "filtered", "rejects"];
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
            let of_part = |part: &Part| {
                let mut reading = Self::default();
                each(lake, part, &COLUMNS, |rows| reading.add(rows, choice))?;
                Ok(reading)
            };
            let mut reading = read_all(&parts, of_part, Self::merge)?;
            if !reading.refused.is_empty() {
                parts.iter().try_for_each(|part| each(lake, part, &NAMES, |rows| reading.forgive(rows)))?;
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

    fn merge(&mut self, more: Self) {
        self.total.add(&more.total);
        for (place, counts) in more.places {
            self.places.entry(place).or_default().add(&counts);
        }
        for (verdict, n) in more.verdicts {
            *self.verdicts.entry(verdict).or_default() += n;
        }
        self.refused.extend(more.refused);
    }

    fn add(&mut self, rows: &RecordBatch, choice: &Choice) {
        let chooses = *choice != Choice::default();
        let columns = Columns::of(rows);
        // Objects of a place stand together, and are added to it together.
        let mut run: Option<(Option<Words<'_>>, Counts)> = None;
        for row in 0..rows.num_rows() {
            let status = value(columns.statuses, row).unwrap_or_default();
            let name = value(columns.names, row);
            let (words, hour) = name.and_then(words).unzip();
            let is_taken = match &words {
                Some(words) if chooses => choice.takes_object(words.account, words.region, &words.day()),
                Some(_) => true,
                None => !chooses,
            };
            if status == "again" || !is_taken {
                continue;
            }
            match &run {
                Some((same, _)) if *same == words => {}
                _ => self.end(run.replace((words, Counts::default()))),
            }
            let Some((_, counts)) = &mut run else { continue };
            counts.count(&columns, row, status == "done", hour);
            if status == "done" {
                let verdict = value(columns.verdicts, row).unwrap_or("not looked at");
                match self.verdicts.get_mut(verdict) {
                    Some(n) => *n += 1,
                    None => *self.verdicts.entry(verdict.to_owned()).or_default() += 1,
                }
            }
            if let Some(name) = name.filter(|_| status == "quarantined" && value(columns.notes, row).is_none()) {
                self.refused.insert(name.to_owned(), words.map(Words::place));
            }
        }
        self.end(run);
    }

    fn end(&mut self, run: Option<(Option<Words<'_>>, Counts)>) {
        let Some((words, counts)) = run else { return };
        self.total.add(&counts);
        if let Some(words) = words {
            self.places.entry(words.place()).or_default().add(&counts);
        }
    }

    /// Lets objects stand in quarantine no more that were read before or since.
    fn forgive(&mut self, rows: &RecordBatch) {
        let [names, statuses] = NAMES.map(|column| texts(rows, column));
        for row in (0..rows.num_rows()).filter(|row| value(statuses, *row) == Some("done")) {
            if let Some(name) = value(names, row) {
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
    /// Counts an object that was delivered in this hour.
    fn count(&mut self, columns: &Columns<'_>, row: usize, is_done: bool, hour: Option<&str>) {
        if let Some(hour) = hour.filter(|hour| !self.hours.contains(*hour)) {
            self.hours.insert(hour.to_owned());
        }
        if !is_done {
            return;
        }
        let number = |numbers: Option<&Int64Array>| numbers.filter(|it| it.is_valid(row)).map_or(0, |it| it.value(row));
        let [records, rows, duplicates, filtered, rejects] =
            columns.counts.map(|numbers| u64::try_from(number(numbers)).unwrap_or_default());
        self.objects += 1;
        self.records += records;
        self.rows += rows;
        self.duplicates += duplicates;
        self.filtered += filtered;
        self.rejects += rejects;
        self.valid += u64::from(value(columns.verdicts, row) == Some("valid"));
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

/// Visits the rows of a file of the ledger.
fn each(lake: &Lake, part: &Part, names: &[&str], mut visit: impl FnMut(&RecordBatch)) -> Result<(), LakeError> {
    let file = lake.open_listed(part)?;
    let read = || {
        for rows in columns(file, names.iter().copied())?.build()? {
            visit(&rows?);
        }
        Ok(())
    };
    read().map_err(LakeError::parquet(&part.path))
}

/// The columns of rows of the ledger.
struct Columns<'r> {
    names: Option<&'r StringArray>,
    statuses: Option<&'r StringArray>,
    verdicts: Option<&'r StringArray>,
    notes: Option<&'r StringArray>,
    /// Records, rows, duplicates, filtered, rejects.
    counts: [Option<&'r Int64Array>; 5],
}

impl<'r> Columns<'r> {
    fn of(rows: &'r RecordBatch) -> Self {
        let [names, statuses, verdicts, notes, counts @ ..] = COLUMNS;
        let [names, statuses, verdicts, notes] = [names, statuses, verdicts, notes].map(|it| texts(rows, it));
        let counts = counts.map(|it| rows.column_by_name(it)?.as_primitive_opt::<Int64Type>());
        Self { names, statuses, verdicts, notes, counts }
    }
}

/// The place of an object in the words of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Words<'n> {
    account: &'n str,
    region: &'n str,
    day: [&'n str; 3],
}

impl Words<'_> {
    fn day(&self) -> String {
        self.day.join("-")
    }

    fn place(self) -> Place {
        (self.account.to_owned(), self.region.to_owned(), self.day())
    }
}

/// Returns the place of an object by its name, and the hour of its delivery, as the SQL takes them.
fn words(name: &str) -> Option<(Words<'_>, &str)> {
    let (above, below) = name.split_once("/CloudTrail/")?;
    let below = below.split("/CloudTrail/").next()?;
    let account = above.char_indices().rev().nth(11).map_or(above, |(at, _)| &above[at..]);
    let mut pieces = below.split('/');
    let [region, year, month, day, file] = [(); 5].map(|()| pieces.next().unwrap_or_default());
    let time = file.split('_').nth(3).unwrap_or_default();
    let at = |nth| time.char_indices().nth(nth).map_or(time.len(), |(at, _)| at);
    Some((Words { account, region, day: [year, month, day] }, &time[at(9)..at(11)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_by_the_name_of_an_object() {
        let name = "s3://b/AWSLogs/o-1/111122223333/CloudTrail/eu-west-1/2026/09/01/111122223333_CloudTrail_eu-west-1_20260901T0355Z_x.json.gz";
        let (words, hour) = words(name).unwrap();
        assert_eq!(words.place(), ("111122223333".into(), "eu-west-1".into(), "2026-09-01".into()));
        assert_eq!(hour, "03");
    }
}
