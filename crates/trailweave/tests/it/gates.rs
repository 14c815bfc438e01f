//! The exit codes: each says how the lake stands, again and again until it stands otherwise.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

use crate::program::Said;
use crate::program::deliver;
use crate::program::trailweave;
use crate::program::utf8;

const ACCOUNT: &str = "444455556666";
const DAY: &str = "2026-09-01";

/// A trail and a lake in a folder that vanishes with it.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        fs::create_dir(world.0.path().join("trail")).unwrap();
        world
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn deliver(&self, content: &[u8]) {
        deliver(&self.path("trail"), ACCOUNT, "eu-west-1", DAY, content);
    }

    /// Runs a verb on the lake.
    fn say(&self, typed: &[&str]) -> Said {
        trailweave(&[typed, &["--lake", utf8(&self.path("lake"))]].concat())
    }

    /// Runs a verb on the trail and the lake.
    fn of_trail(&self, typed: &[&str]) -> Said {
        self.say(&[typed, &["--source", utf8(&self.path("trail"))]].concat())
    }
}

fn whole(n: u32) -> Vec<u8> {
    let record = json!({
        "eventVersion": "1.11", "eventTime": format!("{DAY}T00:00:00Z"), "eventSource": "ec2.amazonaws.com",
        "eventName": "StopInstances", "awsRegion": "eu-west-1", "recipientAccountId": ACCOUNT,
        "eventID": format!("00000000-0000-4000-8000-{n:012}"),
        "requestParameters": { "instancesSet": { "items": [{ "instanceId": "i-0a1b2c3d4e5f60718" }] } },
    });
    json!({ "Records": [record] }).to_string().into_bytes()
}

fn json_of(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"))
}

#[test]
fn a_quarantine_is_told_by_every_run_until_it_is_gone() {
    let world = World::new();
    world.deliver(&whole(1));
    world.deliver(b"neither gzip nor JSON");
    for verb in ["run", "run", "ingest", "status"] {
        let said = world.of_trail(&[verb]);
        assert_eq!(said.code, 3, "{verb}: {}", said.stderr);
    }
    let said = world.say(&["status", "--from", DAY]);
    assert_eq!(said.code, 3, "{}", said.stdout);
    let mended = fs::read_dir(world.path("trail/AWSLogs/444455556666/CloudTrail/eu-west-1/2026/09/01")).unwrap();
    let mended = mended.map(|it| it.unwrap().path()).max().unwrap();
    fs::write(mended, whole(2)).unwrap();
    for verb in ["run", "status"] {
        assert_eq!(world.of_trail(&[verb]).code, 0, "{verb}");
    }
}

#[test]
fn a_lake_of_nothing_but_quarantined_objects_or_rejects_is_a_matter_of_its_input() {
    let refused = World::new();
    refused.deliver(b"neither gzip nor JSON");
    let rejected = World::new();
    rejected.deliver(br#"{"Records":[{"eventTime":"never"}]}"#);
    for (world, kind) in [(refused, "1 refused as a whole"), (rejected, "1 of nothing but rejects")] {
        for _ in 0..2 {
            let said = world.of_trail(&["run"]);
            assert!(said.code == 3 && said.stdout.contains(kind), "{said:?}");
            assert_eq!(world.say(&["status"]).code, 3);
        }
    }
}

#[test]
fn what_was_left_unread_is_told_by_the_run_and_by_status() {
    let world = World::new();
    world.deliver(&whole(1));
    // One that is named twice, and is there once.
    let names = world.path("names.txt");
    let trail = world.path("trail/AWSLogs");
    let there =
        fs::read_dir(trail.join("444455556666/CloudTrail/eu-west-1/2026/09/01")).unwrap().next().unwrap().unwrap();
    // A name that leads through a file cannot be looked at, whoever asks.
    let unreadable = there.path().join("object.json.gz");
    fs::write(&names, format!("{}\n{}\n", utf8(&there.path()), utf8(&unreadable))).unwrap();
    let said = world.say(&["run", "--keys", utf8(&names)]);
    assert!(said.code == 6 && said.stdout.contains("1 left"), "{said:?}");
    let said = world.say(&["status"]);
    assert!(said.code == 6 && said.stdout.contains("left         1 object"), "{said:?}");
    assert_eq!(world.of_trail(&["run"]).code, 0);
    assert_eq!(world.say(&["status"]).code, 0);
    world.deliver(&whole(2));
    assert_eq!(world.of_trail(&["status"]).code, 6);
}

#[test]
fn where_nothing_matches_the_span_of_the_trail_is_told_and_no_lake_is_made() {
    let world = World::new();
    let empty = world.of_trail(&["run"]);
    assert!(empty.code == 7 && empty.stdout.contains("the folder or prefix that holds AWSLogs"), "{empty:?}");
    world.deliver(&whole(1));
    for (flag, value) in [("--from", "2026-09-02"), ("--region", "us-east-1"), ("--account", "111122223333")] {
        for verb in ["run", "ingest", "plan"] {
            let said = world.of_trail(&[verb, flag, value]);
            assert_eq!(said.code, 7, "{verb} {flag}: {said:?}");
            let span = "the trail spans 2026-09-01, account 444455556666, region eu-west-1";
            assert!(said.stdout.contains(span), "{}", said.stdout);
            assert!(!world.path("lake").exists(), "{verb} {flag}");
        }
    }
    assert_eq!(world.of_trail(&["run"]).code, 0);
    for verb in ["run", "status"] {
        let said = world.of_trail(&[verb, "--from", "2026-09-02", "--json"]);
        assert_eq!(said.code, 7, "{verb}");
        let span = json_of(&said)
            .pointer(if verb == "run" { "/ingested/nothing_matched" } else { "/nothing_matched" })
            .cloned();
        assert_eq!(span.unwrap()["first"], DAY);
    }
}

#[test]
fn a_lake_that_holds_nothing_of_what_is_asked_for_says_what_it_spans() {
    let world = World::new();
    world.deliver(&whole(1));
    assert_eq!(world.of_trail(&["run"]).code, 0);
    for (flag, value) in [("--from", "2026-09-02"), ("--region", "us-east-1"), ("--account", "111122223333")] {
        let said = world.say(&["status", flag, value]);
        let span = "the trail spans 2026-09-01, account 444455556666, region eu-west-1";
        assert!(said.code == 7 && said.stdout.contains(span), "{flag}: {said:?}");
    }
    assert_eq!(world.say(&["status", "--account", ACCOUNT]).code, 0);
}

#[test]
fn each_job_tells_its_exit_code_under_a_name_of_its_own_and_a_wrong_configuration_too() {
    let world = World::new();
    world.deliver(&whole(1));
    let file = world.path("of.prom");
    let told = |typed: &[&str], code: i32, line: &str| {
        let said = world.say(&[typed, &["--metrics-file", utf8(&file)]].concat());
        let text = fs::read_to_string(&file).unwrap();
        assert!(said.code == code && text.contains(line), "{said:?} {text}");
    };
    let trail = world.path("trail");
    told(&["run", "--source", utf8(&trail)], 0, "trailweave_last_run_exit_code 0\n");
    told(&["status"], 0, "trailweave_last_status_objects{state=\"done\"} 1\n");
    told(&["status", "--max-age", "1s"], 9, "trailweave_last_status_exit_code 9\n");
    told(&["status", "--account", "1"], 2, "trailweave_last_status_exit_code 2\n");
    told(&["run", "--source", utf8(&trail), "--from", "someday"], 2, "trailweave_last_run_exit_code 2\n");
    told(&["verify", "--memory", "1KiB"], 2, "trailweave_last_verify_exit_code 2\n");
}

#[test]
fn a_source_that_is_missing_and_a_folder_of_other_logs_make_no_lake() {
    let world = World::new();
    let digests = world.path("trail/AWSLogs/444455556666/CloudTrail-Digest/eu-west-1/2026/09/01");
    fs::create_dir_all(&digests).unwrap();
    fs::write(digests.join("digest.json.gz"), b"{}").unwrap();
    assert_eq!(world.of_trail(&["run"]).code, 7);
    let missing = world.path("no-such-folder");
    assert_eq!(world.say(&["run", "--source", utf8(&missing)]).code, 1);
    assert!(!world.path("lake").exists());
}

#[test]
fn names_that_are_read_no_longer_are_said_not_to_match() {
    let world = World::new();
    let folder = world.path("trail/AWSLogs/444455556666/CloudTrail/eu-west-1/2026/09/01");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("firehose-1"), whole(1)).unwrap();
    assert_eq!(world.of_trail(&["run", "--all-names"]).code, 0);
    let said = world.of_trail(&["run"]);
    assert!(said.code == 7 && said.stdout.contains("--all-names reads them"), "{said:?}");
}

#[test]
fn a_run_that_died_is_unfinished_until_another_finishes_it() {
    let world = World::new();
    world.deliver(&whole(1));
    let said = world.of_trail(&["ingest", "--to", DAY]);
    assert_eq!(said.code, 0, "{said:?}");
    let runs = world.path("lake/_trailweave/runs");
    let run = fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    // As a kill after the plan leaves it.
    fs::remove_file(run.join("done.json")).unwrap();
    let ledger = world.path("lake/_trailweave/ledger");
    fs::remove_dir_all(&ledger).unwrap();
    let said = world.say(&["status"]);
    assert!(said.code == 6 && said.stdout.contains("0 done") && said.stdout.contains("1 unread"), "{said:?}");
    assert!(said.stdout.contains("unfinished   "), "{}", said.stdout);
    assert_eq!(world.of_trail(&["run"]).code, 0);
    assert_eq!(world.say(&["status"]).code, 0);
}

#[test]
fn objects_without_a_day_are_in_every_window() {
    let world = World::new();
    fs::write(world.path("trail/event.json"), whole(1)).unwrap();
    fs::write(world.path("trail/cut.json"), b"cut").unwrap();
    assert_eq!(world.of_trail(&["run"]).code, 3);
    let said = world.say(&["status", "--from", DAY, "--json"]);
    assert_eq!((said.code, &json_of(&said)["done"], &json_of(&said)["quarantined"]), (3, &json!(1), &json!(1)));
}

#[test]
fn a_lake_that_another_run_holds_is_told_by_a_code_of_its_own_and_can_be_waited_for() {
    let world = World::new();
    world.deliver(&whole(1));
    assert_eq!(world.of_trail(&["run"]).code, 0);
    let lock = trailweave_lake::Lake::open(&world.path("lake")).unwrap().lock().unwrap();
    for verb in [&["correlate"][..], &["compact"], &["gc"], &["publish"], &["correlate", "--wait", "0s"]] {
        let said = world.say(verb);
        assert!(said.code == 8 && said.stderr.contains("another run is writing the lake"), "{verb:?}: {said:?}");
    }
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_trailweave"))
        .args(["run", "--wait", "10m", "--source", utf8(&world.path("trail")), "--lake", utf8(&world.path("lake"))])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(waiting.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("waiting for it"), "{line}");
    drop(lock);
    said.read_to_string(&mut line).unwrap();
    assert_eq!(waiting.wait().unwrap().code(), Some(0), "{line}");
}

#[test]
fn a_lake_that_is_older_than_asked_for_has_a_code_of_its_own() {
    let world = World::new();
    world.deliver(&whole(1));
    assert_eq!(world.of_trail(&["ingest"]).code, 0);
    // No event is joined yet, so no age is enough.
    let said = world.say(&["status", "--max-age", "5200w"]);
    assert!(said.code == 9 && said.stdout.contains("stale        the tables hold nothing"), "{said:?}");
    let said = world.say(&["status"]);
    assert!(said.code == 0 && said.stdout.contains("correlated   nothing yet: 1 file of events waits"), "{said:?}");
    assert_eq!(world.say(&["correlate"]).code, 0);
    assert_eq!(world.say(&["status", "--max-age", "5200w"]).code, 0);
    let said = world.say(&["status", "--max-age", "1s"]);
    assert!(said.code == 9 && said.stdout.contains("delivered    up to 2026-09-01T00:00Z"), "{said:?}");
    assert!(said.stdout.contains("correlated   all events, up to 2026-09-01T00:00Z"), "{}", said.stdout);
    assert!(said.stdout.contains(" days old, and --max-age allows 1 s\n"), "{}", said.stdout);
    let age = json_of(&world.say(&["status", "--json"]));
    assert_eq!((&age["newest_delivery"], &age["waiting_parts"]), (&json!("2026-09-01T00:00:00Z"), &json!(0)));
    assert_eq!(world.say(&["status", "--max-age", "soon"]).code, 2);
}

#[cfg(feature = "query")]
#[test]
fn questions_to_tables_that_are_behind_the_events_are_answered_with_a_warning() {
    let world = World::new();
    world.deliver(&whole(1));
    assert_eq!(world.of_trail(&["ingest"]).code, 0);
    let ask = |sql: &str| world.say(&["query", sql]).stderr;
    assert!(ask("SELECT count(*) FROM correlated").contains("`events` is ahead of `correlated`"));
    assert_eq!(ask("SELECT count(*) FROM events"), "");
    assert!(world.say(&["trace", "i-0a1b2c3d4e5f60718"]).stderr.contains("`events` is ahead"));
    assert_eq!(world.say(&["correlate"]).code, 0);
    assert_eq!(ask("SELECT count(*) FROM correlated"), "");
    world.deliver(&whole(2));
    assert_eq!(world.of_trail(&["ingest"]).code, 0);
    assert!(ask("SELECT count(*) FROM volume_readers").contains("`events` is ahead"));
}

#[test]
fn the_help_lists_every_code() {
    let said = trailweave(&["--help"]);
    for line in ["  0  done\n", "  7  nothing matched", "  8  another run holds the lake", "  9  `status --max-age`"] {
        assert!(said.stdout.contains(line), "{line}: {}", said.stdout);
    }
}
