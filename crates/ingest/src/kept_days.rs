//! The days that a lake keeps, since those before were pruned.

use jiff::civil::Date;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_table::date_of_day;

use crate::source::key::Place;

/// The days that a lake keeps.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeptDays {
    from: Option<(i32, Date)>,
}

impl KeptDays {
    pub(crate) fn of(lake: &Lake) -> Result<Self, LakeError> {
        Ok(lake.pruned_before()?.map(Self::since).unwrap_or_default())
    }

    /// Keeps a day, counted from 1970-01-01, and all after it.
    pub(crate) fn since(day: i32) -> Self {
        let date = date_of_day(day).parse().expect("days are written as dates");
        Self { from: Some((day, date)) }
    }

    /// Tells whether rows of a day, counted from 1970-01-01, are kept.
    pub(crate) fn has(self, day: i32) -> bool {
        self.from.is_none_or(|(from, _)| day >= from)
    }

    /// Tells whether an object is of a day of delivery that is kept. One whose name tells no day is.
    pub(crate) fn has_place(self, place: Option<&Place>) -> bool {
        match (self.from, place) {
            (Some((_, from)), Some(place)) => place.day >= from,
            _ => true,
        }
    }
}
