//! Folders are listed as their documentation says.

use std::os::unix::fs::symlink;
use std::time::Duration;
use std::time::UNIX_EPOCH;

use super::*;
use crate::source::listing::ObjectRef;

fn tree(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    folder
}

fn names(root: &Path, sources: &[PathBuf]) -> Vec<String> {
    names_in(root, &list(sources, &[], Names::OfTrails).unwrap())
}

fn names_in(root: &Path, listing: &Listing) -> Vec<String> {
    let prefix = format!("{}/", root.display());
    listing.iter().map(|object| object.source_object.strip_prefix(&prefix).unwrap().to_owned()).collect()
}

/// The walk through a folder of which so many entries are looked at ahead.
fn walked(folder: &Path, ahead: usize) -> Walk {
    let mut walk = Walk { entries_left: AtomicUsize::new(ahead), ..Walk::default() };
    walk.folder(folder.to_owned(), folder.canonicalize().unwrap()).unwrap();
    walk
}

#[test]
fn a_version_is_the_size_and_the_nanoseconds_of_the_last_change() {
    let folder = tree(&["a.json"]);
    let path = folder.path().join("a.json");
    for (half_seconds, expected) in [(3_i64, "6-1500000000"), (0, "6-0"), (-3, "6--1500000000")] {
        let since = Duration::from_millis(500 * half_seconds.unsigned_abs());
        let changed = if half_seconds < 0 { UNIX_EPOCH - since } else { UNIX_EPOCH + since };
        fs::File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(version(&metadata).text(metadata.len()), expected);
    }
}

#[test]
fn a_folder_gives_its_objects_and_nothing_hidden() {
    let folder = tree(&[
        "b/x.json",
        "a.JSON.GZ",
        "c.ndjson",
        "d.jsonl",
        "e.gz",
        "f.txt",
        ".g.json",
        "_h.json",
        "_i/j.json",
        ".gz",
    ]);
    let found = names(folder.path(), &[folder.path().to_owned()]);
    assert_eq!(found, ["a.JSON.GZ", "c.ndjson", "d.jsonl", "e.gz", "b/x.json"]);
}

#[test]
fn what_a_folder_holds_beside_objects_is_counted_by_kind() {
    let folder = tree(&["a.json", "b", "c/d.txt", "c/_SUCCESS", "_tmp/x.json", "_tmp/y.json"]);
    symlink(folder.path().join("b"), folder.path().join("e")).unwrap();
    let listing = |names| list(&[folder.path().to_owned()], &[], names).unwrap();
    let counts = |listing: &Listing, reason| listing.skipped.get(reason).map(|it| (it.objects, it.folders));
    let of_trails = listing(Names::OfTrails);
    assert_eq!(of_trails.len(), 1);
    assert_eq!(counts(&of_trails, SkipReason::OtherName), Some((3, 0)));
    assert_eq!(counts(&of_trails, SkipReason::Hidden), Some((1, 1)));
    let example = &of_trails.skipped.get(SkipReason::OtherName).unwrap().example;
    assert_eq!(*example, folder.path().join("b").display().to_string());
    let all = listing(Names::All);
    assert_eq!(names_in(folder.path(), &all), ["a.json", "b", "c/d.txt"]);
    assert_eq!(counts(&all, SkipReason::OtherName), None);
    assert_eq!(counts(&all, SkipReason::Hidden), Some((1, 1)));
}

#[test]
fn folders_of_any_size_are_listed_whole_and_in_order() {
    // The folder `c` holds more than is looked at at once.
    let mut expected = Vec::new();
    for (name, n) in
        [("a", 3), ("b/c/d", LOOKS), ("c", LOOKS + 1), ("d", 0), ("e", 1), ("f", LOOKS), ("g", 4000), ("h", 1)]
    {
        expected.extend((0..n).map(|n| format!("{name}/{n:05}.json")));
    }
    let empty = ["d/x.txt".to_owned()];
    let folder = tree(&expected.iter().chain(&empty).map(String::as_str).collect::<Vec<_>>());
    for ahead in [0, 2, LOOKS + 10, ENTRIES_AHEAD] {
        let walk = walked(folder.path(), ahead);
        assert_eq!(names_in(folder.path(), &walk.listing), expected, "{ahead}");
        assert_eq!(walk.entries_left.into_inner(), ahead);
    }
}

#[test]
fn sources_that_overlap_list_an_object_once() {
    let folder = tree(&["a/x.json", "a/y.json", "odd.name"]);
    let at = |name: &str| folder.path().join(name);
    let sources = [at("a/y.json"), at("odd.name"), at("a"), at("a/../a"), folder.path().to_owned()];
    assert_eq!(names(folder.path(), &sources), ["a/y.json", "odd.name", "a/x.json"]);
}

#[test]
fn a_link_and_its_file_are_listed_once() {
    let folder = tree(&["a/x.json", "a/.hidden.json", "b/y.json"]);
    let link = |to: &str, from: &str| symlink(folder.path().join(to), folder.path().join(from)).unwrap();
    link("a/x.json", "a/again.json");
    link("a/x.json", "b/before.json");
    link("a/.hidden.json", "b/shown.json");
    link("b/y.json", "a/later.json");
    let at = |name: &str| folder.path().join(name);
    // `later.json` comes before its file does; where a folder shows a file, it goes by its own name.
    let found = names(folder.path(), &[at("a"), at("b"), at("a/x.json"), at("a/.hidden.json")]);
    assert_eq!(found, ["a/later.json", "a/x.json", "b/shown.json"]);
}

#[test]
fn a_loop_of_links_ends() {
    let folder = tree(&["a/x.json", "b/y.json"]);
    let link = |to: &str, from: &str| symlink(folder.path().join(to), folder.path().join(from)).unwrap();
    link("", "a/up");
    link("a", "b/across");
    link("nowhere", "b/dead.json");
    link("itself.json", "itself.json");
    link("a/x.json", "z.json");
    // The link at the top reaches `x.json` before the folders do.
    assert_eq!(names(folder.path(), &[folder.path().to_owned()]), ["z.json", "b/y.json"]);
}

#[test]
fn what_is_looked_at_ahead_is_given_back() {
    let folder = tree(&["a/b/x.json", "a/b/c/y.json", "z/w.json"]);
    let link = |to: &str, from: &str| symlink(folder.path().join(to), folder.path().join(from)).unwrap();
    link("a/b", "0");
    link("z", "z/again");
    link("a", "a/b/c/up");
    let walk = walked(folder.path(), ENTRIES_AHEAD);
    assert_eq!((walk.listing.len(), walk.entries_left.into_inner()), (3, ENTRIES_AHEAD));
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_stay_apart_and_lead_back() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    for byte in [0xfe, 0xff] {
        fs::write(folder.path().join(OsStr::from_bytes(&[b'x', byte, b'.', b'g', b'z'])), [byte]).unwrap();
    }
    let listing = list(&[folder.path().to_owned()], &[], Names::OfTrails).unwrap();
    assert_ne!(listing.get(0).source_object, listing.get(1).source_object);
    let text = serde_json::to_string(&listing.get(1)).unwrap();
    let back: ObjectRef = serde_json::from_str(&text).unwrap();
    assert_eq!(fs::read(back.path()).unwrap(), [0xff]);
}

#[test]
fn a_missing_source_is_named_with_its_remedy() {
    let error = list(&["no/such/folder".into()], &[], Names::OfTrails).unwrap_err();
    assert!(error.to_string().contains("`no/such/folder` does not exist; name a file"), "{error}");
}

#[test]
fn a_leading_dot_is_no_part_of_a_name() {
    let listing = list(&["./src/lib.rs".into()], &[], Names::OfTrails).unwrap();
    assert_eq!(&*listing.get(0).source_object, "src/lib.rs");
}

#[test]
fn of_what_is_named_some_may_be_gone_but_not_all() {
    let folder = tempfile::tempdir().unwrap();
    let (there, gone) = (folder.path().join("a.json"), folder.path().join("b.json"));
    fs::write(&there, "{}").unwrap();
    let listing = list(&[], &[gone.clone(), there], Names::OfTrails).unwrap();
    assert_eq!((listing.len(), listing.gone, listing.left), (1, 1, 0));
    assert!(matches!(list(&[], &[gone], Names::OfTrails), Err(IngestError::SourceMissing { .. })));
}
