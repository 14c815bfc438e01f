//! A queue that S3 or CloudTrail tells of new objects is drained, and no message is deleted too early.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use flate2::Compression;
use flate2::read::GzEncoder;
use serde_json::Value;
use serde_json::json;

use crate::aws::Aws;
use crate::aws::object;
use crate::aws::program;
use crate::program::query;

const DAY: &str = "AWSLogs/210987654321/CloudTrail/eu-west-1/2026/09/01";

/// A bucket that tells a queue of its objects.
struct World {
    aws: Aws,
    folder: tempfile::TempDir,
    queue_url: String,
}

impl World {
    fn new(visibility_seconds: u32) -> Self {
        let aws = Aws::moto();
        let attributes = json!({ "VisibilityTimeout": visibility_seconds.to_string() });
        let arn = "arn:aws:sqs:us-east-1:123456789012:trail";
        let notify = json!({ "QueueConfigurations": [{ "QueueArn": arn, "Events": ["s3:ObjectCreated:*"] }] });
        let answers = aws.call(&[
            ("s3", "create_bucket", json!({ "Bucket": "trail" })),
            ("sqs", "create_queue", json!({ "QueueName": "trail", "Attributes": attributes })),
            (
                "s3",
                "put_bucket_notification_configuration",
                json!({ "Bucket": "trail", "NotificationConfiguration": notify }),
            ),
        ]);
        let queue_url = answers[1]["QueueUrl"].as_str().unwrap().to_owned();
        Self { aws, folder: tempfile::tempdir().unwrap(), queue_url }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// An object with one event, as a file.
    fn object(&self, id: &str) -> PathBuf {
        let path = self.path().join(id);
        let text = object(id);
        io::copy(&mut GzEncoder::new(text.as_bytes(), Compression::fast()), &mut fs::File::create(&path).unwrap())
            .unwrap();
        path
    }

    /// Uploads objects, each with one event, of which the bucket tells.
    fn upload(&self, objects: &[(&str, &str)]) {
        let upload = |(key, id): &(&str, &str)| {
            ("s3", "upload_file", json!({ "Filename": self.object(id), "Bucket": "trail", "Key": key }))
        };
        self.aws.call(&objects.iter().map(upload).collect::<Vec<_>>());
    }

    fn send(&self, bodies: &[String]) {
        let send = |body| ("sqs", "send_message", json!({ "QueueUrl": self.queue_url, "MessageBody": body }));
        self.aws.call(&bodies.iter().map(send).collect::<Vec<_>>());
    }

    /// A topic that tells the queue what it is told, as it is or wrapped; the bucket itself falls silent.
    fn topic(&self, raw: bool) -> String {
        let topic = self.aws.call(&[("sns", "create_topic", json!({ "Name": format!("raw-{raw}") }))]).remove(0);
        let arn = topic["TopicArn"].as_str().unwrap();
        let queue = "arn:aws:sqs:us-east-1:123456789012:trail";
        let attributes = json!({ "RawMessageDelivery": raw.to_string() });
        let subscribe = json!({ "TopicArn": arn, "Protocol": "sqs", "Endpoint": queue, "Attributes": attributes });
        let silence = json!({ "Bucket": "trail", "NotificationConfiguration": {} });
        self.aws.call(&[("sns", "subscribe", subscribe), ("s3", "put_bucket_notification_configuration", silence)]);
        arn.to_owned()
    }

    /// Publishes what CloudTrail says to a topic.
    fn publish(&self, topic: &str, messages: &[String]) {
        let publish = |message| ("sns", "publish", json!({ "TopicArn": topic, "Message": message }));
        self.aws.call(&messages.iter().map(publish).collect::<Vec<_>>());
    }

    fn drain(&self) -> (i32, Value, String) {
        self.aws.ingest(self.path(), &["--queue-url", &self.queue_url])
    }

    /// Messages in the queue, hidden ones included.
    fn n_messages(&self) -> u32 {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let ask = json!({ "QueueUrl": self.queue_url, "AttributeNames": names });
        let answer = self.aws.call(&[("sqs", "get_queue_attributes", ask)]).remove(0);
        names.iter().map(|name| answer["Attributes"][name].as_str().unwrap().parse::<u32>().unwrap()).sum()
    }

    fn events(&self) -> Vec<Value> {
        query(&self.path().join("lake"), "SELECT event_id FROM events ORDER BY 1")
    }
}

fn key(name: &str) -> String {
    format!("{DAY}/{name}.json.gz")
}

/// Writes what S3 says of an object.
fn record(key: &str, etag: &str, bytes: usize) -> Value {
    let object = json!({ "key": key, "size": bytes, "eTag": etag });
    json!({ "eventName": "ObjectCreated:Put", "s3": { "bucket": { "name": "trail" }, "object": object } })
}

fn numbers(summary: &Value, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| summary[name].as_u64().unwrap_or_else(|| panic!("{summary}"))).collect()
}

#[test]
fn what_a_bucket_tells_of_is_read_once_however_often_it_tells() {
    let world = World::new(30);
    let digest = key("digest").replace("CloudTrail", "CloudTrail-Digest");
    let (first, second) = (key("a"), key("b"));
    world.upload(&[(&first, "a"), (&second, "b"), (&digest, "digest")]);
    let (code, summary, logged) = world.drain();
    assert_eq!(code, 0, "{logged}");
    // The bucket also said that it will tell.
    let counts = ["objects_done", "objects_skipped", "messages_received", "messages_deleted"];
    assert_eq!(numbers(&summary, &counts), [2, 1, 4, 4]);
    assert_eq!(world.n_messages(), 0);
    assert_eq!(world.events(), [json!({ "event_id": "a" }), json!({ "event_id": "b" })]);
    // A listing gives the versions of which the bucket told, and objects that are known so need no other fetch.
    let (code, listed, _) = world.aws.ingest(world.path(), &["--source", "s3://trail/AWSLogs"]);
    assert_eq!((code, numbers(&listed, &["objects_done", "objects_known"])), (0, vec![0, 2]));
    // As after a run that was killed between its commit and the deletion.
    let listed = world.aws.call(&[("s3", "list_objects_v2", json!({ "Bucket": "trail", "Prefix": DAY }))]).remove(0);
    let records: Vec<_> = listed["Contents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let etag = it["ETag"].as_str().unwrap().trim_matches('"');
            record(it["Key"].as_str().unwrap(), etag, it["Size"].as_u64().unwrap().try_into().unwrap())
        })
        .collect();
    world.send(&[json!({ "Records": records }).to_string()]);
    let (code, summary, _) = world.drain();
    let counts = ["objects_done", "objects_known", "messages_received", "messages_deleted"];
    assert_eq!((code, numbers(&summary, &counts)), (0, vec![0, 2, 1, 1]));
    assert_eq!(world.n_messages(), 0);
}

#[test]
fn only_what_is_settled_is_deleted() {
    let world = World::new(30);
    let replaced = key("replaced");
    // Two messages, the first of a content that is not there any more.
    world.upload(&[(&replaced, "old"), (&replaced, "new")]);
    let gone = json!({ "Records": [record(&key("gone"), "0", 7)] });
    let wrapped = json!({ "Type": "Notification", "Message": gone.to_string() });
    let mut elsewhere = record(&key("elsewhere"), "0", 7);
    elsewhere["s3"]["bucket"]["name"] = json!("no-such-bucket");
    world.send(&[wrapped.to_string(), json!({ "Records": [elsewhere] }).to_string(), "junk".to_owned()]);
    let (code, summary, logged) = world.drain();
    assert_eq!(code, 6, "{logged}");
    let counts = ["objects_done", "objects_gone", "objects_left", "messages_received", "messages_deleted"];
    // The replaced object is counted once, as its present content.
    assert_eq!(numbers(&summary, &counts), [1, 1, 1, 6, 4], "{logged}");
    assert_eq!(world.events(), [json!({ "event_id": "new" })]);
    for said in ["deleted before it was read", "left in the queue: not understood", "left in the queue: not all"] {
        assert!(logged.contains(said), "{logged}");
    }
    assert_eq!(world.n_messages(), 2);
}

/// Writes what CloudTrail says of objects that it has delivered.
#[test]
fn what_eventbridge_tells_of_is_read_once_and_what_became_of_others_is_passed_over() {
    let world = World::new(30);
    let pattern = json!({ "source": ["aws.s3"], "detail": { "bucket": { "name": ["trail"] } } }).to_string();
    let target = json!([{ "Id": "queue", "Arn": "arn:aws:sqs:us-east-1:123456789012:trail" }]);
    world.aws.call(&[
        // The bucket tells the queue itself no more.
        (
            "s3",
            "put_bucket_notification_configuration",
            json!({ "Bucket": "trail", "NotificationConfiguration": { "EventBridgeConfiguration": {} } }),
        ),
        ("events", "put_rule", json!({ "Name": "objects", "EventPattern": pattern })),
        ("events", "put_targets", json!({ "Rule": "objects", "Targets": target })),
    ]);
    let (kept, gone) = (key("a+b"), key("gone"));
    world.upload(&[(&kept, "a"), (&gone, "b")]);
    world.aws.call(&[("s3", "delete_object", json!({ "Bucket": "trail", "Key": gone }))]);
    let (code, summary, logged) = world.drain();
    assert_eq!(code, 0, "{logged}");
    let counts = ["objects_done", "objects_gone", "objects_skipped", "messages_received", "messages_deleted"];
    // It also tells of the rights to each object, and the bucket had said that it would tell.
    assert_eq!(numbers(&summary, &counts), [1, 1, 3, 6, 6], "{logged}");
    assert_eq!(world.events(), [json!({ "event_id": "a" })]);
}

fn delivered(bucket: &str, keys: &[&str]) -> String {
    json!({ "s3Bucket": bucket, "s3ObjectKey": keys }).to_string()
}

#[test]
fn what_cloudtrail_itself_tells_of_is_read_once() {
    let world = World::new(30);
    let (wrapped, raw) = (world.topic(false), world.topic(true));
    // A key stands in it as it is.
    let (first, second, third) = (key("a+b %2B"), key("b"), key("c"));
    let digest = key("digest").replace("CloudTrail", "CloudTrail-Digest");
    world.upload(&[(&first, "a"), (&second, "b"), (&third, "c"), (&digest, "digest")]);
    let validation = "CloudTrail validation message.".to_owned();
    world.publish(&wrapped, &[validation.clone(), delivered("trail", &[&first, &digest, &second])]);
    world.publish(&raw, &[validation, delivered("trail", &[&third])]);
    let (code, summary, logged) = world.drain();
    assert_eq!(code, 0, "{logged}");
    // The bucket had said that it would tell.
    let counts = ["objects_done", "objects_skipped", "objects_left", "messages_received", "messages_deleted"];
    assert_eq!(numbers(&summary, &counts), [3, 1, 0, 5, 5], "{logged}");
    assert_eq!(world.n_messages(), 0);
    let (code, listed, _) = world.aws.ingest(world.path(), &["--source", "s3://trail/AWSLogs"]);
    assert_eq!((code, numbers(&listed, &["objects_done", "objects_known"])), (0, vec![0, 3]));
    world.publish(&wrapped, &[delivered("trail", &[&first, &second])]);
    let (code, summary, _) = world.drain();
    let counts = ["objects_done", "objects_known", "messages_received", "messages_deleted"];
    assert_eq!((code, numbers(&summary, &counts)), (0, vec![0, 2, 1, 1]));
}

#[test]
fn an_object_that_cloudtrail_names_and_that_cannot_be_looked_at_ends_no_run() {
    let world = World::new(30);
    let topic = world.topic(false);
    let (gone, there) = (key("gone"), key("there"));
    world.upload(&[(&there, "there")]);
    world.publish(&topic, &[delivered("trail", &[&gone, &there]), delivered("no-such-bucket", &[&there])]);
    let (code, summary, logged) = world.drain();
    assert_eq!(code, 6, "{logged}");
    let counts = ["objects_done", "objects_gone", "messages_received", "messages_deleted"];
    assert_eq!(numbers(&summary, &counts), [1, 1, 3, 2], "{logged}");
    assert_eq!(world.events(), [json!({ "event_id": "there" })]);
    for said in ["deleted before it was read", "left in the queue: not all"] {
        assert!(logged.contains(said), "{logged}");
    }
    assert_eq!(world.n_messages(), 1);
}

#[test]
fn a_message_stays_hidden_while_a_run_works_and_comes_back_when_it_is_killed() {
    let world = World::new(3);
    world.upload(&[(&key("a"), "a")]);
    let (reached, is_reached) = mpsc::channel();
    let stuck = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", stuck.local_addr().unwrap());
    // It takes requests and never answers.
    thread::spawn(move || {
        let mut held: Vec<TcpStream> = Vec::new();
        for connection in stuck.incoming() {
            held.push(connection.unwrap());
            let _ = reached.send(());
        }
    });
    let arguments = ["ingest", "--endpoint-url", &url, "--queue-url", &world.queue_url];
    let mut run = program(world.path(), &arguments);
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    is_reached.recv().unwrap();
    // More than twice as long as a message is hidden that nobody renews.
    let wait = json!({ "QueueUrl": world.queue_url, "WaitTimeSeconds": 7, "MaxNumberOfMessages": 10 });
    let received = world.aws.call(&[("sqs", "receive_message", wait)]).remove(0);
    assert!(received["Messages"].is_null(), "{received}");
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(world.n_messages(), 2);
    // The first finishes what the killed one planned, whether or not the messages are back already.
    let runs = (0..20).take_while(|_| world.n_messages() > 0).map(|_| world.drain().0).collect::<Vec<_>>();
    assert!(runs.iter().all(|code| *code == 0), "{runs:?}");
    assert_eq!(world.n_messages(), 0);
    assert_eq!(world.events(), [json!({ "event_id": "a" })]);
}

#[test]
fn a_queue_that_is_not_there_is_said() {
    let world = World::new(30);
    let url = world.queue_url.replace("/trail", "/trial");
    let (code, _, logged) = world.aws.ingest(world.path(), &["--queue-url", &url]);
    assert!(code == 1 && logged.contains(&format!("cannot look at `{url}`; check its URL")), "{logged}");
}
