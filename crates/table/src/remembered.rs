//! `remembered`: rows of days that were pruned.

use crate::column::Table;
use crate::events::EVENTS;

/// KMS events that change the state or the policy of a key, which stay of pruned days.
pub const KEY_CHANGES: [&str; 5] =
    ["CancelKeyDeletion", "DisableKey", "EnableKey", "PutKeyPolicy", "ScheduleKeyDeletion"];

/// One row per event of a pruned day that the join of later days may look at, or that changed a key.
pub const REMEMBERED: Table = Table {
    name: "remembered",
    doc: "One row per event of a pruned day that the join of later days may look at, such as a launch or a grant, or that \
          changed the state or the policy of a key.",
    columns: EVENTS.columns,
    dated_by: EVENTS.dated_by,
    sort_by: &[],
    field_ids: EVENTS.field_ids,
};
