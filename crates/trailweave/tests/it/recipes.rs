//! The recipes of `deploy/`: the tool that reads each finds no fault, and the commands in it run.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use crate::program::utf8;

/// The python of `make recipes`, with the tools that read the recipes.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/recipes-2026-12/bin/python");
const CHECK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recipes/check.py");
const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy");

/// Checks a recipe of a folder; returns what is wrong with it.
fn check(recipe: &str, deploy: &Path) -> Result<(), String> {
    let output = Command::new(PYTHON)
        .args([CHECK, recipe, utf8(deploy), env!("CARGO_BIN_EXE_trailweave")])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .map_err(|error| format!("{PYTHON}: {error}; is `make recipes` done?"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Demands that a recipe passes as it is, and that each wrong line in it is found with these words.
fn holds(recipe: &str, faults: &[(&str, &str, &str, &str)]) {
    assert_eq!(check(recipe, Path::new(DEPLOY)), Ok(()));
    for (file, right, wrong, said) in faults {
        let folder = tempdir().unwrap();
        copy(Path::new(DEPLOY), folder.path());
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(right), "{file} has no `{right}`");
        fs::write(&path, text.replacen(right, wrong, 1)).unwrap();
        let found = check(recipe, folder.path()).expect_err(wrong);
        assert!(found.contains(said), "`{wrong}` in {file}: {found}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn the_image_is_built_from_what_is_there() {
    holds(
        "image",
        &[
            ("Dockerfile", "AS source\n", "AS source AS\n", "Dockerfile"),
            ("Dockerfile", "--features otlp,glue", "--features otlp,glu", "glu"),
        ],
    );
}

#[test]
fn the_stacks_are_created_and_their_commands_run() {
    holds(
        "cloudformation",
        &[
            ("aws/hourly.yaml", "TreatMissingData: breaching", "TreatMissingDat: breaching", "TreatMissingDat"),
            ("aws/hourly.yaml", "!GetAtt TaskRole.Arn", "!GetAtt TaskRol.Arn", "TaskRol"),
            ("aws/hourly.yaml", "\"compact\",\"--wait\"", "\"compact\",\"--wit\"", "--wit"),
            ("aws/hourly.yaml", "\"--from\",\"3d\"", "\"--from\",\"3x\"", "3x"),
            ("aws/backfill.yaml", "- --shard", "- --share", "--share"),
            ("aws/backfill.yaml", "Default: 6GiB", "Default: 7GiB", "do not fit"),
        ],
    );
}

#[test]
fn the_jobs_of_kubernetes_are_valid_and_their_commands_run() {
    holds(
        "kubernetes",
        &[
            ("kubernetes/hourly.yaml", "concurrencyPolicy", "concurrencyPolicies", "concurrencyPolicies"),
            ("kubernetes/hourly.yaml", "memory = \"2GiB\"", "memory = \"3GiB\"", "do not fit"),
            ("kubernetes/hourly.yaml", "to = \"1d\"", "to = \"1y\"", "1y"),
            ("kubernetes/backfill.yaml", "shard = ", "share = ", "share"),
            ("kubernetes/backfill.yaml", "args: [ingest", "args: [digest", "digest"),
        ],
    );
}

#[test]
fn the_units_of_systemd_are_valid_and_their_commands_run() {
    holds(
        "systemd",
        &[
            ("systemd/trailweave.service", "ProtectHome=", "ProtectHme=", "ProtectHme"),
            ("systemd/trailweave.timer", "OnCalendar=*-", "OnCalendar=x-", "calendar"),
            ("systemd/trailweave-daily.service", "trailweave gc ", "trailweave tidy ", "tidy"),
            ("systemd/trailweave.toml", "from = ", "form = ", "form"),
        ],
    );
}

#[test]
fn each_exit_code_raises_its_alert() {
    holds(
        "prometheus",
        &[
            ("prometheus/alerts.yaml", "time() -", "time( -", "could not parse expression"),
            ("prometheus/alerts.yaml", "exit_code == 9", "exit_code == 10", "FAILED"),
        ],
    );
}

#[test]
fn the_dashboard_shows_every_figure_of_a_run() {
    holds(
        "grafana",
        &[
            (
                "grafana/dashboard.json",
                "trailweave_last_run_rows_amended",
                "trailweave_last_run_rows_amend",
                "no run tells",
            ),
            ("grafana/dashboard.json", "sum by (outcome)", "sum by outcome", "parse error"),
        ],
    );
}

#[test]
fn a_release_installs_and_is_the_same_bytes_again() {
    holds(
        "release",
        &[
            ("release.sh", "completions bash", "completions zsh", "bash"),
            ("release.sh", "cp LICENSE \"$doc/copyright\"", "cp LICENSE \"$doc\"", "copyright"),
            ("release.sh", "Depends: libc6 ", "Depends: libc7 ", "libc7"),
            ("release.sh", "touch -d \"@$SOURCE_DATE_EPOCH\"", "touch", "time of the commit"),
            ("release.sh", "gzip -9n \"$share", "gzip -9 \"$share", "other bytes"),
        ],
    );
}
