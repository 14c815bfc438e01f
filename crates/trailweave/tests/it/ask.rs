//! Named questions, by `ask` and in the words of other engines.

use std::fs;
#[cfg(target_os = "linux")]
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::process::Stdio;

use crate::program::PYTHON;
use crate::program::trailweave;
use crate::program::utf8;

const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

/// Makes a lake of one launch, which keeps `events`.
fn small_lake(folder: &Path, events: &str) -> PathBuf {
    let (object, lake) = (folder.join("trail.json"), folder.join(events));
    let launch = r#"{"eventTime":"2026-09-01T06:00:00Z","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","eventID":"run"}"#;
    fs::write(&object, format!(r#"{{"Records":[{launch}]}}"#)).unwrap();
    let made = trailweave(&["ingest", "--source", utf8(&object), "--lake", utf8(&lake), "--events", events]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    lake
}

#[test]
fn every_question_is_listed_with_what_it_wants() {
    let said = trailweave(&["ask"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    for usage in ["who-used-key KEY ", "behind INSTANCE ", "alive-grants [--at WHEN] ", "foreign-keys "] {
        assert!(said.stdout.lines().any(|line| line.starts_with(usage)), "{}", said.stdout);
    }
    let first = trailweave(&["ask", "--json"]).stdout;
    assert!(first.starts_with(r#"{"name":"cause-of","usage":"cause-of EVENT","asks":""#), "{first}");
}

#[test]
fn a_question_that_is_asked_wrongly_is_wrong_usage() {
    let wrong: [(&[&str], &str); 12] = [
        (&["who-used-it"], "no question is named `who-used-it`; there are cause-of, who-used-key"),
        (&["who-used-key"], "`ask who-used-key KEY`"),
        (&["who-used-key", KEY, "more"], "`ask who-used-key KEY`"),
        (&["who-used-key", "it's"], "invalid key `it's`: a key's ARN"),
        (&["who-used-key", "alias/volumes"], "`trailweave trace alias/NAME` says which keys it named"),
        (&["behind", "vol-0a1b2c3d4e5f60718"], "i- and 8 or 17 hexadecimal digits"),
        (&["alive-grants", "--at", "someday"], "invalid at `someday`: a date"),
        (&["foreign-keys", "--at", "7d"], "`ask foreign-keys`"),
        (&["foreign-keys", "--since", "someday"], "invalid since `someday`: a date"),
        (&["foreign-keys", "--account", "prod"], "an AWS account id of 12 digits"),
        (&["foreign-keys", "--region", "EU-WEST-1"], "invalid region `EU-WEST-1`"),
        (&["behind", "i-0a1b2c3d4e5f60718", "--since", "7d"], "`ask behind` asks of one thing"),
    ];
    for (typed, hint) in wrong {
        for sql in [&[][..], &["--sql", "duckdb"]] {
            let said = trailweave(&[&["ask"], typed, sql].concat());
            assert!(said.code == 2 && said.stderr.contains(hint), "{typed:?}: {said:?}");
        }
    }
}

#[test]
fn an_id_may_be_typed_as_consoles_show_it() {
    let asked = |id: &str| trailweave(&["ask", "behind", id, "--sql", "duckdb"]);
    let expected = asked("i-0a1b2c3d4e5f60718");
    assert_eq!(expected.code, 0, "{}", expected.stderr);
    for typed in [" I-0A1B2C3D4E5F60718", "arn:aws:ec2:eu-west-1:111122223333:instance/i-0a1b2c3d4e5f60718"] {
        assert_eq!(asked(typed).stdout, expected.stdout, "{typed}");
    }
}

#[test]
fn a_lake_that_does_not_keep_every_call_says_so_beside_answers_about_all_calls() {
    let folder = tempfile::tempdir().unwrap();
    let questions: [(&[&str], bool); 3] =
        [(&["who-used-key", KEY], true), (&["uses-of-disabled-keys"], true), (&["links"], false)];
    for (events, warns) in [("relevant", true), ("all", false)] {
        let lake = small_lake(folder.path(), events);
        for (asked, is_of_all_calls) in questions {
            let said = trailweave(&[&["ask", "--lake", utf8(&lake)][..], asked].concat());
            assert_eq!(said.code, 0, "{said:?}");
            let has = said.stderr.contains("keeps the calls that touch EC2 or EBS");
            assert_eq!(has, warns && is_of_all_calls, "{events} {asked:?}: {said:?}");
        }
    }
}

#[test]
fn a_table_that_cannot_be_listed_is_an_error_and_not_an_empty_table() {
    let folder = tempfile::tempdir().unwrap();
    let lake = small_lake(folder.path(), "relevant");
    fs::write(lake.join("correlated"), "a file").unwrap();
    for asked in [&["query", "SELECT count(*) FROM events"][..], &["ask", "links"], &["ddl", "duckdb"]] {
        let said = trailweave(&[asked, &["--lake", utf8(&lake)]].concat());
        assert!(said.code == 1 && said.stdout.is_empty() && said.stderr.contains("cannot list"), "{asked:?}: {said:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_is_written_as_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let lake = small_lake(folder.path(), "relevant");
    // As a whole it takes 480 MB.
    let sql = "SELECT value FROM generate_series(1, 60000000)";
    for format in ["csv", "json", "vertical"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trailweave"));
        command.args(["query", "--lake", utf8(&lake), "--memory", "96MiB", "--format", format, sql]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(!first.is_empty() && peak_kib < 256 << 10, "{format}: `{first}` after {peak}");
    }
}

#[test]
fn a_question_is_printed_in_the_words_of_an_engine_without_a_lake() {
    let ask = ["ask", "alive-grants", "--at", "2026-09-01", "--lake", "no-such-lake", "--sql", "spark"];
    let said = trailweave(&ask);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("created_at <= TIMESTAMP '2026-09-01 00:00:00Z'"), "{}", said.stdout);
}

#[test]
fn duckdb_and_clickhouse_answer_the_printed_sql_of_every_question_with_the_rows_of_ask() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/ask.py");
    let mut command = Command::new(PYTHON);
    command.arg(&script).arg(env!("CARGO_BIN_EXE_trailweave")).args(["duckdb", "clickhouse"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_readers_page_shows_questions_as_they_are_printed() {
    let page = include_str!("../../../../docs/readers.md");
    let asked = page.split("```sql\n").skip(1).filter_map(|it| it.split_once("\n```")).map(|(sql, _)| sql);
    let asked: Vec<_> =
        asked.filter_map(|sql| sql.split_once('\n')?.0.strip_prefix("-- trailweave ").map(|it| (it, sql))).collect();
    assert_eq!(asked.len(), 3);
    for (line, sql) in asked {
        let said = trailweave(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert_eq!(format!("{}\n", sql.split_once('\n').unwrap().1), said.stdout, "{line}");
    }
}

#[test]
fn a_query_is_read_from_an_argument_a_file_or_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let demo = trailweave(&["demo", "--dir", utf8(&folder.path().join("demo")), "--records", "300", "--quiet"]);
    assert_eq!(demo.code, 0, "{}", demo.stderr);
    let (lake, file) = (folder.path().join("demo/lake"), folder.path().join("question.sql"));
    let sql = "SELECT count(*) AS n -- How many?\nFROM events;\n";
    fs::write(&file, sql).unwrap();
    let asked = ["query", "--json", "--lake", utf8(&lake)];
    let expected = trailweave(&[&asked[..], &[sql]].concat());
    assert!(expected.code == 0 && expected.stdout.starts_with("{\"n\":"), "{expected:?}");
    assert_eq!(trailweave(&[&asked[..], &["--file", utf8(&file)]].concat()).stdout, expected.stdout);
    for typed in [&[][..], &["-"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trailweave"));
        command.args(asked).args(typed).stdin(fs::File::open(&file).unwrap());
        assert_eq!(String::from_utf8(command.output().unwrap().stdout).unwrap(), expected.stdout, "{typed:?}");
    }
    let mut nothing = Command::new(env!("CARGO_BIN_EXE_trailweave"));
    let output = nothing.args(asked).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn an_answer_has_the_form_that_is_asked_for_and_shows_what_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let demo = trailweave(&["demo", "--dir", utf8(&folder.path().join("demo")), "--records", "300", "--quiet"]);
    assert_eq!(demo.code, 0, "{}", demo.stderr);
    let lake = folder.path().join("demo/lake");
    let sql = "SELECT 1 AS n, CAST(NULL AS VARCHAR) AS none, '' AS empty";
    let answer = |format: &str| trailweave(&["query", "--lake", utf8(&lake), "--format", format, sql]).stdout;
    assert_eq!(answer("csv"), "n,none,empty\r\n1,,\"\"\r\n");
    assert_eq!(answer("json"), "{\"n\":1,\"none\":null,\"empty\":\"\"}\n");
    assert_eq!(answer("vertical"), "-- row 1\nn      1\nnone   NULL\nempty  \n");
    assert!(answer("table").contains("| 1 | NULL |"), "{}", answer("table"));
    assert_eq!(trailweave(&["query", "--lake", utf8(&lake), sql]).stdout, answer("table"));
    let listed = trailweave(&["ask", "--lake", utf8(&lake), "--format", "csv", "links"]);
    assert!(listed.code == 0 && listed.stdout.starts_with("link,"), "{listed:?}");
}
