//! The answers to a user who types something wrong, or asks for help.

use std::fs;

use crate::program::deliver;
use crate::program::run;
use crate::program::trailweave;
use crate::program::utf8;

#[test]
fn every_verb_has_examples() {
    let help = trailweave(&["--help"]).stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verb = |line: &str| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')).map(str::to_owned);
    let verbs: Vec<String> = commands.filter_map(verb).map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert!(verbs.contains(&"run".to_owned()) && verbs.contains(&"prune".to_owned()), "{verbs:?}");
    // Those of `quarantine` have examples of their own.
    for verb in verbs.iter().filter(|verb| !["help", "quarantine"].contains(&verb.as_str())) {
        let said = trailweave(&[verb, "--help"]);
        assert_eq!(said.code, 0);
        assert!(said.stdout.contains(&format!("Examples:\n  trailweave {verb}")), "{}", said.stdout);
    }
}

#[test]
fn wrong_usage_and_wrong_configuration_exit_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("trailweave.toml");
    fs::write(&config, "lakes = 'typo'").unwrap();
    let wrong: [(&[&str], &str); 11] = [
        (&["run", "--sauce", "x"], "--sauce"),
        (&["query", "--sauce"], "there is no such option"),
        (&["run"], "--source"),
        (&["run", "--source", "x", "--from", "someday"], "invalid from `someday`"),
        (&["run", "--source", "ftp://host/prefix"], "s3://bucket/prefix"),
        (&["run", "--source", "x", "--lake", "gs://bucket/lake"], "of URLs only s3://bucket/prefix"),
        (&["run", "--source", "x", "--account", "12"], "12 digits"),
        (&["correlate", "--config", utf8(&config)], "unknown field `lakes`"),
        (&["trace", " "], "an id or an ARN is expected"),
        (&["trace", "arn:aws:ec2:eu-west-1:111122223333:instance/"], "an id or an ARN is expected"),
        (&["trace", "i-0a1b2c3d", "--since", "2026-03-05", "--until", "2026-03-04"], "a time after --since"),
    ];
    for (typed, hint) in wrong {
        let said = trailweave(typed);
        assert_eq!(said.code, 2, "{typed:?}: {}", said.stderr);
        assert!(said.stderr.contains(hint), "{typed:?}: {}", said.stderr);
    }
}

#[cfg(not(feature = "otlp"))]
#[test]
fn an_option_that_the_program_is_built_without_is_refused_by_name() {
    let ask = |flag: &[&str], environment: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_trailweave"));
        command.args(["correlate", "--lake", "no-such-folder"]).args(flag).envs(environment.iter().copied());
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let endpoint = "http://me:word@localhost:4318";
    for (code, said) in [ask(&["--otlp-endpoint", endpoint], &[]), ask(&[], &[("TRAILWEAVE_OTLP_ENDPOINT", endpoint)])]
    {
        assert!(code == 2 && said.contains("built without the feature `otlp`") && !said.contains("word"), "{said}");
    }
    // Which says nothing to this program alone.
    let (code, said) = ask(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
    assert!(code == 1 && said.contains("no-such-folder"), "{said}");
    assert!(!trailweave(&["run", "--help"]).stdout.contains("otlp"));
}

#[cfg(not(feature = "glue"))]
#[test]
fn glue_is_refused_by_a_program_that_is_built_without_it() {
    let said = trailweave(&["correlate", "--lake", "s3://bucket/lake", "--glue-database", "trail"]);
    assert!(said.code == 2 && said.stderr.contains("built without the feature `glue`"), "{}", said.stderr);
    assert!(!trailweave(&["publish", "--help"]).stdout.contains("--glue-database <NAME>"));
}

#[test]
fn a_lake_in_a_folder_does_not_go_to_glue_and_a_copy_of_one_that_did_can_leave() {
    let folder = tempfile::tempdir().unwrap();
    let demo = trailweave(&["demo", "--dir", utf8(folder.path()), "--records", "300", "--quiet"]);
    assert_eq!(demo.code, 0, "{}", demo.stderr);
    let lake = folder.path().join("lake");
    let said = trailweave(&["publish", "--lake", utf8(&lake), "--glue-database", "trail"]);
    assert!(said.code == 2 && said.stderr.contains("a lake in S3"), "{}", said.stderr);
    let format = r#"{ "format_version": 2, "events": "relevant", "iceberg": { "glue_database": "trail" } }"#;
    fs::write(lake.join("_trailweave/lake.json"), format).unwrap();
    let said = trailweave(&["publish", "--lake", utf8(&lake)]);
    assert!(said.code == 1 && said.stderr.contains("`publish --no-glue`"), "{}", said.stderr);
    let said = trailweave(&["publish", "--lake", utf8(&lake), "--no-glue"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
}

#[cfg(not(feature = "query"))]
#[test]
fn a_question_to_a_program_that_is_built_without_query_is_refused_and_a_chain_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let demo = trailweave(&["demo", "--dir", utf8(&folder.path().join("demo")), "--records", "300", "--quiet"]);
    assert_eq!(demo.code, 0, "{}", demo.stderr);
    assert!(demo.stdout.contains("# trailweave trace") && !demo.stdout.contains("trailweave query"), "{}", demo.stdout);
    assert!(demo.stdout.contains("trailweave ddl duckdb"), "{}", demo.stdout);
    let said = trailweave(&["query", "--lake", utf8(&folder.path().join("demo/lake")), "SELECT 1"]);
    assert!(said.code == 2 && said.stderr.contains("built without `query`"), "{}", said.stderr);
    assert!(!trailweave(&["--help"]).stdout.contains("\n  query "));
}

#[test]
fn a_missing_source_or_lake_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, missing) = (folder.path().join("lake"), folder.path().join("no-such-folder"));
    let said = trailweave(&["run", "--source", utf8(&missing), "--lake", utf8(&lake)]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("no-such-folder"), "{}", said.stderr);
    let trail = folder.path().join("trail");
    deliver(&trail, "111122223333", "eu-west-1", "2026-09-01", br#"{"Records":[]}"#);
    let put_right = ["ingest", "--source", utf8(&trail), "--lake", utf8(&lake), "--events", "all"];
    assert_eq!(trailweave(&put_right).code, 0, "what failed has chosen nothing");
    for verb in [&["correlate"][..], &["query", "SELECT 1"], &["trace", "i-0a1b2c3d4e5f60718"]] {
        let said = trailweave(&[verb, &["--lake", utf8(&missing)]].concat());
        assert_eq!(said.code, 1);
        assert!(
            said.stderr.contains("no-such-folder") && said.stderr.contains("not a Trailweave lake"),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn settings_come_from_flags_then_the_environment_then_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("trailweave.toml");
    fs::write(&config, format!("lake = '{}'", utf8(&folder.path().join("filed")))).unwrap();
    let ask = |flag: Option<&str>, environment: Option<&str>| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_trailweave"));
        command.args(["correlate", "--config", utf8(&config)]);
        command.args(flag.map(|lake| ["--lake", lake]).into_iter().flatten());
        command.envs(environment.map(|lake| ("TRAILWEAVE_LAKE", lake)));
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    assert!(ask(None, None).contains("filed"));
    assert!(ask(None, Some("environed")).contains("`environed`"));
    assert!(ask(Some("flagged"), Some("environed")).contains("`flagged`"));
    let said = trailweave(&["ddl", "duckdb", "--config", utf8(&config)]);
    assert!(said.code == 1 && said.stdout.is_empty() && said.stderr.contains("/filed` is not"), "{said:?}");
    assert_eq!(trailweave(&["ddl", "duckdb", "--config", "no-such-file"]).code, 2);
}

#[test]
fn a_switch_may_come_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let (trail, lake) = (folder.path().join("trail"), folder.path().join("lake"));
    deliver(&trail, "111122223333", "eu-west-1", "2026-09-01", br#"{"Records":[]}"#);
    for (value, is_json) in [("1", true), ("true", true), ("0", false), ("", false)] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_trailweave"));
        command.args(["plan", "--source", utf8(&trail), "--lake", utf8(&lake)]).env("TRAILWEAVE_JSON", value);
        let output = command.output().unwrap();
        assert!(output.status.success() && output.stdout.starts_with(b"{") == is_json, "{value}: {output:?}");
    }
}

#[test]
fn a_query_that_would_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (trail, lake) = (folder.path().join("trail"), folder.path().join("lake"));
    deliver(&trail, "111122223333", "eu-west-1", "2026-09-01", br#"{"Records":[]}"#);
    run(&trail, &lake, 0);
    for sql in ["DROP TABLE events", "CREATE TABLE t AS SELECT 1", "INSERT INTO events SELECT * FROM events", "SELEC 1"]
    {
        let said = trailweave(&["query", "--lake", utf8(&lake), sql]);
        assert_eq!(said.code, 1, "{sql}");
        assert!(!said.stderr.is_empty());
    }
    let said = trailweave(&["trace", "--lake", utf8(&lake), "i-0a1b2c3d4e5f60718"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("i-0a1b2c3d4e5f60718"), "{}", said.stderr);
}

#[test]
fn a_lake_that_is_a_file_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lake");
    fs::write(&file, "no lake").unwrap();
    let trail = folder.path().join("trail");
    deliver(&trail, "111122223333", "eu-west-1", "2026-09-01", br#"{"Records":[]}"#);
    for typed in [&["status"][..], &["run", "--source", utf8(&trail)], &["ddl", "duckdb"], &["gc"]] {
        let said = trailweave(&[typed, &["--lake", utf8(&file)]].concat());
        assert!(said.code == 1 && said.stderr.contains("is a file"), "{typed:?}: {said:?}");
    }
}

#[test]
fn verbs_do_not_offer_what_they_cannot_use() {
    let help = trailweave(&["status", "--help"]).stdout;
    for flag in ["--cap", "--events", "--shard", "--retry-quarantined", "--queue-url"] {
        assert!(!help.contains(&format!("{flag} ")) && !help.contains(&format!("{flag}\n")), "{flag}: {help}");
    }
    assert!(!trailweave(&["plan", "--help"]).stdout.contains("--queue-url"));
    let offers_shard = |verb: &str| trailweave(&[verb, "--help"]).stdout.contains("--shard <I/N>");
    assert!(offers_shard("ingest") && !offers_shard("run"));
    for verb in [&["plan"][..], &["gc"], &["quarantine", "list"], &["query", "SELECT 1"]] {
        let said = trailweave(&[verb, &["--metrics-file", "f"]].concat());
        let hint = format!("`{}` takes no --metrics-file; it is one of `run`, `ingest`", verb[0]);
        assert!(said.code == 2 && said.stderr.contains(&hint), "{said:?}");
    }
    for typed in [["status", "--shard", "0/2"], ["status", "--cap", "1GiB"], ["plan", "--events", "all"]] {
        let said = trailweave(&typed);
        let hint = format!("`{}` takes no {}", typed[0], typed[1]);
        assert!(said.code == 2 && said.stderr.contains(&hint), "{said:?}");
    }
}

#[test]
fn athena_statements_are_printed_for_a_lake_that_stands_elsewhere() {
    let said = trailweave(&["ddl", "athena", "--lake", "s3://bucket/lake"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("LOCATION 's3://bucket/lake/correlated/'"), "{}", said.stdout);
}

#[test]
fn athena_statements_begin_with_the_database_and_can_be_taken_one_at_a_time() {
    let said = trailweave(&["ddl", "athena", "--lake", "s3://bucket/lake", "--database", "trail"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let text: Vec<_> = said.stdout.lines().filter(|line| !line.starts_with("--")).collect();
    let text = text.join("\n");
    let statements: Vec<_> = text.split(";\n\n").map(str::trim).filter(|it| !it.is_empty()).collect();
    assert_eq!(statements[0], "CREATE DATABASE IF NOT EXISTS `trail`");
    assert!(statements.iter().all(|it| it.starts_with("CREATE ") && !it.contains(";\n")), "{statements:#?}");
    assert!(said.stdout.contains("start-query-execution") && said.stdout.contains("Database=trail"), "{}", said.stdout);
}

#[test]
fn athena_is_told_of_no_folder_and_other_engines_of_no_database() {
    let wrong: [(&[&str], &str); 3] = [
        (&["athena", "--lake", "./lake"], "Athena reads a lake in S3 alone"),
        (&["athena", "--lake", "s3://bucket/lake", "--database", "it`s"], "invalid database `it`s`"),
        (&["duckdb", "--lake", "s3://bucket/lake", "--database", "trail"], "--database goes with `ddl athena`"),
    ];
    for (typed, hint) in wrong {
        let said = trailweave(&[&["ddl"], typed].concat());
        assert!(said.code == 2 && said.stderr.contains(hint), "{typed:?}: {said:?}");
    }
}

#[test]
fn a_shell_reads_the_completions_and_pages_are_written_for_every_verb() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("completions");
    fs::write(&script, trailweave(&["completions", "bash"]).stdout).unwrap();
    let asked = "source \"$1\"; COMP_WORDS=(trailweave quar); COMP_CWORD=1; _trailweave trailweave quar trailweave; echo \"${COMPREPLY[@]}\"";
    let output = std::process::Command::new("bash").args(["-c", asked, "bash", utf8(&script)]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "quarantine\n");
    let pages = folder.path().join("man1");
    assert_eq!(trailweave(&["man", "--out", utf8(&pages)]).code, 0);
    for page in ["trailweave.1", "trailweave-run.1", "trailweave-quarantine-dismiss.1"] {
        let text = fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(".TH trailweave"), "{text}");
    }
    assert!(trailweave(&["man"]).stdout.contains("trailweave"));
}

#[test]
fn a_version_tells_its_commit_and_features() {
    let said = trailweave(&["--version"]).stdout;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], concat!("trailweave ", env!("CARGO_PKG_VERSION")));
    assert!(lines[1].starts_with("commit: ") && lines[2].starts_with("features: "), "{said}");
}
