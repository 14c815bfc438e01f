//! Chains of identifiers of every kind.

use trailweave_lake::Change;
use trailweave_table::day_of_date;

use super::*;
use crate::Cause;
use crate::Copy;
use crate::Missing;
use crate::Question;
use crate::trace;

/// Returns what the lake knows of an identifier: the ids of causes, each with the ids of its calls.
fn chain(lake: &Lake, id: &str) -> Vec<(String, Vec<String>)> {
    let chain = trace(lake, OPTIONS.threads, &Question::of(id)).unwrap_or_else(|error| panic!("{id}: {error}"));
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
    let unknown = trace(&lake, OPTIONS.threads, &Question::of("i-0000000f"));
    assert!(matches!(unknown, Err(CorrelateError::NothingKnown { id, pruned_before: None }) if id == "i-0000000f"));
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
    assert_eq!(trace(&lake, OPTIONS.threads, &Question::of(INSTANCE)).unwrap().more_events, 50);
}

#[test]
fn a_launch_before_the_time_of_a_chain_is_told_once() {
    const DAY: i64 = 86_400;
    let restarted =
        |event: Event| Event { request_id: Some("r2".into()), instance_ids: vec![INSTANCE.into()], ..event };
    let mut events = published_launch();
    events[0].principal_arn = Some("arn:alice".into());
    let since = Some(events[0].event_time / 1000 + DAY);
    events.push(restarted(ec2("start", DAY, "StartInstances")));
    events.push(restarted(kms("of-start", DAY + 1, "CreateGrant")));
    let (_folder, lake) = lake_of(&events);
    correlate(&lake, &OPTIONS, &Progress::default()).unwrap();
    let launch = |question: Question<'_>| trace(&lake, OPTIONS.threads, &question).unwrap().launch;
    let later = launch(Question { since, ..Question::of(INSTANCE) }).unwrap();
    assert_eq!((later.event_id.as_str(), later.principal_arn.as_deref()), ("run", Some("arn:alice")));
    for shown in [Question::of(INSTANCE), Question { since, ..Question::of("start") }] {
        assert_eq!(launch(shown), None, "{shown:?}");
    }
}

#[test]
fn a_chain_of_a_pruned_lake_says_which_days_are_gone() {
    let (_folder, lake) = lake_of(&published_launch());
    correlate(&lake, &OPTIONS, &Progress::default()).unwrap();
    let mut change = Change::new(&lake, "prune");
    lake.stage_pruned(day_of_date("2026-08-01").unwrap(), &mut change).unwrap();
    change.commit().unwrap();
    let pruned = |question: Question<'_>| trace(&lake, OPTIONS.threads, &question).unwrap().pruned_before;
    assert_eq!(pruned(Question::of(VOLUME)).as_deref(), Some("2026-08-01"));
    let since = Some(published_launch()[0].event_time / 1000);
    assert_eq!(pruned(Question { since, ..Question::of(VOLUME) }), None);
}

#[test]
fn a_chain_lacks_the_end_of_a_grant_until_it_is_retired_without_an_error() {
    let lacks = |events: &[Event]| {
        let (_folder, lake) = lake_of(events);
        correlate(&lake, &OPTIONS, &Progress::default()).unwrap();
        trace(&lake, OPTIONS.threads, &Question::of(VOLUME)).unwrap().missing
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

#[test]
fn a_chain_is_found_by_arns_of_resources_and_by_principals() {
    let by = |arn: &str, event: Event| Event { principal_arn: Some(arn.into()), ..event };
    let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/deploy/build-1");
    let mut events = published_launch();
    events[0] = by(&session, events[0].clone());
    let (_folder, lake) = lake_of(&events);
    correlate(&lake, &OPTIONS, &Progress::default()).unwrap();
    let whole = expected(&[("run", &["data-key", "grant", "decrypt"])]);
    for id in [
        format!("arn:aws:ec2:{HOME}:{ACCOUNT}:instance/{INSTANCE}"),
        format!("arn:aws:ec2:{HOME}:{ACCOUNT}:volume/{VOLUME}"),
        format!("arn:aws:iam::{ACCOUNT}:role/service/deploy"),
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/deploy"),
        session,
    ] {
        assert_eq!(chain(&lake, &id), whole, "{id}");
    }
    for other in [format!("arn:aws:iam::{ACCOUNT}:role/deploy-2"), format!("arn:aws:iam::{ACCOUNT}:user/deploy")] {
        assert!(trace(&lake, OPTIONS.threads, &Question::of(&other)).is_err(), "{other}");
    }
}

#[test]
fn a_chain_of_a_time_has_the_calls_of_that_time() {
    let (_folder, lake) = lake_of(&published_launch());
    correlate(&lake, &OPTIONS, &Progress::default()).unwrap();
    let noon = published_launch()[0].event_time / 1000;
    let calls = |since: i64, until: i64| {
        let question = Question { since: Some(noon + since), until: Some(noon + until), ..Question::of(VOLUME) };
        let chain = trace(&lake, OPTIONS.threads, &question).ok()?;
        Some(chain.causes[0].calls.iter().map(|call| call.event_id.clone().unwrap()).collect::<Vec<_>>())
    };
    assert_eq!(calls(5, 20).unwrap(), ["data-key", "grant"]);
    assert_eq!(calls(6, 100_000).unwrap(), ["grant", "decrypt"]);
    assert_eq!(calls(86_400, 100_000), None);
}

#[test]
fn copies_of_a_call_are_one_that_says_where_it_was_logged() {
    let shared = |event: Event| Event { shared_event_id: Some("s1".into()), ..event };
    let owners = |event: Event| Event {
        recipient_account_id: Some("222222222222".into()),
        user_identity_type: Some("AWSAccount".into()),
        ..event
    };
    let grant = |id| shared(forwarded(with_volume(kms(id, 8, "CreateGrant"))));
    let callers = Event { principal_arn: Some("arn:alice".into()), ..grant("callers") };
    let same_time = forwarded(with_volume(kms("other", 8, "CreateGrant")));
    let (_folder, lake) = lake_of(&[owners(grant("a-owners")), callers, same_time]);
    correlate(&lake, &OPTIONS, &Progress::default()).unwrap();
    let chain = trace(&lake, OPTIONS.threads, &Question::of(VOLUME)).unwrap();
    let calls: Vec<_> = chain.causes.iter().flat_map(|cause| &cause.calls).collect();
    let copies = |call: &crate::Call| (call.event_id.clone().unwrap(), call.copies.len());
    assert_eq!(calls.iter().map(|call| copies(call)).collect::<Vec<_>>(), [("callers".into(), 1), ("other".into(), 0)]);
    let copy = Copy { event_id: Some("a-owners".into()), recipient_account_id: Some("222222222222".into()) };
    assert_eq!(calls[0].copies, [copy]);
}

#[test]
fn of_the_copies_of_a_call_by_a_service_that_of_the_keys_owner_is_not_told() {
    let decrypt = |id: &str, account: &str| Event {
        recipient_account_id: Some(account.into()),
        shared_event_id: Some("s1".into()),
        ..by_service(with_volume(kms(id, 8, "Decrypt")))
    };
    for (owners, users) in [("a", "b"), ("b", "a")] {
        let (_folder, lake) = lake_of(&[decrypt(owners, ACCOUNT), decrypt(users, "222222222222")]);
        correlate(&lake, &OPTIONS, &Progress::default()).unwrap();
        assert_eq!(chain(&lake, VOLUME), expected(&[("", &[users])]));
        let found = trace(&lake, OPTIONS.threads, &Question::of(VOLUME)).unwrap();
        let copy = Copy { event_id: Some(owners.into()), recipient_account_id: Some(ACCOUNT.into()) };
        assert_eq!(found.causes[0].calls[0].copies, [copy]);
    }
}

#[test]
fn an_owners_copy_tells_the_account_of_its_caller() {
    let owners = |event: Event| Event {
        user_identity_type: Some("AWSAccount".into()),
        principal_account_id: Some("222222222222".into()),
        ..event
    };
    let account = |event: Event, id: &str| {
        let (_folder, lake) = lake_of(&[event]);
        correlate(&lake, &OPTIONS, &Progress::default()).unwrap();
        let mut causes = trace(&lake, OPTIONS.threads, &Question::of(id)).unwrap().causes;
        let Cause { event, mut calls, .. } = causes.remove(0);
        let of_call = calls.pop().map(|call| (call.principal_arn, call.principal_account_id));
        of_call.or_else(|| event.map(|event| (event.principal_arn, event.principal_account_id))).unwrap()
    };
    let known = (None, Some("222222222222".to_owned()));
    assert_eq!(account(owners(forwarded(with_volume(kms("decrypt", 8, "Decrypt")))), VOLUME), known);
    // A call that has to do with neither EC2 nor EBS is an event alone.
    assert_eq!(account(owners(kms("direct", 8, "Decrypt")), "k"), known);
}

#[test]
fn a_key_is_found_by_what_was_encrypted_anew_under_another() {
    let source = format!("arn:aws:kms:{HOME}:{ACCOUNT}:key/source");
    let re_encrypt = |id: &str| Event { source_key_arn: Some(source.clone()), ..kms(id, 5, "ReEncrypt") };
    let disable = Event { key_arn: Some(source.clone()), ..kms("disable", 10, "DisableKey") };
    let found = |events: &[Event]| {
        let (_folder, lake) = lake_of(events);
        correlate(&lake, &OPTIONS, &Progress::default()).unwrap();
        let by_arn = chain(&lake, &source);
        for id in ["source", "SOURCE", &source.to_uppercase()] {
            assert_eq!(chain(&lake, id), by_arn, "{id}");
        }
        by_arn
    };
    let of_volume = forwarded(with_volume(re_encrypt("of-volume")));
    assert_eq!(found(std::slice::from_ref(&of_volume)), expected(&[("", &["of-volume"])]));
    let of_source = Event { key_arn: Some(source.clone()), ..forwarded(with_volume(kms("of-source", 1, "Decrypt"))) };
    assert_eq!(found(&[of_source, of_volume]), expected(&[("", &["of-source", "of-volume"])]));
    assert_eq!(found(&[re_encrypt("direct"), disable]), expected(&[("direct", &[]), ("disable", &[])]));
}

#[test]
fn an_instance_that_was_not_seen_launched_lacks_its_launch() {
    let start = Event { instance_ids: vec![INSTANCE.into()], ..ec2("start", 0, "StartInstances") };
    let lacks = |events: &[Event]| {
        let (_folder, lake) = lake_of(events);
        correlate(&lake, &OPTIONS, &Progress::default()).unwrap();
        trace(&lake, OPTIONS.threads, &Question::of(INSTANCE)).unwrap().missing
    };
    let launch = Missing::Launch { instance_id: INSTANCE.to_owned(), lake_begins: Some("2026-09-01".to_owned()) };
    assert_eq!(lacks(std::slice::from_ref(&start)), std::slice::from_ref(&launch));
    assert!(lacks(&[start, infrastructure(kms("decrypt", 5, "Decrypt"))]).contains(&launch));
}

#[test]
fn causes_without_an_id_are_told_apart() {
    let requested = |request: &str, event: Event| Event {
        request_id: Some(request.into()),
        instance_ids: vec![INSTANCE.into()],
        ..event
    };
    let nameless = |event: Event| Event { event_id: None, ..event };
    let events = [
        nameless(requested("r1", ec2("", 0, "RunInstances"))),
        requested("r1", kms("of-launch", 1, "CreateGrant")),
        nameless(requested("r2", ec2("", 1_000, "StartInstances"))),
        requested("r2", kms("of-start", 1_001, "CreateGrant")),
    ];
    let (_folder, lake) = lake_of(&events);
    correlate(&lake, &OPTIONS, &Progress::default()).unwrap();
    assert_eq!(chain(&lake, INSTANCE), expected(&[("", &["of-launch"]), ("", &["of-start"])]));
}

#[test]
fn events_of_an_access_key_are_found() {
    let by_key = Event { access_key_id: Some("AKIA0000000000000000".into()), ..ec2("run", 0, "RunInstances") };
    let (_folder, lake) = lake_of(&[by_key]);
    assert_eq!(chain(&lake, "AKIA0000000000000000"), expected(&[("run", &[])]));
}
