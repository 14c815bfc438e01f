//! Lakes on servers that do less than Amazon S3. Each is a real server whose requests are spoiled before it sees them.

#![expect(clippy::disallowed_methods, reason = "servers live until the runtime of their test ends")]

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use hyper::header::IF_MATCH;
use hyper::header::IF_NONE_MATCH;
use hyper::header::RANGE;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use parquet::file::reader::ChunkReader;
use s3s::Body;
use s3s::HttpResponse;
use s3s::service::S3Service;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use trailweave_ingest::Location;
use trailweave_ingest::S3Options;
use trailweave_ingest::object_store;
use trailweave_lake::Change;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::LakePlace;
use trailweave_lake::LeaseTimes;
use trailweave_table::EVENTS;
use trailweave_table::partition_dir;

/// The `ETag` that a probe asks for.
const NO_ETAG: &str = "\"00000000000000000000000000000000\"";
const COPY_SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
/// Nothing expires while a test runs.
const OFTEN: LeaseTimes = LeaseTimes { expiry: Duration::from_hours(1), renewal: Duration::from_millis(1) };

/// A way in which a server differs from Amazon S3.
#[derive(Debug, Clone)]
enum Fault {
    /// It ignores a header.
    Ignores(HeaderName),
    /// It compares an `If-Match` with its quotes, as Ceph RGW 16.2 does, and so refuses every `ETag` that has some.
    TakesQuotesForLetters,
    /// The same, but it ignores an `If-Match` without quotes.
    RefusesEveryEtag,
    /// It does not decode the source of a copy.
    TakesCopySourceAsItIs,
    /// It carries a renewal out, but says that it is busy, once.
    LosesAnswer(Arc<AtomicBool>),
    /// It does not answer a renewal.
    Hangs,
}

/// A server and a lake on it, whose bucket is a folder.
struct World {
    folder: tempfile::TempDir,
    place: LakePlace,
}

impl World {
    async fn new(fault: Fault) -> Self {
        Self::with_leases(fault, OFTEN).await
    }

    async fn with_leases(fault: Fault, times: LeaseTimes) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bucket")).unwrap();
        let url = serve(folder.path(), fault).await;
        let options = S3Options { endpoint_url: Some(url), path_style: true, anonymous: true, ..S3Options::default() };
        let bucket = Location { bucket: "bucket".to_owned(), key: String::new() };
        let store = object_store(&bucket, &options).await.unwrap();
        Self { folder, place: LakePlace::remote("s3://bucket/lake", store, times).unwrap() }
    }

    fn lake(&self) -> Lake {
        Lake::open_or_create_at(&self.place, None).unwrap()
    }

    /// Lists the leases that stand.
    fn leases(&self) -> Vec<PathBuf> {
        let folder = self.folder.path().join("bucket/lake/_trailweave/leases");
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    }
}

/// Serves the folders of a folder as buckets; returns the server's URL.
async fn serve(root: &Path, fault: Fault) -> String {
    let service = S3ServiceBuilder::new(FileSystem::new(root).unwrap()).build();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (service, fault) = (service.clone(), fault.clone());
            let answer = service_fn(move |request| answer(service.clone(), fault.clone(), request));
            tokio::spawn(async move {
                let server = Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(socket), answer).await;
            });
        }
    });
    url
}

async fn answer(
    service: S3Service,
    fault: Fault,
    mut request: Request<Incoming>,
) -> Result<HttpResponse, s3s::HttpError> {
    let refused = Response::builder().status(StatusCode::PRECONDITION_FAILED).body(Body::empty()).unwrap();
    let is_conditional = request.headers().contains_key(IF_MATCH);
    let headers = request.headers_mut();
    match &fault {
        Fault::Ignores(name) => drop(headers.remove(name)),
        Fault::TakesQuotesForLetters | Fault::RefusesEveryEtag if has_quotes(headers) => return Ok(refused),
        Fault::TakesQuotesForLetters => replace(headers, &IF_MATCH, |etag| format!("\"{etag}\"")),
        Fault::RefusesEveryEtag => drop(headers.remove(IF_MATCH)),
        Fault::TakesCopySourceAsItIs => replace(headers, &COPY_SOURCE, |source| source.replace('%', "%25")),
        Fault::Hangs if headers.get(IF_MATCH).is_some_and(|etag| etag != NO_ETAG) => std::future::pending().await,
        Fault::LosesAnswer(_) | Fault::Hangs => {}
    }
    let answered = service.call(request.map(Body::from)).await?;
    match fault {
        Fault::LosesAnswer(lost) if is_conditional && answered.status().is_success() && !lost.swap(true, SeqCst) => {
            Ok(Response::builder().status(StatusCode::SERVICE_UNAVAILABLE).body(Body::empty()).unwrap())
        }
        _ => Ok(answered),
    }
}

fn has_quotes(headers: &HeaderMap) -> bool {
    headers.get(IF_MATCH).is_some_and(|etag| etag.as_bytes().starts_with(b"\""))
}

fn replace(headers: &mut HeaderMap, name: &HeaderName, by: impl Fn(&str) -> String) {
    if let Some(value) = headers.get_mut(name) {
        *value = HeaderValue::from_str(&by(value.to_str().unwrap())).unwrap();
    }
}

/// Writes to a lake until its lease was renewed three times.
fn write_for_three_renewals(world: &World, lake: &Lake) -> Result<(), LakeError> {
    let path = lake.table_dir(&EVENTS).join("part-0.parquet");
    let renewals = |lease: &PathBuf| fs::read_to_string(lease).unwrap_or_default();
    loop {
        lake.write(&path, b"written")?;
        if world.leases().iter().any(|lease| renewals(lease).contains("\"renewals\": 3")) {
            return Ok(());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_a_condition_is_refused_in_one_sentence() {
    for (header, name) in [(IF_MATCH, "If-Match"), (IF_NONE_MATCH, "If-None-Match")] {
        let world = World::new(Fault::Ignores(header)).await;
        let lake = world.lake();
        let shard = lake.lock_shard("0-of-2", 2).map(drop);
        for refused in [lake.lock().map(drop), shard] {
            let said = refused.unwrap_err().to_string();
            assert!(said.starts_with("cannot take the lease `s3://bucket/lake/_trailweave/leases/"), "{said}");
            assert!(said.contains(&format!("the server ignores {name}, so")), "{said}");
            assert!(
                said.ends_with("keep the lake in a local folder, or on another server (docs/operations.md lists some)")
            );
        }
        assert_eq!(world.leases(), [""; 0].map(PathBuf::from));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_an_etag_without_quotes_gets_it_so() {
    let world = World::new(Fault::TakesQuotesForLetters).await;
    let lake = world.lake();
    let _lock = lake.lock().unwrap();
    write_for_three_renewals(&world, &lake).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_whose_answer_was_lost_is_no_loss_of_the_lease() {
    let lost = Arc::new(AtomicBool::new(false));
    let world = World::new(Fault::LosesAnswer(Arc::clone(&lost))).await;
    let lake = world.lake();
    let _lock = lake.lock().unwrap();
    write_for_three_renewals(&world, &lake).unwrap();
    assert!(lost.load(SeqCst));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_every_renewal_is_named_and_no_other_run_is_blamed() {
    let world = World::new(Fault::RefusesEveryEtag).await;
    let lake = world.lake();
    let _lock = lake.lock().unwrap();
    let said = write_for_three_renewals(&world, &lake).unwrap_err().to_string();
    assert!(said.contains("the server refuses to renew the lease of this run") && !said.contains("another;"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_another_run_took_is_lost_whatever_the_server_says_of_its_etag() {
    let world = World::new(Fault::TakesQuotesForLetters).await;
    let lake = world.lake();
    let _lock = lake.lock().unwrap();
    write_for_three_renewals(&world, &lake).unwrap();
    // The run that takes over does the same.
    fs::remove_file(world.leases().remove(0)).unwrap();
    let path = lake.table_dir(&EVENTS).join("part-0.parquet");
    let lost = (0..1_000_000).find_map(|_| lake.write(&path, b"written").err());
    assert!(matches!(lost, Some(LakeError::LeaseLost { .. })), "{lost:?}");
    assert_eq!(world.leases(), [""; 0].map(PathBuf::from));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_renewal_is_not_answered_stops_before_another_may_begin() {
    let times = LeaseTimes { expiry: Duration::from_millis(50), renewal: Duration::from_millis(1) };
    let world = World::with_leases(Fault::Hangs, times).await;
    let lake = world.lake();
    let _lock = lake.lock().unwrap();
    let lost = write_for_three_renewals(&world, &lake);
    assert!(matches!(lost, Err(LakeError::LeaseLate { .. })), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_decode_the_source_of_a_copy_is_named_and_nothing_is_lost() {
    let world = World::new(Fault::TakesCopySourceAsItIs).await;
    let lake = world.lake();
    let [old, new] = ["old", "new"].map(|name| lake.table_dir(&EVENTS).join(partition_dir("2026-09-01")).join(name));
    lake.write(&old, b"before").unwrap();
    for path in [old, new] {
        let mut change = Change::new(&lake, "test");
        lake.write(&change.promise(&path), b"after").unwrap();
        let said = change.commit().unwrap_err().to_string();
        assert!(said.starts_with(&format!("cannot rename to `{}`: the server answers", path.display())), "{said}");
        assert!(said.contains("the source of the copy is not there, though it is"), "{said}");
        // The next run goes on, on a server that can.
        let staged = path.with_file_name(format!(".{}.next", path.file_name().unwrap().to_string_lossy()));
        assert_eq!(lake.read(&staged).unwrap().as_deref(), Some(&b"after"[..]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_a_part_with_the_whole_is_not_called_the_network() {
    let world = World::new(Fault::Ignores(RANGE)).await;
    let lake = world.lake();
    let path = lake.table_dir(&EVENTS).join(partition_dir("2026-09-01")).join("part-0.parquet");
    lake.write(&path, b"PAR1 and no more of it PAR1").unwrap();
    let opened = lake.open_file(&path).unwrap_err().to_string();
    let part = lake.parts(&EVENTS).unwrap().remove(0);
    let read = lake.open_listed(&part).unwrap().get_bytes(0, 4).map_err(LakeError::parquet(&path));
    for said in [opened, read.unwrap_err().to_string()] {
        assert!(said.contains("the server answered 200 with the whole object"), "{said}");
        assert!(!said.contains("network"), "{said}");
    }
}
