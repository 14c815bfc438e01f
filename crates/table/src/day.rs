//! Days as numbers, counted from 1970-01-01, and as the dates that name partitions.

use jiff::ToSpan;
use jiff::Unit;
use jiff::civil::Date;

const DAY_MS: i64 = 86_400_000;
const FIRST: Date = Date::constant(1970, 1, 1);

/// Returns the UTC day of a time in milliseconds.
pub fn day_of_time(time_ms: i64) -> i32 {
    i32::try_from(time_ms.div_euclid(DAY_MS)).expect("years have four digits")
}

/// Returns the month of a day, counted from the year 0.
pub fn month_of_day(day: i32) -> i32 {
    let date = FIRST.saturating_add(day.days());
    i32::from(date.year()) * 12 + i32::from(date.month()) - 1
}

/// Returns the day of a date `YYYY-MM-DD`; none where it is not one.
pub fn day_of_date(date: &str) -> Option<i32> {
    Some(date.parse::<Date>().ok()?.since((Unit::Day, FIRST)).ok()?.get_days())
}

/// Writes a day as `YYYY-MM-DD`.
pub fn date_of_day(day: i32) -> String {
    FIRST.saturating_add(day.days()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_name_each_other() {
        for (day, date) in [(-1, "1969-12-31"), (0, "1970-01-01"), (11_016, "2000-02-29"), (20_697, "2026-09-01")] {
            assert_eq!(date_of_day(day), date);
            assert_eq!(day_of_date(date), Some(day));
            assert_eq!(day_of_time(i64::from(day) * DAY_MS), day);
            assert_eq!(day_of_time(i64::from(day) * DAY_MS + DAY_MS - 1), day);
        }
        assert_eq!(day_of_date("2026-02-30"), None);
        let month = |date| month_of_day(day_of_date(date).unwrap());
        assert_eq!(month("2026-03-01") - month("2026-02-28"), 1);
        assert_eq!((month("2026-03-31"), month("0000-01-01")), (month("2026-03-01"), 0));
    }
}
