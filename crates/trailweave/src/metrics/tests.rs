//! The text is held to the byte: dashboards and alerts name its lines.

use jiff::Timestamp;
use trailweave_ingest::HoursProven;
use trailweave_ingest::LogFileCounts;
use trailweave_ingest::Status;
use trailweave_ingest::Summary;
use trailweave_ingest::Verified;
use trailweave_table::Tally;

use super::*;
use crate::figures;
use crate::figures::Subject;
use crate::outcome::Outcome;
use crate::report::Report;

/// Makes a report in which no two figures are equal.
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

/// Writes the figures of a job that ran for 90 s and a quarter.
fn told(subject: Subject, outcome: Outcome, figures: Vec<Figure>) -> String {
    let began = Timestamp::from_second(1_790_000_000).unwrap();
    let ended = Timestamp::from_millisecond(1_790_000_090_250).unwrap();
    text(&figures::of(subject, outcome, (began, ended), figures))
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn the_text_of_a_run_is_this_to_the_byte() {
    let text = told(Subject::Run, Outcome::Quarantined, figures::of_report(&report()));
    assert_eq!(text, include_str!("expected.prom"));
}

#[test]
fn a_job_that_failed_tells_so_and_nothing_else() {
    for (subject, name, is_timed) in [
        (Subject::Run, "run", true),
        (Subject::Correlate, "correlate", true),
        (Subject::Verify, "verify", true),
        (Subject::Status, "status", false),
    ] {
        let expected = ["exit_code 1", "end_timestamp_seconds 1790000090", "duration_seconds 90.25"];
        let expected = expected.map(|line| format!("trailweave_last_{name}_{line}"));
        let text = told(subject, Outcome::Failed, Vec::new());
        assert_eq!(lines(&text), expected[..if is_timed { 3 } else { 2 }]);
    }
}

#[test]
fn a_verification_has_names_of_its_own() {
    let log_files =
        LogFileCounts { listed: 21, valid: 1, changed: 2, missing: 3, not_ingested: 4, unlisted: 5, unproven: 6 };
    let verified = Verified { hours: HoursProven { proven: 95, total: 96 }, log_files, ..Verified::default() };
    let text = told(Subject::Verify, Outcome::Harmed, figures::of_verified(&verified));
    let expected = [
        "exit_code 4",
        "end_timestamp_seconds 1790000090",
        "duration_seconds 90.25",
        "hours{verdict=\"proven\"} 95",
        "hours{verdict=\"unproven\"} 1",
        "log_files{verdict=\"valid\"} 1",
        "log_files{verdict=\"changed\"} 2",
        "log_files{verdict=\"missing\"} 3",
        "log_files{verdict=\"not_ingested\"} 4",
        "log_files{verdict=\"unlisted\"} 5",
        "log_files{verdict=\"unproven\"} 6",
    ];
    assert_eq!(lines(&text), expected.map(|line| format!("trailweave_last_verify_{line}")));
}

#[test]
fn a_status_tells_its_objects_and_the_newest_delivery_if_there_is_one() {
    let status =
        Status { done: 1, pruned: 2, quarantined: 3, rejected: 4, dismissed: 5, unread: 6, ..Status::default() };
    let newest = Timestamp::from_second(1_789_000_000).ok();
    let text = told(Subject::Status, Outcome::Stale, figures::of_status(&status, newest));
    let expected = [
        "exit_code 9",
        "end_timestamp_seconds 1790000090",
        "newest_delivery_timestamp_seconds 1789000000",
        "objects{state=\"done\"} 1",
        "objects{state=\"pruned\"} 2",
        "objects{state=\"quarantined\"} 3",
        "objects{state=\"rejected\"} 4",
        "objects{state=\"dismissed\"} 5",
        "objects{state=\"unread\"} 6",
    ];
    assert_eq!(lines(&text), expected.map(|line| format!("trailweave_last_status_{line}")));
    let text = told(Subject::Status, Outcome::Done, figures::of_status(&status, None));
    assert!(!text.contains("newest_delivery"), "{text}");
}
