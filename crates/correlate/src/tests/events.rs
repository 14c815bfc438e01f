//! Events of small lakes: what a test does not say of one is null.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use trailweave_lake::Lake;
use trailweave_lake::TableWriter;
use trailweave_lake::WholeFile;
use trailweave_oracle::Event;
use trailweave_oracle::batch;
use trailweave_table::EVENTS;
use trailweave_table::part_name;
use trailweave_table::partition_dir;

pub(crate) const ACCOUNT: &str = "111111111111";
pub(crate) const HOME: &str = "us-west-2";
pub(crate) const INSTANCE: &str = "i-0000000b";
pub(crate) const VOLUME: &str = "vol-0000000c";

/// 2026-09-01T12:00:00Z, milliseconds.
const NOON_MS: i64 = 1_788_264_000_000;
const DAY_MS: i64 = 86_400_000;

/// Makes an event of `service`, so many seconds after noon.
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

/// Gives the event the volume of these tests, which it names in its context where it is a KMS event.
pub(crate) fn with_volume(event: Event) -> Event {
    let context = BTreeMap::from([("aws:ebs:id".to_owned(), VOLUME.to_owned())]);
    let is_kms = event.event_source.as_deref() == Some("kms.amazonaws.com");
    let encryption_context = if is_kms { context } else { BTreeMap::new() };
    Event { volume_ids: vec![VOLUME.into()], encryption_context, ..event }
}

/// Has the event forwarded by EC2 for its caller.
pub(crate) fn forwarded(event: Event) -> Event {
    Event { invoked_by: Some("ec2-frontend-api.amazonaws.com".into()), ..event }
}

/// Has the event made by EBS itself.
pub(crate) fn by_service(event: Event) -> Event {
    Event { user_identity_type: Some("AWSService".into()), invoked_by: Some("ebs.amazonaws.com".into()), ..event }
}

/// Has the event made by the infrastructure session of the instance of these tests.
pub(crate) fn infrastructure(event: Event) -> Event {
    Event {
        user_identity_type: Some("AssumedRole".into()),
        principal_id: Some(format!("{ACCOUNT}:aws:ec2-infrastructure:{INSTANCE}")),
        session_name: Some(INSTANCE.into()),
        instance_ids: vec![INSTANCE.into()],
        ..event
    }
}

/// Makes a launch as AWS once published it: the KMS events stand in another region, and only one shares the request
/// id.
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
        let of_day = events.iter().filter(|event| event.event_time.div_euclid(DAY_MS) == day).cloned();
        let date = jiff::Timestamp::from_millisecond(day * DAY_MS).unwrap().strftime("%F").to_string();
        let path = lake.table_dir(&EVENTS).join(partition_dir(&date)).join(part_name("batch", 0));
        let mut writer = TableWriter::new(WholeFile::create(&path).unwrap(), &EVENTS).unwrap();
        writer.write(&batch(&of_day.collect::<Vec<_>>())).unwrap();
        writer.commit().unwrap();
    }
}
