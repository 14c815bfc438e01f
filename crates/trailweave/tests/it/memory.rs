//! Odd, giant, deep and damaged objects: a run takes no more than `--memory` and a quarter, and goes on.

use std::fs;
use std::io::Write;
use std::iter;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::program::PYTHON;
use crate::program::Said;
use crate::program::query;
use crate::program::trailweave;
use crate::program::utf8;

const MIB: usize = 1 << 20;
/// The program takes half of it before it begins, as it is built for tests.
const MEMORY: &str = "96MiB";
/// The same and a quarter.
const MOST_KIB: u64 = 120 << 10;
const INFLATED_BYTES: usize = 28 * MIB;

/// Runs a command, and says in a last line how many KiB its peak was.
const MEASURED: &str = "import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)";

#[test]
fn a_run_keeps_to_its_memory_whatever_an_object_is() {
    let folder = tempfile::tempdir().unwrap();
    let trail = folder.path().join("trail");
    fs::create_dir(&trail).unwrap();
    for (name, content, code, rows) in objects() {
        let object = trail.join(name);
        fs::write(&object, content).unwrap();
        let lake = folder.path().join(format!("lake-{name}"));
        let (said, peak_kib) = ingested(&object, &lake);
        assert_eq!(said.code, code, "{name}: {}", said.stderr);
        assert!(peak_kib <= MOST_KIB, "{name} takes {peak_kib} KiB");
        assert_eq!(query(&lake, "SELECT count(*) AS n FROM events")[0]["n"], rows, "{name}");
    }
    let (said, peak_kib) = ingested(&trail, &folder.path().join("lake"));
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(peak_kib <= MOST_KIB, "all of them take {peak_kib} KiB");
}

#[test]
fn an_object_without_room_is_refused_by_name_and_read_with_the_memory_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (object, lake) = (folder.path().join("trail.json"), folder.path().join("lake"));
    fs::write(&object, enveloped("{\"Records\":[", "]}", &records(INFLATED_BYTES))).unwrap();
    let (said, _) = ingested(&object, &lake);
    assert_eq!(said.code, 3);
    assert!(said.stderr.contains(utf8(&object)), "{}", said.stderr);
    let memory = said.stderr.split("--memory ").nth(1).unwrap().split('"').next().unwrap();
    let again = ["ingest", "--retry-quarantined", "--source", utf8(&object), "--lake", utf8(&lake), "--memory", memory];
    let said = trailweave(&again);
    assert_eq!(said.code, 0, "{}", said.stderr);
}

/// Makes objects, each with the exit code of a run that reads it alone, which is 3 where all records are rejected, and
/// the rows that it brings.
fn objects() -> Vec<(&'static str, Vec<u8>, i32, usize)> {
    let records = records(INFLATED_BYTES);
    let n = records.len();
    let ordinary = gzip(enveloped("{\"Records\":[", "]}", &records));
    let around = |records: &[String], head: &str, end: &str| {
        records.iter().map(|record| format!("{head}{record}{end}")).collect::<Vec<_>>()
    };
    let bridged = around(&records, "{\"detail-type\":\"AWS API Call via CloudTrail\",\"detail\":", "}");
    let texts: Vec<_> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    let looked_up = around(&texts, "{\"CloudTrailEvent\":", "}");
    let members: Vec<u8> = enveloped("{\"Records\":[", "]}", &records[..2_000]).chunks(150).flat_map(gzip).collect();
    let giant = format!("{},{{\"a\":\"{}\"}}", records[0], "x".repeat(INFLATED_BYTES));
    let deep = format!("{}{}", "[".repeat(INFLATED_BYTES / 2), "]".repeat(INFLATED_BYTES / 2));
    let mut damaged = ordinary.clone();
    let at = damaged.len() - 8;
    damaged[at] ^= 1;
    vec![
        ("spaces.json.gz", gzip(format!("{{\"Records\":[{}]}}", " ".repeat(96 * MIB)).as_bytes()), 3, 0),
        ("tiny.json.gz", gzip(format!("{{\"Records\":[{}{{}}]}}", "{},".repeat(100_000)).as_bytes()), 3, 0),
        ("bridged.json.gz", gzip(enveloped("[", "]", &bridged)), 0, n),
        ("looked-up.json.gz", gzip(enveloped("{\"NextToken\":\"x\",\"Events\":[", "]}", &looked_up)), 0, n),
        ("documents.json.gz", gzip(records.join("\n").as_bytes()), 0, n),
        ("uncuttable.json.gz", gzip(enveloped("{\"Events\":[", "],\"Records\":[]}", &records)), 3, 0),
        ("members.json.gz", members, 0, 2_000),
        ("giant.json.gz", gzip(format!("{{\"Records\":[{giant}]}}").as_bytes()), 0, 1),
        ("deep.json.gz", gzip(format!("{{\"Records\":[{deep}]}}").as_bytes()), 3, 0),
        ("cut.json.gz", ordinary[..ordinary.len() - 9].to_vec(), 3, 0),
        ("damaged.json.gz", damaged, 3, 0),
        ("ordinary.json.gz", ordinary, 0, n),
        ("plain.json", enveloped("{\"Records\":[", "]}", &records[..n / 3]), 0, n / 3),
        ("plain-giant.json", enveloped("{\"Records\":[", "]}", &records), 3, 0),
    ]
}

fn records(n_bytes: usize) -> Vec<String> {
    let note = "x".repeat(900);
    let record = |n: usize| {
        format!(
            r#"{{"eventTime":"2026-09-01T06:{:02}:{:02}Z","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","eventID":"{n:08}","requestParameters":{{"note":"{note}"}}}}"#,
            n / 60 % 60,
            n % 60
        )
    };
    (0..n_bytes / 1_050).map(record).collect()
}

fn enveloped(head: &str, end: &str, records: &[String]) -> Vec<u8> {
    [head, &records.join(","), end].concat().into_bytes()
}

fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// Ingests with little memory, and returns the peak in KiB.
fn ingested(source: &Path, lake: &Path) -> (Said, u64) {
    let program = [env!("CARGO_BIN_EXE_trailweave"), "ingest", "--quiet", "--memory", MEMORY, "--threads", "4"];
    let arguments = iter::once(MEASURED).chain(program).chain(["--source", utf8(source), "--lake", utf8(lake)]);
    let output = Command::new(PYTHON).arg("-c").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let stderr = text(output.stderr);
    let peak_kib = stderr.lines().next_back().unwrap().parse().unwrap();
    (Said { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr }, peak_kib)
}
