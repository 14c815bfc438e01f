//! `remembered`: rows of days that were pruned.

use crate::column::Table;
use crate::events::EVENTS;

/// One row per event of a pruned day that the join of later days may look at.
pub const REMEMBERED: Table = Table {
    name: "remembered",
    doc: "One row per event of a pruned day that the join of later days may look at, such as a launch or a grant.",
    columns: EVENTS.columns,
    dated_by: EVENTS.dated_by,
    sort_by: &[],
    field_ids: EVENTS.field_ids,
};
