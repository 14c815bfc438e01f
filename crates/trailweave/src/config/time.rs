//! Times as people type them: dates, instants, times ago.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use trailweave_ingest::Range;

use super::error::ConfigError;

/// Reads a day: a date, midnight (UTC) of one, or the UTC date of a time before `now`. A time of day is refused, because
/// objects are chosen by the days of their delivery.
pub(super) fn when(key: &'static str, value: &str, now: Timestamp) -> Result<Option<Date>, ConfigError> {
    if value.is_empty() {
        return Ok(None);
    }
    let refuse = |expected| Err(ConfigError::Value { key, value: value.to_owned(), expected });
    let date_of = |time: Timestamp| TimeZone::UTC.to_datetime(time).date();
    if let Ok(time) = value.parse::<Timestamp>() {
        let is_midnight = TimeZone::UTC.to_datetime(time).time() == Time::midnight();
        return if is_midnight {
            Ok(Some(date_of(time)))
        } else {
            refuse("objects are chosen by whole days of delivery (UTC), so a date (2026-09-01) is expected")
        };
    }
    match date(value, now).or_else(|| ago(value, now).map(date_of)) {
        Some(date) => Ok(Some(date)),
        None => refuse("a date (2026-09-01), today, yesterday or a time ago (7d, 12h, 2w) is expected"),
    }
}

/// Reads a date, or the name of one.
fn date(value: &str, now: Timestamp) -> Option<Date> {
    let today = TimeZone::UTC.to_datetime(now).date();
    match value {
        "today" => Some(today),
        "yesterday" => today.yesterday().ok(),
        _ => value.parse().ok().filter(|_| value.len() == "2026-09-01".len()),
    }
}

/// Reads an instant, in seconds since 1970: an RFC 3339 time, a date, or a time before `now`. A date is its first
/// second, or where `is_end` the second after its last.
fn instant(key: &'static str, value: &str, is_end: bool, now: Timestamp) -> Result<Option<i64>, ConfigError> {
    if value.is_empty() {
        return Ok(None);
    }
    let midnight = |date: Date| {
        let day = if is_end { date.tomorrow().ok()? } else { date };
        TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()
    };
    let found = date(value, now).and_then(midnight).or_else(|| value.parse().ok()).or_else(|| ago(value, now));
    let expected = "a date (2026-09-01), today, yesterday, an RFC 3339 time (2026-09-01T06:00:00Z) or a time ago (7d, 12h, 2w) \
                    is expected";
    found.map(|time| Some(time.as_second())).ok_or_else(|| ConfigError::Value {
        key,
        value: value.to_owned(),
        expected,
    })
}

/// Reads a time that a question is asked about, in seconds since 1970.
pub(crate) fn time(key: &'static str, value: &str, now: Timestamp) -> Result<i64, ConfigError> {
    Ok(instant(key, value, false, now)?.unwrap_or_else(|| now.as_second()))
}

/// An end of a time that is asked about: the name of its flag, and what was typed.
type End<'v> = (&'static str, Option<&'v str>);

/// Reads the time that a verb is asked about.
pub(crate) fn range((first, from): End<'_>, (key, to): End<'_>, now: Timestamp) -> Result<Range, ConfigError> {
    let range = Range {
        from: instant(first, from.unwrap_or_default(), false, now)?,
        to: instant(key, to.unwrap_or_default(), true, now)?,
    };
    let is_of_events = first == "since";
    let expected = if is_of_events { "a time after --since is expected" } else { "a time after --from is expected" };
    match (range.from, range.to, to) {
        // A digest can span one instant. No event lies between an instant and itself.
        (Some(from), Some(to), Some(value)) if from > to || is_of_events && from == to => {
            Err(ConfigError::Value { key, value: value.to_owned(), expected })
        }
        _ => Ok(range),
    }
}

/// Reads how long a lake that another run holds is waited for.
pub(crate) fn wait(value: &str) -> Result<Duration, ConfigError> {
    if value.is_empty() { Ok(Duration::ZERO) } else { duration("wait", value) }
}

/// Reads a time of seconds, minutes, hours, days or weeks.
pub(crate) fn duration(key: &'static str, value: &str) -> Result<Duration, ConfigError> {
    let of_unit = |unit: &str, secs| value.strip_suffix(unit)?.parse::<u32>().ok().map(|n| u64::from(n) * secs);
    let secs = of_unit("s", 1).or_else(|| of_unit("m", 60)).or_else(|| span(value));
    let expected = "a time such as 30s, 10m, 2h, 7d or 2w is expected";
    secs.map(Duration::from_secs).ok_or_else(|| ConfigError::Value { key, value: value.to_owned(), expected })
}

/// Reads how long snapshots are kept, in seconds.
pub(crate) fn keep(value: &str) -> Result<u64, ConfigError> {
    let expected = "a time such as 12h, 7d or 2w is expected";
    span(value).ok_or_else(|| ConfigError::Value { key: "keep", value: value.to_owned(), expected })
}

/// Reads the first day that is kept, which must not lie ahead: nothing of the days before it comes in any more.
pub(crate) fn before(key: &'static str, value: &str, now: Timestamp) -> Result<Date, ConfigError> {
    let today = TimeZone::UTC.to_datetime(now).date();
    let expected = "a date (2025-10-01) that is not ahead, or a time ago (400d), is expected";
    let found = when(key, value, now)?.filter(|date| *date <= today);
    found.ok_or_else(|| ConfigError::Value { key, value: value.to_owned(), expected })
}

pub(super) fn retain(value: &str, now: Timestamp) -> Result<Option<Date>, ConfigError> {
    let expected = "a time such as 400d or 60w is expected";
    match ago(value, now) {
        _ if value.is_empty() => Ok(None),
        Some(_) => before("retain", value, now).map(Some),
        None => Err(ConfigError::Value { key: "retain", value: value.to_owned(), expected }),
    }
}

fn ago(value: &str, now: Timestamp) -> Option<Timestamp> {
    now.checked_sub(jiff::SignedDuration::from_secs(i64::try_from(span(value)?).ok()?)).ok()
}

/// Reads a number of hours, days or weeks, in seconds.
fn span(value: &str) -> Option<u64> {
    let (count, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let hours = match unit {
        "h" => 1,
        "d" => 24,
        "w" => 7 * 24,
        _ => return None,
    };
    count.parse::<u32>().ok().map(|count| u64::from(count) * hours * 3600)
}
