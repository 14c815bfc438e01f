//! Seconds since 1970 as the texts that trails are made of.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;

pub(crate) const DAY_SECS: i64 = 86_400;

/// Returns the midnight (UTC) at which `date` begins.
pub(crate) fn midnight(date: Date) -> Option<i64> {
    Offset::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok().map(Timestamp::as_second)
}

/// Writes a time such as `2026-03-02T06:04:25Z`.
pub(crate) fn rfc3339(secs: i64) -> String {
    instant(secs).to_string()
}

/// Returns the first second of the day of `secs`.
pub(crate) fn day_of(secs: i64) -> i64 {
    secs.div_euclid(DAY_SECS) * DAY_SECS
}

/// Returns the folders of the day of `secs`, such as `2026/03/02`.
pub(crate) fn day_folders(secs: i64) -> String {
    instant(secs).strftime("%Y/%m/%d").to_string()
}

/// Returns the five-minute bucket of `secs` as file names carry it, such as `20260302T0605Z`.
pub(crate) fn bucket(secs: i64) -> String {
    instant(secs.div_euclid(300) * 300).strftime("%Y%m%dT%H%MZ").to_string()
}

/// Writes a time as names of digests carry it, such as `20260302T060425Z`.
pub(crate) fn compact(secs: i64) -> String {
    instant(secs).strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn instant(secs: i64) -> Timestamp {
    Timestamp::from_second(secs).expect("the options were checked to lie within jiff's years")
}
