//! Endpoints: their texts, and the faults of their servers.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;

use super::*;
use crate::figures::Point;
use crate::figures::Value;

#[test]
fn figures_go_below_the_endpoint_and_no_secret_is_said() {
    for (base, url, said) in [
        ("http://localhost:4318", "http://localhost:4318/v1/metrics", "http://localhost:4318/v1/metrics"),
        ("https://host/otlp/", "https://host/otlp/v1/metrics", "https://host/otlp/v1/metrics"),
        ("http://me:word@host?key=k#f", "http://me:word@host/v1/metrics?key=k#f", "http://host/v1/metrics"),
    ] {
        let endpoint: Endpoint = base.parse().unwrap();
        assert_eq!((endpoint.url.as_str(), endpoint.to_string().as_str()), (url, said));
        assert_eq!(format!("{endpoint:?}"), format!("Endpoint({said})"));
    }
    for wrong in ["localhost:4318", "collector", "ftp://host", "http://", "unix:///var/run/otlp.sock"] {
        assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
    }
}

/// Returns what an endpoint says that is given headers.
fn with_headers(text: &str) -> Result<Endpoint, EndpointError> {
    "http://host".parse::<Endpoint>().unwrap().with_headers(text)
}

#[test]
fn headers_are_decoded_and_never_said() {
    let endpoint = with_headers("Authorization=Basic%20bWU6a2V5, x-key = a%2Cb=c== ,,x-key=last;q,empty=").unwrap();
    let headers: Vec<_> =
        endpoint.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(headers, [("authorization", "Basic bWU6a2V5"), ("x-key", "last;q"), ("empty", "")]);
    assert_eq!(with_headers("k=a%2Cb=c==").unwrap().headers["k"], "a,b=c==");
    let said = format!("{endpoint:?} {endpoint} {:?}", endpoint.headers);
    assert!(!said.contains("bWU6") && !said.contains("last"), "{said}");
}

#[test]
fn what_is_no_header_is_refused_without_being_repeated() {
    for (text, named) in [
        ("secret", "header 1 is not a pair"),
        ("a=b,Authorization: Basic secret==", "header 2 is not a pair"),
        ("=secret", "header 1 is not a pair"),
        ("a=b, x-key=secret%0d%0asecret: 1", "header `x-key`"),
    ] {
        let error = with_headers(text).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains(named) && !said.contains("secret"), "{said}");
    }
}

#[test]
fn a_figure_without_points_is_no_gauge() {
    let figure = |name: &str, points| Figure { name: name.to_owned(), help: "", points };
    let zero = Point { label: None, value: Value::Whole(0) };
    let figures = [figure("none", Vec::new()), figure("zero", vec![zero])];
    let request = message::request(&figures, Timestamp::UNIX_EPOCH).encode_to_vec();
    let contains = |text: &[u8]| request.windows(text.len()).any(|it| it == text);
    assert!(contains(b"zero") && !contains(b"none"), "{request:?}");
}

/// Sends a request to a server that answers with `answer`, once it has the head of the request.
fn posted(answer: &str) -> String {
    let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://me:word@{}/?key=secret", server.local_addr().unwrap()).parse().unwrap();
    let answer = answer.to_owned();
    let serving = thread::spawn(move || {
        let (mut socket, _) = server.accept().unwrap();
        read_head(&mut socket);
        socket.write_all(answer.as_bytes()).unwrap();
    });
    let sent = run(post(url, Vec::new(), Duration::from_mins(1)));
    serving.join().unwrap();
    sent.map_or_else(|error| format!("{error:#}"), |()| "sent".to_owned())
}

fn read_head(socket: &mut TcpStream) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).unwrap() > 0 {
        head.extend(byte);
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn what_a_server_refuses_is_said() {
    assert_eq!(posted("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), "sent");
    assert_eq!(posted("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK"), "sent");
    let rejecting = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\x0a\x07\x08\x02\x12\x03old";
    assert_eq!(posted(rejecting), "it rejects 2 points: old");
    assert_eq!(posted("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"), "it answers 401 Unauthorized");
    let moved = "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(posted(moved), "it answers 302 Found");
    let cut = posted("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n");
    assert!(cut != "sent" && !cut.contains("word") && !cut.contains("secret"), "{cut}");
}

#[test]
fn a_server_that_does_not_answer_is_left_after_a_while() {
    let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://me:word@{}/?key=secret", server.local_addr().unwrap()).parse().unwrap();
    let error = format!("{:#}", run(post(url, Vec::new(), Duration::from_millis(20))).unwrap_err());
    assert!(error.contains("timed out") && !error.contains("word") && !error.contains("secret"), "{error}");
}
