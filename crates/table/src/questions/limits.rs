//! Limits of an answer: a time, accounts, regions.

use crate::day::date_of_day;
use crate::day::day_of_time;
use crate::ddl::Dialect;
use crate::layout::DATE_PARTITION;

/// The limits of an answer. Without any, all rows are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// The first second that is meant, since 1970.
    pub since: Option<i64>,
    /// The first second that is not meant any more.
    pub until: Option<i64>,
    /// The accounts in whose trails the events were logged.
    pub accounts: Vec<String>,
    /// The regions in which the calls were made.
    pub regions: Vec<String>,
}

/// The columns that are limited, beside `aws_region`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limited {
    time: &'static str,
    account: &'static str,
}

impl Limited {
    pub(super) const fn by(time: &'static str) -> Self {
        Self { time, account: "recipient_account_id" }
    }

    /// Limits rows of `events`, of which the first do not say in whose trail they are.
    pub(super) const fn of_events() -> Self {
        Self { time: "event_time", account: "coalesce(recipient_account_id, principal_account_id)" }
    }
}

impl Limits {
    /// Tells whether all rows are meant.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Writes what follows the other conditions of a WHERE.
    pub(super) fn sql(&self, dialect: Dialect, limited: &Limited) -> String {
        let time = |sign: &str, seconds: i64| format!("{} {sign} {}", limited.time, dialect.time(seconds));
        // Readers skip days by the partition alone.
        let day = |sign: &str, seconds: i64| {
            format!("{DATE_PARTITION} {sign} DATE '{}'", date_of_day(day_of_time(seconds * 1000)))
        };
        let list = |column: &str, values: &[String]| {
            let texts: Vec<_> = values.iter().map(|value| dialect.text(value)).collect();
            (!texts.is_empty()).then(|| format!("{column} IN ({})", texts.join(", ")))
        };
        let conditions = [
            self.since.map(|seconds| time(">=", seconds)),
            self.until.map(|seconds| time("<", seconds)),
            self.since.map(|seconds| day(">=", seconds)),
            self.until.map(|seconds| day("<=", seconds - 1)),
            list(limited.account, &self.accounts),
            list("aws_region", &self.regions),
        ];
        let conditions: Vec<_> = conditions.into_iter().flatten().collect();
        if conditions.is_empty() { String::new() } else { format!("\n  AND {}", conditions.join(" AND ")) }
    }
}
