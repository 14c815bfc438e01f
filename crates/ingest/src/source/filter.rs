//! The choice of the objects that a run reads, by their keys.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use jiff::civil::Date;

use crate::source::key::Place;

/// The choice of the objects that a run reads. It never chooses rows, so what the ledger says of an object holds for
/// every filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The first day of delivery.
    pub from: Option<Date>,
    /// The last day of delivery.
    pub to: Option<Date>,
    /// The accounts; empty: every account.
    pub accounts: BTreeSet<String>,
    /// The regions; empty: every region.
    pub regions: BTreeSet<String>,
    /// The names.
    pub names: Names,
}

/// The names that a listed object may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Names {
    /// Those that end as trail objects do: `.gz`, `.json`, `.jsonl` and `.ndjson`, in any case.
    #[default]
    OfTrails,
    /// Every name that is not hidden: Firehose gives its objects no ending.
    All,
}

/// The endings of the names of trail objects.
const ENDINGS: [&str; 4] = [".gz", ".json", ".jsonl", ".ndjson"];

impl Names {
    /// Tells whether an object of this name is read, wherever it stands.
    pub(crate) fn takes(self, name: &OsStr) -> bool {
        let name = name.as_encoded_bytes();
        let ends_with = |ending: &str| {
            name.len() > ending.len() && name[name.len() - ending.len()..].eq_ignore_ascii_case(ending.as_bytes())
        };
        self == Self::All || ENDINGS.into_iter().any(ends_with)
    }
}

impl Filter {
    /// Tells whether it passes over any account, region or day.
    pub fn chooses_places(&self) -> bool {
        self.from.is_some() || self.to.is_some() || !self.accounts.is_empty() || !self.regions.is_empty()
    }

    /// Tells whether an object of this place is read. One whose place is unknown is read only where nothing is asked.
    pub(crate) fn takes(&self, place: Option<&Place>) -> bool {
        let Some(place) = place else {
            return !self.chooses_places();
        };
        self.from.is_none_or(|from| from <= place.day)
            && self.to.is_none_or(|to| place.day <= to)
            && self.takes_account(&place.account)
            && self.takes_region(&place.region)
    }

    /// Tells whether objects of an account are read, of some region and day.
    pub(crate) fn takes_account(&self, account: &str) -> bool {
        self.accounts.is_empty() || self.accounts.contains(account)
    }

    /// Tells whether objects of a region are read, of some account and day.
    pub(crate) fn takes_region(&self, region: &str) -> bool {
        self.regions.is_empty() || self.regions.contains(region)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn both_days_are_inside_and_every_condition_must_hold() {
        let place = Place { day: date(2026, 9, 2), account: "210987654321".into(), region: "eu-west-1".into() };
        let day = |from, to| Filter { from, to, ..Filter::default() };
        assert!(day(Some(place.day), Some(place.day)).takes(Some(&place)));
        assert!(!day(Some(date(2026, 9, 3)), None).takes(Some(&place)));
        assert!(!day(None, Some(date(2026, 9, 1))).takes(Some(&place)));
        let both = |account: &str, region: &str| Filter {
            accounts: [account.to_owned()].into(),
            regions: [region.to_owned()].into(),
            ..Filter::default()
        };
        assert!(both("210987654321", "eu-west-1").takes(Some(&place)));
        assert!(!both("210987654321", "eu-west-2").takes(Some(&place)));
        assert!(!both("210987654322", "eu-west-1").takes(Some(&place)));
    }

    #[test]
    fn an_unknown_place_is_read_only_without_a_filter() {
        assert!(Filter::default().takes(None));
        assert!(!Filter { from: Some(date(2026, 9, 1)), ..Filter::default() }.takes(None));
    }
}
