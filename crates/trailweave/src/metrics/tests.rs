//! The text is held to the byte: dashboards and alerts name its lines.

use jiff::Timestamp;
use trailweave_ingest::Summary;
use trailweave_table::Tally;

use super::*;
use crate::figures;
use crate::report::Report;

/// A report in which no two figures are equal.
fn report() -> Report {
    let ingested = Summary {
        objects_listed: 2800,
        objects_done: 101,
        objects_known: 202,
        objects_filtered: 303,
        objects_skipped: 404,
        objects_quarantined: 505,
        objects_gone: 606,
        objects_left: 707,
        messages_received: 900,
        messages_deleted: 801,
        bytes: 11_000,
        inflated_bytes: 120_000,
        tally: Tally { records: 10, rows: 1, duplicates: 2, filtered: 3, rejects: 4 },
        rows_amended: 13,
        ..Summary::default()
    };
    let counts = |counts: &[(&str, u64)]| counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    let correlated = trailweave_correlate::Summary {
        links: counts(&[("request_id", 21), ("none", 22)]),
        products: counts(&[("correlated", 43), ("instances", 31)]),
        ..trailweave_correlate::Summary::default()
    };
    Report { ingested: Some(ingested), correlated: Some(correlated), ..Report::default() }
}

#[test]
fn the_text_of_a_run_is_this_to_the_byte() {
    let began = Timestamp::from_second(1_790_000_000).unwrap();
    let ended = Timestamp::from_millisecond(1_790_000_090_250).unwrap();
    assert_eq!(text(&figures::of(Some(&report()), 3, began, ended)), include_str!("expected.prom"));
}

#[test]
fn a_run_that_failed_tells_so_and_nothing_else() {
    let text = text(&figures::of(None, 1, Timestamp::UNIX_EPOCH, Timestamp::from_second(90).unwrap()));
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let expected = ["exit_code 1", "end_timestamp_seconds 90", "duration_seconds 90"];
    assert_eq!(lines, expected.map(|line| format!("trailweave_last_run_{line}")));
}
