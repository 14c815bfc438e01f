//! The coverage of a trail by the lake, and what stands in the way of relying on it.

use std::collections::HashSet;

use jiff::tz::TimeZone;
use serde::Serialize;
use trailweave_lake::Lake;

use crate::Filter;
use crate::IngestError;
use crate::IngestOptions;
use crate::cpu::Cpu;
use crate::run::choice::Chosen;
use crate::run::unread;
use crate::source::skipped::Skipped;
use crate::source::span::Span;
use crate::upkeep::coverage::Counted;
use crate::upkeep::coverage::Coverage;
use crate::upkeep::runs::Runs;
use crate::upkeep::runs::UnfinishedRun;
use crate::verify::hours::{HoursProven, Proof};

/// The coverage of a trail by the lake. Each object counts once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Objects whose rows are in the lake.
    pub done: u64,
    /// Objects whose rows were, until their days were pruned.
    pub pruned: u64,
    /// Objects that were refused as a whole and not read since.
    pub quarantined: u64,
    /// Objects of which every record was rejected.
    pub rejected: u64,
    /// Objects of either kind that were dismissed.
    pub dismissed: u64,
    /// Objects that the sources hold and the lake does not know; where no source was named, those that runs that died
    /// have planned to read.
    pub unread: u64,
    /// Objects that the last run could not read; 0 where sources were named, as the unread hold them.
    pub left: u64,
    /// Size of the objects that were read, as stored: those done and pruned, and those of which every record was rejected.
    pub bytes: u64,
    /// Records of these objects.
    pub records: u64,
    /// Those records that became rows.
    pub rows: u64,
    /// The days, accounts and regions of these objects, and how many days they are of.
    pub span: Span,
    /// The number of days on which objects were delivered.
    pub days: u64,
    /// When the newest object was delivered whose rows are in the lake, in milliseconds since 1970, as far as names tell.
    #[serde(skip)]
    pub newest_delivery_ms: Option<i64>,
    /// The latest event among the rows, in milliseconds since 1970.
    #[serde(skip)]
    pub newest_event_ms: Option<i64>,
    /// The runs that did not end; the next run finishes them.
    pub unfinished: Vec<UnfinishedRun>,
    /// The span of the trail, where the sources, or the lake without them, hold nothing that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing_matched: Option<Span>,
    /// Objects of the sources that are not CloudTrail objects, by reason.
    pub skipped: Skipped,
    /// The hours that `verify` proved, of those that it looked at; none where it never ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven: Option<HoursProven>,
    /// By day, account and region; objects without a place in a trail come first.
    pub coverage: Vec<Coverage>,
}

/// Reads the coverage from the ledger, as far as the filter of the options takes it. Where `is_compared`, the sources of the
/// options are listed and compared with it.
pub async fn status(lake: &Lake, options: &IngestOptions, is_compared: bool) -> Result<Status, IngestError> {
    let cpu = Cpu::new(options.threads)?;
    let mut counted = cpu.install(|| Counted::read(lake, &options.filter))?;
    let mut status = Status::default();
    let runs = Runs::read(lake)?;
    if is_compared {
        let Chosen { objects, is_matched, .. } = unread(lake, options).await?;
        status.nothing_matched = (!is_matched).then(|| objects.beyond.clone());
        status.skipped = objects.skipped.clone();
        for object in objects.iter() {
            counted.add_unread(object.place.as_deref());
        }
    } else {
        status.left = runs.left;
        runs.each_unread(lake, |place| {
            if place.is_none() || options.filter.takes(place) {
                counted.add_unread(place);
            }
        })?;
    }
    if !is_compared && options.filter.chooses_places() && counted.is_empty() {
        let all = cpu.install(|| Counted::read(lake, &Filter::default()))?;
        status.nothing_matched = (!all.is_empty()).then(|| all.span());
    }
    status.unfinished = runs.unfinished;
    status.newest_event_ms = counted.newest_event_ms();
    status.newest_delivery_ms = newest_delivery_ms(&counted);
    status.coverage = counted.coverage();
    status.add_up(&counted);
    let proof = Proof::read(lake)?;
    for it in &mut status.coverage {
        if let (Some(day), Some(account), Some(region)) = (&it.day, &it.account, &it.region) {
            it.proven_hours = proof.hours_of(account, region, day);
        }
    }
    status.proven = proof.hours();
    Ok(status)
}

impl Status {
    fn add_up(&mut self, counted: &Counted) {
        self.span = counted.span();
        self.days = counted.places().map(|place| place.day).collect::<HashSet<_>>().len() as u64;
        for it in &self.coverage {
            self.done += it.done;
            self.pruned += it.pruned;
            self.quarantined += it.quarantined;
            self.rejected += it.rejected;
            self.dismissed += it.dismissed;
            self.unread += it.unread;
            self.bytes += it.bytes;
            self.records += it.records;
            self.rows += it.rows;
        }
    }
}

fn newest_delivery_ms(counted: &Counted) -> Option<i64> {
    let (place, minute) = counted.newest_delivery()?;
    let [hour, minute] = [minute / 60, minute % 60].map(|part| i8::try_from(part).unwrap_or_default());
    Some(TimeZone::UTC.to_timestamp(place.day.at(hour, minute, 0, 0)).ok()?.as_millisecond())
}
