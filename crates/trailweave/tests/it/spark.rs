//! `correlate --engine spark`, from the plan to the tables.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::program::trailweave;
use crate::program::utf8;

/// Where `make spark` sets up a Spark.
const SPARK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/spark-4.3/bin");

#[test]
fn spark_makes_of_the_demo_the_tables_that_the_join_in_memory_makes() {
    let folder = tempfile::tempdir().unwrap();
    let (demo, stage) = (folder.path().join("demo"), folder.path().join("a stage's"));
    let said = trailweave(&["demo", "--dir", utf8(&demo), "--records", "20000"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let lake = demo.join("lake");
    let expected = products(&lake);
    forget_products(&lake);
    let engine = ["correlate", "--json", "--lake", utf8(&lake), "--engine", "spark", "--stage", utf8(&stage)];
    let with = |more: &[&str]| trailweave(&[&engine, more].concat());

    let early = with(&["--adopt"]);
    assert!(early.code == 1 && early.stderr.contains("has staged no run"), "{}", early.stderr);
    let planned: Value = serde_json::from_str(&with(&[]).stdout).unwrap();
    assert!(planned["submit"].as_str().unwrap().starts_with("spark-submit '"), "{planned}");
    assert_eq!(planned["is_done"], false);
    let early = with(&["--adopt"]);
    assert!(early.code == 1 && early.stderr.contains("there is no done.json"), "{}", early.stderr);
    let status = || trailweave(&["status", "--lake", utf8(&lake)]).stdout;
    assert!(status().contains("0 of 36 statements done by Spark"), "{}", status());
    let failed = with(&["--submit", "false {run}"]);
    assert!(failed.code == 1 && failed.stderr.contains("has failed"), "{}", failed.stderr);

    let settings = "--master 'local[2]' --driver-memory 1g --conf spark.ui.enabled=false \
                    --conf spark.sql.shuffle.partitions=2";
    let submit = format!(
        "SPARK_LOCAL_IP=127.0.0.1 PYSPARK_PYTHON={SPARK}/python {SPARK}/spark-submit {settings} {{join}} {{run}}"
    );
    let submitted = with(&["--submit", &submit]);
    assert_eq!(submitted.code, 0, "{}", submitted.stderr);
    assert!(status().contains("waits for `trailweave correlate --engine spark"), "{}", status());
    assert_ne!(products(&lake), expected);
    let adopted = with(&["--adopt"]);
    assert_eq!(adopted.code, 0, "{}", adopted.stderr);
    assert!(products(&lake) == expected, "Spark makes other bytes");

    // It is done: nothing is planned, submitted or adopted again.
    let again: Value = serde_json::from_str(&with(&["--submit", "false", "--adopt"]).stdout).unwrap();
    assert_eq!(again["correlated"]["files"], 0);
    assert!(status().contains("`trailweave gc` removes it"), "{}", status());
    assert_eq!(trailweave(&["gc", "--lake", utf8(&lake)]).code, 0);
    assert!(!status().contains("staged") && fs::read_dir(&stage).unwrap().next().is_none());
}

#[test]
fn a_copy_of_a_lake_leaves_the_files_of_the_others_runs_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (demo, stage) = (folder.path().join("demo"), folder.path().join("stage"));
    assert_eq!(trailweave(&["demo", "--dir", utf8(&demo), "--records", "2000"]).code, 0);
    let (lake, copy) = (demo.join("lake"), demo.join("copy"));
    forget_products(&lake);
    let engine = ["--engine", "spark", "--stage", utf8(&stage), "--lake", utf8(&lake)];
    assert_eq!(trailweave(&[&["correlate"], &engine[..]].concat()).code, 0);
    let copied = std::process::Command::new("cp").arg("-r").arg(&lake).arg(&copy).status().unwrap();
    assert!(copied.success());
    let n_files = || fs::read_dir(fs::read_dir(&stage).unwrap().next().unwrap().unwrap().path()).unwrap().count();
    // However it is spelled, a lake is one.
    for (lake, left) in [(&copy, 2), (&copy.join("../lake"), 0)] {
        assert_eq!(trailweave(&["correlate", "--lake", utf8(lake)]).code, 0);
        assert_eq!(trailweave(&["gc", "--lake", utf8(lake)]).code, 0);
        let is_left = fs::read_dir(&stage).unwrap().next().is_some();
        assert_eq!(if is_left { n_files() } else { 0 }, left, "{}", lake.display());
        assert!(!trailweave(&["status", "--lake", utf8(lake)]).stdout.contains("statements done"));
    }
}

#[test]
fn an_engine_that_lacks_its_stage_is_a_wrong_usage() {
    for (arguments, words) in [
        (&["correlate", "--engine", "spark"][..], "wants --stage"),
        (&["correlate", "--engine", "spark", "--stage", "hdfs://a/b"], "of URLs only s3://bucket/prefix is known"),
        (&["correlate", "--engine", "spark", "--stage", "a", "--whole"], "takes no --whole"),
    ] {
        let said = trailweave(arguments);
        assert!(said.code == 2 && said.stderr.contains(words), "{}", said.stderr);
    }
}

const PRODUCTS: [&str; 5] = ["correlated", "instances", "volumes", "attachments", "grants"];

/// Lets a lake be as if nobody had correlated it.
fn forget_products(lake: &Path) {
    for table in PRODUCTS {
        fs::remove_dir_all(lake.join(table)).unwrap();
    }
    fs::remove_file(lake.join("_trailweave/covered.json")).unwrap();
}

/// Every file of the products, by path below the lake.
fn products(lake: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for date in PRODUCTS.iter().flat_map(|table| fs::read_dir(lake.join(table)).into_iter().flatten()) {
        for file in fs::read_dir(date.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            found.insert(path.strip_prefix(lake).unwrap().to_owned(), fs::read(path).unwrap());
        }
    }
    found
}
