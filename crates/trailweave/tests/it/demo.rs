//! The demo shows what comes out, and replaces only a demo.

use std::fs;

use crate::program::trailweave;
use crate::program::utf8;

#[test]
fn a_demo_shows_a_chain_and_replaces_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let demo = folder.path().join("demo");
    let said = trailweave(&["demo", "--dir", utf8(&demo), "--records", "6000", "--seed", "3"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("RunInstances") && said.stdout.contains("[request_id, exact]"), "{}", said.stdout);
    let again = trailweave(&["demo", "--dir", utf8(&demo), "--records", "6000", "--seed", "3"]);
    assert_eq!(again.code, 0, "a demo replaces the one before: {}", again.stderr);
}

#[test]
fn a_folder_that_no_demo_made_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    let said = trailweave(&["demo", "--dir", utf8(folder.path())]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("--dir"), "{}", said.stderr);
    assert!(folder.path().join("thesis.txt").exists());
}
