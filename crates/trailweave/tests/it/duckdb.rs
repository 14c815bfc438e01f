//! A real DuckDB reads the lake: the statements of `ddl` hold, and the join asked in its SQL gives the same rows.

use std::fs;
use std::path::Path;
use std::process::Command;

use trailweave_table::VIEWS;
use trailweave_table::View;

use crate::program::PYTHON;
use crate::program::trailweave;
use crate::program::utf8;

#[test]
fn duckdb_reads_the_demo_and_finds_the_same_links() {
    let folder = tempfile::tempdir().unwrap();
    let demo = folder.path().join("demo");
    let said = trailweave(&["demo", "--dir", utf8(&demo), "--records", "6000", "--seed", "3"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("RunInstances") && said.stdout.contains("[request_id, exact]"), "{}", said.stdout);
    let again = trailweave(&["demo", "--dir", utf8(&demo), "--records", "6000", "--seed", "3"]);
    assert_eq!(again.code, 0, "a demo replaces the one before: {}", again.stderr);
    let lake = demo.join("lake");

    let compare = Path::new(env!("CARGO_MANIFEST_DIR")).join("../correlate/tests/duckdb/compare.py");
    let answer = ask(&[utf8(&compare), utf8(&lake)]);
    assert!(answer.0, "{}", answer.1);

    let views = folder.path().join("views.sql");
    fs::write(&views, trailweave(&["ddl", "duckdb", "--lake", utf8(&lake)]).stdout).unwrap();
    let answer = ask(&["-c", READ_EVERY_TABLE, utf8(&views)]);
    assert!(answer.0, "{}", answer.1);

    for View { name, .. } in VIEWS {
        let sql = format!("SELECT count(*) AS n FROM (SELECT DISTINCT * FROM {name})");
        let ours = trailweave(&["query", "--json", "--lake", utf8(&lake), &sql]);
        assert_eq!(ours.code, 0, "{name}: {}", ours.stderr);
        let answer = ask(&["-c", ASK_ONE, utf8(&views), &sql]);
        assert_eq!(answer.1.trim(), ours.stdout.trim(), "{name}");
        let may_be_empty = ["key_use_after_disabling", "decrypts_without_launch"].contains(&name);
        assert!(may_be_empty || !ours.stdout.contains(r#"{"n":0}"#), "{name} is empty");
    }
}

const ASK_ONE: &str = "
import sys, duckdb
db = duckdb.connect()
db.execute(open(sys.argv[1]).read())
print('{\"n\":%d}' % db.execute(sys.argv[2]).fetchall()[0])
";

#[test]
fn a_folder_that_no_demo_made_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    let said = trailweave(&["demo", "--dir", utf8(folder.path())]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("--dir"), "{}", said.stderr);
    assert!(folder.path().join("thesis.txt").exists());
}

const READ_EVERY_TABLE: &str = "
import sys, duckdb
db = duckdb.connect()
db.execute(open(sys.argv[1]).read())
for table in ['events', 'correlated', 'instances', 'volumes', 'attachments', 'grants']:
    rows, dates = db.execute(f'SELECT count(*), count(event_date) FROM {table}').fetchone()
    assert rows > 0 and rows == dates, (table, rows, dates)
assert db.execute('SELECT count(reason) FROM rejects').fetchone() == (0,)
kinds = db.execute('SELECT typeof(event_time), typeof(volume_ids), typeof(encryption_context), typeof(event_date) FROM events LIMIT 1')
assert kinds.fetchone() == ('TIMESTAMP WITH TIME ZONE', 'VARCHAR[]', 'MAP(VARCHAR, VARCHAR)', 'DATE'), kinds
";

/// Runs python with DuckDB; whether it succeeded, and what it said.
fn ask(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(PYTHON).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
