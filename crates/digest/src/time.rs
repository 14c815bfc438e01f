//! Times, as seconds since 1970.

use jiff::Timestamp;

/// Reads an RFC 3339 time, in whole seconds.
pub fn seconds(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

/// Reads the time of a digest's name, `YYYYMMDDTHHMMSSZ`.
pub(crate) fn compact(text: &str) -> Option<i64> {
    jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", text).ok()?.to_datetime().ok().and_then(utc)
}

/// Reads the time of a log file's name, `YYYYMMDDTHHMMZ`.
pub(crate) fn compact_minutes(text: &str) -> Option<i64> {
    jiff::fmt::strtime::parse("%Y%m%dT%H%MZ", text).ok()?.to_datetime().ok().and_then(utc)
}

fn utc(time: jiff::civil::DateTime) -> Option<i64> {
    jiff::tz::Offset::UTC.to_timestamp(time).ok().map(Timestamp::as_second)
}

/// Writes a time, such as `2026-09-01T06:00:00Z`.
pub fn rfc3339(secs: i64) -> String {
    Timestamp::from_second(secs).map_or_else(|_| secs.to_string(), |time| time.to_string())
}
