//! A server that answers as S3 and SQS do, and what is asked of it besides the program: a second opinion on both.

use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use serde_json::Value;
use serde_json::json;

use crate::program::PYTHON;

/// The server, which ends with this value.
pub(crate) struct Aws {
    server: Child,
    pub(crate) url: String,
}

impl Aws {
    /// Starts a server on a port that is free, and waits until it listens.
    pub(crate) fn start() -> Self {
        let mut command = Command::new(PYTHON);
        command.args(["-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]);
        let mut server = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(server.stderr.take().unwrap());
        let mut line = String::new();
        let url = loop {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "the server ended; is `make moto` done?");
            if let Some((_, url)) = line.split_once("Running on ") {
                break url.trim().to_owned();
            }
        };
        // It waits where nobody reads what it says.
        thread::spawn(move || io::copy(&mut said, &mut io::sink()));
        Self { server, url }
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

impl Drop for Aws {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

const CALL: &str = "
import sys, json, functools, boto3
options = dict(endpoint_url=sys.argv[1], region_name='us-east-1', aws_access_key_id='AKIDEXAMPLE', aws_secret_access_key='secret')
client = functools.cache(lambda service: boto3.client(service, **options))
for service, operation, arguments in json.load(sys.stdin):
    answer = getattr(client(service), operation)(**arguments)
    print(json.dumps(answer, default=str))
";
