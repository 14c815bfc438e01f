//! The tables that prove that nothing was lost: `rejects`, the ledger, and what digests say of it.

use crate::column::Encoding::Plain;
use crate::column::Kind::{Bool, Integer, TextList, Time};
use crate::column::{Table, column, id, json, text};
use crate::field_ids;
use crate::remembered::REMEMBERED;

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
        text("status", "done or quarantined; again, where an object that is done was read once more, of which the counts repeat what was counted"),
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
        column("filtered", Integer, "records outside the lake's choice of events, or of pruned days; Insights and aggregated events"),
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
        text(
            "note",
            "why it is right that the object gave no row, as `quarantine dismiss` was told; null for all others. An object with \
             a note does not stand in quarantine",
        ),
        text(
            "verdict",
            "what `verify` found: valid, changed, damaged, missing (from the source), unlisted (in no digest), or unproven (of a \
             time without a digest that can be trusted); null where it did not look",
        ),
    ],
    dated_by: None,
    sort_by: &["source_object"],
    field_ids: field_ids::LEDGER,
};

/// One row per digest file of CloudTrail that was verified, or found missing.
pub const DIGESTS: Table = Table {
    name: "digests",
    doc: "One row per digest file of CloudTrail that `verify` looked at, or found missing.",
    columns: &[
        id("digest", "URL of the digest file").written(Plain),
        text("aws_account_id", "account whose log files it lists"),
        text("aws_region", "region of these"),
        text("trail_name", "the trail"),
        text("home_region", "region in which the trail was made"),
        column("digest_start_time", Time, "start of its window; of a missing digest, end of the one before it"),
        column("digest_end_time", Time, "end of its window"),
        column("is_backfill", Bool, "whether it lists what earlier digests left out"),
        text("verdict", "valid; else what is wrong with it, as `verify --json` names it, such as digest-signature"),
        text("chain", "began (names no digest before it), linked, or broken (what it names is missing or another)"),
        column("log_files", Integer, "log files that it lists"),
        column("valid", Integer, "those that the lake holds as they were delivered"),
        column("changed", Integer, "those whose text is another, or damaged"),
        column("missing", Integer, "those that the source has not"),
        column("not_ingested", Integer, "those that the source has and the lake has not"),
        column("faults", TextList, "URLs of the log files that are changed, missing or not ingested"),
        text(
            "version",
            "version of the digest file when it was verified, as the ledger names versions; empty: verify reads it again",
        ),
        id("previous_digest", "URL of the digest that it names as the one before it").written(Plain),
        text("listed", "fingerprints of the URLs of the log files that it lists, 32 hexadecimal digits each")
            .written(Plain),
    ],
    dated_by: None,
    sort_by: &["aws_account_id", "aws_region", "digest_end_time", "digest"],
    field_ids: field_ids::DIGESTS,
};

/// The tables of the lake's own state, which say what became of its input.
pub const AUDIT: [&Table; 3] = [&LEDGER, &DIGESTS, &REMEMBERED];
