//! The content of the objects and of the truth.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use trailweave_corpus::{CorpusOptions, Generations};

use crate::{Read, small, write_and_read};

const FLOWS: [&str; 24] = [
    "A", "B", "C", "D", "E", "F1", "F2", "F3", "F4", "F5", "G", "G'", "H", "I", "J", "K", "L", "M", "N", "O", "decoy",
    "denied", "role", "share",
];

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// Every delivered copy of every event, by account and event id.
fn events(read: &Read) -> BTreeMap<(&str, &str), Vec<&Value>> {
    let mut events: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in read.objects.values().flatten() {
        events.entry((text(record, "recipientAccountId"), text(record, "eventID"))).or_default().push(record);
    }
    events
}

#[test]
fn every_flow_occurs_in_the_default_corpus() {
    let read = write_and_read(&CorpusOptions::default());
    assert_eq!(read.corpus.chains.keys().copied().collect::<Vec<_>>(), FLOWS);
    let flows: BTreeSet<&str> = read.truth.iter().map(|row| text(row, "flow")).collect();
    let without_kms = BTreeSet::from(["G'", "I", "decoy"]);
    assert_eq!(flows, FLOWS.into_iter().filter(|flow| !without_kms.contains(flow)).collect());
    assert_eq!(read.corpus.records, 20_000);
    let ours = read
        .objects
        .values()
        .flatten()
        .filter(|record| matches!(text(record, "eventSource"), "kms.amazonaws.com" | "ec2.amazonaws.com"));
    let share = ours.count() * 100 / read.corpus.delivered;
    assert!((62..=72).contains(&share), "{share} % of the records are KMS or EC2");
}

#[test]
fn counts_match_what_was_written() {
    let read = write_and_read(&small());
    let events = events(&read);
    assert_eq!(read.corpus.records, 2_000);
    assert_eq!(events.len(), read.corpus.records);
    assert_eq!(events.values().map(Vec::len).sum::<usize>(), read.corpus.delivered);
    assert_eq!(read.objects.len(), read.corpus.objects);
    let bytes: u64 = read.objects.keys().map(|path| read.folder.path().join(path).metadata().unwrap().len()).sum();
    assert_eq!(bytes, read.corpus.bytes);
    assert!(read.objects.values().all(|records| (1..=50).contains(&records.len())));
    assert!(read.objects.values().any(|records| records.len() == 1));
}

#[test]
fn doubled_records_are_equal_and_lie_in_other_objects() {
    let read = write_and_read(&CorpusOptions { doubled: 0.3, ..CorpusOptions::default() });
    assert!(read.corpus.delivered > read.corpus.records * 12 / 10);
    assert!(events(&read).values().all(|copies| copies.iter().all(|copy| *copy == copies[0])));
    for records in read.objects.values() {
        let ids: BTreeSet<_> = records.iter().map(|record| text(record, "eventID")).collect();
        assert_eq!(ids.len(), records.len());
    }
}

#[test]
fn objects_are_named_as_cloudtrail_names_them_and_lie_in_their_day() {
    let read = write_and_read(&small());
    for (path, records) in &read.objects {
        let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).collect();
        let parts = if parts[1].starts_with("o-") { &parts[2..] } else { &parts[1..] };
        let [account, "CloudTrail", region, year, month, day, name] = parts else { panic!("odd path {path:?}") };
        let stem = name.strip_suffix(".json.gz").unwrap();
        let [of, "CloudTrail", in_region, bucket, random] = stem.split('_').collect::<Vec<_>>()[..] else {
            panic!("odd name {name}")
        };
        assert_eq!((of, in_region), (*account, *region));
        assert!(account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(&bucket[..9], format!("{year}{month}{day}T"));
        assert!(bucket.len() == 14 && bucket.ends_with('Z') && bucket[11..13].parse::<u32>().unwrap() % 5 == 0);
        assert!(random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        for record in records {
            assert_eq!(text(record, "recipientAccountId"), *account);
            assert_eq!(text(record, "awsRegion"), *region);
            assert!(*text(record, "eventTime")[..10].replace('-', "") <= bucket[..8]);
        }
    }
    let late = read.objects.iter().flat_map(|(path, records)| records.iter().map(move |record| (path, record)));
    let late = late
        .filter(|(path, record)| !path.to_str().unwrap().contains(&text(record, "eventTime")[..10].replace('-', "/")));
    assert!(late.count() > 10);
}

#[test]
fn one_organization_has_all_accounts_but_the_last() {
    let read = write_and_read(&small());
    let tops: BTreeSet<_> = read.objects.keys().map(|path| path.iter().nth(1).unwrap().to_str().unwrap()).collect();
    let (organizations, accounts): (Vec<&str>, Vec<&str>) = tops.iter().partition(|top| top.starts_with("o-"));
    assert_eq!((organizations.len(), accounts.len()), (1, 1));
    assert_eq!(organizations[0].len(), 12);
}

#[test]
fn every_event_of_the_truth_was_delivered() {
    let read = write_and_read(&small());
    let events = events(&read);
    let by_id: BTreeMap<&str, &Value> = events.iter().map(|((_, id), copies)| (*id, copies[0])).collect();
    let mut keys = BTreeSet::new();
    for row in &read.truth {
        let key = (text(row, "recipient_account_id"), text(row, "kms_event_id"));
        assert!(keys.insert(key), "{key:?} stands in the truth twice");
        assert_eq!(text(events[&key][0], "eventSource"), "kms.amazonaws.com");
        assert_eq!(text(events[&key][0], "eventName"), text(row, "kms_event_name"));
        assert_eq!(row["link_exists"], row["ec2_event_id"].is_string());
        assert_eq!(row["link_exists"], row["unmatched_reason"].is_null());
        let copies = row["ec2_event_copies"].as_array().unwrap();
        assert!(row["ec2_event_id"].is_null() || copies.contains(&row["ec2_event_id"]));
        for cause in copies {
            assert_eq!(text(by_id[cause.as_str().unwrap()], "eventSource"), "ec2.amazonaws.com");
        }
        if let Some(launch) = row["launch_event_id"].as_str() {
            assert_eq!(text(by_id[launch], "eventName"), "RunInstances");
            let launched = by_id[launch]["responseElements"].to_string();
            let instance = row["instance_id"].as_str().or_else(|| row["caller_instance_id"].as_str()).unwrap();
            assert!(launched.contains(instance));
        }
    }
}

/// Holds the truth to the design's words: which KMS events touch EC2 or EBS.
#[test]
fn the_truth_has_every_kms_event_that_touches_ec2_and_no_other() {
    let read = write_and_read(&small());
    let told: BTreeSet<_> = read.truth.iter().map(|row| text(row, "kms_event_id")).collect();
    let grants: BTreeSet<_> = read.truth.iter().filter_map(|row| row["grant_id"].as_str()).collect();
    for record in read.objects.values().flatten().filter(|record| text(record, "eventSource") == "kms.amazonaws.com") {
        let line = record.to_string();
        let grant = text(&record["additionalEventData"], "grantId");
        let by_instance = text(&record["userIdentity"], "arn").contains("/i-");
        let touches = line.contains("aws:ebs:id")
            || line.contains("aws:ec2-infrastructure")
            || text(&record["userIdentity"], "invokedBy") == "ec2-frontend-api.amazonaws.com"
            || by_instance
            || grants.contains(grant)
            || text(record, "eventName") == "RevokeGrant";
        assert_eq!(touches, told.contains(text(record, "eventID")), "{line}");
    }
}

#[test]
fn shared_request_ids_and_links_agree() {
    let read = write_and_read(&small());
    let events = events(&read);
    let mut by_request: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for ((account, id), copies) in &events {
        if text(copies[0], "eventSource") == "ec2.amazonaws.com" && !text(copies[0], "requestID").is_empty() {
            by_request.insert((account, text(copies[0], "requestID")), id);
        }
    }
    for row in &read.truth {
        let account = text(row, "recipient_account_id");
        let record = events[&(account, text(row, "kms_event_id"))][0];
        if let Some(cause) = by_request.get(&(account, text(record, "requestID"))) {
            assert_eq!(row["ec2_event_id"], **cause);
            assert!(row["ambiguous"].is_null());
        }
    }
}

#[test]
fn the_first_instance_was_launched_stopped_and_started() {
    let read = write_and_read(&small());
    let instance = &read.corpus.first_instance;
    for name in ["RunInstances", "StopInstances", "StartInstances"] {
        let of_it =
            |record: &&Value| text(record, "eventName") == name && record.to_string().contains(instance.as_str());
        assert!(read.objects.values().flatten().any(|record| of_it(&record)), "no {name} of {instance}");
    }
    let rows = read.truth.iter().filter(|row| text(row, "instance_id") == instance);
    let flows: BTreeSet<_> = rows.map(|row| text(row, "flow")).collect();
    assert!(flows.is_superset(&BTreeSet::from(["B", "C", "D"])));
}

#[test]
fn each_generation_can_be_had_alone() {
    let legacy = write_and_read(&CorpusOptions { generations: Generations::Legacy, records: 500, ..small() });
    assert!(legacy.corpus.chains.contains_key("A") && !legacy.corpus.chains.contains_key("B"));
    let modern = write_and_read(&CorpusOptions { generations: Generations::Modern, ..small() });
    assert!(modern.corpus.chains.contains_key("B") && !modern.corpus.chains.contains_key("A"));
    let versions = modern.objects.values().flatten().map(|record| text(record, "eventVersion"));
    assert!(versions.into_iter().all(|version| version != "1.02"));
}

#[test]
fn one_account_in_one_region_on_one_day_is_enough() {
    let read = write_and_read(&CorpusOptions { accounts: 1, regions: 1, days: 1, ..small() });
    assert_eq!(read.corpus.records, 2_000);
    assert!(!read.corpus.first_instance.is_empty());
    let missing: Vec<_> = FLOWS.iter().filter(|flow| !read.corpus.chains.contains_key(**flow)).collect();
    assert!(missing.is_empty(), "{missing:?} do not occur");
}

#[test]
fn no_call_with_a_key_that_is_disabled_or_pending_deletion_succeeds() {
    let mut refused = BTreeSet::new();
    for seed in [1, 2, 3] {
        let read = write_and_read(&CorpusOptions { seed, records: 6_000, ..CorpusOptions::default() });
        let events = events(&read);
        let kms = events.values().map(|copies| copies[0]).filter(|it| text(it, "eventSource") == "kms.amazonaws.com");
        let mut of_keys: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for event in kms {
            of_keys.entry(text(&event["resources"][0], "ARN")).or_default().push(event);
        }
        for of_key in of_keys.values_mut() {
            of_key.sort_by_key(|event| text(event, "eventTime"));
            let mut state = None;
            for event in of_key {
                match text(event, "eventName") {
                    name @ ("DisableKey" | "ScheduleKeyDeletion") => state = Some(name),
                    "EnableKey" => state = None,
                    name => {
                        assert!(state.is_none() || event["errorCode"].is_string(), "{name} after {state:?}: {event}");
                        refused.extend(state.map(|state| [state, text(event, "errorCode")].map(str::to_owned)));
                    }
                }
            }
        }
    }
    let expected = [["DisableKey", "DisabledException"], ["ScheduleKeyDeletion", "KMSInvalidStateException"]];
    assert_eq!(refused, expected.map(|pair| pair.map(str::to_owned)).into());
}
