//! Lakes of given events.

use std::num::NonZeroUsize;

use arrow::array::AsArray;
use arrow::array::RecordBatch;
use tempfile::TempDir;
use trailweave_correlate::CorrelateOptions;
use trailweave_correlate::Progress;
use trailweave_correlate::Scope;
use trailweave_correlate::correlate;
use trailweave_lake::Lake;
use trailweave_oracle::Event;
use trailweave_oracle::batch;
use trailweave_oracle::deliver;
use trailweave_query::Session;
use trailweave_query::SessionOptions;
use trailweave_query::open;

/// An event of `service`, so many seconds after noon. What it does not say is null.
pub(crate) fn event(service: &str, id: &str, seconds: i64, name: &str) -> Event {
    Event {
        event_id: Some(id.into()),
        event_time: 1_788_264_000_000 + seconds * 1000,
        event_source: Some(format!("{service}.amazonaws.com")),
        event_name: Some(name.into()),
        aws_region: Some("us-west-2".into()),
        recipient_account_id: Some("111111111111".into()),
        ..Event::default()
    }
}

/// Makes a lake of `events`.
pub(crate) fn lake_of(events: &[Event]) -> (TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    deliver(&lake, 0, &batch(events));
    (folder, lake)
}

/// Makes the tables of the join.
pub(crate) fn join(lake: &Lake) {
    let threads = NonZeroUsize::new(2).unwrap();
    let options =
        CorrelateOptions { memory_bytes: 256 << 20, threads, slice_rows: None, scope: Scope::Whole, give_back: || () };
    correlate(lake, &options, &Progress::default()).unwrap();
}

/// Returns the values of a column of texts, with a dash for none.
pub(crate) fn texts<'a>(rows: &'a [RecordBatch], column: &str) -> Vec<&'a str> {
    rows.iter().flat_map(|rows| rows[column].as_string::<i32>().iter().map(|it| it.unwrap_or("-"))).collect()
}

/// Opens a lake for questions.
pub(crate) async fn opened(lake: &Lake) -> Session {
    let options = SessionOptions { memory_bytes: 256 << 20, threads: NonZeroUsize::new(2).unwrap() };
    open(lake, &options).await.unwrap()
}
