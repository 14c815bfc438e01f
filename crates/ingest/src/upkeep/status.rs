//! The coverage of a trail by the lake, per account, region and day.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::Int64Array;
use arrow::array::RecordBatch;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use serde::Serialize;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_table::{LEDGER, day_of_time, ms_of_time};

use crate::Filter;
use crate::IngestError;
use crate::IngestOptions;
use crate::fingerprint::fingerprint;
use crate::kept_days::KeptDays;
use crate::ledger::{AGAIN, DONE, read_columns};
use crate::run::unread;
use crate::source::key::Origin;
use crate::source::key::Place;
use crate::source::key::delivery_hour;
use crate::source::key::origin;
use crate::source::skipped::Skipped;
use crate::verify::hours::{HoursProven, Proof};

const COLUMNS: [&str; 6] = ["source_object", "status", "bytes", "records", "rows", "max_event_time"];

/// The coverage of a trail by the lake.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Objects whose rows are in the lake.
    pub done: u64,
    /// Objects whose rows were, until their days were pruned.
    pub pruned: u64,
    /// Objects that were refused as a whole and not read since.
    pub quarantined: u64,
    /// Objects that the sources hold and the lake does not know; none where no source was named.
    pub unread: u64,
    /// Objects of the sources that are not CloudTrail objects, by reason.
    pub skipped: Skipped,
    /// The hours that `verify` proved, of those that it looked at; none where it never ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven: Option<HoursProven>,
    /// By day, account and region; objects without a place in a trail come first.
    pub coverage: Vec<Coverage>,
}

/// The coverage of an account, a region and a day of delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The day of delivery, `YYYY-MM-DD`.
    pub day: Option<String>,
    /// The account whose events the objects hold.
    pub account: Option<String>,
    /// The region whose events they hold.
    pub region: Option<String>,
    /// Objects whose rows are in the lake.
    pub done: u64,
    /// Objects whose rows were, until their days were pruned.
    pub pruned: u64,
    /// Objects that were refused as a whole.
    pub quarantined: u64,
    /// Objects that the sources hold and the lake does not know.
    pub unread: u64,
    /// Size of the objects done and pruned, as stored.
    pub bytes: u64,
    /// Records of these objects.
    pub records: u64,
    /// Those records that became rows.
    pub rows: u64,
    /// The hours, UTC, in which no object that the lake knows was delivered. A quiet region has such hours. None where
    /// no object's name tells its hour.
    pub missing_hours: BTreeSet<u8>,
    /// How many hours of delivery `verify` proved, when it last looked; none where it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven_hours: Option<u64>,
}

/// Reads the coverage from the ledger. Where `options` name sources, they are listed and compared with it.
pub async fn status(lake: &Lake, filter: &Filter, options: Option<&IngestOptions>) -> Result<Status, IngestError> {
    let mut found = CoverageCounts { kept: KeptDays::of(lake)?, ..CoverageCounts::default() };
    for part in lake.parts(&LEDGER)? {
        for rows in read_columns(lake, &part.path, &COLUMNS)? {
            found.add(&part.path, &rows, filter)?;
        }
    }
    let proof = Proof::read(lake)?;
    if let Some(options) = options {
        let listing = unread(lake, options).await?;
        found.skipped = listing.skipped.clone();
        for object in listing.iter() {
            found.at(object.place.as_deref()).unread += 1;
        }
    }
    let mut status = found.into_status();
    for it in &mut status.coverage {
        if let (Some(day), Some(account), Some(region)) = (&it.day, &it.account, &it.region) {
            it.proven_hours = proof.hours_of(account, region, day);
        }
    }
    status.proven = proof.hours();
    Ok(status)
}

#[derive(Default)]
struct CoverageCounts {
    places: BTreeMap<Option<Place>, Coverage>,
    /// True for an object, by the fingerprint of its name, that is done; false for one that is quarantined.
    objects: HashMap<u128, bool>,
    skipped: Skipped,
    kept: KeptDays,
}

impl Coverage {
    /// Returns the count that an object belongs to.
    fn count(&mut self, is_done: bool, is_kept: bool) -> &mut u64 {
        match (is_kept, is_done) {
            (false, _) => &mut self.pruned,
            (true, true) => &mut self.done,
            (true, false) => &mut self.quarantined,
        }
    }
}

impl CoverageCounts {
    fn at(&mut self, place: Option<&Place>) -> &mut Coverage {
        self.places.entry(place.cloned()).or_insert_with(|| match place {
            None => Coverage::default(),
            Some(place) => Coverage {
                day: Some(place.day.to_string()),
                account: Some(place.account.to_string()),
                region: Some(place.region.to_string()),
                missing_hours: (0..24).collect(),
                ..Coverage::default()
            },
        })
    }

    /// Adds rows of the ledger. An object that was quarantined and is done since counts as done.
    fn add(&mut self, path: &Path, rows: &RecordBatch, filter: &Filter) -> Result<(), LakeError> {
        let damaged = |name: &str| LakeError::Damaged {
            path: path.into(),
            source: format!("it has no column `{name}` of the ledger's type").into(),
        };
        let text = |name| {
            rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()).ok_or_else(|| damaged(name))
        };
        let number = |name| {
            let column = rows.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
            column.ok_or_else(|| damaged(name))
        };
        let last = rows.column_by_name("max_event_time");
        let last = last.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        let last = last.ok_or_else(|| damaged("max_event_time"))?;
        let (names, statuses) = (text("source_object")?, text("status")?);
        let (bytes, records, n_rows) = (number("bytes")?, number("records")?, number("rows")?);
        for row in (0..rows.num_rows()).filter(|row| statuses.value(*row) != AGAIN) {
            let name = names.value(row);
            let place = match origin(name) {
                Origin::Trail(place) => Some(place),
                Origin::Other(_) | Origin::Unknown => None,
            };
            if !filter.takes(place.as_ref()) {
                continue;
            }
            let is_done = statuses.value(row) == DONE;
            let is_of_kept_day = self.kept.has_place(place.as_ref());
            // What became of its rows is told by their days, and where there are none by that of delivery.
            let has_kept_rows = if last.is_valid(row) {
                self.kept.has(day_of_time(ms_of_time(last.value(row))))
            } else {
                is_of_kept_day
            };
            let known = self.objects.entry(fingerprint(&[name.as_bytes()]));
            let before = match &known {
                Entry::Occupied(known) => Some(*known.get()),
                Entry::Vacant(_) => None,
            };
            *known.or_default() |= is_done;
            let coverage = self.at(place.as_ref());
            match (before, is_done) {
                (None, true) => *coverage.count(true, has_kept_rows) += 1,
                (None, false) => *coverage.count(false, is_of_kept_day) += 1,
                (Some(false), true) => {
                    *coverage.count(false, is_of_kept_day) -= 1;
                    *coverage.count(true, has_kept_rows) += 1;
                }
                (Some(_), _) => {}
            }
            let count = |numbers: &Int64Array| u64::try_from(numbers.value(row)).unwrap_or_default();
            if is_done {
                coverage.bytes += count(bytes);
                coverage.records += count(records);
                coverage.rows += count(n_rows);
            }
            if let Some(hour) = delivery_hour(name) {
                coverage.missing_hours.remove(&hour);
            }
        }
        Ok(())
    }

    fn into_status(self) -> Status {
        let Self { places, skipped, .. } = self;
        let mut coverage: Vec<Coverage> = places.into_values().collect();
        for it in &mut coverage {
            // Where all hours are missing beside objects, their names tell none.
            if it.missing_hours.len() == 24 && it.done + it.pruned + it.quarantined > 0 {
                it.missing_hours.clear();
            }
        }
        let sum = |count: fn(&Coverage) -> u64| coverage.iter().map(count).sum();
        let (done, quarantined, unread) = (sum(|it| it.done), sum(|it| it.quarantined), sum(|it| it.unread));
        let pruned = sum(|it| it.pruned);
        Status { done, pruned, quarantined, unread, skipped, coverage, ..Status::default() }
    }
}
