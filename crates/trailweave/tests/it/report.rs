//! The report: its numbers beside their own SQL in DuckDB, and the page in a real Chromium.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::program::{PYTHON, deliver, query, run, trailweave, utf8};

#[test]
fn every_table_of_the_page_is_what_its_sql_gives() {
    let folder = tempfile::tempdir().unwrap();
    let demo = demo(folder.path());
    let (lake, page, chosen) = (demo.join("lake"), demo.join("report.html"), folder.path().join("chosen.html"));
    check("figures.py", &[env!("CARGO_BIN_EXE_trailweave"), utf8(&lake), utf8(&page), "100", "query"]);
    let counted = "SELECT count(*) AS n_rows, count(DISTINCT coalesce(shared_event_id || kms_event_name, \
                   recipient_account_id || kms_event_id)) AS calls FROM correlated";
    let counted = query(&lake, counted);
    let [rows, calls] = ["n_rows", "calls"].map(|it| counted[0][it].as_u64().unwrap());
    assert!(calls < rows, "the demo has no copies");
    assert_eq!(n_calls(&page), calls);
    let day =
        fs::read_dir(lake.join("correlated")).unwrap().filter_map(|it| it.unwrap().file_name().into_string().ok());
    let day = day.filter_map(|it| it.strip_prefix("event_date=").map(str::to_owned)).max().unwrap();
    let said = trailweave(&["status", "--json", "--lake", utf8(&lake)]);
    let status: Value = serde_json::from_str(&said.stdout).unwrap();
    let account = status["span"]["accounts"][0].as_str().unwrap().to_owned();
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
        &account,
        "--instance",
        "alice's <b>",
    ]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    check("figures.py", &[env!("CARGO_BIN_EXE_trailweave"), utf8(&lake), utf8(&chosen)]);
}

#[test]
fn a_call_in_two_trails_counts_once_and_is_of_its_caller() {
    let folder = tempfile::tempdir().unwrap();
    let (trail, lake, page) =
        (folder.path().join("trail"), folder.path().join("lake"), folder.path().join("page.html"));
    let [owner, user] = ["111111111111", "222222222222"];
    let key = |account: &str, id: char| {
        format!("arn:aws:kms:eu-west-1:{account}:key/{0}-0000-4000-8000-{0}0000", id.to_string().repeat(8))
    };
    let copied = json!({
        "eventName": "CopySnapshot", "eventSource": "ec2.amazonaws.com", "eventTime": "2026-09-01T13:00:00Z",
        "requestParameters": {"sourceSnapshotId": "snap-0aaaaaaaaaaaaaaa1", "sourceRegion": "eu-west-1"},
        "responseElements": {"snapshotId": "snap-0aaaaaaaaaaaaaaa2"},
    });
    let keys = [key(owner, 'a'), key(user, 'b')];
    let resources = keys.each_ref().map(|arn| json!({"ARN": arn, "type": "AWS::KMS::Key"}));
    let re_encrypted = json!({
        "eventName": "ReEncrypt", "eventSource": "kms.amazonaws.com", "eventTime": "2026-09-01T13:00:02Z",
        "sharedEventID": "99999999-0000-4000-8000-000000000000",
        "resources": resources,
        "requestParameters": {
            "sourceEncryptionContext": {"aws:ebs:id": "snap-0aaaaaaaaaaaaaaa1"}, "sourceKeyId": keys[0],
            "destinationEncryptionContext": {"aws:ebs:id": "snap-0aaaaaaaaaaaaaaa2"}, "destinationKeyId": keys[1],
        },
    });
    let bob = json!({
        "type": "IAMUser", "arn": "arn:aws:iam::222222222222:user/bob", "accountId": user, "principalId": "AIDABOB",
        "invokedBy": "ec2.amazonaws.com",
    });
    let unnamed = json!({"type": "AWSAccount", "accountId": user, "principalId": "AIDABOB"});
    let record = |nth: u32, account: &str, event: &Value, caller: &Value| {
        let mut record = event.clone();
        record["eventVersion"] = json!("1.08");
        record["eventID"] = json!(format!("{nth:08}-0000-4000-8000-000000000000"));
        record["requestID"] = json!("88888888-0000-4000-8000-000000000000");
        record["awsRegion"] = json!("eu-west-1");
        record["recipientAccountId"] = json!(account);
        record["userIdentity"] = caller.clone();
        record
    };
    let of_user = [record(1, user, &copied, &bob), record(2, user, &re_encrypted, &bob)];
    let of_owner = [record(3, owner, &re_encrypted, &unnamed)];
    for (account, records) in [(user, &of_user[..]), (owner, &of_owner[..])] {
        let content = json!({"Records": records}).to_string();
        deliver(&trail, account, "eu-west-1", "2026-09-01", content.as_bytes());
    }
    run(&trail, &lake, 0);
    assert_eq!(query(&lake, "SELECT shared_event_id FROM correlated").len(), 2);
    let choices: [&[&str]; 4] = [&[], &["--account", owner], &["--account", user], &["--from", "2026-09-01"]];
    for choice in choices {
        let said = trailweave(&[&["report", "--lake", utf8(&lake), "--out", utf8(&page)][..], choice].concat());
        assert_eq!(said.code, 0, "{}", said.stderr);
        check("figures.py", &[env!("CARGO_BIN_EXE_trailweave"), utf8(&lake), utf8(&page), "10", "query"]);
        assert_eq!(n_calls(&page), 1, "{choice:?}");
        let [foreign, keys] = ["keys-foreign", "keys-used"].map(|id| cells(&page, id));
        assert_eq!([&foreign[..2], &foreign[3..4]].concat(), [user, owner, "1"], "{choice:?}");
        assert_eq!([foreign.len(), keys.len()], [6, 16], "{choice:?}");
    }
}

#[test]
fn of_a_lake_that_was_pruned_and_compacted_the_page_shows_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let demo = demo(folder.path());
    let (lake, page) = (demo.join("lake"), folder.path().join("pruned.html"));
    let days = query(&lake, "SELECT DISTINCT CAST(event_date AS VARCHAR) AS day FROM correlated ORDER BY 1");
    let before = days[3]["day"].as_str().unwrap();
    for verb in [&["prune", "--before", before][..], &["compact"], &["report", "--out", utf8(&page)]] {
        let said = trailweave(&[verb, &["--lake", utf8(&lake)]].concat());
        assert_eq!(said.code, 0, "{}", said.stderr);
    }
    let chart = |page: &Path| {
        let text = fs::read_to_string(page).unwrap();
        text.split("id=\"links-by-day\"").nth(1).unwrap().split("</table>").next().unwrap().to_owned()
    };
    let first = days[0]["day"].as_str().unwrap();
    assert!(chart(&demo.join("report.html")).contains(first) && !chart(&page).contains(first));
    assert!(chart(&page).contains(before));
    let head = format!("Days before {before} were pruned");
    let says = |page: &Path| fs::read_to_string(page).unwrap().contains(&head);
    assert!(says(&page) && !says(&demo.join("report.html")));
    // What became of keys is known of pruned days, too.
    assert_eq!(cells(&page, "keys-changed"), cells(&demo.join("report.html"), "keys-changed"));
    check("figures.py", &[env!("CARGO_BIN_EXE_trailweave"), utf8(&lake), utf8(&page)]);
}

#[test]
fn an_object_that_was_read_after_all_is_in_quarantine_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (trail, lake, page) =
        (folder.path().join("trail"), folder.path().join("lake"), folder.path().join("page.html"));
    let quarantined = || {
        let said = trailweave(&["report", "--lake", utf8(&lake), "--out", utf8(&page)]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        check("figures.py", &[env!("CARGO_BIN_EXE_trailweave"), utf8(&lake), utf8(&page), "20"]);
        cells(&page, "reconciliation")[1].clone()
    };
    deliver(&trail, "111122223333", "eu-west-1", "2026-09-01", b"cut");
    deliver(&trail, "111122223333", "eu-west-1", "2026-09-02", b"cut");
    run(&trail, &lake, 3);
    assert_eq!(quarantined(), "2");
    let first = trail.join("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/09/01");
    let first = fs::read_dir(first).unwrap().next().unwrap().unwrap().path();
    let mut file = GzEncoder::new(fs::File::create(&first).unwrap(), Compression::fast());
    file.write_all(br#"{"Records":[]}"#).unwrap();
    file.finish().unwrap();
    run(&trail, &lake, 3);
    assert_eq!(quarantined(), "1");
    let said = trailweave(&["quarantine", "dismiss", "*", "--note", "no trail", "--lake", utf8(&lake)]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(quarantined(), "0");
}

#[test]
fn objects_are_in_places_and_in_quarantine_as_in_status() {
    let folder = tempfile::tempdir().unwrap();
    // The name of the folder is that of a folder of the layout.
    let (trail, lake, page) =
        (folder.path().join("CloudTrail"), folder.path().join("lake"), folder.path().join("page.html"));
    let rejected = br#"{"Records":[{"x":1}]}"#;
    deliver(&trail, "111122223333", "eu-west-1", "2026-09-01", br#"{"Records":[]}"#);
    deliver(&trail, "111122223333", "eu-west-1", "2026-09-02", rejected);
    let layout = "AWSLogs/111122223333/CloudTrail-NetworkActivity/eu-west-1/2026/09/03";
    for (below, name, content) in [
        (layout, "111122223333_CloudTrail-NetworkActivity_eu-west-1_20260903T0000Z_a.json.gz", &rejected[..]),
        ("copied", "444455556666_CloudTrail_eu-west-1_20260904T0500Z_a.json.gz", &b"cut"[..]),
        ("copied", "events.json.gz", &rejected[..]),
    ] {
        fs::create_dir_all(trail.join(below)).unwrap();
        fs::write(trail.join(below).join(name), content).unwrap();
    }
    let said = trailweave(&["run", "--source", utf8(&trail), "--lake", utf8(&lake), "--all-names"]);
    assert_eq!(said.code, 3, "{}", said.stderr);
    let check_choice = |choice: &[&str], expected: u64| {
        let said = trailweave(&[&["report", "--lake", utf8(&lake), "--out", utf8(&page)][..], choice].concat());
        assert_eq!(said.code, 0, "{}", said.stderr);
        let said = trailweave(&[&["status", "--json", "--lake", utf8(&lake)][..], choice].concat());
        let status: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(["quarantined", "rejected"].map(|it| status[it].as_u64().unwrap()).iter().sum::<u64>(), expected);
        assert_eq!(cells(&page, "reconciliation")[1], expected.to_string(), "{choice:?}");
        check("figures.py", &[env!("CARGO_BIN_EXE_trailweave"), utf8(&lake), utf8(&page), "10"]);
    };
    check_choice(&[], 4);
    let days: Vec<_> =
        cells(&page, "days").chunks(9).map(|row| [0, 2, 4].map(|at| row[at].clone()).join(" ")).collect();
    let expected = [
        "111122223333 2026-09-01 0",
        "111122223333 2026-09-02 1",
        "111122223333 2026-09-03 1",
        "444455556666 2026-09-04 1",
    ];
    assert_eq!(days, expected);
    check_choice(&["--account", "444455556666"], 2);
    check_choice(&["--from", "2026-09-02", "--to", "2026-09-02"], 2);
    let said = trailweave(&["prune", "--before", "2026-09-03", "--lake", utf8(&lake)]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    check_choice(&[], 3);
    let said = trailweave(&["quarantine", "dismiss", "*", "--note", "no trail", "--lake", utf8(&lake)]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    check_choice(&[], 0);
}

/// Returns the cells of a table of the page, row by row, as they are shown.
fn cells(page: &Path, id: &str) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let table = text.split(&format!("<table id=\"{id}\"")).nth(1).unwrap().split("</table>").next().unwrap();
    table.split("<td").skip(1).map(|it| it.split(['>', '<']).nth(1).unwrap().trim().to_owned()).collect()
}

/// Returns the number of calls by link.
fn n_calls(page: &Path) -> u64 {
    let number = |cell: &String| cell.replace('\u{202f}', "").parse::<u64>().unwrap();
    cells(page, "links-by-rule").iter().skip(2).step_by(3).map(number).sum()
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

#[test]
fn markup_in_every_text_of_a_trail_is_text_of_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let marked = folder.path().join(format!("trail {MARKUP}"));
    let clean = demo(folder.path()).join("trail/AWSLogs");
    mark(&clean, &marked.join("AWSLogs"));
    let (lake, page) = (folder.path().join("lake"), folder.path().join("page.html"));
    run(&marked.join("AWSLogs"), &lake, 0);
    let said = trailweave(&["report", "--lake", utf8(&lake), "--out", utf8(&page)]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let text = fs::read_to_string(&page).unwrap();
    assert!(!text.contains(MARKUP), "{}", text.split(MARKUP).next().unwrap_or_default());
    for shown in ["session", "trail "] {
        let escaped = format!("{shown}&lt;b class=hostile&gt;");
        assert!(text.contains(&escaped), "the page does not show `{escaped}`");
    }
    check("browser.py", &[utf8(&page)]);
}

/// Harmless, and an element where it is not escaped.
const MARKUP: &str = "<b class=hostile>";

/// Copies a trail with markup in the texts that callers choose, and in those that show up in tables.
#[expect(clippy::disallowed_types, reason = "the objects are small, and our own")]
fn mark(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            mark(&from, &to);
            continue;
        }
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(fs::File::open(&from).unwrap()).read_to_string(&mut text).unwrap();
        let mut object: Value = serde_json::from_str(&text).unwrap();
        mark_texts("", &mut object);
        let mut file = GzEncoder::new(fs::File::create(&to).unwrap(), Compression::fast());
        file.write_all(object.to_string().as_bytes()).unwrap();
        file.finish().unwrap();
    }
}

fn mark_texts(key: &str, value: &mut Value) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| mark_texts(key, value)),
        Value::Array(values) => values.iter_mut().for_each(|value| mark_texts(key, value)),
        Value::String(text) => match key {
            "userAgent" | "sourceIPAddress" | "errorMessage" | "userName" | "value" => text.push_str(MARKUP),
            "invokedBy" => text.extend([" service", MARKUP]),
            "arn" | "principalId" => text.extend(["session", MARKUP]),
            _ => {}
        },
        _ => {}
    }
}
