//! Chains of identifiers of every kind.

use super::*;
use crate::Cause;
use crate::Missing;
use crate::trace;

/// Returns what the lake knows of an identifier: the ids of causes, each with the ids of its calls.
fn chain(lake: &Lake, id: &str) -> Vec<(String, Vec<String>)> {
    let chain = trace(lake, OPTIONS.threads, id).unwrap_or_else(|error| panic!("{id}: {error}"));
    let ids = |cause: &Cause| {
        let calls = cause.calls.iter().map(|call| call.event_id.clone().unwrap_or_default());
        (cause.event.as_ref().map(|event| event.event_id.clone()).unwrap_or_default(), calls.collect())
    };
    chain.causes.iter().map(ids).collect()
}

fn expected(causes: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let texts = |calls: &[&str]| calls.iter().map(|call| (*call).to_owned()).collect();
    causes.iter().map(|(cause, calls)| ((*cause).to_owned(), texts(calls))).collect()
}

#[test]
fn a_chain_is_found_by_each_of_its_identifiers_in_the_order_of_time() {
    let (_folder, lake) = lake_of(&published_launch());
    correlate(&lake, &OPTIONS, &Progress::default()).unwrap();
    let whole = expected(&[("run", &["data-key", "grant", "decrypt"])]);
    let arn = format!("arn:aws:kms:{HOME}:{ACCOUNT}:key/k");
    for id in [INSTANCE, VOLUME, "I-0000000B", "run", "k", "K", &arn, &arn.to_uppercase()] {
        assert_eq!(chain(&lake, id), whole, "{id}");
    }
    assert_eq!(chain(&lake, "decrypt"), expected(&[("run", &["decrypt"])]));
    // A grant leads to what it allowed, whose rows name the event that created it.
    assert_eq!(chain(&lake, "g1"), expected(&[("run", &["grant", "decrypt"])]));
    let unknown = trace(&lake, OPTIONS.threads, "i-0000000f");
    assert!(matches!(unknown, Err(CorrelateError::NothingKnown { id }) if id == "i-0000000f"));
}

#[test]
fn events_without_calls_are_the_first_hundred_of_all_parts() {
    const DAY: i64 = 86_400;
    let start = |n: i64| Event {
        instance_ids: vec![INSTANCE.into()],
        ..ec2(&format!("start-{n:03}"), n % 3 * DAY + n, "StartInstances")
    };
    let (_folder, lake) = lake_of(&(0..150).map(start).collect::<Vec<_>>());
    let found = chain(&lake, INSTANCE);
    let mut days: Vec<i64> = (0..150).collect();
    days.sort_by_key(|n| (n % 3, *n));
    let first: Vec<_> = days.iter().take(100).map(|n| (format!("start-{n:03}"), Vec::new())).collect();
    assert_eq!(found, first);
}

#[test]
fn a_chain_lacks_the_end_of_a_grant_until_it_is_retired_without_an_error() {
    let lacks = |events: &[Event]| {
        let (_folder, lake) = lake_of(events);
        correlate(&lake, &OPTIONS, &Progress::default()).unwrap();
        trace(&lake, OPTIONS.threads, VOLUME).unwrap().missing
    };
    let mut events = published_launch();
    assert_eq!(lacks(&events), [Missing::Retirement { grant_id: "g1".to_owned() }]);
    let retire = |id| Event { grant_id: Some("g1".into()), ..kms(id, 100, "RetireGrant") };
    events.push(Event { error_code: Some("AccessDenied".into()), ..retire("refused") });
    assert_eq!(lacks(&events).len(), 1);
    events.push(retire("retire"));
    assert!(lacks(&events).is_empty());
    events.retain(|event| event.event_id.as_deref() != Some("decrypt"));
    assert_eq!(lacks(&events), [Missing::Decrypt { volume_id: VOLUME.to_owned() }]);
}
