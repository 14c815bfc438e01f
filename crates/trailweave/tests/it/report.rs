//! The report: its numbers beside their own SQL in DuckDB, and the page in a real Chromium.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::PYTHON;
use crate::program::trailweave;
use crate::program::utf8;

#[test]
fn every_table_of_the_page_is_what_its_sql_gives() {
    let folder = tempfile::tempdir().unwrap();
    let demo = demo(folder.path());
    check("figures.py", &[env!("CARGO_BIN_EXE_trailweave"), utf8(&demo.join("lake")), utf8(&demo.join("report.html"))]);
    let chosen = folder.path().join("chosen.html");
    let lake = demo.join("lake");
    let day =
        fs::read_dir(lake.join("correlated")).unwrap().filter_map(|it| it.unwrap().file_name().into_string().ok());
    let day = day.filter_map(|it| it.strip_prefix("event_date=").map(str::to_owned)).max().unwrap();
    let said = trailweave(&[
        "report",
        "--lake",
        utf8(&lake),
        "--out",
        utf8(&chosen),
        "--from",
        &day,
        "--to",
        &day,
        "--account",
        "111122223333",
        "--instance",
        "alice's <b>",
    ]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    check("figures.py", &[env!("CARGO_BIN_EXE_trailweave"), utf8(&lake), utf8(&chosen)]);
}

#[test]
fn the_page_works_in_chromium_without_a_complaint_and_with_scripts_off() {
    let folder = tempfile::tempdir().unwrap();
    let page = demo(folder.path()).join("report.html");
    check("browser.py", &[utf8(&page)]);
}

#[test]
fn a_demo_names_its_report() {
    let folder = tempfile::tempdir().unwrap();
    assert!(demo(folder.path()).join("report.html").exists());
}

/// Makes a demo, which ends with a report.
fn demo(folder: &Path) -> std::path::PathBuf {
    let demo = folder.join("demo");
    let said = trailweave(&["demo", "--dir", utf8(&demo), "--records", "6000", "--seed", "3"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("The report is"), "{}", said.stdout);
    demo
}

/// Runs a script of the tests.
fn check(script: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report").join(script);
    let output = Command::new(PYTHON).arg(&script).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
}
