//! Rows of `rejects`: the records that could not become rows of `events`.

use std::fmt;

use arrow::array::RecordBatch;
use trailweave_table::REJECTS;

use crate::append::{Mark, RowBuilder};
use crate::position::{IntegerAt, TextAt};

/// No more of a rejected record is kept than this; the message says so.
pub(crate) const KEEP_BYTES: usize = 1 << 20;

const SOURCE_OBJECT: TextAt = TextAt::of(&REJECTS, "source_object");
const SOURCE_INDEX: IntegerAt = IntegerAt::of(&REJECTS, "source_index");
const REASON: TextAt = TextAt::of(&REJECTS, "reason");
const MESSAGE: TextAt = TextAt::of(&REJECTS, "message");
const RECORD: TextAt = TextAt::of(&REJECTS, "record");

/// The reason why a record could not become a row. Its `Display` is the column `message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    InvalidJson,
    NotAnObject,
    TooDeep,
    TooLarge,
    InvalidEventTime,
    InvalidEventSource,
    InvalidEventName,
    Notification,
}

impl Reason {
    /// Returns the column `reason`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::NotAnObject => "not_an_object",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::InvalidEventTime => "invalid_event_time",
            Self::InvalidEventSource => "invalid_event_source",
            Self::InvalidEventName => "invalid_event_name",
            Self::Notification => "notification",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidJson => "the record is not valid JSON",
            Self::NotAnObject => "the record is not a JSON object",
            Self::TooDeep => "the record nests deeper than 128",
            Self::TooLarge => "the record is larger than 4 MiB, or holds more than 131072 values",
            Self::InvalidEventTime => "eventTime is missing, or not an RFC 3339 time between 2000 and 2099",
            Self::InvalidEventSource => "eventSource is missing, or not a text",
            Self::InvalidEventName => "eventName is missing, or not a text",
            Self::Notification => "an event notification of an AWS service, not a CloudTrail record",
        })
    }
}

/// Collects rows of `rejects`.
#[derive(Debug)]
pub(crate) struct Rejects(RowBuilder);

impl Rejects {
    pub(crate) fn new() -> Self {
        Self(RowBuilder::new(&REJECTS))
    }

    /// Adds a row for a record of `n_bytes`, of which `record` is all or the beginning.
    pub(crate) fn push(
        &mut self,
        source_object: &str,
        source_index: u64,
        reason: Reason,
        record: &[u8],
        n_bytes: usize,
    ) {
        let message = match n_bytes.saturating_sub(KEEP_BYTES) {
            0 => reason.to_string(),
            n_lost => format!("{reason}; its last {n_lost} bytes are not kept here"),
        };
        let record = String::from_utf8_lossy(&record[..record.len().min(KEEP_BYTES)]);
        self.0.begin_row(source_object.len() + record.len() + message.len());
        self.0.text(SOURCE_OBJECT, Some(source_object));
        self.0.integer(SOURCE_INDEX, i64::try_from(source_index).unwrap_or(i64::MAX));
        self.0.text(REASON, Some(reason.name()));
        self.0.text(MESSAGE, Some(message));
        self.0.text(RECORD, Some(record));
        self.0.end_row();
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.0.held_bytes()
    }

    pub(crate) fn mark(&self) -> Mark {
        self.0.mark()
    }

    pub(crate) fn forget_since(&mut self, mark: Mark) {
        self.0.forget_since(mark);
    }

    pub(crate) fn take(&mut self) -> Vec<RecordBatch> {
        self.0.take()
    }
}
