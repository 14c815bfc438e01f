//! The tables that prove that nothing was lost: `rejects` and the ledger.

use crate::column::Encoding::Plain;
use crate::column::Kind::{Integer, TextList, Time};
use crate::column::{Table, column, id, json, text};
use crate::field_ids;

/// One row per record that could not become a row of `events` or `sessions`.
pub const REJECTS: Table = Table {
    name: "rejects",
    doc: "One row per record that could not become a row of events or sessions.",
    columns: &[
        text("source_object", "key or path of the object"),
        column("source_index", Integer, "position of the record in its object, from 0"),
        text(
            "reason",
            "the kind of fault: invalid_json, not_an_object, too_deep, too_large, invalid_event_time, \
             invalid_event_source, invalid_event_name, or notification (of S3, say, archived among the logs)",
        ),
        text("message", "the fault in words"),
        text("record", "the record as logged; bytes that are not UTF-8 replaced"),
    ],
    dated_by: None,
    sort_by: &["source_object", "source_index"],
    field_ids: field_ids::REJECTS,
};

/// One row per object read; the lake's memory of its input.
pub const LEDGER: Table = Table {
    name: "ledger",
    doc: "One row per object read.",
    columns: &[
        id("source_object", "key or path of the object"),
        text("version", "ETag, or size and modification time, of what was read"),
        text("batch_id", "the batch whose parts hold its rows"),
        text("status", "done or quarantined"),
        text("error", "why it was quarantined"),
        column("bytes", Integer, "size of the object as stored, bytes"),
        json(
            "sha256",
            "SHA-256 of the object when inflated, hexadecimal, as digest files list it; null where it is not one member of \
             gzip, was quarantined, or was read by an earlier release",
        )
        .written(Plain),
        column("records", Integer, "records found in it"),
        column("rows", Integer, "records that became rows of events or sessions"),
        column("duplicates", Integer, "records that the lake already had, or that others have amended"),
        column("filtered", Integer, "records outside the lake's choice of events"),
        column("rejects", Integer, "records that could not become rows"),
        column("min_event_time", Time, "earliest event_time among its rows, and those amended since"),
        column("max_event_time", Time, "latest event_time among its rows, and those amended since"),
        column(
            "amendments",
            TextList,
            "those of its records that amend others, each as JSON; what they replace leaves its table, and moves from the \
             rows to the duplicates of its own object",
        ),
        text("run_id", "the run that read it"),
    ],
    dated_by: None,
    sort_by: &["source_object"],
    field_ids: field_ids::LEDGER,
};
