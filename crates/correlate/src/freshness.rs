//! Up to when the tables are correlated, and what they were not made of yet.

use serde::Serialize;
use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Part;
use trailweave_lake::is_changing;
use trailweave_lake::read;
use trailweave_table::EVENTS;
use trailweave_table::JOINED;
use trailweave_table::LOGGED;

use crate::correlate::{RULES, covered, parts_of};
use crate::parts::BEYOND_MS;
use crate::parts::bounds;

/// The state of the tables beside that of the events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Freshness {
    /// The latest event that the tables were made of, in milliseconds since 1970; none where they were made of none.
    pub correlated_until_ms: Option<i64>,
    /// Parts of `events` and `sessions` that the tables were not made of. All of them, where the join has other rules by now.
    pub waiting_parts: u64,
    /// Parts that they were made of and that are gone.
    pub gone_parts: u64,
    /// True if files of the tables are gone, or are others than those that were made.
    pub lacks_products: bool,
}

impl Freshness {
    /// Reads what the products cover, and the ends of the parts of the newest date.
    pub fn read(lake: &Lake) -> Result<Self, LakeError> {
        let parts = parts_of(lake, &JOINED)?;
        let is_logged = |part: &Part| LOGGED.iter().any(|table| part.path.starts_with(lake.table_dir(table)));
        let count = |parts: &[Part]| parts.iter().filter(|part| is_logged(part)).count() as u64;
        let Some(covered) = covered(lake, &parts)? else {
            return Ok(Self { waiting_parts: count(&parts), lacks_products: lacks_products(lake)?, ..Self::default() });
        };
        let gone_parts = covered.gone(&Covered::of(lake, RULES, &parts)).count() as u64;
        let (joined, waiting): (Vec<Part>, Vec<Part>) =
            parts.into_iter().partition(|part| covered.has(lake.below(&part.path), part.bytes));
        Ok(Self {
            correlated_until_ms: newest(lake, &joined)?,
            waiting_parts: count(&waiting),
            gone_parts,
            lacks_products: false,
        })
    }

    /// Tells whether events wait for the join.
    pub fn is_behind(self) -> bool {
        self.waiting_parts > 0
    }
}

/// Tells whether files of the tables were touched. A run may be replacing them at this moment, which is not meant.
fn lacks_products(lake: &Lake) -> Result<bool, LakeError> {
    let Some(covered) = Covered::read(lake)?.filter(|it| it.rules == RULES) else { return Ok(false) };
    Ok(!covered.has_its_products(lake)? && !is_changing(lake)? && Covered::read(lake)? == Some(covered))
}

/// Reads the latest time of the events in `parts`, which the ends of the files of the last date tell.
fn newest(lake: &Lake, parts: &[Part]) -> Result<Option<i64>, LakeError> {
    let folder = lake.table_dir(&EVENTS);
    let events = || parts.iter().filter(|part| part.path.starts_with(&folder));
    let last = events().map(|part| &part.event_date).max();
    let mut newest = None;
    for part in events().filter(|part| Some(&part.event_date) == last) {
        let file = lake.open_listed(part)?;
        let end = read::load(&file).map_err(LakeError::parquet(&part.path))?;
        let times = (0..end.metadata().num_row_groups()).map(|group| bounds(&end, group).1);
        newest = newest.max(times.filter(|time| *time < BEYOND_MS).max());
    }
    Ok(newest)
}
