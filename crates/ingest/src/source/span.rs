//! The part of a trail that a filter passed over: where to look, when nothing matched.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::source::key::Place;
use crate::source::key::is_account;

/// The days, accounts and regions of what a filter passed over. In S3 a folder that holds nothing that is asked for is
/// not looked into, so a day may be a month or a year.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The first day, `YYYY-MM-DD`, or the month or the year that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// The last day, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// The accounts.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub accounts: BTreeSet<String>,
    /// The regions.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub regions: BTreeSet<String>,
}

impl Span {
    /// Notes a place.
    pub(crate) fn note(&mut self, place: &Place) {
        self.note_day(place.day.to_string());
        self.note_names(&place.account, Some(&place.region));
    }

    /// Notes a folder of a trail, by what follows `AWSLogs/` and the organization in its name.
    pub(crate) fn note_folder(&mut self, folders: &[&str]) {
        let [account, rest @ ..] = folders else { return };
        if !is_account(account) {
            return;
        }
        self.note_names(account, rest.get(1).copied());
        let date: Vec<&str> = rest.iter().skip(2).take(3).copied().collect();
        if !date.is_empty() && date.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit())) {
            self.note_day(date.join("-"));
        }
    }

    /// Adds what another listing passed over.
    pub(crate) fn extend(&mut self, more: Self) {
        for day in [more.first, more.last].into_iter().flatten() {
            self.note_day(day);
        }
        self.accounts.extend(more.accounts);
        self.regions.extend(more.regions);
    }

    fn note_day(&mut self, day: String) {
        if self.last.as_ref().is_none_or(|last| is_later(&day, last)) {
            self.last = Some(day.clone());
        }
        if self.first.as_ref().is_none_or(|first| day < *first) {
            self.first = Some(day);
        }
    }

    fn note_names(&mut self, account: &str, region: Option<&str>) {
        if !self.accounts.contains(account) {
            self.accounts.insert(account.to_owned());
        }
        if let Some(region) = region.filter(|region| !self.regions.contains(*region)) {
            self.regions.insert(region.to_owned());
        }
    }
}

/// Tells whether a day, a month or a year ends after another.
fn is_later(day: &str, other: &str) -> bool {
    if day.starts_with(other) { false } else { other.starts_with(day) || day > other }
}

/// How many accounts and regions are named.
const NAMED: usize = 5;

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.first, &self.last) {
            (Some(first), Some(last)) if first == last => write!(f, "{first}")?,
            (Some(first), Some(last)) => write!(f, "{first} to {last}")?,
            _ => write!(f, "no day that was looked at")?,
        }
        for (one, many, names) in [("account", "accounts", &self.accounts), ("region", "regions", &self.regions)] {
            if !names.is_empty() {
                let shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
                write!(f, ", {} {}", if names.len() == 1 { one } else { many }, shown.join(" "))?;
                if names.len() > NAMED {
                    write!(f, " and {} more", names.len() - NAMED)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reaches_from_the_first_to_the_last_that_was_passed_over() {
        let mut span = Span::default();
        for folder in ["2025/11/03", "2024", "2025/12", "2025/12/07"] {
            let folders: Vec<&str> =
                ["111122223333", "CloudTrail", "eu-west-1"].into_iter().chain(folder.split('/')).collect();
            span.note_folder(&folders);
        }
        assert_eq!(span.to_string(), "2024 to 2025-12, account 111122223333, region eu-west-1");
        span.note_folder(&["444455556666"]);
        span.note_folder(&["copies", "more"]);
        let mut other = Span::default();
        other.note(&Place { day: jiff::civil::date(2026, 1, 2), account: "1".into(), region: "us-east-1".into() });
        span.extend(other);
        let expected = "2024 to 2026-01-02, accounts 1 111122223333 444455556666, regions eu-west-1 us-east-1";
        assert_eq!(span.to_string(), expected);
    }
}
