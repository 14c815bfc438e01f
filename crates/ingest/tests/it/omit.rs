//! Columns that a lake leaves out are not in its files.

use trailweave_ingest::compact;
use trailweave_lake::{Choices, LakePlace, Omission, Omit};
use trailweave_table::EVENTS;

use super::*;
use crate::trail::{event, texts};

const TIME: &str = "2026-09-01T12:00:00Z";

fn from(id: &str, address: &str) -> String {
    let fields = format!(r#""sourceIPAddress":"{address}","userAgent":"me","requestParameters":{{"a":1}},"eventID""#);
    event(id, TIME).replace("\"eventID\"", &fields)
}

#[tokio::test]
async fn columns_are_dropped_or_hashed_as_the_lake_was_made() {
    let trail = Trail::new();
    let records = [from("a", "10.0.0.1"), from("b", "10.0.0.1"), from("c", "10.0.0.2"), from("d", "ec2.amazonaws.com")];
    trail.deliver("eu-west-1", "2026/09/01", "a", &records[..2]);
    trail.deliver("eu-west-1", "2026/09/01", "b", &records[2..]);
    let omit: Omit =
        [("request_parameters", Omission::Drop), ("user_agent", Omission::Drop), ("source_ip_address", Omission::Hash)]
            .map(|(column, how)| (column.to_owned(), how))
            .into();
    let place = LakePlace::local(&trail.source().with_file_name("lake"));
    let lake = Lake::open_or_create_with(&place, Choices { events: Some("all"), omit: Some(&omit) }).unwrap();
    let options = IngestOptions { batch_bytes: 1, ..options(&trail) };
    ingest(&lake, &options).await;
    let merging = trailweave_ingest::CompactOptions { memory_bytes: 1 << 30, threads: options.threads };
    for _ in 0..2 {
        assert_eq!(texts(&lake, &EVENTS, "event_id"), ["a", "b", "c", "d"]);
        for column in ["request_parameters", "user_agent"] {
            assert_eq!(texts(&lake, &EVENTS, column), [""; 4], "{column}");
        }
        let mut hashes = texts(&lake, &EVENTS, "source_ip_address");
        assert!(hashes.contains(&"ec2.amazonaws.com".to_owned()) && hashes.iter().all(|hash| !hash.starts_with("10.")));
        hashes.dedup();
        assert_eq!(hashes.len(), 3, "equal values have equal hashes");
        assert_eq!(compact(&lake, &merging).unwrap().parts_after, 1);
    }
    assert_eq!(ingest(&lake, &options).await.objects_known, 2);
}
