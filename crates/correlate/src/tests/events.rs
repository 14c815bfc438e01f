//! Events of small lakes: what a test does not say of one is null.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::array::BooleanArray;
use arrow::array::Int64Array;
use arrow::array::ListBuilder;
use arrow::array::MapBuilder;
use arrow::array::MapFieldNames;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::array::StringBuilder;
use arrow::array::TimestampMillisecondArray;
use arrow::array::new_null_array;
use arrow::datatypes::DataType;
use arrow::datatypes::Field;
use trailweave_lake::Lake;
use trailweave_lake::TableWriter;
use trailweave_lake::WholeFile;
use trailweave_table::EVENTS;
use trailweave_table::part_name;
use trailweave_table::partition_dir;

use crate::oracle::Event;

pub(crate) const ACCOUNT: &str = "111111111111";
pub(crate) const HOME: &str = "us-west-2";
pub(crate) const INSTANCE: &str = "i-0000000b";
pub(crate) const VOLUME: &str = "vol-0000000c";

/// 2026-09-01T12:00:00Z, milliseconds.
const NOON_MS: i64 = 1_788_264_000_000;
const DAY_MS: i64 = 86_400_000;

/// An event of `service`, so many seconds after noon.
fn event(service: &str, id: &str, seconds: i64, name: &str) -> Event {
    Event {
        event_id: Some(id.into()),
        event_time: NOON_MS + seconds * 1000,
        event_source: Some(format!("{service}.amazonaws.com")),
        event_name: Some(name.into()),
        aws_region: Some(HOME.into()),
        recipient_account_id: Some(ACCOUNT.into()),
        source_object: Some(format!("{service}.json.gz")),
        ..Event::default()
    }
}

pub(crate) fn ec2(id: &str, seconds: i64, name: &str) -> Event {
    event("ec2", id, seconds, name)
}

pub(crate) fn kms(id: &str, seconds: i64, name: &str) -> Event {
    Event { key_arn: Some(format!("arn:aws:kms:{HOME}:{ACCOUNT}:key/k")), ..event("kms", id, seconds, name) }
}

/// The event with the volume of these tests, which it names in its context where it is a KMS event.
pub(crate) fn with_volume(event: Event) -> Event {
    let context = BTreeMap::from([("aws:ebs:id".to_owned(), VOLUME.to_owned())]);
    let is_kms = event.event_source.as_deref() == Some("kms.amazonaws.com");
    let encryption_context = if is_kms { context } else { BTreeMap::new() };
    Event { volume_ids: vec![VOLUME.into()], encryption_context, ..event }
}

/// The event, forwarded by EC2 for its caller.
pub(crate) fn forwarded(event: Event) -> Event {
    Event { invoked_by: Some("ec2-frontend-api.amazonaws.com".into()), ..event }
}

/// The event, made by EBS itself.
pub(crate) fn by_service(event: Event) -> Event {
    Event { user_identity_type: Some("AWSService".into()), invoked_by: Some("ebs.amazonaws.com".into()), ..event }
}

/// The event, made by the infrastructure session of the instance of these tests.
pub(crate) fn infrastructure(event: Event) -> Event {
    Event {
        user_identity_type: Some("AssumedRole".into()),
        principal_id: Some(format!("{ACCOUNT}:aws:ec2-infrastructure:{INSTANCE}")),
        session_name: Some(INSTANCE.into()),
        instance_ids: vec![INSTANCE.into()],
        ..event
    }
}

/// A launch as AWS once published it: the KMS events stand in another region, and only one shares the request id.
pub(crate) fn published_launch() -> Vec<Event> {
    let elsewhere = |event: Event| Event { aws_region: Some("us-east-1".into()), ..with_volume(event) };
    vec![
        Event { request_id: Some("r1".into()), instance_ids: vec![INSTANCE.into()], ..ec2("run", 0, "RunInstances") },
        Event {
            request_id: Some("r1".into()),
            grant_id: Some("g1".into()),
            instance_ids: vec![INSTANCE.into()],
            user_agent: Some("AWS Internal".into()),
            ..elsewhere(kms("grant", 8, "CreateGrant"))
        },
        Event {
            request_id: Some("create-1".into()),
            user_agent: Some("AWS Internal".into()),
            ..elsewhere(kms("data-key", 5, "GenerateDataKeyWithoutPlaintext"))
        },
        elsewhere(infrastructure(kms("decrypt", 20, "Decrypt"))),
    ]
}

/// Writes `events` as the parts of `lake`.
pub(crate) fn write(lake: &Lake, events: &[Event]) {
    let days: BTreeSet<i64> = events.iter().map(|event| event.event_time.div_euclid(DAY_MS)).collect();
    for day in days {
        let of_day: Vec<&Event> = events.iter().filter(|event| event.event_time.div_euclid(DAY_MS) == day).collect();
        let date = jiff::Timestamp::from_millisecond(day * DAY_MS).unwrap().strftime("%F").to_string();
        let path = lake.table_dir(&EVENTS).join(partition_dir(&date)).join(part_name("batch", 0));
        let mut writer = TableWriter::new(WholeFile::create(&path).unwrap(), &EVENTS).unwrap();
        writer.write(&batch(&of_day)).unwrap();
        writer.commit().unwrap();
    }
}

fn batch(events: &[&Event]) -> RecordBatch {
    let columns = EVENTS.columns.iter().map(|column| {
        let array = array(column.name, events);
        array.unwrap_or_else(|| new_null_array(&column.kind.data_type(), events.len()))
    });
    RecordBatch::try_new(EVENTS.schema(), columns.collect()).unwrap()
}

fn array(column: &str, events: &[&Event]) -> Option<ArrayRef> {
    let text = |of: fn(&Event) -> &Option<String>| -> Option<ArrayRef> {
        let values = events.iter().map(|event| of(event).as_deref());
        Some(Arc::new(values.collect::<StringArray>()))
    };
    match column {
        "event_id" => text(|it| &it.event_id),
        "event_source" => text(|it| &it.event_source),
        "event_name" => text(|it| &it.event_name),
        "aws_region" => text(|it| &it.aws_region),
        "recipient_account_id" => text(|it| &it.recipient_account_id),
        "request_id" => text(|it| &it.request_id),
        "shared_event_id" => text(|it| &it.shared_event_id),
        "source_ip_address" => text(|it| &it.source_ip_address),
        "user_agent" => text(|it| &it.user_agent),
        "error_code" => text(|it| &it.error_code),
        "user_identity_type" => text(|it| &it.user_identity_type),
        "principal_id" => text(|it| &it.principal_id),
        "principal_arn" => text(|it| &it.principal_arn),
        "principal_account_id" => text(|it| &it.principal_account_id),
        "session_issuer_arn" => text(|it| &it.session_issuer_arn),
        "session_name" => text(|it| &it.session_name),
        "invoked_by" => text(|it| &it.invoked_by),
        "key_arn" => text(|it| &it.key_arn),
        "grant_id" => text(|it| &it.grant_id),
        "grantee_principal" => text(|it| &it.grantee_principal),
        "retiring_principal" => text(|it| &it.retiring_principal),
        "instance_type" => text(|it| &it.instance_type),
        "reservation_id" => text(|it| &it.reservation_id),
        "client_token" => text(|it| &it.client_token),
        "source_object" => text(|it| &it.source_object),
        _ => array_of_no_text(column, events),
    }
}

fn array_of_no_text(column: &str, events: &[&Event]) -> Option<ArrayRef> {
    let list = |of: fn(&Event) -> &Vec<String>| -> Option<ArrayRef> {
        let mut builder =
            ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
        for event in events {
            for text in of(event) {
                builder.values().append_value(text);
            }
            builder.append(!of(event).is_empty());
        }
        Some(Arc::new(builder.finish()))
    };
    match column {
        "event_time" => {
            let times: TimestampMillisecondArray = events.iter().map(|event| Some(event.event_time)).collect();
            Some(Arc::new(times.with_timezone("UTC")))
        }
        "source_index" => Some(Arc::new(events.iter().map(|event| event.source_index).collect::<Int64Array>())),
        "encrypted" => Some(Arc::new(events.iter().map(|event| event.encrypted).collect::<BooleanArray>())),
        "instance_ids" => list(|it| &it.instance_ids),
        "volume_ids" => list(|it| &it.volume_ids),
        "snapshot_ids" => list(|it| &it.snapshot_ids),
        "image_ids" => list(|it| &it.image_ids),
        "operations" => list(|it| &it.operations),
        "encryption_context" => Some(contexts(events)),
        _ => None,
    }
}

fn contexts(events: &[&Event]) -> ArrayRef {
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for event in events {
        for (key, value) in &event.encryption_context {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(!event.encryption_context.is_empty()).unwrap();
    }
    Arc::new(builder.finish())
}
