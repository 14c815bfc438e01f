//! Lakes of given events.

use std::num::NonZeroUsize;

use tempfile::TempDir;
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

/// Opens a lake for questions.
pub(crate) async fn opened(lake: &Lake) -> Session {
    let options = SessionOptions { memory_bytes: 256 << 20, threads: NonZeroUsize::new(2).unwrap() };
    open(lake, &options).await.unwrap()
}
