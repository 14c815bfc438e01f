//! Figures over HTTP: a real server takes them, and the official messages of OTLP, in Python, read what it got.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;

use http_body_util::BodyExt;
use http_body_util::Empty;
use hyper::Request;
use hyper::Response;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::aws::program;
use crate::program::PYTHON;
use crate::program::deliver;
use crate::program::utf8;
use crate::scheduled::rows;
use crate::scheduled::trail;

/// A request as it came.
struct Posted {
    /// Method, path and query.
    line: String,
    content_type: String,
    authorization: Option<String>,
    key: Option<String>,
    body: Bytes,
}

/// Serves until the runtime is dropped; returns where, and the requests that come.
fn serve(runtime: &Runtime) -> (String, mpsc::Receiver<Posted>) {
    let (sender, requests) = mpsc::channel();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let sender = sender.clone();
            let service = service_fn(move |request| take(request, sender.clone()));
            connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
        }
    });
    (address, requests)
}

async fn take(request: Request<Incoming>, sender: mpsc::Sender<Posted>) -> hyper::Result<Response<Empty<Bytes>>> {
    let header = |name: &str| request.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
    let line = format!("{} {}", request.method(), request.uri());
    let (content_type, authorization, key) =
        (header("content-type").unwrap(), header("authorization"), header("x-key"));
    let body = request.into_body().collect().await?.to_bytes();
    sender.send(Posted { line, content_type, authorization, key, body }).unwrap();
    Ok(Response::new(Empty::new()))
}

/// The request as the official messages read it.
fn decode(body: &[u8]) -> Value {
    let mut reader =
        Command::new(PYTHON).args(["-c", DECODE]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    reader.stdin.take().unwrap().write_all(body).unwrap();
    let output = reader.wait_with_output().unwrap();
    assert!(output.status.success(), "is `make otlp` done?");
    serde_json::from_slice(&output.stdout).unwrap()
}

const DECODE: &str = "
import sys
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
print(MessageToJson(ExportMetricsServiceRequest.FromString(sys.stdin.buffer.read())))
";

/// The only element of an array.
fn only(array: &Value) -> &Value {
    let elements = array.as_array().unwrap();
    assert_eq!(elements.len(), 1, "{array}");
    &elements[0]
}

/// The gauges of a request as Prometheus text, and the times of their points.
fn text(request: &Value) -> (String, Vec<&str>) {
    let (mut text, mut times) = (String::new(), Vec::new());
    let metrics = &only(&only(&request["resourceMetrics"])["scopeMetrics"])["metrics"];
    for metric in metrics.as_array().unwrap() {
        let name = metric["name"].as_str().unwrap();
        writeln!(text, "# HELP {name} {}", metric["description"].as_str().unwrap()).unwrap();
        writeln!(text, "# TYPE {name} gauge").unwrap();
        for point in metric["gauge"]["dataPoints"].as_array().unwrap() {
            let labels = point.get("attributes").map_or_else(String::new, |attributes| {
                let label = only(attributes);
                format!("{{{}={}}}", label["key"].as_str().unwrap(), label["value"]["stringValue"])
            });
            let whole = point["asInt"].as_str().map(str::to_owned);
            let value = whole.unwrap_or_else(|| point["asDouble"].as_f64().unwrap().to_string());
            writeln!(text, "{name}{labels} {value}").unwrap();
            times.push(point["timeUnixNano"].as_str().unwrap());
        }
    }
    (text, times)
}

/// Asserts that a request tells what the metrics file of the same run tells.
fn assert_told(posted: &Posted, metrics: &Path) {
    assert_eq!(posted.content_type, "application/x-protobuf");
    let request = decode(&posted.body);
    let (told, times) = text(&request);
    let filed = fs::read_to_string(metrics).unwrap();
    assert_eq!(told, filed);
    let ended = filed.lines().find_map(|line| line.strip_prefix("trailweave_last_run_end_timestamp_seconds ")).unwrap();
    assert!(times.iter().all(|time| time.len() == ended.len() + 9 && time.starts_with(ended)), "{ended} {times:?}");
    let attributes = &only(&request["resourceMetrics"])["resource"]["attributes"];
    let attribute = |key: &str, value: &str| serde_json::json!({"key": key, "value": {"stringValue": value}});
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        attributes,
        &Value::from(
            [("service.name", "trailweave"), ("service.version", version)]
                .map(|(key, value)| attribute(key, value))
                .to_vec()
        )
    );
}

#[test]
fn an_endpoint_gets_the_figures_of_the_metrics_file_whether_a_run_ends_well_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let (source, metrics) = (trail(folder.path()), folder.path().join("trailweave.prom"));
    let runtime = Runtime::new().unwrap();
    let (address, requests) = serve(&runtime);
    let run =
        |source: &Path| program(folder.path(), &["run", "--source", utf8(source), "--metrics-file", utf8(&metrics)]);

    let url = format!("http://me:word@{address}/base/?key=k");
    let output = run(&source).args(["--otlp-endpoint", &url]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let posted = requests.try_recv().unwrap();
    assert_eq!(posted.line, "POST /base/v1/metrics?key=k");
    assert_eq!(posted.authorization.as_deref(), Some("Basic bWU6d29yZA=="));
    assert_told(&posted, &metrics);
    let filed = fs::read_to_string(&metrics).unwrap();
    assert!(
        filed.contains("trailweave_last_run_exit_code 0\n") && filed.contains("_links{link=\"request_id\"}"),
        "{filed}"
    );

    let nowhere = folder.path().join("no-such-folder");
    let output = run(&nowhere).env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let posted = requests.try_recv().unwrap();
    assert_eq!((posted.line.as_str(), posted.authorization.as_deref()), ("POST /v1/metrics", None));
    assert_told(&posted, &metrics);
    assert!(fs::read_to_string(&metrics).unwrap().contains("trailweave_last_run_exit_code 1\n"));
    assert!(requests.try_recv().is_err());
}

#[test]
fn headers_come_from_the_standard_variables_and_are_said_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let (address, requests) = serve(&runtime);
    let url = format!("http://me:word@{address}");
    let nowhere = folder.path().join("no-such-folder");
    let ingest = |headers: &[(&str, &str)]| {
        let arguments = ["ingest", "-vv", "--source", utf8(&nowhere), "--otlp-endpoint", &url];
        let output = program(folder.path(), &arguments).envs(headers.iter().copied()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (of_all, of_metrics) = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS");
    let general = (of_all, "Authorization=Bearer%20all-of-mine, x-key=all-of-mine,content-type=text/plain");
    let special = (of_metrics, "x-key=metrics-of-mine");
    for (headers, authorization, key) in [
        (&[general, (of_metrics, "")], "Bearer all-of-mine", "all-of-mine"),
        (&[general, special], "Basic bWU6d29yZA==", "metrics-of-mine"),
    ] {
        let (code, logged) = ingest(headers);
        assert!(code == 1 && !logged.contains("of-mine"), "{logged}");
        let posted = requests.try_recv().unwrap();
        assert_eq!(posted.content_type, "application/x-protobuf");
        assert_eq!((posted.authorization.as_deref(), posted.key.as_deref()), (Some(authorization), Some(key)));
    }
    for (name, text, named) in [(of_all, "x-key of-mine", "header 1"), (of_metrics, "a=b,x-key=%00of-mine", "`x-key`")]
    {
        let (code, said) = ingest(&[(name, text)]);
        assert!(code == 2 && said.contains(name) && said.contains(named) && !said.contains("of-mine"), "{said}");
        assert!(requests.try_recv().is_err());
    }
}

#[test]
fn an_endpoint_that_is_not_there_is_named_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (source, other) = (trail(folder.path()), folder.path().join("other"));
    fs::create_dir(&other).unwrap();
    let run = |folder: &Path, source: &Path, with: &[&str]| {
        program(folder, &[&["run", "--source", utf8(source)], with].concat()).output().unwrap()
    };
    let with = ["-vv", "--otlp-endpoint", "http://me:word-of-mine@127.0.0.1:1/base?key=key-of-mine"];
    let cut = folder.path().join("cut");
    deliver(&cut, "111122223333", "eu-west-1", "2026-09-01", &[0x1f, 0x8b, 8]);
    for (source, code) in [(&source, 0), (&cut, 3), (&folder.path().join("no-such-folder"), 1)] {
        let (told, silent) = (run(folder.path(), source, &with), run(&other, source, &[]));
        assert_eq!((told.status.code(), silent.status.code()), (Some(code), Some(code)), "{told:?}");
        let logged = String::from_utf8(told.stderr).unwrap();
        let lines = logged.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let errors: Vec<_> = lines.filter(|line| line["level"] == "ERROR").collect();
        assert_eq!(errors.len(), 1, "{logged}");
        assert_eq!(errors[0]["endpoint"], "http://127.0.0.1:1/base/v1/metrics");
        assert_eq!(errors[0]["message"], "the metrics are not sent");
        assert!(errors[0]["error"].as_str().unwrap().contains("refused"), "{logged}");
        assert!(!logged.contains("of-mine"), "{logged}");
        assert!(!String::from_utf8(silent.stderr).unwrap().contains("ERROR"));
    }
    assert_eq!(rows(&folder.path().join("lake")), rows(&other.join("lake")));
}
