//! The program with a trail and a lake in buckets, on real servers that know one key, and credentials from the
//! environment.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use serde_json::json;
use tokio::runtime::Runtime;
use trailweave_ingest::Location;
use trailweave_ingest::S3Options;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::LakePlace;
use trailweave_lake::LeaseTimes;
use trailweave_table::EVENTS;

use crate::aws::Aws;
use crate::aws::object;
use crate::program::trailweave;

/// Serves the folders of `root` as buckets until the runtime is dropped; returns the server's URL.
fn serve(runtime: &Runtime, root: &Path) -> String {
    let mut builder = S3ServiceBuilder::new(FileSystem::new(root).unwrap());
    builder.set_auth(SimpleAuth::from_single("AKIDEXAMPLE", "secret"));
    let service = builder.build();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            connections.spawn(async move {
                let server = Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    url
}

/// The exit code of the program and what it said, with nothing of the surroundings that AWS tools look at but `secret`.
fn run(url: &str, folder: &Path, verb: &str, source: &str, secret: Option<&str>) -> (i32, String) {
    let lake = folder.join("lake");
    say(url, folder, &[verb, "--source", source, "--lake", lake.to_str().unwrap()], secret)
}

/// The same of any arguments.
fn say(url: &str, folder: &Path, arguments: &[&str], secret: Option<&str>) -> (i32, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_trailweave"));
    program
        .args(arguments)
        .args(["--quiet", "--endpoint-url", url])
        .env_clear()
        .env("HOME", folder)
        .env("AWS_EC2_METADATA_DISABLED", "true");
    if let Some(secret) = secret {
        program.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", secret);
    }
    let output = program.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

#[test]
fn a_trail_in_a_bucket_becomes_the_lake_that_its_folder_becomes() {
    let folder = tempfile::tempdir().unwrap();
    let (root, demo) = (folder.path(), folder.path().join("demo"));
    let generated = trailweave(&["demo", "--quiet", "--records", "2000", "--dir", demo.to_str().unwrap()]);
    assert_eq!(generated.code, 0, "{}", generated.stderr);
    let runtime = Runtime::new().unwrap();
    let url = serve(&runtime, &demo);
    let (code, said) = run(&url, root, "plan", "s3://trail/AWSLogs", Some("secret"));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("requests") && said.contains(" GET + 0 PUT: 0.") && said.contains("us-east-1"), "{said}");
    let lake = root.join("lake");
    let in_years = ["run", "--source", "s3://trail/AWSLogs", "--from", "2030-01-01", "--lake", lake.to_str().unwrap()];
    let (code, said) = say(&url, root, &in_years, Some("secret"));
    assert!(code == 7 && said.contains("the trail spans 2026, accounts "), "{said}");
    assert!(!lake.exists());
    let (code, said) = run(&url, root, "run", "s3://trail/AWSLogs", Some("secret"));
    assert_eq!(code, 0, "{said}");
    let links = |said: &str| {
        let lines = said.lines().filter(|line| ["records", "links", "tables"].iter().any(|it| line.starts_with(it)));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (code, status) = run(&url, root, "status", "s3://trail/AWSLogs", Some("secret"));
    assert!(code == 0 && status.contains(" 0 quarantined, ") && status.contains(", 0 unread"), "{status}");
    assert_eq!(links(&said).len(), 3, "{said}");
    assert!(links(&said).iter().all(|line| generated.stdout.contains(line)), "{said}\n{}", generated.stdout);
}

#[test]
fn what_s3_refuses_is_said_with_a_remedy_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("trail")).unwrap();
    let runtime = Runtime::new().unwrap();
    let url = serve(&runtime, root);
    let nowhere = "http://127.0.0.1:1".to_owned();
    for (url, source, secret, remedy) in [
        (&url, "s3://nothing/AWSLogs", Some("secret"), "check the name of the bucket"),
        (&url, "s3://trail/AWSLogs", Some("wrong-one"), "renew the AWS credentials"),
        (&url, "s3://trail/AWSLogs", None, "give AWS credentials"),
        (&nowhere, "s3://trail/AWSLogs", Some("secret"), "check the network"),
    ] {
        let (code, said) = run(url, root, "ingest", source, secret);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(&format!("cannot list `{source}`; {remedy}")), "{said}");
        assert!(!said.contains("wrong-one") && !said.contains("<Code>"), "{said}");
    }
}

/// The Parquet files of a lake but for the ledger, which names runs: their paths below it, and their bytes.
fn tables(lake: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let below = |path: &PathBuf| path.strip_prefix(lake).unwrap().to_owned();
    let is_table = |path: &PathBuf| !below(path).starts_with("_trailweave");
    files(lake, "parquet")
        .iter()
        .filter(|path| is_table(path))
        .map(|path| (below(path), fs::read(path).unwrap()))
        .collect()
}

/// The files below a folder whose names have an extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_lake_in_a_bucket_is_the_lake_that_a_folder_gets() {
    let (folder, demo) = demo();
    fs::create_dir(demo.join("lakes")).unwrap();
    let runtime = Runtime::new().unwrap();
    let url = serve(&runtime, &demo);
    let said = is_the_lake_that_a_folder_gets(folder.path(), &url, &|| demo.join("lakes"));
    // The server cannot list uploads.
    assert!(said.contains("are not looked for") && said.contains("the server answered 501 NotImplemented"), "{said}");
    assert!(!said.contains("allow s3:"), "{said}");
}

#[test]
fn a_lake_on_seaweedfs_is_the_lake_that_a_folder_gets() {
    let aws = Aws::seaweedfs();
    let (folder, demo) = demo();
    aws.upload(&demo.join("trail"), "trail");
    aws.call(&[("s3", "create_bucket", json!({ "Bucket": "lakes" }))]);
    let copy = folder.path().join("copy");
    is_the_lake_that_a_folder_gets(folder.path(), &aws.url, &|| {
        let _ = fs::remove_dir_all(&copy);
        aws.download("lakes", &copy);
        copy.clone()
    });
}

/// Makes a small trail, in the folder `trail` of the second folder.
fn demo() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let demo = folder.path().join("demo");
    let generated = trailweave(&["demo", "--quiet", "--records", "2000", "--dir", demo.to_str().unwrap()]);
    assert_eq!(generated.code, 0, "{}", generated.stderr);
    (folder, demo)
}

/// Makes and tidies a lake in a folder and one in the bucket `lakes`, whose objects `fetch` gives as files, from the
/// bucket `trail`. Returns what `gc` said of the second.
fn is_the_lake_that_a_folder_gets(root: &Path, url: &str, fetch: &dyn Fn() -> PathBuf) -> String {
    let local = root.join("lake");
    let in_bucket = || fetch().join("main");
    let told = |verb: &[&str], lake: &str| {
        let (code, said) = say(url, root, &[verb, &["--lake", lake]].concat(), Some("secret"));
        assert_eq!(code, 0, "{verb:?} {said}");
        said
    };
    let are_alike = || {
        let (local, in_bucket) = (tables(&local), tables(&in_bucket()));
        assert!(local == in_bucket, "{:?}\n{:?}", local.keys(), in_bucket.keys());
    };
    let (local_name, name) = (local.to_str().unwrap(), "s3://lakes/main");
    for lake in [local_name, name] {
        // Two runs, so that the second looks for duplicates in the parts of the first, and follows what is new.
        told(&["run", "--source", "s3://trail/AWSLogs", "--to", "2026-03-04"], lake);
        let said = told(&["run", "--source", "s3://trail/AWSLogs"], lake);
        assert!(said.contains("files of the tables, from what new events can change"), "{said}");
    }
    assert!(tables(&local).len() >= 20, "{:?}", tables(&local).keys());
    are_alike();
    the_objects_that_a_file_names_are_read(&root.join("demo"), &|verb: &[&str], lake: &str| told(verb, lake));
    for question in [&["status"][..], &["query", "SELECT link, count(*) FROM correlated GROUP BY 1 ORDER BY 1"]] {
        assert_eq!(told(question, local_name).replace(local_name, ""), told(question, name).replace(name, ""));
    }
    let [_, said] = [local_name, name].map(|lake| {
        told(&["compact"], lake);
        told(&["correlate", "--memory", "64MiB"], lake);
        told(&["gc"], lake)
    });
    assert!(said.contains("0 files"), "{said}");
    are_alike();
    assert_eq!(fs::read_dir(in_bucket().join("_trailweave").join("leases")).map_or(0, Iterator::count), 0);
    said
}

/// The key of an object of a trail.
const OBJECT: &str = "AWSLogs/210987654321/CloudTrail/eu-west-1/2026/09/01/a.json";

#[test]
fn a_lake_that_s3_refuses_is_said_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let trail = folder.path().join("trail").join(OBJECT);
    fs::create_dir_all(trail.parent().unwrap()).unwrap();
    fs::write(trail, object("a")).unwrap();
    let runtime = Runtime::new().unwrap();
    is_refused_with_a_remedy(folder.path(), &serve(&runtime, folder.path()));
}

#[test]
fn a_lake_that_seaweedfs_refuses_is_said_with_a_remedy() {
    let (folder, aws) = (tempfile::tempdir().unwrap(), Aws::seaweedfs());
    let put = json!({ "Bucket": "trail", "Key": OBJECT, "Body": object("a") });
    aws.call(&[("s3", "create_bucket", json!({ "Bucket": "trail" })), ("s3", "put_object", put)]);
    is_refused_with_a_remedy(folder.path(), &aws.url);
}

fn is_refused_with_a_remedy(root: &Path, url: &str) {
    for (lake, secret, remedy) in [
        ("s3://trail/lake", Some("wrong-one"), "renew the AWS credentials"),
        ("s3://trail/lake", None, "give AWS credentials, or renew them"),
        ("s3://no-such-bucket/lake", Some("secret"), "check the name of the bucket"),
    ] {
        let arguments = ["ingest", "--source", "s3://trail/AWSLogs", "--lake", lake];
        let (code, said) = say(url, root, &arguments, secret);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(lake) && said.contains(remedy) && !said.contains("wrong-one"), "{said}");
    }
}

#[test]
fn a_lake_on_a_server_that_ignores_conditions_is_refused_in_one_sentence() {
    let (folder, aws) = (tempfile::tempdir().unwrap(), Aws::nanio());
    aws.call(&[("s3", "create_bucket", json!({ "Bucket": "lakes" }))]);
    let source = folder.path().join("a.json");
    fs::write(&source, object("a")).unwrap();
    let arguments = ["run", "--source", source.to_str().unwrap(), "--lake", "s3://lakes/main"];
    let (code, said) = say(&aws.url, folder.path(), &arguments, Some("secret"));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("cannot take the lease `s3://lakes/main/_trailweave/leases/whole."), "{said}");
    assert!(said.contains("the server ignores If-Match, so a run that was stopped could go on"), "{said}");
    let listed = aws.call(&[("s3", "list_objects_v2", json!({ "Bucket": "lakes" }))]).remove(0);
    assert_eq!(listed["KeyCount"], 1, "only lake.json: {listed}");
}

#[test]
fn a_lease_holds_on_seaweedfs() {
    let aws = Aws::seaweedfs();
    aws.call(&[("s3", "create_bucket", json!({ "Bucket": "lakes" }))]);
    let s3 =
        S3Options { endpoint_url: Some(aws.url.clone()), path_style: true, anonymous: true, ..S3Options::default() };
    let bucket = Location { bucket: "lakes".to_owned(), key: String::new() };
    let store = Runtime::new().unwrap().block_on(trailweave_ingest::object_store(&bucket, &s3)).unwrap();
    let times = LeaseTimes { expiry: Duration::from_hours(1), renewal: Duration::from_millis(1) };
    let [lake, other] = [(); 2].map(|()| {
        let place = LakePlace::remote("s3://lakes/main", Arc::clone(&store), times).unwrap();
        Lake::open_or_create_at(&place, None).unwrap()
    });
    let _held = lake.lock().unwrap();
    assert!(matches!(other.lock(), Err(LakeError::Locked { .. })));
    let lease = lake.files(&lake.state_dir().join("leases")).unwrap().remove(0).path;
    let path = lake.table_dir(&EVENTS).join("part-0.parquet");
    while !String::from_utf8(other.read(&lease).unwrap().unwrap()).unwrap().contains("\"renewals\": 3") {
        lake.write(&path, b"written").unwrap();
    }
    // A run that takes the lake from a sleeping one does the same.
    other.remove(&lease).unwrap();
    let lost = (0..1_000_000).find_map(|_| lake.write(&path, b"written").err());
    assert!(matches!(lost, Some(LakeError::LeaseLost { .. })), "{lost:?}");
    assert!(lake.files(&lake.state_dir().join("leases")).unwrap().is_empty());
}

/// Names every other object of the trail twice, and then all.
fn the_objects_that_a_file_names_are_read(demo: &Path, told: &dyn Fn(&[&str], &str) -> String) {
    let (keys, lake) = (demo.join("keys.txt"), demo.join("of-keys"));
    let count = |lake: &Path| told(&["query", "--json", "SELECT count(*) AS n FROM events"], lake.to_str().unwrap());
    let trail = demo.join("trail");
    // A digest that is named is skipped, as one that is listed.
    let mut objects = files(&trail.join("AWSLogs"), "gz");
    objects.retain(|path| !path.components().any(|part| part.as_os_str() == "CloudTrail-Digest"));
    let name = |path: &PathBuf| format!("s3://trail/{}", path.strip_prefix(&trail).unwrap().display());
    let names: Vec<_> = objects.iter().map(name).collect();
    let half: Vec<_> = names.iter().step_by(2).flat_map(|name| [name.as_str(), "", "# again", name]).collect();
    let ingest = ["ingest", "--json", "--keys", keys.to_str().unwrap()];
    fs::write(&keys, half.join("\n")).unwrap();
    let said = told(&ingest, lake.to_str().unwrap());
    assert!(said.contains(&format!("\"objects_done\": {}", names.len().div_ceil(2))), "{said}");
    fs::write(&keys, names.join("\n")).unwrap();
    told(&ingest, lake.to_str().unwrap());
    assert_eq!(count(&lake), count(&demo.with_file_name("lake")));
}
