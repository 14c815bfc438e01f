//! The join on Spark, of the versions that `make spark` sets up, gives the bytes of the join in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde_json::Value;
use serde_json::json;
use trailweave_cluster::JOIN;
use trailweave_cluster::Job;
use trailweave_cluster::Stage;
use trailweave_cluster::adopt;
use trailweave_lake::LakePlace;
use trailweave_table::PRODUCTS;

use crate::lakes::THREADS;
use crate::lakes::Unjoined;
use crate::lakes::by_shards;
use crate::lakes::named;
use crate::lakes::of_cases;
use crate::lakes::of_worlds;
use crate::lakes::trail;

const NEWEST: &str = "spark-4.3";
const OLDEST: &str = "spark-3.5";

/// One JVM at a time, each of which may use all cores.
static ONE: Mutex<()> = Mutex::new(());

/// A session of Spark, and what is to happen in it.
struct Session {
    version: &'static str,
    master: &'static str,
    conf: Value,
    /// The processes that are killed, by the statement in which they are.
    kill: Value,
    /// Steps of the first run to be tried in another spelling.
    changes: &'static [[&'static str; 3]],
    /// Products of the first run to be made with another setting, and what then is said against them.
    settings: &'static [(&'static str, &'static str, &'static str, &'static str)],
}

const LOCAL: &str = "local[2]";
/// Two executors, each a process of one core and 1 GiB.
const CLUSTER: &str = "local-cluster[2,1,1024]";

impl Session {
    fn new(version: &'static str, master: &'static str, conf: Value) -> Self {
        Self { version, master, conf, kill: json!({}), changes: &[], settings: &[] }
    }

    /// Does the jobs in these folders, and returns the answer; `None` if Spark was killed.
    fn run(&self, folder: &Path, runs: &[PathBuf]) -> Option<Value> {
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut conf = json!({
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": "2",
            "spark.default.parallelism": "2",
            "spark.driver.memory": "1g",
            "spark.local.dir": folder.join("scratch"),
        });
        conf.as_object_mut().unwrap().extend(self.conf.as_object().unwrap().clone());
        let runs: Vec<_> = runs.iter().map(|run| format!("file:{}", run.display())).collect();
        let kill: Vec<_> = self.kill.as_object().unwrap().iter().collect();
        let settings: Vec<_> =
            self.settings.iter().map(|(product, name, value, _)| json!([product, name, value])).collect();
        let request = json!({
            "master": self.master, "conf": conf, "runs": runs, "kill": kill, "changes": self.changes, "settings": settings,
        });
        let [join, asked, answer] = ["join.py", "request.json", "answer.json"].map(|name| folder.join(name));
        fs::write(&join, JOIN).unwrap();
        fs::write(&asked, request.to_string()).unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let output = Command::new(here.join("../../target").join(self.version).join("bin/python"))
            .arg(here.join("tests/spark/runner.py"))
            .args([&join, &asked, &answer])
            .current_dir(folder)
            .env_remove("SPARK_HOME")
            .output()
            .expect("`make spark` sets up pythons with Spark");
        output.status.code()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(serde_json::from_slice(&fs::read(&answer).unwrap()).unwrap())
    }
}

/// The stage of a lake, in which its run is staged.
fn staged(it: &Unjoined) -> (Stage, String) {
    let stage = Stage::new(LakePlace::local(&it.stage()).into_folder());
    let job = Job::of(&it.lake, &format!("file:{}", it.lake.root().display())).unwrap();
    stage.plan(&it.lake, &job).unwrap();
    (stage, job.run)
}

fn assert_same(it: &Unjoined, stage: &Stage, run: &str) {
    adopt(&it.lake, stage, run, THREADS).unwrap_or_else(|error| panic!("{}: {error}", it.name));
    let found: BTreeMap<_, _> = named(&it.lake).into_iter().collect();
    let expected: BTreeMap<_, _> = it.expected.iter().cloned().collect();
    let paths = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(paths(&found), paths(&expected), "{}", it.name);
    assert!(found == expected, "{}", it.name);
}

/// Joins lakes in one session, and compares.
fn check(session: &Session, lakes: &[Unjoined]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let staged: Vec<_> = lakes.iter().map(staged).collect();
    let runs: Vec<_> = staged.iter().map(|(stage, run)| stage.of(run)).collect();
    let answer = session.run(folder.path(), &runs).expect("nobody kills it");
    let found = answer["changes"].as_array().unwrap();
    for (found, change) in found.iter().zip(session.changes) {
        assert!(found == "makes other rows" || found.as_str().unwrap().starts_with("fails"), "{found}: {change:?}");
    }
    for (at, (_, name, value, words)) in session.settings.iter().enumerate() {
        let other = Stage::new(LakePlace::local(&lakes[0].stage().with_file_name(format!("stage-{at}"))).into_folder());
        let refused = adopt(&lakes[0].lake, &other, &staged[0].1, THREADS).map_err(|error| error.to_string());
        let Err(said) = refused else { panic!("{name} may be {value}") };
        assert!(said.contains(words), "{name} {value}: {said}");
    }
    for (it, (stage, run)) in lakes.iter().zip(&staged) {
        assert_same(it, stage, run);
    }
    answer
}

/// Spellings that other engines know, of which each fails in Spark or makes other rows. Some are errors only where
/// `spark.sql.ansi.enabled` is set.
const CHANGES: [[&str; 3]; 13] = [
    ["ec2_calls", "unix_millis(event_time)", "CAST(event_time AS BIGINT)"],
    ["kms_calls", "get(instance_ids, 0)", "instance_ids[1]"],
    [
        "learned",
        "trim(TRAILING '-' FROM regexp_replace(min(scope || nearest), '(?s)^.* ', ''))",
        "rtrim(regexp_replace(min(scope || nearest), '(?s)^.* ', ''), '-')",
    ],
    ["kms_calls", "r'^(ec2-frontend", "'^(ec2-frontend"],
    ["kms_calls", r"(\.cn)?\z'", r"(\.cn)?$'"],
    ["kms_calls", r"{17})\z'", "{17})$'"],
    ["kms_calls", r"infrastructure\z'", "infrastructure$'"],
    ["actors", "AS STRING)", "AS VARCHAR)"],
    ["asks", "explode(", "unnest("],
    ["learn_asks", "array(", "make_array("],
    ["caused", "array_size(", "array_length("],
    ["kms_calls", "array_contains(", "array_has("],
    [
        "offers",
        "SELECT 'launch', account, region, instance || '|' || volume, t, at\n  FROM ec2\n  LATERAL VIEW explode(instance_ids) AS instance\n",
        "SELECT 'launch', account, region, explode(instance_ids) || '|' || volume, t, at\n  FROM ec2\n",
    ],
];

/// Settings that a cluster may have by default, or that are the default of Spark.
const SETTINGS: [(&str, &str, &str, &str); 4] = [
    ("instances", "spark.sql.session.timeZone", "America/New_York", "has a row of another date"),
    ("instances", "spark.sql.parquet.outputTimestampType", "INT96", "has `launched_at` as Timestamp(ns"),
    ("instances", "spark.sql.parquet.outputTimestampType", "TIMESTAMP_MILLIS", "has `launched_at` as Timestamp(ms"),
    ("correlated", "spark.sql.files.maxRecordsPerFile", "10", "is the second file of its date"),
];

fn all_lakes(choice: &str) -> Vec<Unjoined> {
    let folder = tempfile::tempdir().unwrap();
    trail(folder.path(), 3_000);
    let worlds = [of_worlds(100, 2..160), of_cases()].concat();
    let mut quiet = of_worlds(2, 20..30);
    quiet.retain(|event| event.event_source.as_deref().is_some_and(|source| source.starts_with("ec2.")));
    vec![
        Unjoined::new("of the demo, by shards", "relevant", |lake| by_shards(lake, folder.path())),
        Unjoined::of("worlds and cases", choice, &worlds, 5),
        Unjoined::of("empty", "relevant", &[], 1),
        Unjoined::of("without KMS and STS", "relevant", &quiet, 1),
    ]
}

#[test]
fn the_newest_spark_makes_the_bytes_of_the_join_in_memory() {
    let session = Session { changes: &CHANGES, settings: &SETTINGS, ..Session::new(NEWEST, LOCAL, json!({})) };
    check(&session, &all_lakes("all"));
}

#[test]
fn an_old_spark_in_another_zone_that_adapts_no_plan_makes_them_too() {
    let conf = json!({
        "spark.sql.adaptive.enabled": "false",
        "spark.driver.extraJavaOptions": "-Duser.timezone=America/New_York",
    });
    check(&Session { changes: &CHANGES, ..Session::new(OLDEST, LOCAL, conf) }, &all_lakes("relevant")[..3]);
}

#[test]
fn executors_that_are_killed_change_nothing() {
    let mut kill = json!({ "rows": "executor" });
    kill.as_object_mut().unwrap().extend(PRODUCTS.map(|table| (table.name.to_owned(), json!("writer"))));
    let conf = json!({ "spark.executor.memory": "600m" });
    let session = Session { kill, ..Session::new(NEWEST, CLUSTER, conf) };
    let lakes = [Unjoined::of("dense worlds", "all", &of_worlds(40, 60..160), 5)];
    let answer = check(&session, &lakes);
    let killed: Vec<_> = answer["runs"][0]["killed"].as_array().unwrap().iter().collect();
    assert!(killed.len() == 2 && killed.contains(&&json!("rows")), "the other while it wrote a product: {killed:?}");
}

#[test]
fn a_driver_that_is_killed_goes_on_after_the_last_step_that_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let it = Unjoined::of("cases", "relevant", &of_cases(), 3);
    let (stage, run) = staged(&it);
    let runs = [stage.of(&run)];
    let mut begun = Vec::new();
    for (killed_in, is_killed) in
        [(json!({ "causes": "driver" }), true), (json!({ "volumes": "driver" }), true), (json!({}), false)]
    {
        let session = Session { kill: killed_in, ..Session::new(NEWEST, LOCAL, json!({})) };
        let answer = session.run(folder.path(), &runs);
        assert_eq!(answer.is_none(), is_killed);
        let refused = adopt(&it.lake, &stage, &run, THREADS).is_err();
        assert_eq!(refused, is_killed);
        begun.extend(answer);
    }
    let begun = begun[0]["runs"][0]["begun"].as_array().unwrap().clone();
    assert_eq!(begun, ["volumes", "attachments", "grants", "done"]);
    assert_same(&it, &stage, &run);
}
