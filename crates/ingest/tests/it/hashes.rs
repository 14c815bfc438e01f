//! The ledger holds the hash of each object, in the form in which digest files list it.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use trailweave_table::LEDGER;

use super::*;
use crate::trail::{ACCOUNT, event, gz, object, texts};

const TIME: &str = "2026-09-01T12:00:00Z";

/// The SHA-256 that another program finds.
fn sha256(text: &[u8]) -> String {
    let mut program = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    program.stdin.take().unwrap().write_all(text).unwrap();
    String::from_utf8(program.wait_with_output().unwrap().stdout).unwrap()[..64].to_owned()
}

#[tokio::test]
async fn the_ledger_holds_the_hash_of_what_an_object_inflates_to_whole_or_in_pieces() {
    let trail = Trail::new();
    let padded =
        |id: &str, bytes: usize| event(id, TIME).replacen('{', &format!("{{\"pad\":\"{}\",", "x".repeat(bytes)), 1);
    let small = object(&[event("a", TIME)]);
    let large = object(&(0..40).map(|n| padded(&format!("b{n}"), 100_000)).collect::<Vec<_>>());
    let documents = (0..40).map(|n| object(&[padded(&format!("c{n}"), 100_000)])).collect::<Vec<_>>().join(&b'\n');
    let members = [gz(&small), gz(b"")].concat();
    let objects = [
        ("small", gz(&small), sha256(&small)),
        ("large", gz(&large), sha256(&large)),
        ("documents", gz(&documents), sha256(&documents)),
        ("members", members, String::new()),
        ("plain", small.clone(), String::new()),
        ("cut", gz(&small)[..30].to_vec(), String::new()),
    ];
    for (name, stored, _) in &objects {
        trail.put(&format!("AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/09/01/{name}.json.gz"), stored);
    }
    let lake = trail.lake("lake");
    let summary = ingest(&lake, &options(&trail)).await;
    assert_eq!((summary.objects_done, summary.objects_quarantined), (5, 1));
    let count = |hashes: &[String]| {
        hashes.iter().fold(BTreeMap::new(), |mut counts, hash| {
            *counts.entry(hash.clone()).or_insert(0) += 1;
            counts
        })
    };
    let expected: Vec<_> = objects.map(|(_, _, hash)| hash).into();
    assert_eq!(count(&texts(&lake, &LEDGER, "sha256")), count(&expected));
    let unhashed = trail.lake("unhashed");
    ingest(&unhashed, &IngestOptions { sha256: false, ..options(&trail) }).await;
    assert_eq!(texts(&unhashed, &LEDGER, "sha256"), vec![""; 6]);
}
