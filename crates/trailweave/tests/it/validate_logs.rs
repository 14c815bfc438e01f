//! The real `aws cloudtrail validate-logs` and `verify` look at the same trails, in S3, and say the same.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::Value;
use trailweave_corpus::{BUCKET, CorpusOptions, DIGEST_METADATA, PUBLIC_KEYS, Tampering, generate};

use crate::aws::{Aws, program};
use crate::program::{PYTHON, trailweave, utf8};

/// The words of a run about objects: those that are valid, and those that are not.
#[derive(Debug, Default, PartialEq, Eq)]
struct Words {
    valid: BTreeSet<String>,
    invalid: BTreeSet<String>,
}

/// Puts the objects of a trail into a bucket in the place of others, with the metadata of its digests.
const UPLOAD: &str = "
import sys, json, pathlib, boto3
url, bucket, folder, metadata = sys.argv[1:]
options = dict(endpoint_url=url, region_name='us-east-1', aws_access_key_id='AKIDEXAMPLE', aws_secret_access_key='secret')
s3, folder = boto3.client('s3', **options), pathlib.Path(folder)
s3.create_bucket(Bucket=bucket)
for page in s3.get_paginator('list_objects_v2').paginate(Bucket=bucket):
    for it in page.get('Contents', []):
        s3.delete_object(Bucket=bucket, Key=it['Key'])
told = json.load(open(metadata))[bucket]
for path in folder.rglob('*.json.gz'):
    key = path.relative_to(folder).as_posix()
    s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), Metadata=told.get(key, {}))
";

/// Answers every request as `ListPublicKeys` with these keys; returns its URL.
fn list_public_keys(keys: Vec<u8>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().flatten().try_for_each(|stream| answer(stream, &keys)));
    url
}

fn answer(stream: TcpStream, keys: &[u8]) -> std::io::Result<()> {
    let mut request = BufReader::new(stream);
    let (mut line, mut n_bytes) = (String::new(), 0);
    while request.read_line(&mut line)? > 2 {
        let lower = line.to_ascii_lowercase();
        n_bytes = lower.strip_prefix("content-length:").map_or(n_bytes, |it| it.trim().parse().unwrap());
        line.clear();
    }
    request.read_exact(&mut vec![0; n_bytes])?;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\nconnection: close\r\ncontent-length: ";
    let mut stream = request.into_inner();
    write!(stream, "{head}{}\r\n\r\n", keys.len())?;
    stream.write_all(keys)
}

/// Runs awscli on the whole trail.
fn validate_logs(s3: &str, cloudtrail: &str, account: &str, home: &Path) -> Words {
    let arn = format!("arn:aws:cloudtrail:eu-central-1:{account}:trail/main");
    let output = Command::new(PYTHON)
        .args(["-m", "awscli", "cloudtrail", "validate-logs", "--trail-arn", &arn, "--s3-bucket", BUCKET])
        .args(["--start-time", "2026-03-02T00:00:00Z", "--end-time", "2026-03-06T00:00:00Z"])
        .args(["--verbose", "--region", "eu-central-1"])
        .env_clear()
        .env("HOME", home)
        .env("PYTHONPATH", Path::new(PYTHON).with_file_name("../awscli-1.46"))
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_ENDPOINT_URL_S3", s3)
        .env("AWS_ENDPOINT_URL_CLOUDTRAIL", cloudtrail)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(said.contains("Results requested for"), "{said}; is `make awscli` done?");
    let mut words = Words::default();
    for line in said.lines() {
        if let [_, uri, word] = line.split('\t').collect::<Vec<_>>()[..] {
            let of = if word == "valid" { &mut words.valid } else { &mut words.invalid };
            of.insert(uri.to_owned());
        }
    }
    words
}

/// Runs the program on the same, and returns its exit code, too.
fn verify(s3: &str, cloudtrail: &str, home: &Path, more: &[&str]) -> (Words, i32) {
    let source = format!("s3://{BUCKET}/AWSLogs");
    let arguments = ["verify", "--endpoint-url", s3, "--source", &source];
    let output = program(home, &[&arguments[..], more].concat())
        .env("AWS_ENDPOINT_URL_CLOUDTRAIL", cloudtrail)
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let failing = found["findings"].as_array().unwrap().iter().filter(|it| it["severity"] == "fail");
    let words = Words {
        valid: found["valid"].as_array().unwrap().iter().map(text).collect(),
        // `validate-logs` says nothing of a time in which a trail was stopped, if it cannot trust the digest after it.
        invalid: failing.filter(|it| it["kind"] != "not-covered").map(|it| text(&it["uri"])).collect(),
    };
    (words, output.status.code().unwrap())
}

#[test]
fn awscli_and_verify_say_the_same_of_the_same_trails() {
    let moto = Aws::moto();
    for tampering in [
        None,
        Some(Tampering::LogByte),
        Some(Tampering::LogDeleted),
        Some(Tampering::LogMember),
        Some(Tampering::DigestChanged),
        Some(Tampering::DigestDeleted),
        Some(Tampering::DigestOtherKey),
        Some(Tampering::DigestUnknownFingerprint),
        Some(Tampering::NewestWithoutMetadata),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy");
        let options = CorpusOptions {
            accounts: 1,
            regions: 1,
            days: 1,
            records: 450,
            records_per_object: 8,
            digests: true,
            tampering,
            ..CorpusOptions::default()
        };
        generate(&options, &copy).unwrap();
        let account = fs::read_dir(copy.join("AWSLogs")).unwrap().next().unwrap().unwrap().file_name();
        let metadata = copy.join(DIGEST_METADATA);
        let upload = ["-c", UPLOAD, &moto.url, BUCKET, utf8(&copy), utf8(&metadata)];
        assert!(Command::new(PYTHON).args(upload).status().unwrap().success());
        let cloudtrail = list_public_keys(fs::read(copy.join(PUBLIC_KEYS)).unwrap());
        let (code, ..) = moto.ingest(folder.path(), &["--source", &format!("s3://{BUCKET}/AWSLogs")]);
        assert!(matches!(code, 0 | 3), "{tampering:?}");
        let kept = folder.path().join("kept.json");

        let (ours, code) = verify(&moto.url, &cloudtrail, folder.path(), &["--digest-metadata", utf8(&kept)]);
        let theirs = validate_logs(&moto.url, &cloudtrail, account.to_str().unwrap(), folder.path());
        let differ =
            |a: &BTreeSet<String>, b: &BTreeSet<String>| a.symmetric_difference(b).cloned().collect::<Vec<_>>();
        let differences = [differ(&ours.valid, &theirs.valid), differ(&ours.invalid, &theirs.invalid)];
        assert_eq!(differences, <[Vec<String>; 2]>::default(), "{tampering:?}");
        assert_eq!(code == 0, tampering.is_none(), "{tampering:?}");
        let reread = verify(&moto.url, &cloudtrail, folder.path(), &["--reread"]);
        assert_eq!(reread, (theirs, code), "{tampering:?}");

        // What was kept proves the copy on disk as well, with the keys in a file.
        let lake = folder.path().join("lake of the copy");
        let (source, keys) = (copy.join("AWSLogs"), copy.join(PUBLIC_KEYS));
        let said = trailweave(&["ingest", "--source", utf8(&source), "--lake", utf8(&lake)]);
        assert!(matches!(said.code, 0 | 3), "{}", said.stderr);
        let arguments = ["verify", "--source", utf8(&source), "--lake", utf8(&lake), "--bucket", BUCKET];
        let proof = ["--public-keys", utf8(&keys), "--digest-metadata", utf8(&kept)];
        let said = trailweave(&[&arguments[..], &proof].concat());
        assert_eq!(said.code, code, "{tampering:?}: {}", said.stdout);
    }
}
