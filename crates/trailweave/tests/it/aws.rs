//! Servers that answer as S3 does, one of them as SQS too, and what is asked of them besides the program: a second
//! opinion on both.

use std::fs;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use serde_json::Value;
use serde_json::json;

use crate::program::PYTHON;
use crate::program::utf8;

/// The server, which ends with this value.
pub(crate) struct Aws {
    server: Child,
    pub(crate) url: String,
    /// The files that it keeps.
    _folder: tempfile::TempDir,
    /// The files that it would leave behind elsewhere.
    leftovers: Vec<PathBuf>,
}

impl Aws {
    /// Starts moto on a port that is free.
    pub(crate) fn moto() -> Self {
        let mut command = Command::new(PYTHON);
        command.args(["-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]);
        let folder = tempfile::tempdir().unwrap();
        let (server, url) = listening(&mut command, "Running on ").expect("the server ended; is `make moto` done?");
        Self { server, url, _folder: folder, leftovers: Vec::new() }
    }

    /// Starts `SeaweedFS`, which checks signatures, on ports that are free.
    pub(crate) fn seaweedfs() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("s3.json"), IDENTITIES).unwrap();
        let started = on_free_ports(|ports| Self::seaweedfs_on(ports, &folder));
        let (server, leftovers, url) = started.expect("the server ended; is `make seaweedfs` done?");
        Self { server, url, _folder: folder, leftovers }
    }

    fn seaweedfs_on(ports: [u16; 8], folder: &tempfile::TempDir) -> Option<(Child, Vec<PathBuf>, String)> {
        let named = || SEAWEEDFS_PORTS.into_iter().zip(ports);
        let mut command = Command::new(Path::new(PYTHON).with_file_name("weed"));
        command.args(["-logtostderr=true", "server", "-dir=.", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
        command.args(["-volume.max=100", "-master.telemetry=false", "-s3", "-s3.config=s3.json"]);
        command.args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.localSocket=s3.sock"]);
        command.arg("-filer.localSocket=filer.sock").args(named().map(|(name, port)| format!("-{name}={port}")));
        let socket = |(name, port): (&str, u16)| {
            let server = name.strip_suffix(".port.grpc")?;
            Some(format!("/tmp/seaweedfs-{server}-grpc-{port}.sock").into())
        };
        let (server, _) = listening(command.current_dir(folder), "Start Seaweed S3 API Server")?;
        Some((server, named().filter_map(socket).collect(), format!("http://127.0.0.1:{}", ports[0])))
    }

    /// Starts nanio, which ignores conditions, on a port that is free.
    pub(crate) fn nanio() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let started = on_free_ports(|[port]| {
            let mut command = Command::new(Path::new(PYTHON).with_file_name("nanio"));
            command.args([
                "serve",
                "--host",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--data-dir",
                utf8(folder.path()),
            ]);
            command.env("NANIO_ACCESS_KEY", "AKIDEXAMPLE").env("NANIO_SECRET_KEY", "secret");
            Some((listening(&mut command, "running on ")?.0, format!("http://127.0.0.1:{port}")))
        });
        let (server, url) = started.expect("the server ended; is `make nanio` done?");
        Self { server, url, _folder: folder, leftovers: Vec::new() }
    }

    /// Makes calls by boto3, each a service, an operation and its arguments; returns the answers.
    pub(crate) fn call(&self, calls: &[(&str, &str, Value)]) -> Vec<Value> {
        let mut caller = Command::new(PYTHON)
            .args(["-c", CALL, &self.url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        caller.stdin.take().unwrap().write_all(json!(calls).to_string().as_bytes()).unwrap();
        let output = caller.wait_with_output().unwrap();
        assert!(output.status.success(), "{calls:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Copies a folder into a bucket, which it makes.
    pub(crate) fn upload(&self, folder: &Path, bucket: &str) {
        self.copy("up", bucket, folder);
    }

    /// Copies a bucket into a folder.
    pub(crate) fn download(&self, bucket: &str, folder: &Path) {
        self.copy("down", bucket, folder);
    }

    fn copy(&self, direction: &str, bucket: &str, folder: &Path) {
        let arguments = ["-c", COPY, &self.url, direction, bucket, utf8(folder)];
        assert!(Command::new(PYTHON).args(arguments).status().unwrap().success(), "{direction} {bucket}");
    }

    /// Runs the program; its exit code, its summary of the ingest, and what it logged.
    pub(crate) fn ingest(&self, folder: &Path, arguments: &[&str]) -> (i32, Value, String) {
        let arguments = [&["ingest", "--endpoint-url", &self.url], arguments].concat();
        let output = program(folder, &arguments).output().unwrap();
        let logged = String::from_utf8(output.stderr).unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code().unwrap(), report["ingested"].clone(), logged)
    }
}

/// The text of an object with one event.
pub(crate) fn object(id: &str) -> String {
    let record = json!({
        "eventVersion": "1.11",
        "eventID": id,
        "eventTime": "2026-09-01T12:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "RunInstances",
        "awsRegion": "eu-west-1",
        "recipientAccountId": "210987654321",
        "responseElements": { "instancesSet": { "items": [{ "instanceId": "i-0a1b2c3d4e5f60718" }] } },
    });
    json!({ "Records": [record] }).to_string()
}

/// The program, with nothing of the surroundings that AWS tools look at but a key.
pub(crate) fn program(folder: &Path, arguments: &[&str]) -> Command {
    program_on(folder.join("lake").to_str().unwrap(), folder, arguments)
}

/// The same on a lake that may be in S3.
pub(crate) fn program_on(lake: &str, home: &Path, arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_trailweave"));
    program
        .args(arguments)
        .args(["--json", "--path-style", "--lake", lake])
        .env_clear()
        .env("HOME", home)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    program
}

/// Starts a server that must be told its ports. Between their choice and its start another program may take one; then it
/// is started again.
fn on_free_ports<const N: usize, T>(start: impl Fn([u16; N]) -> Option<T>) -> Option<T> {
    let free = || [(); N].map(|()| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    (0..5).find_map(|_| start(free().map(|listener| listener.local_addr().unwrap().port())))
}

/// Starts a server and waits until it says that it listens; returns the rest of that line. Nothing where it ends before.
fn listening(command: &mut Command, said: &str) -> Option<(Child, String)> {
    let mut server = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok()?;
    let mut lines = BufReader::new(server.stderr.take().unwrap());
    let mut line = String::new();
    let rest = loop {
        line.clear();
        if lines.read_line(&mut line).unwrap() == 0 {
            server.wait().unwrap();
            return None;
        }
        if let Some((_, rest)) = line.split_once(said) {
            break rest.trim().to_owned();
        }
    };
    // It waits where nobody reads what it says.
    thread::spawn(move || io::copy(&mut lines, &mut io::sink()));
    Some((server, rest))
}

impl Drop for Aws {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        for path in &self.leftovers {
            let _ = fs::remove_file(path);
        }
    }
}

/// The ports that `SeaweedFS` listens on, first that of S3.
const SEAWEEDFS_PORTS: [&str; 8] = [
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
];

/// The key that `SeaweedFS` knows; a request may also come without a signature, but not with a wrong one.
const IDENTITIES: &str = r#"{ "identities": [
    { "name": "test", "credentials": [{ "accessKey": "AKIDEXAMPLE", "secretKey": "secret" }], "actions": ["Admin"] },
    { "name": "anonymous", "actions": ["Admin"] }
] }"#;

const CALL: &str = "
import sys, json, functools, boto3
options = dict(endpoint_url=sys.argv[1], region_name='us-east-1', aws_access_key_id='AKIDEXAMPLE', aws_secret_access_key='secret')
client = functools.cache(lambda service: boto3.client(service, **options))
for service, operation, arguments in json.load(sys.stdin):
    answer = getattr(client(service), operation)(**arguments)
    print(json.dumps(answer, default=str))
";

/// Copies a folder into a bucket that it makes, or a bucket into a folder.
const COPY: &str = "
import sys, pathlib, boto3
url, direction, bucket, folder = sys.argv[1:]
options = dict(endpoint_url=url, region_name='us-east-1', aws_access_key_id='AKIDEXAMPLE', aws_secret_access_key='secret')
s3, folder = boto3.client('s3', **options), pathlib.Path(folder)
if direction == 'up':
    s3.create_bucket(Bucket=bucket)
    for path in folder.rglob('*'):
        if path.is_file():
            s3.put_object(Bucket=bucket, Key=path.relative_to(folder).as_posix(), Body=path.read_bytes())
else:
    for page in s3.get_paginator('list_objects_v2').paginate(Bucket=bucket):
        for key in (it['Key'] for it in page.get('Contents', [])):
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(s3.get_object(Bucket=bucket, Key=key)['Body'].read())
";
