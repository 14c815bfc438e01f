//! Measures reading from S3: `ingest` beside a client that fetches the same objects and throws them away, and a rerun
//! that finds nothing new. The server, s3s-fs, is a process of its own on the same machine.
//!
//! `cargo run --release -p trailweave-ingest --example s3 -- [OBJECTS]`
//!
//! With `trail FOLDER OBJECTS` it makes a trail of small objects with an inventory of them, and with `serve FOLDER` it
//! serves them, for a process whose memory is measured:
//! `trailweave ingest --inventory FOLDER/manifest.json --endpoint-url URL --path-style ..`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]
#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped ends the measurement")]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::num::NonZeroUsize;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use aws_config::BehaviorVersion;
use aws_config::Region;
use aws_sdk_s3::Client;
use flate2::Compression;
use flate2::read::GzEncoder;
use futures::StreamExt;
use futures::stream;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use md5::Digest;
use md5::Md5;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use trailweave_ingest::IngestOptions;
use trailweave_ingest::Progress;
use trailweave_ingest::S3Options;
use trailweave_ingest::Source;
use trailweave_lake::Lake;

/// As many as the program has for two threads.
const FETCHES: usize = 256;
const ROUNDS: usize = 3;
/// Records in a small object, at most.
const RECORDS_OF_SMALL: usize = 3;

#[tokio::main]
async fn main() {
    let typed: Vec<String> = env::args().skip(1).collect();
    match typed.first().map(String::as_str) {
        Some("serve") => serve(Path::new(&typed[1])).await,
        Some("trail") => drop(Trail::new(
            Path::new(&typed[1]),
            RECORDS_OF_SMALL * typed[2].parse::<usize>().unwrap(),
            RECORDS_OF_SMALL,
        )),
        n_small => measure(n_small.map_or(100_000, |n| n.parse().unwrap())).await,
    }
}

async fn measure(n_small: usize) {
    println!("| objects | MB | fetched and thrown away, s | ingest, s | share | rerun, s |\n|---|---|---|---|---|---|");
    for (records, records_per_object) in [(400_000, 10_000), (n_small * RECORDS_OF_SMALL, RECORDS_OF_SMALL)] {
        let folder = tempfile::tempdir().unwrap();
        let trail = Trail::new(folder.path(), records, records_per_object);
        let (mut server, url) = start(folder.path());
        let (mut fetched, mut ingested, mut rerun) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let began = Instant::now();
            assert_eq!(fetch(&url, &trail.keys).await, trail.bytes);
            fetched.push(began.elapsed().as_secs_f64());
            let lake = Lake::open_or_create(&folder.path().join(format!("lake-{round}")), None).unwrap();
            let n = trail.keys.len() as u64;
            for (times, done) in [(&mut ingested, n), (&mut rerun, 0)] {
                let began = Instant::now();
                let options = trail.options(&url);
                let summary = trailweave_ingest::ingest(&lake, &options, &Progress::default()).await.unwrap();
                assert_eq!((summary.objects_done, summary.objects_known), (done, n - done));
                times.push(began.elapsed().as_secs_f64());
            }
        }
        server.kill().unwrap();
        server.wait().unwrap();
        let [fetched, ingested, rerun] = [fetched, ingested, rerun].map(median);
        println!(
            "| {} | {} | {fetched:.2} | {ingested:.2} | {:.2} | {rerun:.2} |",
            trail.keys.len(),
            trail.bytes / 1_000_000,
            fetched / ingested
        );
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// A trail in the bucket `trail`, with an inventory of it, so that no listing is measured.
struct Trail {
    keys: Vec<String>,
    bytes: u64,
    manifest: PathBuf,
}

impl Trail {
    fn new(folder: &Path, records: usize, records_per_object: usize) -> Self {
        let root = folder.join("trail");
        let options = trailweave_corpus::CorpusOptions {
            records,
            records_per_object,
            ..trailweave_corpus::CorpusOptions::default()
        };
        trailweave_corpus::generate(&options, &root).unwrap();
        let (mut keys, mut bytes, mut rows) = (Vec::new(), 0, String::new());
        let mut waiting = vec![root.join("AWSLogs")];
        while let Some(path) = waiting.pop() {
            if path.is_dir() {
                waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let stored = fs::read(&path).unwrap();
            let key = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            writeln!(rows, "\"trail\",\"{key}\",\"{}\",\"{}\"", stored.len(), md5(&stored)).unwrap();
            bytes += stored.len() as u64;
            keys.push(key);
        }
        let manifest = folder.join("manifest.json");
        let mut inventory = Vec::new();
        io::copy(&mut GzEncoder::new(rows.as_bytes(), Compression::fast()), &mut inventory).unwrap();
        let said = json!({
            "destinationBucket": "arn:aws:s3:::inventories",
            "fileFormat": "CSV",
            "fileSchema": "Bucket, Key, Size, ETag",
            "files": [{ "key": "inventory.csv.gz", "MD5checksum": md5(&inventory) }],
        });
        fs::write(manifest.with_file_name("inventory.csv.gz"), inventory).unwrap();
        fs::write(&manifest, said.to_string()).unwrap();
        Self { keys, bytes, manifest }
    }

    fn options(&self, url: &str) -> IngestOptions {
        let s3 =
            S3Options { endpoint_url: Some(url.to_owned()), path_style: true, anonymous: true, ..S3Options::default() };
        IngestOptions {
            inventories: vec![Source::Local(self.manifest.clone())],
            s3,
            threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            fetches: NonZeroUsize::new(FETCHES).unwrap(),
            run_id: "bench".to_owned(),
            ..IngestOptions::default()
        }
    }
}

fn md5(bytes: &[u8]) -> String {
    format!("{:032x}", u128::from_be_bytes(Md5::digest(bytes).into()))
}

/// Fetches objects and throws them away; returns how many bytes they had.
async fn fetch(url: &str, keys: &[String]) -> u64 {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let shared = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).no_credentials();
    let shared = shared.region(Region::from_static("us-east-1")).endpoint_url(url).load().await;
    let client = Client::from_conf(aws_sdk_s3::config::Builder::from(&shared).force_path_style(true).build());
    let get = async |key: &String| {
        let mut body = client.get_object().bucket("trail").key(key).send().await.unwrap().body;
        let mut bytes = 0;
        while let Some(some) = body.next().await {
            bytes += some.unwrap().len() as u64;
        }
        bytes
    };
    stream::iter(keys).map(|key| Box::pin(get(key))).buffer_unordered(FETCHES).fold(0, async |sum, it| sum + it).await
}

/// Starts the server; returns its URL too.
fn start(folder: &Path) -> (Child, String) {
    let mut server =
        Command::new(env::current_exe().unwrap()).arg("serve").arg(folder).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    (server, url.trim().to_owned())
}

/// Serves the folders of `folder` as buckets.
async fn serve(folder: &Path) {
    let service = S3ServiceBuilder::new(FileSystem::new(folder).unwrap()).build();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let service = service.clone();
        connections.spawn(async move {
            let server = Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
