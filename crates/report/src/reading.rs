//! *What was read*: the ledger by account, region and day of delivery.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::mem;

use ahash::RandomState;
use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use serde::Serialize;
use trailweave_lake::read::columns;
use trailweave_lake::{Lake, LakeError, Part, read_once};
use trailweave_table::{LEDGER, date_of_day};

use crate::choice::{Choice, quoted};
use crate::grid::{Cell, Grid};
use crate::passes::read_all;
use crate::texts::{texts, value};

const COLUMNS: [&str; 9] =
    ["source_object", "status", "verdict", "note", "records", "rows", "duplicates", "filtered", "rejects"];
/// The columns that tell whether an object was read, after all.
const STATES: [&str; 4] = ["source_object", "status", "records", "rejects"];
/// Lines of the table of days.
const MAX_DAYS: usize = 400;
/// Months that are drawn.
const MAX_MONTHS: usize = 60;

/// The entries of the ledger with the places of their objects, as subqueries. The place is that of the folders, else of the
/// name, as ingest takes it; whatever matches neither stays as it is.
const PLACED: &str = r"WITH placed AS (
  SELECT
    *,
    regexp_replace(regexp_replace(
      source_object,
      '(?s)^(?:.*/)?AWSLogs/(?:o-[^/]+/)?([0-9]{12})/CloudTrail(?:-NetworkActivity)?/([^/]+)/([0-9]{4})/(0[1-9]|1[0-2])/(0[1-9]|[12][0-9]|3[01])/.*$',
      '\1/\2/\3-\4-\5'),
      '(?s)^(?:.*/)?([0-9]{12})_CloudTrail(?:-NetworkActivity)?_([a-z0-9-]+)_([0-9]{4})(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T[0-9]{4}Z[^/]*$',
      '\1/\2/\3-\4-\5') AS place,
    status = 'quarantined' OR records > 0 AND records = rejects AS gave_no_row
  FROM ledger
  WHERE status <> 'again'
), had AS (
  SELECT DISTINCT source_object AS had_object FROM placed WHERE NOT gave_no_row
), named AS (
  SELECT
    placed.*, gave_no_row AND note IS NULL AND had_object IS NULL AS stands,
    CASE WHEN place <> source_object THEN split_part(place, '/', 1) END AS account,
    CASE WHEN place <> source_object THEN split_part(place, '/', 2) END AS region,
    CASE WHEN place <> source_object THEN split_part(place, '/', 3) END AS day,
    CASE
      WHEN split_part(split_part(source_object, '/', -1), '_', 2) = 'CloudTrail'
      THEN nullif(substr(split_part(split_part(source_object, '/', -1), '_', 4), 10, 2), '')
    END AS hour
  FROM placed LEFT JOIN had ON source_object = had_object
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
    /// The objects that gave no row, by their names.
    refused: BTreeMap<String, Option<Place>>,
    /// The first day that the lake keeps.
    pruned_before: Option<String>,
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
        let pruned_before = lake.pruned_before()?.map(date_of_day);
        read_once(lake, &LEDGER, |parts| {
            let of_part = |part: &Part| {
                let mut reading = Self::default();
                each(lake, part, &COLUMNS, |rows| reading.add(rows, choice))?;
                Ok(reading)
            };
            let mut reading = read_all(&parts, of_part, Self::merge)?;
            if !reading.refused.is_empty() {
                parts.iter().try_for_each(|part| each(lake, part, &STATES, |rows| reading.forgive(rows)))?;
            }
            reading.pruned_before.clone_from(&pruned_before);
            reading.count_refused();
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
            let name = value(columns.names, row).unwrap_or_default();
            let words = words(name);
            // One without a place is in every choice, as in `status`.
            let is_taken = |it: &Words<'_>| !chooses || choice.takes_object(it.account, it.region, &it.day());
            if status == "again" || !words.as_ref().is_none_or(is_taken) {
                continue;
            }
            match &run {
                Some((same, _)) if *same == words => {}
                _ => self.end(run.replace((words, Counts::default()))),
            }
            let Some((_, counts)) = &mut run else { continue };
            counts.count(&columns, row, status == "done", hour(name));
            if status == "done" {
                let verdict = value(columns.verdicts, row).unwrap_or("not looked at");
                match self.verdicts.get_mut(verdict) {
                    Some(n) => *n += 1,
                    None => *self.verdicts.entry(verdict.to_owned()).or_default() += 1,
                }
            }
            if columns.gave_no_row(row) && value(columns.notes, row).is_none() {
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

    /// Lets objects stand in quarantine no more that gave rows before or since.
    fn forgive(&mut self, rows: &RecordBatch) {
        let columns = Columns::of(rows);
        let is_read = |row: &usize| value(columns.statuses, *row) != Some("again") && !columns.gave_no_row(*row);
        for row in (0..rows.num_rows()).filter(is_read) {
            if let Some(name) = value(columns.names, row) {
                self.refused.remove(name);
            }
        }
    }

    /// Counts the objects that stand in quarantine. Those of pruned days do not.
    fn count_refused(&mut self) {
        let before = self.pruned_before.as_deref();
        for place in mem::take(&mut self.refused).into_values() {
            if place.as_ref().zip(before).is_some_and(|((.., day), before)| day.as_str() < before) {
                continue;
            }
            self.total.quarantined += 1;
            if let Some(place) = place {
                self.places.entry(place).or_default().quarantined += 1;
            }
        }
    }

    /// Writes the subqueries of the objects, of which those that stand in quarantine have their names there.
    fn write_objects(&self) -> String {
        let of_kept = self.pruned_before.as_deref().map(|day| format!(" AND (day IS NULL OR day >= {})", quoted(day)));
        format!(
            "{PLACED}, objects AS (\n  SELECT *, CASE WHEN stands{} THEN source_object END AS quarantined_object\n  FROM named\n)",
            of_kept.unwrap_or_default()
        )
    }

    /// Returns the first day that the lake keeps, where earlier ones are chosen, too.
    pub(crate) fn pruned_before(&self, choice: &Choice) -> Option<&str> {
        let before = self.pruned_before.as_deref()?;
        choice.from.as_deref().is_none_or(|from| from < before).then_some(before)
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
        Grid {
            id: "reconciliation".into(),
            heads: vec!["objects read", "quarantined", "records", "rows", "duplicates", "filtered", "rejects"],
            rows: vec![counts.into()],
            sql: format!(
                "{}\nSELECT\n  coalesce(sum(CASE WHEN status = 'done' THEN 1 ELSE 0 END), 0) AS objects,\n  \
                 count(DISTINCT quarantined_object) AS quarantined,\n  {sums}\nFROM objects{}",
                self.write_objects(),
                choice.objects(&[])
            ),
            left_out: 0,
        }
    }

    /// Shows what `verify` found.
    pub(crate) fn verdicts(&self, choice: &Choice) -> Grid {
        Grid {
            id: "verdicts".into(),
            heads: vec!["verdict", "objects"],
            rows: self.verdicts.iter().map(|(it, n)| vec![Cell::text(Some(it)), Cell::number(*n)]).collect(),
            sql: format!(
                "{}\nSELECT coalesce(verdict, 'not looked at') AS verdict, count(*) AS objects\nFROM objects{}\nGROUP BY 1\nORDER BY 1",
                self.write_objects(),
                choice.objects(&["status = 'done'".into()])
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
                "{}\nSELECT\n  account, region, day, {} AS objects,\n  \
                 count(DISTINCT quarantined_object) AS quarantined,\n  {} AS records, {} AS rows,\n  \
                 24 - count(DISTINCT hour) AS hours_without_an_object,\n  \
                 sum(CASE WHEN status = 'done' AND verdict = 'valid' THEN 1 ELSE 0 END) AS verified\nFROM objects{}\n\
                 GROUP BY 1, 2, 3\nORDER BY 1, 2, 3\nLIMIT {MAX_DAYS}",
                self.write_objects(),
                done("1"),
                done("records"),
                done("rows"),
                choice.objects(&["day IS NOT NULL".into()]),
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
    fn count(&mut self, columns: &Columns<'_>, row: usize, is_done: bool, hour: &str) {
        if !hour.is_empty() && !self.hours.contains(hour) {
            self.hours.insert(hour.to_owned());
        }
        if !is_done {
            return;
        }
        let [records, rows, duplicates, filtered, rejects] = columns.numbers(row);
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

    fn numbers(&self, row: usize) -> [u64; 5] {
        let number = |numbers: Option<&Int64Array>| numbers.filter(|it| it.is_valid(row)).map_or(0, |it| it.value(row));
        self.counts.map(|numbers| u64::try_from(number(numbers)).unwrap_or_default())
    }

    /// Tells whether an object was refused as a whole, or every record of it was rejected.
    fn gave_no_row(&self, row: usize) -> bool {
        let [records, .., rejects] = self.numbers(row);
        value(self.statuses, row) == Some("quarantined") || records > 0 && records == rejects
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

/// Returns the place of an object by its folders, else by its name, as the SQL takes it.
fn words(name: &str) -> Option<Words<'_>> {
    by_folders(name).or_else(|| by_name(name))
}

/// Reads `..AWSLogs/[o-id/]<account>/CloudTrail/<region>/YYYY/MM/DD/..`, the last such folders.
fn by_folders(name: &str) -> Option<Words<'_>> {
    name.rmatch_indices("/CloudTrail").find_map(|(at, folder)| {
        let below = &name[at + folder.len()..];
        let below = below.strip_prefix("-NetworkActivity").unwrap_or(below).strip_prefix('/')?;
        let mut above = name[..at].rsplit('/');
        let account = above.next()?;
        let root = above.next().filter(|folder| !folder.starts_with("o-")).or_else(|| above.next());
        let mut folders = below.split('/');
        let [region, year, month, day] = [(); 4].map(|()| folders.next().unwrap_or_default());
        let is_place = root == Some("AWSLogs")
            && !region.is_empty()
            && folders.next().is_some()
            && has_digits(account, 12)
            && is_day(year, month, day);
        is_place.then_some(Words { account, region, day: [year, month, day] })
    })
}

/// Reads `<account>_CloudTrail_<region>_<YYYYMMDDTHHmmZ>..`, as an object is named wherever it was copied to.
fn by_name(name: &str) -> Option<Words<'_>> {
    let mut words = name.rsplit('/').next()?.splitn(4, '_');
    let [account, folder, region, time] = [(); 4].map(|()| words.next().unwrap_or_default());
    let (day, clock) = (time.get(..8)?, time.get(8..14)?.strip_prefix('T')?.strip_suffix('Z')?);
    let is_place = ["CloudTrail", "CloudTrail-NetworkActivity"].contains(&folder)
        && !region.is_empty()
        && region.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && [(account, 12), (day, 8), (clock, 4)].iter().all(|(text, n)| has_digits(text, *n));
    let (year, month, day) = (day.get(..4)?, day.get(4..6)?, day.get(6..)?);
    (is_place && is_day(year, month, day)).then_some(Words { account, region, day: [year, month, day] })
}

fn is_day(year: &str, month: &str, day: &str) -> bool {
    let is_of = |text: &str, last: u32| has_digits(text, 2) && text.parse().is_ok_and(|n: u32| (1..=last).contains(&n));
    has_digits(year, 4) && is_of(month, 12) && is_of(day, 31)
}

fn has_digits(text: &str, n: usize) -> bool {
    text.len() == n && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the hour in which an object of `CloudTrail` itself was delivered, as its name says; empty where it says none.
/// An hour may have events of network activity and lack all others.
fn hour(name: &str) -> &str {
    let mut words = name.rsplit('/').next().unwrap_or_default().split('_').skip(1);
    let time = words.next().filter(|folder| *folder == "CloudTrail").and_then(|_| words.nth(1)).unwrap_or_default();
    let at = |nth| time.char_indices().nth(nth).map_or(time.len(), |(at, _)| at);
    &time[at(9)..at(11)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_by_the_last_folders_of_a_trail_else_by_the_name() {
        let expected: Place = ("111122223333".into(), "eu-west-1".into(), "2026-09-01".into());
        let file = "111122223333_CloudTrail_eu-west-1_20260901T0355Z_x.json.gz";
        for folders in [
            "s3://b/AWSLogs/o-1/111122223333/CloudTrail/eu-west-1/2026/09/01/",
            "s3://b/CloudTrail/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/09/01/",
            "s3://b/AWSLogs/444455556666/CloudTrail/x/2025/01/01/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/09/01/",
            "s3://b/AWSLogs/111122223333/CloudTrail-NetworkActivity/eu-west-1/2026/09/01/",
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/09/01/",
            "s3://b/copied/",
            "",
        ] {
            let name = format!("{folders}{file}");
            assert_eq!(words(&name).map(Words::place), Some(expected.clone()), "{name}");
            assert_eq!(hour(&name), "03", "{name}");
        }
    }

    #[test]
    fn any_other_name_tells_no_place() {
        for name in [
            "events.json.gz",
            "CloudTrail/events.json.gz",
            "AWSLogs/11112222333/CloudTrail/eu-west-1/2026/09/01/x.json.gz",
            "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/09/01/x.json.gz",
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/9/1/x.json.gz",
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/13/01/x.json.gz",
            "111122223333/CloudTrail/eu-west-1/2026/09/01/x.json.gz",
            "111122223333_CloudTrail_eu-west-1_2026\u{e9}901T1650Z_a.json.gz",
            "111122223333_CloudTrail_eu-west-1_20260901T165Z_a.json.gz",
        ] {
            assert_eq!(words(name), None, "{name}");
        }
    }
}
