//! Rows of tables that answer a question of `trace`, and what their columns show.

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::datatypes::TimestampMicrosecondType;
use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use trailweave_lake::Lake;
use trailweave_lake::Part;
use trailweave_lake::read::{Ask, seek};
use trailweave_table::EVENTS;
use trailweave_table::REMEMBERED;
use trailweave_table::Table;
use trailweave_table::day_of_date;
use trailweave_table::day_of_time;
use trailweave_table::ms_of_time;

use crate::CorrelateError;
use crate::chain::{Call, Event};

/// The columns that a call and its cause are read from.
pub(crate) const CALL_COLUMNS: [&str; 31] = [
    "kms_event_id",
    "kms_event_time",
    "kms_event_name",
    "kms_error_code",
    "kms_principal_arn",
    "kms_principal_account_id",
    "kms_invoked_by",
    "kms_source_object",
    "shared_event_id",
    "recipient_account_id",
    "instance_id",
    "caller_instance_id",
    "volume_id",
    "snapshot_id",
    "grant_id",
    "grant_event_id",
    "key_arn",
    "key_account_id",
    "source_key_arn",
    "link",
    "confidence",
    "unmatched_reason",
    "ec2_event_id",
    "ec2_event_time",
    "ec2_event_name",
    "ec2_principal_arn",
    "ec2_source_ip_address",
    "ec2_error_code",
    "ec2_source_object",
    "root_principal_arn",
    "root_source",
];

/// The columns that an event without calls is read from.
pub(crate) const EVENT_COLUMNS: [&str; 11] = [
    "event_id",
    "event_time",
    "event_name",
    "principal_arn",
    "principal_account_id",
    "source_ip_address",
    "error_code",
    "source_object",
    "recipient_account_id",
    "shared_event_id",
    "user_identity_type",
];

/// The columns of `instances` that a launch is read from.
pub(crate) const LAUNCH_COLUMNS: [&str; 6] = [
    "recipient_account_id",
    "launch_event_id",
    "launched_at",
    "launch_principal_arn",
    "root_principal_arn",
    "root_source",
];

/// The time that is asked about, in milliseconds: from the first until before the second. What is open has no end there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    pub(crate) since: Option<i64>,
    pub(crate) until: Option<i64>,
}

impl Window {
    pub(crate) fn has(self, time: Option<i64>) -> bool {
        let Some(time) = time else { return self.since.is_none() && self.until.is_none() };
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }

    /// Tells whether a part may have rows of that time.
    fn may_have(self, part: &Part) -> bool {
        let Some(day) = part.event_date.as_deref().and_then(day_of_date) else { return true };
        self.since.is_none_or(|since| day_of_time(since) <= day)
            && self.until.is_none_or(|until| day <= day_of_time(until))
    }

    /// Lists the parts of a table that may have such rows.
    pub(crate) fn parts(self, lake: &Lake, table: &Table) -> Result<Vec<Part>, CorrelateError> {
        let mut parts = lake.parts(table)?;
        parts.retain(|part| self.may_have(part));
        Ok(parts)
    }
}

/// Reads columns of the rows of a table that answer a question, from several parts at once.
pub(crate) fn find(
    lake: &Lake,
    table: &Table,
    columns: &[&str],
    asks: &[Ask<'_>],
    window: Window,
) -> Result<Vec<RecordBatch>, CorrelateError> {
    if asks.iter().all(|ask| ask.keys.is_empty()) {
        return Ok(Vec::new());
    }
    let mut parts = window.parts(lake, table)?;
    if table.name == EVENTS.name {
        parts.extend(window.parts(lake, &REMEMBERED)?);
    }
    let found: Vec<_> = parts.par_iter().map(|part| seek(lake, part, columns, asks)).collect::<Result<_, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// The place of a row in time: its time in milliseconds, then its id, one without an id last.
pub(crate) type When = (Option<i64>, bool, Option<String>);

/// Rows of a table.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) batch: &'a RecordBatch,
}

impl Rows<'_> {
    pub(crate) fn text(self, column: &str, row: usize) -> Option<String> {
        let column = self.batch.column_by_name(column)?.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row).to_owned())
    }

    pub(crate) fn millis(self, column: &str, row: usize) -> Option<i64> {
        let times = self.batch.column_by_name(column)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        times.is_valid(row).then(|| ms_of_time(times.value(row)))
    }

    fn time(self, column: &str, row: usize) -> String {
        let time = self.millis(column, row).and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
        time.map_or_else(String::new, |time| time.to_string())
    }

    /// Returns when an event was, whose columns begin with `what`.
    pub(crate) fn when(self, what: &str, row: usize) -> When {
        let id = self.text(&format!("{what}_id"), row);
        (self.millis(&format!("{what}_time"), row), id.is_none(), id)
    }

    pub(crate) fn event(self, row: usize) -> Event {
        Event {
            event_id: self.text("event_id", row).unwrap_or_default(),
            time: self.time("event_time", row),
            name: self.text("event_name", row).unwrap_or_default(),
            principal_arn: self.text("principal_arn", row),
            principal_account_id: self.text("principal_account_id", row),
            root_principal_arn: None,
            root_source: None,
            source_ip_address: self.text("source_ip_address", row),
            error_code: self.text("error_code", row),
            source_object: self.text("source_object", row),
            recipient_account_id: self.text("recipient_account_id", row),
            copies: Vec::new(),
        }
    }

    pub(crate) fn cause(self, row: usize) -> Option<Event> {
        let name = self.text("ec2_event_name", row)?;
        Some(Event {
            event_id: self.text("ec2_event_id", row).unwrap_or_default(),
            time: self.time("ec2_event_time", row),
            name,
            principal_arn: self.text("ec2_principal_arn", row),
            principal_account_id: None,
            root_principal_arn: self.text("root_principal_arn", row),
            root_source: self.text("root_source", row),
            source_ip_address: self.text("ec2_source_ip_address", row),
            error_code: self.text("ec2_error_code", row),
            source_object: self.text("ec2_source_object", row),
            recipient_account_id: None,
            copies: Vec::new(),
        })
    }

    pub(crate) fn launch(self, row: usize) -> Event {
        Event {
            event_id: self.text("launch_event_id", row).unwrap_or_default(),
            time: self.time("launched_at", row),
            name: "RunInstances".to_owned(),
            principal_arn: self.text("launch_principal_arn", row),
            principal_account_id: None,
            root_principal_arn: self.text("root_principal_arn", row),
            root_source: self.text("root_source", row),
            source_ip_address: None,
            error_code: None,
            source_object: None,
            recipient_account_id: self.text("recipient_account_id", row),
            copies: Vec::new(),
        }
    }

    pub(crate) fn call(self, row: usize) -> Call {
        Call {
            event_id: self.text("kms_event_id", row),
            time: self.time("kms_event_time", row),
            name: self.text("kms_event_name", row).unwrap_or_default(),
            error_code: self.text("kms_error_code", row),
            principal_arn: self.text("kms_principal_arn", row),
            principal_account_id: self.text("kms_principal_account_id", row),
            invoked_by: self.text("kms_invoked_by", row),
            recipient_account_id: self.text("recipient_account_id", row),
            instance_id: self.text("instance_id", row),
            caller_instance_id: self.text("caller_instance_id", row),
            volume_id: self.text("volume_id", row),
            snapshot_id: self.text("snapshot_id", row),
            grant_id: self.text("grant_id", row),
            grant_event_id: self.text("grant_event_id", row),
            key_arn: self.text("key_arn", row),
            source_key_arn: self.text("source_key_arn", row),
            link: self.text("link", row).unwrap_or_default(),
            confidence: self.text("confidence", row),
            source_object: self.text("kms_source_object", row),
            copies: Vec::new(),
        }
    }
}
