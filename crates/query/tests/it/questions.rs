//! Questions in SQL, right and wrong.

use std::fs;
use std::num::NonZeroUsize;

use arrow::array::RecordBatch;
use tempfile::TempDir;
use trailweave_oracle::Event;
use trailweave_query::QueryError;
use trailweave_query::Session;
use trailweave_query::SessionOptions;
use trailweave_query::open;

use crate::lakes::event;
use crate::lakes::lake_of;
use crate::lakes::opened;

/// Opens a lake of four launches, a second apart from noon on, for questions.
async fn launches() -> (TempDir, Session) {
    let (folder, lake) =
        lake_of(&[0, 1, 2, 3].map(|second| event("ec2", &format!("e{second}"), second, "RunInstances")));
    (folder, opened(&lake).await)
}

/// Counts how many of them meet `condition`, or says why it is refused.
async fn count(session: &Session, condition: &str) -> Result<usize, String> {
    let asked = session.query(&format!("SELECT event_id FROM events WHERE {condition}")).await;
    asked.map(|rows| rows.iter().map(RecordBatch::num_rows).sum()).map_err(|error| said(&error))
}

/// Says the error and its sources, as the program prints them.
fn said(error: &QueryError) -> String {
    let sources = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn a_query_may_ask_but_not_change() {
    let (_folder, session) = launches().await;
    let asked = session.query("SELECT event_id FROM events WHERE event_date = DATE '2026-09-01'").await.unwrap();
    assert_eq!(asked.iter().map(RecordBatch::num_rows).sum::<usize>(), 4);
    assert_eq!(session.query("SELECT * FROM rejects").await.unwrap()[0].num_rows(), 0);
    for statement in ["DROP TABLE events", "COPY events TO 'x.parquet'", "SET datafusion.execution.batch_size = 1"] {
        let refused = session.query(statement).await;
        assert!(matches!(refused, Err(QueryError::ReadOnly(_))), "{statement}");
    }
    assert!(matches!(session.query("SELECT nothing FROM events").await, Err(QueryError::Query(_))));
}

#[tokio::test]
async fn a_time_finer_than_those_of_the_lake_is_refused() {
    let (_folder, session) = launches().await;
    let time = "2026-09-01T12:00:00";
    assert_eq!(count(&session, &format!("event_time = '{time}Z'")).await, Ok(1));
    for fine in [
        format!("'{time}.0000009Z'"),
        format!("TIMESTAMP '{time}.000000001'"),
        format!("CAST('{time}.0000009' AS TIMESTAMP)"),
        format!("CAST('{time}.0000009' AS TIMESTAMP(3))"),
        format!("arrow_cast('{time}.0000009', 'Timestamp(Nanosecond, Some(\"UTC\"))')"),
        format!("to_timestamp('{time}.0000009')"),
        format!("TIMESTAMP '{time}' + INTERVAL '1 nanosecond'"),
    ] {
        for condition in [
            format!("event_time = {fine}"),
            format!("event_time <> {fine}"),
            format!("{fine} > event_time"),
            format!("event_time >= {fine}"),
            format!("event_time IN ({fine}, '{time}Z')"),
            format!("event_time BETWEEN '{time}Z' AND {fine}"),
            format!("CASE WHEN event_time < {fine} THEN true ELSE false END"),
            format!("event_id IN (SELECT event_id FROM events WHERE event_time = {fine})"),
        ] {
            let answer = count(&session, &condition).await;
            assert!(answer.as_ref().is_err_and(|said| said.contains("whole microseconds")), "{condition}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_time_is_not_moved_by_a_part_of_a_microsecond() {
    let (_folder, session) = launches().await;
    for condition in [
        "event_time + INTERVAL '500 nanoseconds' > '2026-09-01T12:00:00Z'",
        "event_time - INTERVAL '1.5 microseconds' = '2026-09-01T12:00:00Z'",
        "event_time = event_time + INTERVAL '1 nanosecond'",
    ] {
        let answer = count(&session, condition).await;
        assert!(answer.as_ref().is_err_and(|said| said.contains("whole microseconds")), "{condition}: {answer:?}");
    }
    let moved = "event_time + INTERVAL '1 microsecond' > '2026-09-01T12:00:00Z'";
    assert!(count(&session, moved).await.is_ok());
}

#[tokio::test]
async fn a_time_of_whole_microseconds_is_compared_as_it_is() {
    let (_folder, session) = launches().await;
    let time = "2026-09-01T12:00:00";
    for (condition, rows) in [
        (format!("event_time = '{time}.000000000Z'"), 1),
        (format!("event_time = '{time}.001Z'"), 0),
        (format!("event_time < TIMESTAMP '{time}.001' AND event_time >= TIMESTAMP '{time}'"), 1),
        (format!("event_time BETWEEN '{time}' AND '{time}.999'"), 1),
        (format!("event_time IN ('{time}Z', TIMESTAMP '{time}.5')"), 1),
        (format!("event_time = TIMESTAMP '{time}' + INTERVAL '1 second' - INTERVAL '1 second'"), 1),
        ("event_time < DATE '2026-09-02'".to_owned(), 4),
        ("event_date = '2026-09-01'".to_owned(), 4),
        (format!("event_id <> '{time}.0000009Z'"), 4),
    ] {
        assert_eq!(count(&session, &condition).await, Ok(rows), "{condition}");
    }
    assert!(
        count(&session, "event_time < now() - INTERVAL '1 nanosecond'").await.is_ok(),
        "the time of day may be finer"
    );
}

#[tokio::test]
async fn a_date_is_not_compared_with_a_number() {
    let (_folder, session) = launches().await;
    for condition in [
        "event_date > 20260301",
        "5 = event_date",
        "event_date IN (-5, 20260301)",
        "event_date BETWEEN 1 AND 20260301 + 30",
        "CASE event_date WHEN 20260901 THEN true ELSE false END",
    ] {
        let answer = count(&session, condition).await;
        assert!(answer.as_ref().is_err_and(|said| said.contains("write a date as '2026")), "{condition}: {answer:?}");
    }
    assert_eq!(count(&session, "event_date + 1 > DATE '2026-09-01' AND event_date > '2026-08-31'").await, Ok(4));
}

#[tokio::test]
async fn lists_are_values_of_every_step() {
    let launch = |n: usize| Event {
        instance_ids: vec![format!("i-0000000{n}")],
        ..event("ec2", &format!("e{n}"), 0, "RunInstances")
    };
    let (_folder, lake) = lake_of(&[launch(1), launch(2)]);
    let session = opened(&lake).await;
    for sql in [
        "SELECT e.instance_ids, s.event_id FROM events e, events s",
        "SELECT max(instance_ids) FROM events",
        "SELECT lead(instance_ids) OVER (ORDER BY event_id) FROM events",
        "SELECT array_concat(instance_ids, volume_ids) FROM events",
        "SELECT e.* FROM events e CROSS JOIN (SELECT 1) one",
        "SELECT g.operations, e.instance_ids FROM events e LEFT JOIN grants g ON true",
    ] {
        let answer = session.query(sql).await.map_err(|error| said(&error));
        assert!(answer.as_ref().is_ok_and(|rows| rows[0].num_rows() > 0), "{sql}: {answer:?}");
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_listed_is_not_an_empty_one() {
    let (folder, lake) = lake_of(&[event("ec2", "run", 0, "RunInstances")]);
    fs::write(folder.path().join("correlated"), "a file").unwrap();
    let options = SessionOptions { memory_bytes: 256 << 20, threads: NonZeroUsize::MIN };
    let refused = open(&lake, &options).await;
    assert!(matches!(&refused, Err(QueryError::Lake(_))), "{refused:?}");
}

#[tokio::test]
async fn what_the_engine_says_is_said_once() {
    let (_folder, session) = launches().await;
    for (sql, expected) in [
        ("SELECT evnt_name FROM events", "no column is named `evnt_name`; near it are events.event_name, "),
        ("SELECT e.\"eventTime\" FROM events e", "no column is named `e.eventTime`; near it are e.event_time, "),
        ("SELECT zzz FROM ledger", "no column is named `zzz`; the columns are ledger.source_object, ledger.version, "),
        ("SELECT 1 FROM event", "no table is named `event`; the lake has events, sessions, correlated, "),
        ("SELEC 1", "sql parser error: Expected: an SQL statement, found: SELEC at Line: 1, Column: 1"),
        ("SELECT event_time + 'x' FROM events", "Cannot coerce arithmetic expression Timestamp(µs, \"UTC\") + Utf8"),
        ("SELECT 1 FROM events WHERE event_time = 'yesterday'", "Error parsing timestamp from 'yesterday'"),
        (
            "SELECT 1 FROM events WHERE event_time = '2026-09-01T12:00:00.0000009Z'",
            "`2026-09-01T12:00:00.0000009Z` is finer",
        ),
        ("SELECT CAST(event_name AS BIGINT) FROM events", "Cannot cast string 'RunInstances' to value of Int64 type"),
    ] {
        let said = said(&session.query(sql).await.unwrap_err());
        assert!(said.starts_with("cannot answer the query: "), "{sql}: {said}");
        assert_eq!(said.matches(expected).count(), 1, "{sql}: {said}");
    }
}
