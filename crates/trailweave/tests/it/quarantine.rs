//! The quarantine is a list that a person works off.

use std::fs;

use serde_json::Value;
use serde_json::json;

use crate::program::Said;
use crate::program::deliver;
use crate::program::trailweave;
use crate::program::utf8;

const DAY: &str = "2026-09-01";

/// A source that is one level too high: beside a trail it holds files of something else.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        deliver(&world.path("bucket"), "444455556666", "eu-west-1", DAY, br#"{"Records":[]}"#);
        let config = world.path("bucket/config");
        fs::create_dir_all(&config).unwrap();
        for name in ["a.json.gz", "b.json.gz"] {
            fs::write(config.join(name), b"neither gzip nor JSON").unwrap();
        }
        fs::write(config.join("c.json"), br#"{"Records":[{"eventTime":"never"}]}"#).unwrap();
        world
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, below: &str) -> String {
        utf8(&self.path("bucket").join(below)).to_owned()
    }

    fn say(&self, typed: &[&str]) -> Said {
        trailweave(&[typed, &["--lake", utf8(&self.path("lake"))]].concat())
    }

    fn run(&self) -> Said {
        self.say(&["run", "--source", utf8(&self.path("bucket"))])
    }

    fn list(&self, more: &[&str]) -> Vec<Value> {
        let said = self.say(&[&["quarantine", "list", "--json"], more].concat());
        serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"))
    }
}

#[test]
fn a_source_one_level_too_high_is_dismissed_at_once_and_poisons_no_later_run() {
    let world = World::new();
    assert_eq!(world.run().code, 3);
    let said = world.say(&["quarantine", "list"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stdout.contains("config/: 2 objects, such as a.json.gz: "), "{}", said.stdout);
    assert!(said.stdout.contains("c.json: every record was rejected"), "{}", said.stdout);
    assert!(said.stdout.ends_with("3 objects in all\n"), "{}", said.stdout);

    let note = ["--note", "configuration snapshots"];
    let some = world.say(&[&["quarantine", "dismiss", &world.name("config/a.json.gz")], &note[..]].concat());
    assert!(some.code == 3 && some.stdout.contains("1 object dismissed, 2 left"), "{some:?}");
    let all = world.name("config/");
    let both = [&["quarantine", "dismiss", &all, "mistyped"], &note[..]].concat();
    assert_eq!((world.say(&both).code, world.list(&[]).len()), (1, 2), "a name without an object changes nothing");
    let rest = world.say(&[&["quarantine", "dismiss", &all], &note[..]].concat());
    assert!(rest.code == 0 && rest.stdout.contains("2 objects dismissed, 0 left"), "{rest:?}");
    assert_eq!((world.run().code, world.say(&["status"]).code, world.list(&[]).len()), (0, 0, 0));
    let again = world.say(&["ingest", "--source", utf8(&world.path("bucket")), "--retry-quarantined"]);
    assert_eq!(again.code, 0, "{again:?}");

    let dismissed = world.list(&["--dismissed"]);
    assert_eq!(dismissed.len(), 3);
    assert!(dismissed.iter().all(|it| it["note"] == "configuration snapshots"), "{dismissed:?}");
    let status: Value = serde_json::from_str(&world.say(&["status", "--json"]).stdout).unwrap();
    assert_eq!([&status["dismissed"], &status["quarantined"], &status["done"]], [&json!(3), &json!(0), &json!(1)]);
    let unknown = world.say(&[&["quarantine", "dismiss", "no-such-object"], &note[..]].concat());
    assert!(unknown.code == 1 && unknown.stderr.contains("is called `no-such-object`"), "{unknown:?}");
}

#[test]
fn what_was_mended_is_read_again_by_its_name_and_joined() {
    let world = World::new();
    assert_eq!(world.run().code, 3);
    fs::write(world.path("bucket/config/a.json.gz"), br#"{"Records":[]}"#).unwrap();
    fs::remove_file(world.path("bucket/config/b.json.gz")).unwrap();
    let said = world.say(&["quarantine", "retry"]);
    assert!(said.code == 3 && said.stdout.contains("1 read") && said.stdout.contains("1 gone"), "{said:?}");
    assert!(said.stdout.contains("links        none"), "{}", said.stdout);
    let names: Vec<_> = world.list(&[]).iter().map(|it| it["source_object"].clone()).collect();
    assert_eq!(names, [world.name("config/b.json.gz"), world.name("config/c.json")]);
    // All that is left is gone, or has been read.
    let said = world.say(&["quarantine", "retry"]);
    assert_eq!(said.code, 3, "{said:?}");
    let said = world.say(&["quarantine", "retry", &world.name("config/c.json")]);
    assert!(said.code == 1 && said.stderr.contains("were rejected, so reading it again gives the same"), "{said:?}");
    let said = world.say(&["quarantine", "retry", "no-such-object"]);
    assert!(said.code == 1 && said.stderr.contains("refused as a whole"), "{said:?}");
}

#[test]
fn what_is_past_the_cap_is_read_by_a_greater_one() {
    let world = World::new();
    let said = world.say(&["run", "--cap", "10B", "--source", utf8(&world.path("bucket"))]);
    let way_out = "past the cap of 10 bytes; `quarantine retry --cap`";
    assert!(said.code == 3 && said.stdout.contains(way_out), "{said:?}");
    assert_eq!(world.list(&[]).len(), 4);
    for (cap, n_standing) in [("11B", 4), ("1KiB", 3)] {
        let said = world.say(&["quarantine", "retry", "--cap", cap]);
        assert_eq!((said.code, world.list(&[]).len()), (3, n_standing), "{said:?}");
    }
}

#[test]
fn what_was_dismissed_is_read_again_only_by_its_name() {
    let world = World::new();
    assert_eq!(world.run().code, 3);
    let name = world.name("config/a.json.gz");
    assert_eq!(world.say(&["quarantine", "dismiss", "*", "--note", "no trail"]).code, 0);
    let said = world.say(&["quarantine", "retry"]);
    assert!(said.code == 0 && said.stdout.contains("objects      0 listed"), "{said:?}");
    // It is as it was, and stands again.
    assert_eq!(world.say(&["quarantine", "retry", &name]).code, 3);
    assert_eq!(world.list(&[])[0]["attempts"], 2);
    assert_eq!(world.say(&["quarantine", "retry"]).code, 3);
    assert_eq!(world.list(&[])[0]["attempts"], 3);
}

#[test]
fn figures_of_the_run_and_of_the_lake_stand_apart() {
    let world = World::new();
    let said = world.run();
    let (of_run, of_lake) = said.stdout.split_once("# the lake\n").unwrap();
    assert!(of_run.starts_with("# this run\nobjects      4 listed") && of_run.contains("\ntime "), "{of_run}");
    assert!(of_lake.starts_with("quarantine   3 objects of the lake: 2 refused as a whole"), "{of_lake}");
    assert!(of_lake.contains("no EC2 cause none\n"), "{of_lake}");
}

#[test]
fn a_summary_of_the_status_has_totals_and_no_days() {
    let world = World::new();
    assert_eq!(world.run().code, 3);
    let said = world.say(&["status", "--summary"]);
    assert!(
        said.stdout.starts_with("coverage     1 day with deliveries, 2026-09-01, account 444455556666"),
        "{said:?}"
    );
    let said = world.say(&["status"]);
    assert!(said.stdout.starts_with("days "), "{said:?}");
}
