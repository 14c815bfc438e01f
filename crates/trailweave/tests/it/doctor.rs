//! `doctor` finds what is wrong, says the command that mends it, and that command does.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use trailweave_corpus::{CorpusOptions, generate};

use crate::program::{run, trailweave, utf8};

/// A lake of a small trail, up to its tables.
fn lake() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempdir().unwrap();
    let (trail, lake) = (folder.path().join("trail"), folder.path().join("lake"));
    let options = CorpusOptions { records: 600, days: 2, ..CorpusOptions::default() };
    generate(&options, &trail).unwrap();
    run(&trail.join("AWSLogs"), &lake, 0);
    (folder, trail.join("AWSLogs"), lake)
}

/// Returns what is not as it should be: the check, its state, and what mends it.
fn findings(arguments: &[&str], expected_code: i32) -> Vec<[String; 3]> {
    let said = trailweave(&[&["doctor", "--json"], arguments].concat());
    assert_eq!(said.code, expected_code, "{}{}", said.stdout, said.stderr);
    let found: Vec<Value> = serde_json::from_str(&said.stdout).unwrap();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
    let found = found.iter().map(|it| ["check", "state", "mend"].map(|name| text(it, name)));
    found.filter(|[_, state, _]| state != "ok").collect()
}

fn parts(folder: &Path) -> Vec<PathBuf> {
    let mut parts: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    parts.sort();
    parts
}

#[test]
fn a_lake_that_adds_up_has_no_fault() {
    let (_folder, trail, lake) = lake();
    // What a listing passes over.
    for (target, name) in [("nowhere", "0-gone"), (".", "0-itself"), ("..", "0-above")] {
        std::os::unix::fs::symlink(target, trail.join(name)).unwrap();
    }
    assert_eq!(findings(&["--source", utf8(&trail), "--lake", utf8(&lake)], 0), Vec::<[String; 3]>::new());
    let said = trailweave(&["doctor", "--lake", utf8(&lake)]);
    assert!(said.stdout.contains("ok     events"), "{}", said.stdout);
}

#[test]
fn a_day_that_is_gone_comes_back_by_the_command_that_is_said() {
    let (_folder, trail, lake) = lake();
    let days = parts(&lake.join("events"));
    fs::remove_dir_all(days.iter().max_by_key(|day| fs::read_dir(day).unwrap().count()).unwrap()).unwrap();
    let correlated = || crate::program::query(&lake, "SELECT count(*) AS n FROM correlated")[0]["n"].clone();
    let before = correlated();
    for verb in [&["status"][..], &["correlate"], &["run", "--source", utf8(&trail)]] {
        let said = trailweave(&[verb, &["--lake", utf8(&lake)]].concat());
        assert!(
            said.code == 1 && (said.stdout + &said.stderr).contains("gone that the tables were made of"),
            "{verb:?}"
        );
    }
    assert_eq!(correlated(), before);
    let found = findings(&["--source", utf8(&trail), "--lake", utf8(&lake)], 1);
    let [[check, state, mend]] = &found[..] else { panic!("{found:?}") };
    assert_eq!([&**check, state], ["events", "fault"]);
    let commands: Vec<&str> = mend.split(", then ").collect();
    let [again, correlate] = commands[..] else { panic!("{mend}") };
    follow(again);
    let found = findings(&["--lake", utf8(&lake)], 0);
    let [[check, state, mend]] = &found[..] else { panic!("{found:?}") };
    assert_eq!([&**check, &**state, &**mend], ["tables", "warn", correlate]);
    follow(correlate);
    assert_eq!(findings(&["--source", utf8(&trail), "--lake", utf8(&lake)], 0), Vec::<[String; 3]>::new());
}

/// Runs a command that doctor said.
fn follow(command: &str) {
    let words: Vec<&str> = command.split(' ').collect();
    let [program, arguments @ ..] = &words[..] else { panic!("{command}") };
    let said = trailweave(arguments);
    assert!(*program == "trailweave" && said.code == 0, "{command}: {}", said.stderr);
}

#[test]
fn a_lost_ledger_is_a_fault_that_its_command_mends() {
    let (_folder, trail, lake) = lake();
    let events = || crate::program::query(&lake, "SELECT count(*) AS n FROM events")[0]["n"].as_u64().unwrap();
    let before = events();
    fs::remove_file(parts(&lake.join("_trailweave/ledger")).remove(0)).unwrap();
    for verb in [&["run", "--source", utf8(&trail)][..], &["correlate"], &["gc"]] {
        let said = trailweave(&[verb, &["--lake", utf8(&lake)]].concat());
        assert!(
            said.code == 1 && said.stderr.contains("files of `_trailweave/ledger` are gone"),
            "{verb:?}: {}",
            said.stderr
        );
    }
    let said = trailweave(&["status", "--lake", utf8(&lake)]);
    assert!(said.code == 1 && said.stdout.contains("not known to the ledger"), "{}", said.stdout);
    let found = findings(&["--source", utf8(&trail), "--lake", utf8(&lake)], 1);
    let [[check, state, mend]] = &found[..] else { panic!("{found:?}") };
    assert_eq!(([&**check, state], events()), (["events", "fault"], before));
    let commands = mend.split_once("without one: ").unwrap().1;
    commands.split(", then ").for_each(follow);
    assert_eq!(events(), before);
    assert_eq!(findings(&["--source", utf8(&trail), "--lake", utf8(&lake)], 0), Vec::<[String; 3]>::new());
}

#[test]
fn what_narrows_a_job_is_named_where_all_is_to_be_read_again() {
    let (folder, trail, lake) = lake();
    fs::remove_file(parts(&lake.join("_trailweave/ledger")).remove(0)).unwrap();
    let settings = folder.path().join("settings.toml");
    fs::write(&settings, "from = \"3d\"\nshard = \"0/2\"\n").unwrap();
    let place = ["--source", utf8(&trail), "--lake", utf8(&lake)];
    let found = findings(&[&place[..], &["--config", utf8(&settings)]].concat(), 1);
    assert!(found[0][2].contains("without the settings from, shard, which leave objects out: "), "{found:?}");
}

#[test]
fn a_merged_lake_whose_ledger_is_lost_comes_back_by_the_commands_that_are_said() {
    let (_folder, trail, lake) = lake();
    let place = ["--source", utf8(&trail), "--lake", utf8(&lake)];
    let events = || crate::program::query(&lake, "SELECT count(*) AS n FROM events")[0]["n"].as_u64().unwrap();
    let before = events();
    follow(&format!("trailweave compact --lake {}", utf8(&lake)));
    fs::remove_dir_all(lake.join("_trailweave/ledger")).unwrap();
    assert_eq!(trailweave(&["status", "--lake", utf8(&lake)]).code, 1);
    assert_eq!(trailweave(&[&["run"], &place[..]].concat()).code, 1);
    let found = findings(&place, 1);
    let [[check, state, mend]] = &found[..] else { panic!("{found:?}") };
    assert_eq!([&**check, state], ["events", "fault"]);
    let (removal, rest) = mend.split_once("without one: ").unwrap().1.split_once(", then ").unwrap();
    follow(removal);
    // In the midst of it the same is said.
    let found = findings(&place, 1);
    assert!(found.iter().any(|[.., mend]| mend.ends_with(rest)), "{found:?}");
    rest.split(", then ").for_each(follow);
    assert_eq!((events(), findings(&place, 0)), (before, Vec::new()));
}

#[test]
fn a_lake_that_forgot_its_pruned_days_does_not_read_them_again() {
    let (_folder, trail, lake) = lake();
    let last = parts(&lake.join("events")).pop().unwrap();
    let last = utf8(&last).rsplit_once('=').unwrap().1;
    follow(&format!("trailweave prune --before {last} --lake {}", utf8(&lake)));
    let place = ["--source", utf8(&trail), "--lake", utf8(&lake)];
    assert_eq!(findings(&place, 0), Vec::<[String; 3]>::new());
    fs::remove_file(lake.join("_trailweave/pruned.json")).unwrap();
    let found = findings(&place, 1);
    let [[check, state, mend]] = &found[..] else { panic!("{found:?}") };
    assert_eq!([&**check, state], ["events", "fault"]);
    follow(mend.split_once("without one: ").unwrap().1);
    assert_eq!(findings(&place, 0), Vec::<[String; 3]>::new());
}

#[test]
fn a_table_that_is_gone_fails_the_status_and_what_is_gone_is_not_pruned_away() {
    let (_folder, _, lake) = lake();
    let status = || trailweave(&["status", "--lake", utf8(&lake)]);
    fs::rename(lake.join("correlated"), lake.join("_away")).unwrap();
    let said = status();
    assert!(said.code == 1 && said.stdout.contains("files of the tables of the join"), "{}", said.stdout);
    fs::rename(lake.join("_away"), lake.join("correlated")).unwrap();
    assert_eq!(status().code, 0);
    let day = parts(&lake.join("events")).remove(0);
    let (first, last) = (parts(&day).remove(0), utf8(&day).rsplit_once('=').unwrap().1.to_owned());
    fs::remove_file(first).unwrap();
    let asked = trailweave(&["query", "--lake", utf8(&lake), "SELECT count(*) FROM events"]);
    assert!(asked.code == 0 && asked.stderr.contains("files of the lake are gone"), "{}", asked.stderr);
    let next = format!("{}-{:02}", &last[..7], last[8..].parse::<u8>().unwrap() + 1);
    let said = trailweave(&["prune", "--before", &next, "--lake", utf8(&lake)]);
    assert!(said.code == 1 && said.stderr.contains("gone that the tables were made of"), "{}", said.stderr);
}

#[test]
fn a_damaged_table_and_a_lost_format_are_named() {
    let (_folder, _, lake) = lake();
    let day = parts(&lake.join("correlated")).remove(0);
    fs::write(parts(&day).remove(0), "PAR1").unwrap();
    let found = findings(&["--lake", utf8(&lake)], 1);
    let [[check, state, mend]] = &found[..] else { panic!("{found:?}") };
    assert_eq!([&**check, state], ["tables", "fault"]);
    follow(mend);
    assert_eq!(findings(&["--lake", utf8(&lake)], 0), Vec::<[String; 3]>::new());
    fs::remove_dir_all(lake.join("grants")).unwrap();
    let found = findings(&["--lake", utf8(&lake)], 1);
    let [[check, state, mend]] = &found[..] else { panic!("{found:?}") };
    assert_eq!([&**check, state], ["tables", "fault"]);
    follow(mend);
    assert_eq!(findings(&["--lake", utf8(&lake)], 0), Vec::<[String; 3]>::new());
    fs::remove_file(lake.join("_trailweave/lake.json")).unwrap();
    let found = findings(&["--lake", utf8(&lake)], 1);
    assert!(found.iter().any(|[check, state, _]| check == "lake" && state == "fault"), "{found:?}");
}

#[test]
fn a_published_lake_that_was_moved_is_published_anew_by_the_command_that_is_said() {
    let (folder, _, lake) = lake();
    follow(&format!("trailweave publish --lake {}", utf8(&lake)));
    assert_eq!(findings(&["--lake", utf8(&lake)], 0), Vec::<[String; 3]>::new());
    let moved = folder.path().join("moved");
    fs::rename(&lake, &moved).unwrap();
    let found = findings(&["--lake", utf8(&moved)], 0);
    let [[check, state, mend]] = &found[..] else { panic!("{found:?}") };
    assert_eq!([&**check, state], ["iceberg", "warn"]);
    follow(mend);
    assert_eq!(findings(&["--lake", utf8(&moved)], 0), Vec::<[String; 3]>::new());
}

#[test]
fn damaged_parts_lost_tables_and_leftovers_are_named() {
    let (_folder, _, lake) = lake();
    let day = parts(&lake.join("events")).remove(0);
    fs::write(parts(&day).remove(0), "PAR1").unwrap();
    fs::write(day.join(".part-0123456789abcdef-0.parquet.tmp"), "of a run that was killed").unwrap();
    fs::remove_dir_all(lake.join("grants")).unwrap();
    let found = findings(&["--lake", utf8(&lake)], 1);
    let of = |check: &str| found.iter().find(|[it, ..]| it == check).unwrap_or_else(|| panic!("{check}: {found:?}"));
    assert_eq!(of("leftovers")[1..], ["warn", &format!("trailweave gc --lake {}", utf8(&lake))]);
    assert_eq!(of("events")[1], "fault");
}

#[test]
fn what_a_job_asks_for_and_the_machine_lacks_is_a_fault() {
    let folder = tempdir().unwrap();
    let (none, lake) = (folder.path().join("none"), folder.path().join("lake"));
    let found = findings(&["--source", utf8(&none), "--lake", utf8(&lake), "--memory", "900TiB"], 1);
    let checks: Vec<[&str; 2]> = found.iter().map(|[check, state, _]| [check.as_str(), state.as_str()]).collect();
    assert_eq!(checks, [["memory", "fault"], ["source", "fault"], ["lake", "warn"]]);
    assert!(!lake.exists(), "doctor makes nothing");
}

#[test]
fn an_age_that_is_to_come_is_a_clock_that_is_wrong() {
    let (_folder, trail, lake) = lake();
    // A delivery of a year that nobody who runs this test lives in.
    let content = "{\"Records\":[]}";
    crate::program::deliver(trail.parent().unwrap(), "111122223333", "us-east-1", "2999-01-01", content.as_bytes());
    run(&trail, &lake, 0);
    let found = findings(&["--lake", utf8(&lake)], 1);
    assert!(found.iter().any(|[check, state, _]| check == "clock" && state == "fault"), "{found:?}");
}
