//! Counts of the objects that the ledger has, by account, region and day.

use std::collections::BTreeSet;
use std::collections::HashMap;

use arrow::array::Array;
use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::Int64Array;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::array::TimestampMicrosecondArray;
use arrow::datatypes::Int64Type;
use arrow::datatypes::TimestampMicrosecondType;
use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use rayon::slice::ParallelSliceMut;
use serde::Serialize;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Part;
use trailweave_lake::read_once;
use trailweave_table::LEDGER;
use trailweave_table::day_of_time;
use trailweave_table::ms_of_time;

use crate::Filter;
use crate::fingerprint::fingerprint;
use crate::kept_days::KeptDays;
use crate::ledger::AGAIN;
use crate::ledger::DONE;
use crate::ledger::NOTE;
use crate::ledger::ObjectState;
use crate::ledger::read_columns;
use crate::source::key::Place;
use crate::source::key::delivery_clock;
use crate::source::key::delivery_hour;
use crate::source::key::place_of;
use crate::source::listing::stem_bytes;
use crate::source::span::Span;

const COLUMNS: [&str; 8] = ["source_object", "status", "bytes", "records", "rows", "rejects", "max_event_time", NOTE];
/// Files of the ledger that are read before what they say is added up, which bounds memory.
const FILES_TOGETHER: usize = 64;

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
    /// Objects of which every record was rejected.
    pub rejected: u64,
    /// Objects of either kind that were dismissed.
    pub dismissed: u64,
    /// Objects that the sources hold and the lake does not know, or that a run that died has planned to read.
    pub unread: u64,
    /// Size of the objects that were read, as stored: those done and pruned, and those of which every record was rejected.
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

/// The counts of a place.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// By the state of the object.
    objects: [u64; ObjectState::COUNT],
    unread: u64,
    bytes: u64,
    records: u64,
    rows: u64,
    /// A bit for each hour in which an object was delivered.
    hours: u32,
    /// The latest time of day at which an object was delivered whose rows are in the lake, in minutes.
    last_minute: Option<u16>,
    /// Tells whether the place is of a day that is kept.
    is_kept: bool,
}

/// An object of the ledger: the fingerprint of its name, its place, and its state.
type Object = (u128, u32, ObjectState);

/// All that was counted.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// Where the counts of each place stand: a merged file has places of years.
    places: HashMap<Option<Place>, u32>,
    counts: Vec<Counts>,
    objects: Vec<Object>,
    /// The latest event among the rows, in milliseconds since 1970.
    newest_event_ms: Option<i64>,
}

/// The counts of one file of the ledger.
struct FileCounts {
    counted: Counted,
    kept: KeptDays,
}

impl Counted {
    /// Reads the ledger on the threads of the pool that it is called in.
    pub(crate) fn read(lake: &Lake, filter: &Filter) -> Result<Self, LakeError> {
        let kept = KeptDays::of(lake)?;
        read_once(lake, &LEDGER, |parts| {
            let mut counted = Self::default();
            for parts in parts.chunks(FILES_TOGETHER) {
                let read: Vec<Self> = parts
                    .par_iter()
                    .map(|part| FileCounts::read(lake, part, filter, kept))
                    .collect::<Result<_, _>>()?;
                for file in read {
                    counted.add(file);
                }
            }
            counted.judge();
            Ok(counted)
        })
    }

    /// Counts an object that is not read.
    pub(crate) fn add_unread(&mut self, place: Option<&Place>) {
        let at = self.at(place.cloned());
        self.counts[at as usize].unread += 1;
    }

    /// Returns when the newest object was delivered whose rows are in the lake, as far as names tell: a day, and minutes.
    pub(crate) fn newest_delivery(&self) -> Option<(&Place, u16)> {
        let times = self
            .places
            .iter()
            .filter_map(|(place, at)| Some((place.as_ref()?, self.counts[*at as usize].last_minute?)));
        times.max_by_key(|(place, minute)| (place.day, *minute))
    }

    /// Returns the places, in no order.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.places.keys().flatten()
    }

    /// Tells whether it has no object, of which some may have no place.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns what the places reach over.
    pub(crate) fn span(&self) -> Span {
        let mut span = Span::default();
        self.places().for_each(|place| span.note(place));
        span
    }

    pub(crate) fn newest_event_ms(&self) -> Option<i64> {
        self.newest_event_ms
    }

    /// Returns the coverage of each place, in the order of their days.
    pub(crate) fn coverage(&self) -> Vec<Coverage> {
        let mut places: Vec<_> = self.places.iter().collect();
        places.sort_unstable();
        places.into_iter().map(|(place, at)| self.counts[*at as usize].coverage(place.as_ref())).collect()
    }

    /// Returns where the counts of a place stand.
    fn at(&mut self, place: Option<Place>) -> u32 {
        *self.places.entry(place).or_insert_with(|| {
            self.counts.push(Counts::default());
            u32::try_from(self.counts.len() - 1).expect("a ledger has fewer places than objects")
        })
    }

    fn add(&mut self, file: Self) {
        let mut here = vec![0; file.places.len()];
        for (place, there) in file.places {
            let at = self.at(place);
            self.counts[at as usize].add(&file.counts[there as usize]);
            here[there as usize] = at;
        }
        self.objects.extend(file.objects.into_iter().map(|(name, place, state)| (name, here[place as usize], state)));
        self.newest_event_ms = self.newest_event_ms.max(file.newest_event_ms);
    }

    /// Counts each object once, by the best that became of it.
    fn judge(&mut self) {
        self.objects.par_sort_unstable();
        for same in self.objects.chunk_by(|a, b| a.0 == b.0) {
            if let Some((_, place, state)) = same.iter().max_by_key(|(.., state)| *state) {
                self.counts[*place as usize].objects[*state as usize] += 1;
            }
        }
        self.objects = Vec::new();
    }
}

impl FileCounts {
    fn read(lake: &Lake, part: &Part, filter: &Filter, kept: KeptDays) -> Result<Counted, LakeError> {
        let mut file = Self { counted: Counted::default(), kept };
        for rows in read_columns(lake, &part.path, &COLUMNS)? {
            let rows = rows?;
            let columns = Columns::of(&rows).ok_or_else(|| LakeError::Damaged {
                path: part.path.clone(),
                source: "it lacks a column of the ledger, or has one of another type".into(),
            })?;
            file.add(&columns, filter);
        }
        Ok(file.counted)
    }

    fn add(&mut self, columns: &Columns<'_>, filter: &Filter) {
        // The place of those before, by what their names begin with; none: the filter passes over them.
        let mut before: Option<(&str, Option<u32>)> = None;
        // An entry of an object that was read again repeats an earlier one.
        for row in (0..columns.names.len()).filter(|row| columns.statuses.value(*row) != AGAIN) {
            let name = columns.names.value(row);
            let stem = &name[..stem_bytes(name)];
            let at = match before {
                Some((other, at)) if other == stem && !stem.ends_with('/') => at,
                _ => self.at(name, filter),
            };
            before = Some((stem, at));
            if let Some(at) = at {
                self.add_row(columns, row, at);
            }
        }
    }

    /// Returns the position of an object's place, unless the filter passes over it. One without a place always counts.
    fn at(&mut self, name: &str, filter: &Filter) -> Option<u32> {
        let place = place_of(name);
        if place.is_some() && !filter.takes(place.as_ref()) {
            return None;
        }
        let is_kept = self.kept.has_place(place.as_ref());
        let at = self.counted.at(place);
        self.counted.counts[at as usize].is_kept = is_kept;
        Some(at)
    }

    fn add_row(&mut self, columns: &Columns<'_>, row: usize, at: u32) {
        let name = columns.names.value(row);
        let count = |numbers: &Int64Array| u64::try_from(numbers.value(row)).unwrap_or_default();
        let (records, rejects) = (count(columns.records), count(columns.rejects));
        let is_noted = columns.notes.is_some_and(|notes| notes.is_valid(row));
        let state = ObjectState::of(columns.statuses.value(row), records, rejects, is_noted);
        let state = if self.is_kept(columns, row, at) { state } else { ObjectState::Pruned };
        self.counted.objects.push((fingerprint(&[name.as_bytes()]), at, state));
        let counts = &mut self.counted.counts[at as usize];
        counts.hours |= delivery_hour(name).map_or(0, |hour| 1 << hour);
        if columns.statuses.value(row) != DONE {
            return;
        }
        counts.bytes += count(columns.bytes);
        counts.records += records;
        counts.rows += count(columns.rows);
        counts.last_minute = counts.last_minute.max(delivery_clock(name));
        if columns.newest.is_valid(row) {
            let newest = &mut self.counted.newest_event_ms;
            *newest = (*newest).max(Some(ms_of_time(columns.newest.value(row))));
        }
    }

    /// Tells whether an object is of a day that is kept. What became of its rows is told by their days, and where there
    /// are none by that of delivery.
    fn is_kept(&self, columns: &Columns<'_>, row: usize, at: u32) -> bool {
        if columns.newest.is_valid(row) {
            self.kept.has(day_of_time(ms_of_time(columns.newest.value(row))))
        } else {
            self.counted.counts[at as usize].is_kept
        }
    }
}

impl Counts {
    fn add(&mut self, more: &Self) {
        self.bytes += more.bytes;
        self.records += more.records;
        self.rows += more.rows;
        self.hours |= more.hours;
        self.last_minute = self.last_minute.max(more.last_minute);
    }

    fn coverage(&self, place: Option<&Place>) -> Coverage {
        let of = |state: ObjectState| self.objects[state as usize];
        // Where no name tells an hour, none is missing; but where nothing was delivered, all are.
        let is_told = self.hours != 0 || self.objects.iter().sum::<u64>() == 0;
        let missing = |hour: &u8| place.is_some() && is_told && self.hours & 1 << hour == 0;
        Coverage {
            day: place.map(|place| place.day.to_string()),
            account: place.map(|place| place.account.to_string()),
            region: place.map(|place| place.region.to_string()),
            done: of(ObjectState::Done),
            pruned: of(ObjectState::Pruned),
            quarantined: of(ObjectState::Quarantined),
            rejected: of(ObjectState::Rejected),
            dismissed: of(ObjectState::Dismissed),
            unread: self.unread,
            bytes: self.bytes,
            records: self.records,
            rows: self.rows,
            missing_hours: (0..24).filter(missing).collect(),
            proven_hours: None,
        }
    }
}

/// The columns of a file of the ledger.
struct Columns<'r> {
    names: &'r StringArray,
    statuses: &'r StringArray,
    bytes: &'r Int64Array,
    records: &'r Int64Array,
    rows: &'r Int64Array,
    rejects: &'r Int64Array,
    newest: &'r TimestampMicrosecondArray,
    /// None in a ledger of an earlier release.
    notes: Option<&'r ArrayRef>,
}

impl<'r> Columns<'r> {
    fn of(rows: &'r RecordBatch) -> Option<Self> {
        let text = |name| rows.column_by_name(name)?.as_string_opt::<i32>();
        let number = |name| rows.column_by_name(name)?.as_primitive_opt::<Int64Type>();
        Some(Self {
            names: text("source_object")?,
            statuses: text("status")?,
            bytes: number("bytes")?,
            records: number("records")?,
            rows: number("rows")?,
            rejects: number("rejects")?,
            notes: rows.column_by_name(NOTE),
            newest: rows.column_by_name("max_event_time")?.as_primitive_opt::<TimestampMicrosecondType>()?,
        })
    }
}
