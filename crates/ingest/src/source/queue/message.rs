//! The forms in which a message tells of objects: S3's own notification, an event of `EventBridge`, CloudTrail's own
//! notification, and each of them as SNS wraps it.

use std::str::Utf8Error;

use serde::Deserialize;

use crate::Filter;
use crate::Location;
use crate::source::listing::Listing;
use crate::source::listing::ObjectRef;
use crate::source::skipped::SkipReason;
use crate::source::url_decoded;

/// The reason why a message is not understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum Foreign {
    #[error("it is not a notification of S3 or CloudTrail")]
    Json(#[from] serde_json::Error),
    #[error("it tells of a new object without its size or ETag")]
    Incomplete,
    #[error("it is an event of EventBridge that S3 does not send of objects")]
    OtherEvent,
    #[error("its key is not encoded as S3 encodes one")]
    Key(#[from] Utf8Error),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Notification {
        #[serde(rename = "Records")]
        records: Vec<NotificationRecord>,
    },
    EventBridge {
        #[serde(rename = "detail-type")]
        kind: String,
        detail: Entity,
    },
    /// CloudTrail's message where a trail has a topic of SNS.
    CloudTrail {
        #[serde(rename = "s3Bucket")]
        bucket: String,
        #[serde(rename = "s3ObjectKey")]
        keys: Vec<String>,
    },
    Wrapped {
        #[serde(rename = "Message")]
        message: String,
    },
    /// S3's message when notifications are set up.
    Test {
        #[serde(rename = "Event")]
        event: TestEvent,
    },
}

#[derive(Deserialize)]
enum TestEvent {
    #[serde(rename = "s3:TestEvent")]
    Test,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NotificationRecord {
    event_name: String,
    s3: Entity,
}

#[derive(Deserialize)]
struct Entity {
    bucket: Bucket,
    object: NotifiedObject,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct NotifiedObject {
    key: String,
    size: Option<u64>,
    #[serde(alias = "eTag")]
    etag: Option<String>,
}

/// CloudTrail's text when it is given a topic.
const VALIDATION: &str = "CloudTrail validation message.";

/// The `detail-type` of a new object of S3 in an event of `EventBridge`
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html>).
const CREATED: &str = "Object Created";
/// The beginning of every `detail-type` that tells what became of an object: `Object Deleted`, `Object Tags Added`.
const OF_OBJECTS: &str = "Object ";

/// The `ETag` of an object that is only named. No object has it.
const NAMED: &str = "named";

/// Tells whether a message only named an object, without its size and version.
pub(super) fn is_named(object: &ObjectRef) -> bool {
    object.version.trim_matches('"') == NAMED
}

/// Lists the new objects of trails that a message tells of, if `filter` takes their names.
pub(super) fn listing(body: &str, filter: &Filter) -> Result<Listing, Foreign> {
    let mut listing = Listing::default();
    if body == VALIDATION {
        return Ok(listing);
    }
    match serde_json::from_str(body)? {
        Body::Notification { records } => {
            for NotificationRecord { event_name, s3 } in records {
                if event_name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
                    let key = url_decoded(&s3.object.key)?;
                    push(&mut listing, s3.bucket.name, key, &s3.object, filter)?;
                } else {
                    listing.skipped.add_object(SkipReason::NotCreated, s3.object.key);
                }
            }
        }
        // Here a key stands as it is.
        Body::EventBridge { kind, detail: Entity { bucket, object } } if kind == CREATED => {
            push(&mut listing, bucket.name, object.key.clone(), &object, filter)?;
        }
        Body::EventBridge { kind, detail } if kind.starts_with(OF_OBJECTS) => {
            listing.skipped.add_object(SkipReason::NotCreated, detail.object.key);
        }
        Body::EventBridge { .. } => return Err(Foreign::OtherEvent),
        // Here too.
        Body::CloudTrail { bucket, keys } => {
            for key in keys {
                let location = Location { bucket: bucket.clone(), key };
                listing.push_of_trail(&location, NAMED, 0, filter);
            }
        }
        Body::Wrapped { message } => return self::listing(&message, filter),
        Body::Test { event: TestEvent::Test } => {}
    }
    Ok(listing)
}

fn push(
    listing: &mut Listing,
    bucket: String,
    key: String,
    object: &NotifiedObject,
    filter: &Filter,
) -> Result<(), Foreign> {
    let (Some(etag), Some(bytes)) = (&object.etag, object.size) else {
        return Err(Foreign::Incomplete);
    };
    listing.push_of_trail(&Location { bucket, key }, etag, bytes, filter);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;

    fn listing(body: &str) -> Result<Listing, Foreign> {
        super::listing(body, &Filter::default())
    }

    const KEY: &str = "my+logs/AWSLogs/210987654321/CloudTrail/eu-west-1/2026/09/01/a.json.gz";

    fn record(event: &str, key: &str) -> Value {
        let object = json!({ "key": key, "size": 7, "eTag": "abc", "sequencer": "0" });
        json!({ "eventName": event, "eventSource": "aws:s3", "s3": { "bucket": { "name": "b" }, "object": object } })
    }

    /// Returns names, version and size of the objects, and how many were passed over.
    fn told(body: &Value) -> (Vec<(String, String, u64)>, u64) {
        let listing = listing(&body.to_string()).unwrap();
        let object = |it: ObjectRef| (it.source_object.to_string(), it.version.to_string(), it.bytes);
        (listing.iter().map(object).collect(), listing.skipped.objects())
    }

    #[test]
    fn every_form_tells_of_the_same_object() {
        let expected = vec![(format!("s3://b/{}", KEY.replace('+', " ")), "\"abc\"".to_owned(), 7)];
        let notification = json!({ "Records": [record("ObjectCreated:Put", KEY)] });
        let wrapped = json!({ "Type": "Notification", "TopicArn": "arn", "Message": notification.to_string() });
        let detail = json!({
            "version": "0",
            "bucket": { "name": "b" },
            "object": { "key": KEY.replace('+', " "), "size": 7, "etag": "abc" },
        });
        let event = json!({ "version": "0", "detail-type": "Object Created", "source": "aws.s3", "detail": detail });
        let of_sns = json!({ "Type": "Notification", "Message": event.to_string() });
        for body in [notification, wrapped, event, of_sns] {
            assert_eq!(told(&body), (expected.clone(), 0), "{body}");
        }
    }

    #[test]
    fn cloudtrail_only_names_its_objects() {
        let digest = KEY.replace("CloudTrail", "CloudTrail-Digest");
        let body = json!({ "s3Bucket": "b", "s3ObjectKey": [KEY, digest] });
        for body in [json!({ "Type": "Notification", "Message": body.to_string() }), body] {
            let listing = listing(&body.to_string()).unwrap();
            assert_eq!((listing.len(), listing.skipped.objects()), (1, 1));
            assert!(is_named(&listing.get(0)) && *listing.get(0).source_object == format!("s3://b/{KEY}"));
        }
    }

    #[test]
    fn what_tells_of_no_new_object_of_a_trail_is_passed_over() {
        let digest = KEY.replace("CloudTrail", "CloudTrail-Digest");
        let records = [record("ObjectRemoved:Delete", KEY), record("ObjectCreated:Put", &digest)];
        assert_eq!(told(&json!({ "Records": records })), (vec![], 2));
        let object = json!({ "bucket": { "name": "b" }, "object": { "key": "k" } });
        assert_eq!(told(&json!({ "detail-type": "Object Deleted", "detail": object })), (vec![], 1));
        let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b" });
        assert_eq!(told(&test), (vec![], 0));
        for text in [&test.to_string(), VALIDATION] {
            assert_eq!(told(&json!({ "Type": "Notification", "Message": text })), (vec![], 0));
        }
        assert!(listing(VALIDATION).unwrap().is_empty());
    }

    #[test]
    fn the_recipe_sends_the_events_that_are_read() {
        let recipe = include_str!("../../../../../deploy/aws/hourly.yaml");
        assert!(recipe.contains(&format!("detail-type: [{CREATED}]")));
    }

    #[test]
    fn anything_else_is_foreign() {
        let mut without_etag = record("ObjectCreated:Put", KEY);
        without_etag["s3"]["object"]["eTag"] = Value::Null;
        for body in [
            json!("text"),
            json!({}),
            json!({ "Event": "s3:OtherEvent" }),
            json!({ "Message": "not JSON" }),
            json!({ "s3Bucket": "b", "s3ObjectKey": null }),
            json!({ "Records": [without_etag] }),
            json!({ "Records": [record("ObjectCreated:Put", "%ff")] }),
            json!({ "detail-type": "Created", "detail": record("", KEY)["s3"] }),
        ] {
            assert!(listing(&body.to_string()).is_err(), "{body}");
        }
        assert!(listing("").is_err());
    }
}
