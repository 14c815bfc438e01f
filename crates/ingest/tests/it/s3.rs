//! Objects in S3, on a real server that a test starts, in front of which a proxy may break connections.

#![expect(clippy::disallowed_methods, reason = "servers live until the runtime of their test ends")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use jiff::civil::date;
use s3s::S3Result;
use s3s::access::S3Access;
use s3s::access::S3AccessContext;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use trailweave_ingest::IngestError;
use trailweave_ingest::plan;
use trailweave_table::EVENTS;

use super::*;
use crate::trail::event;
use crate::trail::gz;
use crate::trail::object;
use crate::trail::texts;

const TIME: &str = "2026-09-01T12:00:00Z";
/// The folder of the trail is the bucket.
const BUCKET: &str = "trail";

/// Serves the folder that holds a trail, over loopback; returns the server's URL.
pub(crate) async fn serve(trail: &Trail) -> String {
    serve_behind(trail, Gate::default()).await
}

/// The behaviour of a server before it answers.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    /// A file that is replaced when it is asked for, once: its time is its version.
    pub(crate) replaced: Option<(PathBuf, Vec<u8>)>,
    /// The operations that were asked for.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    /// The key that is denied.
    pub(crate) denied: Option<String>,
}

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        self.asked.lock().unwrap().push(request.s3_op().name().to_owned());
        if let Some((path, stored)) = &self.replaced
            && request.s3_op().name() == "GetObject"
            && std::fs::read(path).unwrap() != *stored
        {
            std::fs::write(path, stored).unwrap();
        }
        let key = request.s3_path().as_object().map(|(_, key)| key.to_owned());
        if key.is_some() && key == self.denied { Err(s3s::s3_error!(AccessDenied)) } else { Ok(()) }
    }
}

/// The same behind a gate.
pub(crate) async fn serve_behind(trail: &Trail, gate: Gate) -> String {
    let mut service = S3ServiceBuilder::new(FileSystem::new(trail.source().parent().unwrap()).unwrap());
    // Nobody signs, but only where signatures are known is the gate asked.
    service.set_auth(SimpleAuth::new());
    service.set_access(gate);
    let service = service.build();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let server = Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    url
}

/// After so many bytes of a connection an answer is cut. A listing has fewer.
const LONG: usize = 4096;

/// The faults of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It ends the connection in the middle of an answer.
    Cut,
    /// It stops in the middle of an answer, but keeps the connection.
    Stall,
    /// It keeps the connection, and answers nothing.
    Silence,
    /// It ends the connection before any answer.
    Reset,
    /// It answers that the server is busy.
    SlowDown,
}

/// Stands before a server and does `fault` so many times.
async fn spoil(url: &str, fault: Fault, times: u64) -> (String, Arc<AtomicU64>) {
    let server = url.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let left = Arc::new(AtomicU64::new(times));
    let shared = Arc::clone(&left);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (server, left) = (TcpStream::connect(&server).await.unwrap(), Arc::clone(&shared));
            tokio::spawn(pass(client, server, fault, left));
        }
    });
    (proxy, left)
}

async fn pass(mut client: TcpStream, server: TcpStream, fault: Fault, left: Arc<AtomicU64>) {
    let is_due = || left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
    let mut bytes = vec![0; 1 << 20];
    let is_late = matches!(fault, Fault::Cut | Fault::Stall);
    if !is_late && is_due() {
        let n_asked = client.read(&mut bytes).await.unwrap();
        if n_asked > 0 && fault == Fault::SlowDown {
            let body = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
            let head = format!("HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            client.write_all((head + body).as_bytes()).await.unwrap();
        }
        if fault == Fault::Silence {
            until_closed(&mut client).await;
        }
        return;
    }
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let requests = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut n_before = 0;
    while let Ok(n) = from_server.read(&mut bytes).await {
        let is_cut = is_late && n_before + n > LONG && is_due();
        let n_passed = if is_cut { n.min(LONG.saturating_sub(n_before)) } else { n };
        if n == 0 || to_client.write_all(&bytes[..n_passed]).await.is_err() || is_cut {
            if fault == Fault::Stall {
                // The client gives up and closes.
                let _ = requests.await;
                return;
            }
            break;
        }
        n_before += n;
    }
    requests.abort();
}

async fn until_closed(client: &mut TcpStream) {
    let mut bytes = [0; 4096];
    while client.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
}

pub(crate) fn options_for(trail: &Trail, url: &str, key: &str) -> IngestOptions {
    let s3 =
        S3Options { endpoint_url: Some(url.to_owned()), path_style: true, anonymous: true, ..S3Options::default() };
    IngestOptions { sources: vec![format!("s3://{BUCKET}/{key}").parse().unwrap()], s3, ..options(trail) }
}

fn deliver(trail: &Trail, region: &str, day: &str, id: &str) {
    trail.deliver(region, day, id, &[event(id, TIME)]);
}

#[tokio::test]
async fn a_bucket_gives_the_rows_that_its_folder_gives_and_a_rerun_nothing() {
    let trail = Trail::new();
    for n in 0..1100 {
        deliver(&trail, "eu-west-1", "2026/09/01", &format!("e{n}"));
    }
    deliver(&trail, "eu-west-2", "2026/09/02", "elsewhere");
    trail.put("_hidden/x.json", b"{");
    trail.put("AWSLogs-old/x.json", b"{");
    let url = serve(&trail).await;
    let options_s3 = options_for(&trail, &url, "AWSLogs");
    let (local, s3) = (trail.lake("local"), trail.lake("s3"));
    let from_folder = IngestOptions { sources: vec![Source::Local(trail.source().join("AWSLogs"))], ..options(&trail) };
    ingest(&local, &from_folder).await;
    let summary = ingest(&s3, &options_s3).await;
    assert_eq!((summary.objects_done, summary.objects_listed, summary.tally.rows), (1101, 1101, 1101));
    assert_eq!(texts(&s3, &EVENTS, "event_id"), texts(&local, &EVENTS, "event_id"));
    let objects = texts(&s3, &EVENTS, "source_object");
    assert!(objects.iter().all(|object| object.starts_with("s3://trail/AWSLogs/")), "{:?}", objects[0]);
    let again = ingest(&s3, &options_s3).await;
    assert_eq!((again.objects_done, again.objects_known), (0, 1101));
}

#[tokio::test]
async fn one_object_is_a_source() {
    let trail = Trail::new();
    deliver(&trail, "eu-west-1", "2026/09/01", "a");
    deliver(&trail, "eu-west-1", "2026/09/01", "ab");
    let url = serve(&trail).await;
    let key = format!("AWSLogs/{}/CloudTrail/eu-west-1/2026/09/01/a.json.gz", trail::ACCOUNT);
    let lake = trail.lake("lake");
    ingest(&lake, &options_for(&trail, &url, &key)).await;
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ["a"]);
}

#[tokio::test]
async fn one_day_of_many_costs_a_handful_of_requests() {
    let trail = Trail::new();
    for year in 2020..2026 {
        for month in 1..=12 {
            deliver(&trail, "eu-west-1", &format!("{year}/{month:02}/01"), &format!("{year}-{month}"));
        }
    }
    let url = serve(&trail).await;
    let mut options = options_for(&trail, &url, "");
    options.filter.from = Some(date(2024, 7, 1));
    options.filter.to = Some(date(2024, 7, 1));
    let foreseen = plan(None, &options).await.unwrap();
    // The bucket, AWSLogs, the account, CloudTrail, the region, the year, the month, the day.
    assert_eq!((foreseen.objects, foreseen.list_requests, foreseen.get_requests), (1, 8, 1));
}

#[tokio::test]
async fn a_body_that_ends_early_is_asked_for_again() {
    let trail = Trail::new();
    let records: Vec<String> =
        (0..3000_u32).map(|n| event(&format!("{:x}", n.wrapping_mul(0x9e37_79b1)), TIME)).collect();
    let path = trail.deliver("eu-west-1", "2026/09/01", "long", &records);
    assert!(std::fs::metadata(path).unwrap().len() > 2 * LONG as u64);
    let (url, left) = spoil(&serve(&trail).await, Fault::Cut, 2).await;
    let lake = trail.lake("lake");
    let summary = ingest(&lake, &options_for(&trail, &url, "AWSLogs/")).await;
    assert_eq!((summary.objects_done, summary.objects_left, summary.tally.rows), (1, 0, 3000));
    assert_eq!(left.load(SeqCst), 0);
}

#[tokio::test]
async fn a_server_that_is_busy_or_resets_is_asked_again() {
    for fault in [Fault::SlowDown, Fault::Reset] {
        let trail = Trail::new();
        deliver(&trail, "eu-west-1", "2026/09/01", "a");
        let (url, left) = spoil(&serve(&trail).await, fault, 2).await;
        let lake = trail.lake("lake");
        let summary = ingest(&lake, &options_for(&trail, &url, "AWSLogs/")).await;
        assert_eq!((summary.objects_done, summary.objects_left), (1, 0), "{fault:?}");
        assert_eq!(left.load(SeqCst), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn a_server_that_stops_sending_is_asked_again() {
    let records: Vec<String> =
        (0..3000_u32).map(|n| event(&format!("{:x}", n.wrapping_mul(0x9e37_79b1)), TIME)).collect();
    for fault in [Fault::Stall, Fault::Silence] {
        let trail = Trail::new();
        trail.deliver("eu-west-1", "2026/09/01", "long", &records);
        let (url, left) = spoil(&serve(&trail).await, fault, 2).await;
        let lake = trail.lake("lake");
        let mut options = options_for(&trail, &url, "AWSLogs/");
        options.s3.read_timeout = Some(Duration::from_millis(500));
        let summary = ingest(&lake, &options).await;
        assert_eq!((summary.objects_done, summary.objects_left, summary.tally.rows), (1, 0, 3000), "{fault:?}");
        assert_eq!(left.load(SeqCst), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn what_changes_between_listing_and_fetch_is_left_for_the_next_run() {
    let trail = Trail::new();
    let path = trail.deliver("eu-west-1", "2026/09/01", "a", &[event("old", TIME)]);
    let both = gz(&object(&[event("old", TIME), event("new", TIME)]));
    let url = serve_behind(&trail, Gate { replaced: Some((path, both)), ..Gate::default() }).await;
    let lake = trail.lake("lake");
    let options = options_for(&trail, &url, "AWSLogs/");
    let summary = ingest(&lake, &options).await;
    assert_eq!((summary.objects_done, summary.objects_left, summary.tally.rows), (0, 1, 0));
    let summary = ingest(&lake, &options).await;
    assert_eq!((summary.objects_done, summary.objects_left, summary.tally.rows), (1, 0, 2));
}

#[tokio::test]
async fn one_key_that_is_denied_leaves_the_others_alone() {
    let trail = Trail::new();
    for id in ["a", "b", "c"] {
        deliver(&trail, "eu-west-1", "2026/09/01", id);
    }
    let key = format!("AWSLogs/{}/CloudTrail/eu-west-1/2026/09/01/b.json.gz", trail::ACCOUNT);
    let denying = serve_behind(&trail, Gate { denied: Some(key), ..Gate::default() }).await;
    let lake = trail.lake("lake");
    let summary = ingest(&lake, &options_for(&trail, &denying, "AWSLogs/")).await;
    assert_eq!((summary.objects_done, summary.objects_left, summary.objects_quarantined), (2, 1, 0));
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ["a", "c"]);
    let allowing = serve(&trail).await;
    let summary = ingest(&lake, &options_for(&trail, &allowing, "AWSLogs/")).await;
    assert_eq!((summary.objects_done, summary.objects_known), (1, 2));
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ["a", "b", "c"]);
}

#[tokio::test]
async fn of_keys_that_are_named_one_may_be_denied_and_one_gone() {
    let trail = Trail::new();
    deliver(&trail, "eu-west-1", "2026/09/01", "a");
    deliver(&trail, "eu-west-1", "2026/09/01", "b");
    let key = |id: &str| format!("AWSLogs/{}/CloudTrail/eu-west-1/2026/09/01/{id}.json.gz", trail::ACCOUNT);
    let url = serve_behind(&trail, Gate { denied: Some(key("b")), ..Gate::default() }).await;
    let lake = trail.lake("lake");
    let named = |ids: &[&str]| {
        let lines: Vec<String> = ids.iter().map(|id| format!("s3://{BUCKET}/{}", key(id))).collect();
        trail.put("keys.txt", lines.join("\n").as_bytes());
        let keys = vec![trail.source().join("keys.txt")];
        IngestOptions { sources: Vec::new(), keys, ..options_for(&trail, &url, "") }
    };
    let summary = ingest(&lake, &named(&["a", "b", "c"])).await;
    assert_eq!((summary.objects_done, summary.objects_left, summary.objects_gone), (1, 1, 1));
    assert_eq!(summary.objects_listed, 3);
    // Where nothing can be looked at, it may be more than the objects.
    for (id, remedy) in [("b", "allow s3:ListBucket"), ("c", "check its name")] {
        let error = trailweave_ingest::ingest(&lake, &named(&[id]), &Progress::default()).await.unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("cannot look at `s3://trail/AWSLogs") && said.contains(remedy), "{said}");
    }
}

#[tokio::test]
async fn another_content_of_a_key_is_another_object() {
    let trail = Trail::new();
    deliver(&trail, "eu-west-1", "2026/09/01", "first");
    let url = serve(&trail).await;
    let lake = trail.lake("lake");
    let options = options_for(&trail, &url, "AWSLogs/");
    ingest(&lake, &options).await;
    trail.deliver("eu-west-1", "2026/09/01", "first", &[event("first", TIME), event("second", TIME)]);
    let summary = ingest(&lake, &options).await;
    assert_eq!((summary.objects_done, summary.objects_known, summary.tally.duplicates), (1, 0, 1));
    assert_eq!(texts(&lake, &EVENTS, "event_id"), ["first", "second"]);
}

#[tokio::test]
async fn what_cannot_be_listed_ends_the_run_with_a_remedy() {
    let trail = Trail::new();
    let url = serve(&trail).await;
    let lake = trail.lake("lake");
    let mut options = options_for(&trail, &url, "");
    options.sources = vec!["s3://no-such-bucket/AWSLogs".parse().unwrap()];
    let error = trailweave_ingest::ingest(&lake, &options, &Progress::default()).await.unwrap_err();
    assert!(matches!(error, IngestError::Aws { .. }), "{error:?}");
    let said = error.to_string();
    assert_eq!(said, "cannot list `s3://no-such-bucket/AWSLogs`; check the name of the bucket");
}
