//! Times of the tables, which are microseconds, as the milliseconds that CloudTrail's own times have at the finest.

const MICROS_PER_MILLI: i64 = 1000;

/// Returns the milliseconds since the epoch of a time of the tables, rounded down.
pub fn ms_of_time(time_us: i64) -> i64 {
    time_us.div_euclid(MICROS_PER_MILLI)
}

/// Returns the time of the tables for milliseconds since the epoch.
pub fn time_of_ms(time_ms: i64) -> i64 {
    time_ms * MICROS_PER_MILLI
}
