//! How old a lake is: the newest delivery that it has, and up to when its tables are correlated.

use std::io;
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::Serializer;
use trailweave_correlate::Freshness;
use trailweave_ingest::Status;
use trailweave_lake::Lake;

/// The age of a lake at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Age {
    /// When the newest object was delivered whose rows are in the lake; where no name tells, the latest event among them.
    #[serde(serialize_with = "as_text")]
    pub(crate) newest_delivery: Option<Timestamp>,
    /// The latest event that the tables were made of.
    #[serde(serialize_with = "as_text")]
    pub(crate) correlated_until: Option<Timestamp>,
    /// Files of events that the tables were not made of.
    pub(crate) waiting_parts: u64,
    /// Files of events that the tables were made of and that are gone.
    pub(crate) gone_parts: u64,
    /// Files of events of which the ledger knows nothing any more.
    pub(crate) lost_parts: u64,
    /// True if files of the tables are gone, or are others than those that were made.
    pub(crate) lacks_products: bool,
    /// How old the newest delivery is.
    pub(crate) delivery_age_secs: Option<i64>,
    /// How old the tables are: as the newest delivery; where events wait for the join, as the latest event that is joined.
    pub(crate) tables_age_secs: Option<i64>,
}

impl Age {
    /// Measures the age of a lake.
    pub(crate) fn new(status: &Status, tables: Freshness, lost_parts: u64, now: Timestamp) -> Self {
        let time = |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let newest_delivery = time(status.newest_delivery_ms.or(status.newest_event_ms));
        let correlated_until = time(tables.correlated_until_ms);
        let reach = if tables.is_behind() { correlated_until.min(newest_delivery) } else { newest_delivery };
        let age_secs = |time: Option<Timestamp>| time.map(|time| now.duration_since(time).as_secs());
        Self {
            newest_delivery,
            correlated_until,
            waiting_parts: tables.waiting_parts,
            gone_parts: tables.gone_parts,
            lost_parts,
            lacks_products: tables.lacks_products,
            delivery_age_secs: age_secs(newest_delivery),
            tables_age_secs: age_secs(reach),
        }
    }

    /// Tells whether the tables are older than that. Those that hold nothing are older than anything.
    pub(crate) fn is_beyond(self, max: Duration) -> bool {
        let max_secs = i64::try_from(max.as_secs()).unwrap_or(i64::MAX);
        self.tables_age_secs.is_none_or(|secs| secs > max_secs)
    }

    /// Tells whether something is lost, so that neither the tables nor the counts can be relied on.
    pub(crate) fn has_lost(self) -> bool {
        self.gone_parts + self.lost_parts > 0 || self.lacks_products
    }

    /// Says that the tables are older than `max`.
    pub(crate) fn write_stale(self, out: &mut impl Write, max: Duration) -> io::Result<()> {
        let age =
            self.tables_age_secs.map_or_else(|| "hold nothing".to_owned(), |secs| format!("are {} old", spoken(secs)));
        let max = spoken(i64::try_from(max.as_secs()).unwrap_or(i64::MAX));
        writeln!(out, "stale        the tables {age}, and --max-age allows {max}")
    }

    /// Writes it as text.
    pub(crate) fn write_text(self, out: &mut impl Write) -> io::Result<()> {
        if let (Some(time), Some(secs)) = (self.newest_delivery, self.delivery_age_secs) {
            writeln!(out, "delivered    up to {}, {} ago", minute(time), spoken(secs))?;
        }
        let files = |n| if n == 1 { "file of events is" } else { "files of events are" };
        if self.gone_parts > 0 {
            let gone = files(self.gone_parts);
            writeln!(
                out,
                "gone         {} {gone} gone that the tables were made of: `trailweave doctor`",
                self.gone_parts
            )?;
        }
        if self.lost_parts > 0 {
            let lost = files(self.lost_parts);
            writeln!(out, "lost         {} {lost} not known to the ledger: `trailweave doctor`", self.lost_parts)?;
        }
        if self.lacks_products {
            writeln!(out, "gone         files of the tables of the join: `trailweave doctor`")?;
        }
        match (self.correlated_until, self.waiting_parts) {
            (None, 0) => Ok(()),
            (None, n) => writeln!(out, "correlated   nothing yet: {}", waits(n)),
            (Some(time), 0) => writeln!(out, "correlated   all events, up to {}", minute(time)),
            (Some(time), n) => writeln!(out, "correlated   up to {}: {}", minute(time), waits(n)),
        }
    }
}

/// Warns that files of the lake are gone or, where a question `is_of_join`, that the tables of the join are behind the events.
/// It is answered all the same.
pub(crate) fn warn(lake: &Lake, is_of_join: bool) {
    match Freshness::read(lake) {
        Ok(it) if it.gone_parts > 0 || it.lacks_products => {
            tracing::warn!(
                "files of the lake are gone, so rows are lacking; `trailweave doctor` says what brings them back"
            );
        }
        Ok(it) if it.is_behind() && is_of_join => tracing::warn!(
            waiting_parts = it.waiting_parts,
            "`events` is ahead of `correlated` and the other tables of the join; `trailweave correlate` brings them up to it"
        ),
        Ok(_) => {}
        Err(error) => {
            let error = crate::spoken::spoken(&error.into());
            tracing::warn!(error, "cannot tell whether the tables are up to the events");
        }
    }
}

/// Writes a time as RFC 3339.
#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn as_text<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

fn waits(n_parts: u64) -> String {
    let files = if n_parts == 1 { "file of events waits" } else { "files of events wait" };
    format!("{n_parts} {files} for `trailweave correlate`")
}

fn minute(time: Timestamp) -> impl std::fmt::Display {
    time.strftime("%Y-%m-%dT%H:%MZ")
}

/// Says a time in the largest unit that leaves two digits or so.
fn spoken(secs: i64) -> String {
    match secs {
        ..120 => format!("{} s", secs.max(0)),
        120..7_200 => format!("{} min", secs / 60),
        7_200..172_800 => format!("{} h", secs / 3_600),
        _ => format!("{} days", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn age(delivered: Option<i64>, correlated: Option<i64>, waiting_parts: u64, now: i64) -> Age {
        let status = Status { newest_delivery_ms: delivered.map(|hour| hour * HOUR_MS), ..Status::default() };
        let tables = Freshness {
            correlated_until_ms: correlated.map(|hour| hour * HOUR_MS),
            waiting_parts,
            ..Freshness::default()
        };
        Age::new(&status, tables, 0, Timestamp::from_millisecond(now * HOUR_MS).unwrap())
    }

    #[test]
    fn tables_are_as_old_as_the_newest_delivery_unless_events_wait() {
        let hours = |age: Age| age.tables_age_secs.map(|secs| secs / 3_600);
        assert_eq!(hours(age(Some(10), Some(9), 0, 12)), Some(2));
        assert_eq!(hours(age(Some(10), Some(5), 1, 12)), Some(7));
        assert_eq!(hours(age(Some(10), None, 1, 12)), None);
        assert_eq!(hours(age(None, None, 0, 12)), None);
    }

    #[test]
    fn what_is_older_than_asked_for_or_holds_nothing_is_stale() {
        let hours = |n: u64| Duration::from_secs(n * 3_600);
        let fresh = age(Some(10), Some(9), 0, 12);
        assert_eq!([fresh.is_beyond(hours(1)), fresh.is_beyond(hours(2))], [true, false]);
        assert!(age(None, None, 0, 12).is_beyond(hours(1_000_000)));
    }

    #[test]
    fn an_age_is_said_in_a_unit_that_fits() {
        assert_eq!([-5, 119, 3_600, 7_200, 172_800].map(spoken), ["0 s", "119 s", "60 min", "2 h", "2 days"]);
    }
}
