//! Tables of which files come and go.

use std::collections::BTreeMap;

use trailweave_table::EVENTS;
use trailweave_table::REJECTS;
use trailweave_table::Table;
use trailweave_table::day_of_date;

use super::*;

const ROOT: &str = "/lake";
const LOCATION: &str = "/lake/_trailweave/iceberg/events";

/// A table in memory: its metadata, and the files beside it.
struct World {
    table: &'static Table,
    root: String,
    metadata: Metadata,
    files: BTreeMap<String, Vec<u8>>,
    last_id: i64,
}

impl World {
    fn new(table: &'static Table) -> Self {
        let metadata = Metadata::new(table, LOCATION, "00000000-0000-4000-8000-000000000000");
        Self { table, root: ROOT.to_owned(), metadata, files: BTreeMap::new(), last_id: 0 }
    }

    fn location(&self) -> String {
        format!("{}/_trailweave/iceberg/events", self.root)
    }

    fn file(&self, name: &str, date: &str) -> DataFile {
        let day = self.table.dated_by.and_then(|_| day_of_date(date));
        let metrics = ColumnMetrics { n_values: 2, n_nulls: 1, lower: Some(b"a".to_vec()), upper: None };
        let path = format!("{}/{name}", self.root);
        DataFile { path, day, n_rows: 2, bytes: 9, columns: BTreeMap::from([(1, metrics)]) }
    }

    /// Commits files of a date that come and others that go; tells whether that took a snapshot.
    fn commit(&mut self, added: &[(&str, &str)], removed: &[(&str, &str)]) -> bool {
        self.commit_as("test", added, removed)
    }

    fn commit_as(&mut self, change: &str, added: &[(&str, &str)], removed: &[(&str, &str)]) -> bool {
        let added = added.iter().map(|(name, date)| self.file(name, date)).collect();
        let removed = removed.iter().map(|(name, date)| self.file(name, date)).map(|it| (it.path, it.day)).collect();
        let location = self.location();
        let commit = Commit {
            table: self.table,
            location: &location,
            root: &self.root,
            change,
            snapshot_id: self.last_id + 1,
            now_ms: 0,
        };
        let read = |path: &str| Ok::<_, FormatError>(self.files[path].clone());
        let Some(prepared) = prepare(&commit, &self.metadata, Delta { added, removed }, read).unwrap() else {
            return false;
        };
        self.last_id += 1;
        self.files.extend(prepared.files.into_iter().map(|(name, it)| (format!("{location}/metadata/{name}"), it)));
        self.metadata = Metadata::parse(&prepared.metadata.text()).unwrap();
        true
    }

    fn live(&self) -> Vec<String> {
        let location = self.location();
        let commit =
            Commit { table: self.table, location: &location, root: &self.root, change: "", snapshot_id: 0, now_ms: 0 };
        let read = |path: &str| Ok::<_, FormatError>(self.files[path].clone());
        let files = live_files(&commit, &self.metadata, read).unwrap();
        files.into_keys().map(|path| path[self.root.len() + 1..].to_owned()).collect()
    }
}

#[test]
fn a_commit_is_made_once_however_often_it_is_tried() {
    for table in [&EVENTS, &REJECTS] {
        let mut world = World::new(table);
        assert!(world.commit(&[("a", "2026-09-01"), ("b", "2026-09-02")], &[]));
        assert!(world.commit(&[("c", "2026-09-01")], &[("a", "2026-09-01")]));
        assert_eq!(world.live(), ["b", "c"]);
        assert!(!world.commit(&[("c", "2026-09-01")], &[("a", "2026-09-01")]));
        assert_eq!(world.metadata.snapshots().unwrap().len(), 2);
        assert_eq!(world.metadata.current().unwrap().unwrap().change.as_deref(), Some("test"));
    }
}

/// Readers that follow a table stop at an `overwrite` or read all of it again, and pass over a `replace`.
#[test]
fn the_operation_says_what_becomes_of_the_rows() {
    let mut world = World::new(&EVENTS);
    for (change, added, removed, operation) in [
        ("publish", Some("a"), None, "append"),
        ("settle", Some("b"), Some("a"), "overwrite"),
        ("compact-0123", Some("c"), Some("b"), "replace"),
        ("prune", None, Some("c"), "delete"),
    ] {
        let dated = |name: Option<&'static str>| Vec::from_iter(name.map(|name| (name, "2026-09-01")));
        assert!(world.commit_as(change, &dated(added), &dated(removed)));
        let metadata: serde_json::Value = serde_json::from_slice(&world.metadata.text()).unwrap();
        let newest = metadata["snapshots"].as_array().unwrap().last().unwrap();
        assert_eq!(newest["summary"]["operation"], operation, "{change}");
    }
}

/// A compaction merges parts that wait to be published, too; readers that pass over a `replace` would lose their rows.
#[test]
fn a_compaction_that_brings_rows_is_not_a_replace() {
    let mut world = World::new(&EVENTS);
    world.commit(&[("a", "2026-09-01")], &[]);
    assert!(world.commit_as("compact-0123", &[("b", "2026-09-01"), ("c", "2026-09-01")], &[("a", "2026-09-01")]));
    let metadata: serde_json::Value = serde_json::from_slice(&world.metadata.text()).unwrap();
    assert_eq!(metadata["snapshots"][1]["summary"]["operation"], "overwrite");
}

#[test]
fn a_table_without_files_gets_a_snapshot_all_the_same() {
    let mut world = World::new(&EVENTS);
    assert!(world.commit(&[], &[]));
    assert!(world.live().is_empty());
    assert!(!world.commit(&[], &[]));
}

#[test]
fn months_that_a_commit_does_not_touch_keep_their_manifests() {
    let mut world = World::new(&EVENTS);
    world.commit(&[("a", "2026-08-31"), ("b", "2026-09-01"), ("c", "2026-10-01")], &[]);
    let before = world.files.len();
    world.commit(&[("d", "2026-09-30")], &[]);
    assert_eq!(world.files.len(), before + 2, "a manifest and a list");
    assert_eq!(world.live(), ["a", "b", "c", "d"]);
    let read = |path: &str| Ok::<_, FormatError>(world.files[path].clone());
    let mut expired = world.metadata.clone();
    assert_eq!(expired.expire(i64::MAX).unwrap(), 1);
    assert_eq!(names_below(&expired, read).unwrap().len(), 4, "three manifests and a list");
}

#[test]
fn a_lake_that_was_moved_names_its_files_where_they_are() {
    let mut world = World::new(&EVENTS);
    world.commit(&[("a", "2026-08-31"), ("b", "2026-09-01")], &[]);
    world.root = "/elsewhere/lake".to_owned();
    world.files = world.files.into_iter().map(|(path, it)| (format!("/elsewhere{path}"), it)).collect();
    assert!(world.commit(&[], &[]));
    assert_eq!(world.live(), ["a", "b"]);
    assert_eq!(world.metadata.snapshots().unwrap().len(), 1, "older ones name files that are not there");
    assert!(!world.commit(&[], &[]));
}

#[test]
fn a_snapshot_is_kept_as_long_as_it_was_current_in_the_time_that_is_kept() {
    let mut world = World::new(&EVENTS);
    for name in ["a", "b", "c"] {
        world.commit(&[(name, "2026-09-01")], &[]);
    }
    let times: Vec<i64> = world.metadata.snapshots().unwrap().iter().map(|it| it.time_ms).collect();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    for (before_ms, n_left) in [(times[0], 3), (times[1], 3), (times[1] + 1, 2), (times[2] + 1, 1), (i64::MAX, 1)] {
        let mut metadata = world.metadata.clone();
        metadata.expire(before_ms).unwrap();
        assert_eq!(metadata.snapshots().unwrap().len(), n_left, "{before_ms}");
        assert_eq!(metadata.current().unwrap(), world.metadata.current().unwrap());
    }
}

#[test]
fn bounds_of_texts_are_cut_outwards_between_characters() {
    let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(lower_bound("0123456789abcdefg"), b"0123456789abcdef");
    assert_eq!(text(upper_bound("0123456789abcdefg")).unwrap(), "0123456789abcdeg");
    assert_eq!(text(upper_bound("0123456789abcdef")).unwrap(), "0123456789abcdef");
    assert_eq!(text(upper_bound("ü")).unwrap(), "ü");
    let long = |last: char| format!("{}{last}more", "ü".repeat(15));
    assert_eq!(text(upper_bound(&long('\u{d7ff}'))).unwrap(), format!("{}\u{e000}", "ü".repeat(15)));
    assert_eq!(text(upper_bound(&long(char::MAX))).unwrap(), format!("{}ý", "ü".repeat(14)));
    assert_eq!(upper_bound(&char::MAX.to_string().repeat(17)), None);
}

#[test]
fn metadata_of_another_version_is_refused() {
    assert!(matches!(Metadata::parse(br#"{"format-version": 3}"#), Err(FormatError::Version(3))));
    assert!(matches!(Metadata::parse(b"{}"), Err(FormatError::Field(_))));
}

#[test]
fn versions_are_named_and_read_back() {
    assert_eq!(version_of(std::path::Path::new(&file_name(12))), Some(12));
    for other in ["12.metadata.json", "v12.metadata.json.tmp", ".v12.metadata.json", "version-hint.text"] {
        assert_eq!(version_of(std::path::Path::new(other)), None);
    }
}
