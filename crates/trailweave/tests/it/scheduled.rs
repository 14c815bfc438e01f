//! The job as a scheduler runs it: again and again, in shards, measured and tidied.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::query;
use crate::program::run;
use crate::program::trailweave;
use crate::program::utf8;

/// A small trail of several accounts and regions; returns its source.
pub(crate) fn trail(folder: &Path) -> std::path::PathBuf {
    let options =
        trailweave_corpus::CorpusOptions { records: 2_000, days: 2, ..trailweave_corpus::CorpusOptions::default() };
    trailweave_corpus::generate(&options, folder).unwrap();
    folder.join("AWSLogs")
}

/// Every row of `correlated`, which depends on every event.
pub(crate) fn rows(lake: &Path) -> Vec<String> {
    let rows = query(lake, "SELECT * FROM correlated ORDER BY kms_event_id, recipient_account_id");
    rows.iter().map(Value::to_string).collect()
}

fn done(arguments: &[&str], lake: &Path) -> String {
    let said = trailweave(&[arguments, &["--lake", utf8(lake)]].concat());
    assert_eq!(said.code, 0, "{arguments:?}: {}", said.stderr);
    said.stdout
}

#[test]
fn shards_then_one_correlation_make_what_a_run_makes() {
    let folder = tempfile::tempdir().unwrap();
    let source = trail(folder.path());
    let (whole, lake) = (folder.path().join("whole"), folder.path().join("lake"));
    run(&source, &whole, 0);
    for shard in ["2/3", "0/3", "1/3"] {
        done(&["ingest", "--source", utf8(&source), "--shard", shard], &lake);
    }
    done(&["correlate"], &lake);
    assert_eq!(rows(&lake), rows(&whole));
    assert!(!rows(&lake).is_empty());
    let refused = trailweave(&["run", "--source", utf8(&source), "--lake", utf8(&lake), "--shard", "0/3"]);
    assert!(refused.code == 2 && refused.stderr.contains("correlate"), "{refused:?}");
}

#[test]
fn merging_parts_changes_no_answer_and_only_new_events_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let source = trail(folder.path());
    let (whole, lake) = (folder.path().join("whole"), folder.path().join("lake"));
    run(&source, &whole, 0);
    let folders = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let (organization, alone): (Vec<_>, Vec<_>) =
        folders(&source).into_iter().partition(|path| path.file_name().unwrap().to_string_lossy().starts_with("o-"));
    for account in folders(&organization[0]) {
        run(&account, &lake, 0);
    }
    let before = rows(&lake);
    let compacted: Value = serde_json::from_str(&done(&["compact", "--json"], &lake)).unwrap();
    let parts = |name: &str| compacted[name].as_u64().unwrap();
    assert!(parts("parts_after") < parts("parts_before") && parts("rows") > 0, "{compacted}");
    assert_eq!(rows(&lake), before);
    let correlated: Value = serde_json::from_str(&done(&["correlate", "--json"], &lake)).unwrap();
    assert_eq!((&correlated["correlated"]["scope"], &correlated["correlated"]["files"]), (&"new".into(), &0.into()));
    let report = run(&alone[0], &lake, 0);
    assert_eq!(report["correlated"]["scope"], "new", "{report}");
    assert!(rows(&lake) != before && rows(&lake) == rows(&whole));
    done(&["correlate", "--whole"], &lake);
    assert_eq!(rows(&lake), rows(&whole));
    assert_eq!(done(&["gc"], &lake), "0 files removed\n");
}

/// Merged with parts that came later, parts that the tables know lead to rows that stand already.
#[test]
fn merging_parts_that_are_joined_with_others_doubles_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let default = trailweave_corpus::CorpusOptions::default();
    let options = trailweave_corpus::CorpusOptions { records: 4_000, days: 4, flows: 0.5, ..default };
    trailweave_corpus::generate(&options, folder.path()).unwrap();
    let (source, whole) = (folder.path().join("AWSLogs"), folder.path().join("whole"));
    let lake = folder.path().join("lake");
    run(&source, &whole, 0);
    done(&["run", "--source", utf8(&source), "--to", "2026-03-03"], &lake);
    // Merged once with parts that are not joined, then twice.
    for days in [&["2026-03-04"][..], &["2026-03-05", "2026-03-06"]] {
        for day in days {
            done(&["ingest", "--source", utf8(&source), "--to", day], &lake);
            done(&["compact"], &lake);
        }
        done(&["correlate"], &lake);
        let followed = rows(&lake);
        done(&["correlate", "--whole"], &lake);
        assert!(followed == rows(&lake), "{days:?}: {} rows, not {}", followed.len(), rows(&lake).len());
    }
    run(&source, &lake, 0);
    assert_eq!(rows(&lake), rows(&whole));
}

#[test]
fn a_run_leaves_its_figures_whether_it_ends_well_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let source = trail(folder.path());
    let (lake, metrics) = (folder.path().join("lake"), folder.path().join("trailweave.prom"));
    done(&["run", "--source", utf8(&source), "--metrics-file", utf8(&metrics)], &lake);
    let text = fs::read_to_string(&metrics).unwrap();
    assert!(text.contains("trailweave_last_run_exit_code 0\n"), "{text}");
    assert!(text.contains("trailweave_last_run_records{outcome=\"rows\"}"), "{text}");
    assert!(text.contains("trailweave_last_run_links{link=\"request_id\"}"), "{text}");
    let nowhere = folder.path().join("no-such-folder");
    let arguments = ["run", "--source", utf8(&nowhere), "--lake", utf8(&lake), "--metrics-file", utf8(&metrics)];
    assert_eq!(trailweave(&arguments).code, 1);
    assert!(fs::read_to_string(&metrics).unwrap().contains("trailweave_last_run_exit_code 1\n"));
}

#[test]
fn logs_are_json_where_nobody_watches() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("trail");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("cut.json.gz"), [0x1f, 0x8b, 8]).unwrap();
    let said = trailweave(&["ingest", "--source", utf8(&source), "--lake", utf8(&folder.path().join("lake"))]);
    assert_eq!(said.code, 3, "{}", said.stderr);
    let line: Value = serde_json::from_str(said.stderr.lines().next().unwrap()).unwrap();
    assert_eq!((line["level"].as_str(), line["message"].as_str()), (Some("WARN"), Some("quarantined")));
    assert!(line["object"].as_str().unwrap().ends_with("cut.json.gz"), "{line}");
}

#[test]
fn a_pruned_day_leaves_with_all_but_what_later_rows_need() {
    let folder = tempfile::tempdir().unwrap();
    let default = trailweave_corpus::CorpusOptions::default();
    let options = trailweave_corpus::CorpusOptions { records: 4_000, days: 4, flows: 0.5, ..default };
    trailweave_corpus::generate(&options, folder.path()).unwrap();
    let (source, lake) = (folder.path().join("AWSLogs"), folder.path().join("lake"));
    run(&source, &lake, 0);
    let of = |table: &str, dates: &str| {
        let sql = format!("SELECT * FROM {table} WHERE event_date {dates} ORDER BY 1, 2, 3, 4");
        query(&lake, &sql).iter().map(Value::to_string).collect::<Vec<_>>()
    };
    let kept = |of: &dyn Fn(&str, &str) -> Vec<String>| {
        let dimensions = ["instances", "volumes", "grants"].map(|table| of(table, "> '2000-01-01'"));
        [dimensions.to_vec(), ["events", "correlated"].map(|table| of(table, ">= '2026-03-04'")).to_vec()].concat()
    };
    let expected = kept(&of);
    let plan = done(&["prune", "--before", "2026-03-04", "--dry-run", "--json"], &lake);
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let n_rows = ["events", "sessions"].map(|table| of(table, "< '2026-03-04'").len()).iter().sum::<usize>();
    assert_eq!((&plan["rows"], &plan["before"]), (&Value::from(n_rows), &Value::from("2026-03-04")));
    assert!(!of("events", "< '2026-03-04'").is_empty() && expected.iter().all(|rows| !rows.is_empty()));
    for again in ["prune", "prune again", "run", "correlate --whole"] {
        match again {
            "run" => drop(run(&source, &lake, 0)),
            "correlate --whole" => drop(done(&["correlate", "--whole"], &lake)),
            _ => {
                let said = done(&["prune", "--before", "2026-03-04", "--json"], &lake);
                let pruned: Value = serde_json::from_str(&said).unwrap();
                let counts = |of: &Value| ["days", "files", "rows", "rejects"].map(|it| of[it].clone());
                assert_eq!(
                    counts(&pruned["pruned"]),
                    if again == "prune" { counts(&plan) } else { [0; 4].map(Value::from) }
                );
            }
        }
        assert_eq!(kept(&of), expected, "{again}");
        for table in ["events", "sessions", "correlated", "attachments"] {
            assert_eq!(of(table, "< '2026-03-04'"), [""; 0], "{again}: {table}");
        }
    }
    assert!(!of("remembered", "< '2026-03-04'").is_empty());
    let unknown = trailweave(&["trace", "--lake", utf8(&lake), "i-0a1b2c3d4e5f60718"]);
    assert!(
        unknown.code == 1 && unknown.stderr.contains("since 2026-03-04, and days before that were pruned"),
        "{unknown:?}"
    );
    let asked = trailweave(&["ask", "--lake", utf8(&lake), "behind", "i-0a1b2c3d4e5f60718"]);
    assert!(asked.code == 0 && asked.stderr.contains("no row: the lake holds nothing of `i-0a1b2c3d"), "{asked:?}");
    let launched = "launch_event_id IS NOT NULL AND event_date < '2026-03-04' AND root_principal_arn IS NOT NULL";
    let launched = &query(&lake, &format!("SELECT * FROM instances WHERE {launched} LIMIT 1"))[0];
    let instance = launched["instance_id"].as_str().unwrap();
    let behind = done(&["ask", "behind", instance, "--json"], &lake);
    let behind: Value = serde_json::from_str(behind.lines().next().unwrap()).unwrap();
    assert_eq!(behind["root_principal_arn"], launched["root_principal_arn"]);
    let status: Value = serde_json::from_str(&done(&["status", "--json"], &lake)).unwrap();
    assert!(status["pruned"].as_u64() > Some(0) && status["done"].as_u64() > Some(0), "{status}");
    let asked = trailweave(&["ask", "uses-of-disabled-keys", "--lake", utf8(&lake)]);
    assert!(asked.stderr.contains("days before 2026-03-04 were pruned"), "{}", asked.stderr);
    let ahead = trailweave(&["prune", "--lake", utf8(&lake), "--before", "2999-01-01"]);
    assert!(ahead.code == 2 && ahead.stderr.contains("not ahead"), "{ahead:?}");
}

#[test]
fn a_run_prunes_what_its_configuration_does_not_retain() {
    let folder = tempfile::tempdir().unwrap();
    let source = trail(folder.path());
    let (lake, config) = (folder.path().join("lake"), folder.path().join("trailweave.toml"));
    fs::write(&config, "retain = '1d'").unwrap();
    let said = done(&["run", "--source", utf8(&source), "--config", utf8(&config)], &lake);
    assert!(said.contains("pruned       ") && said.contains("# the lake\nevents       0, and 0 sessions\n"), "{said}");
    assert_eq!(query(&lake, "SELECT count(*) AS n FROM events")[0]["n"], 0);
    assert!(query(&lake, "SELECT count(*) AS n FROM instances")[0]["n"].as_u64() > Some(0));
    let again = done(&["run", "--source", utf8(&source), "--config", utf8(&config)], &lake);
    assert!(again.contains("0 days"), "{again}");
}

#[test]
fn objects_are_read_again_only_where_days_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let source = trail(folder.path());
    let lake = folder.path().join("lake");
    run(&source, &lake, 0);
    let expected = rows(&lake);
    let again = ["ingest", "--source", utf8(&source), "--again", "--from", "2026-03-01"];
    let refused = trailweave(&[&again[..], &["--lake", utf8(&lake)]].concat());
    assert!(refused.code == 2 && refused.stderr.contains("--to"), "{refused:?}");
    let share = trailweave(&[&again[..], &["--to", "2026-03-05", "--shard", "1/2", "--lake", utf8(&lake)]].concat());
    assert!(share.code == 2 && share.stderr.contains("--again goes without --shard"), "{share:?}");
    let part = fs::read_dir(lake.join("events/event_date=2026-03-02")).unwrap().next().unwrap().unwrap();
    fs::remove_file(part.path()).unwrap();
    done(&[&again[..], &["--to", "2026-03-05"]].concat(), &lake);
    done(&["correlate"], &lake);
    assert_eq!(rows(&lake), expected);
}

#[test]
fn columns_that_are_left_out_change_no_link() {
    let folder = tempfile::tempdir().unwrap();
    let source = trail(folder.path());
    let (whole, lake) = (folder.path().join("whole"), folder.path().join("lake"));
    let config = folder.path().join("trailweave.toml");
    let omit =
        "{ access_key_id = 'hash', source_ip_address = 'hash', user_agent = 'hash', response_elements = 'drop' }";
    fs::write(&config, format!("omit = {omit}")).unwrap();
    run(&source, &whole, 0);
    done(&["run", "--source", utf8(&source), "--config", utf8(&config)], &lake);
    let shown = |lake: &Path| -> Vec<String> {
        let sql = "SELECT * EXCEPT (ec2_source_ip_address) FROM correlated ORDER BY kms_event_id, recipient_account_id";
        query(lake, sql).iter().map(Value::to_string).collect()
    };
    assert_eq!(shown(&lake), shown(&whole));
    let count = |lake: &Path, what: &str| query(lake, &format!("SELECT {what} AS n FROM events"))[0]["n"].clone();
    assert_eq!(count(&lake, "count(response_elements)"), 0);
    assert_eq!(count(&lake, "count(DISTINCT access_key_id)"), count(&whole, "count(DISTINCT access_key_id)"));
    fs::write(&config, "omit = { response_elements = 'drop' }").unwrap();
    let other = ["run", "--source", utf8(&source), "--config", utf8(&config), "--lake", utf8(&lake)];
    let refused = trailweave(&other);
    assert!(refused.code == 1 && refused.stderr.contains("leave `omit` out"), "{refused:?}");
}
