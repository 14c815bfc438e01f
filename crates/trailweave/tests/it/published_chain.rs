//! The chain of "Amazon EC2 example two" in the KMS developer guide: a launch in 2014 whose three KMS events are logged
//! in another region than the launch, one of them with a request id in common.

use std::path::Path;

use serde_json::Value;
use serde_json::json;

use crate::program::deliver;
use crate::program::query;
use crate::program::run;
use crate::program::trailweave;
use crate::program::utf8;

const ACCOUNT: &str = "111122223333";
const LAUNCH: &str = "cd75a605-2fee-4fda-b847-9c3d330ebaae";
const KEY: &str = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

#[test]
fn every_kms_event_of_the_published_launch_finds_it() {
    let folder = tempfile::tempdir().unwrap();
    let (trail, lake) = (folder.path().join("trail"), folder.path().join("lake"));
    let records = json!({"Records": [launch(), create_grant(), data_key(), decrypt()]}).to_string();
    deliver(&trail, ACCOUNT, "us-west-2", "2014-11-05", records.as_bytes());
    run(&trail, &lake, 0);

    let rows = query(&lake, "SELECT * FROM correlated ORDER BY kms_event_time");
    let names: Vec<_> = rows.iter().map(|row| row["kms_event_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["GenerateDataKeyWithoutPlaintext", "CreateGrant", "Decrypt"]);
    for row in &rows {
        assert_eq!(row["ec2_event_id"], LAUNCH, "{row}");
        assert_eq!(row["launch_event_id"], LAUNCH, "{row}");
        assert_eq!(row["instance_id"], "i-81e2f56c", "{row}");
        assert_eq!(row["volume_id"], "vol-f67bafb2", "{row}");
        assert_eq!(row["key_arn"], KEY, "{row}");
    }
    let links: Vec<_> = rows.iter().map(|row| row["link"].as_str().unwrap()).collect();
    assert_eq!(links, ["volume", "request_id", "instance"]);

    let said = trailweave(&["trace", "--lake", utf8(&lake), "vol-f67bafb2"]);
    assert!(
        said.stdout.starts_with(
            "vol-f67bafb2\n└─ 2014-11-05T21:35:27Z  RunInstances  by arn:aws:iam::111122223333:user/Alice"
        )
    );
    assert_eq!(said.stdout.matches("i-81e2f56c  vol-f67bafb2").count(), 3, "{}", said.stdout);
    assert!(!said.stdout.contains("missing"), "{}", said.stdout);

    let said = trailweave(&["trace", "--lake", utf8(&lake), "vol-f67bafb2", "--dot"]);
    let arrow = format!(r#""{LAUNCH}" -> "c1ad79e3-0d3f-402a-b119-d5c31d7c6a6c" [label="request_id, exact"];"#);
    assert!(said.stdout.starts_with("digraph \"vol-f67bafb2\" {") && said.stdout.contains(&arrow), "{}", said.stdout);
    assert_eq!(said.stdout.matches(" -> \"vol-f67bafb2\" [style=dashed];").count(), 3, "{}", said.stdout);
}

#[test]
fn a_trace_says_what_the_lake_lacks() {
    let unretired = {
        let mut record = create_grant();
        record["responseElements"] = json!({"grantId": "0".repeat(64)});
        record
    };
    for (records, lacks) in [
        (
            vec![launch(), decrypt()],
            "missing: the CreateGrant that allowed the Decrypt of 2014-11-05T21:35:47Z".to_owned(),
        ),
        (vec![launch(), data_key()], "not seen: a Decrypt for vol-f67bafb2; it was never attached".to_owned()),
        (vec![launch(), unretired], format!("\ngrant {} is still open: the lake has no ", "0".repeat(64))),
    ] {
        let lake = tempfile::tempdir().unwrap();
        ingest(lake.path(), &records);
        let said = trailweave(&["trace", "--lake", utf8(&lake.path().join("lake")), "vol-f67bafb2"]);
        assert!(said.stdout.contains(&lacks), "{}", said.stdout);
        // No other lack stands between the id and the causes.
        assert_eq!(said.stdout.lines().position(|line| line.starts_with("└─ ")), Some(2), "{}", said.stdout);
    }
}

#[test]
fn a_trace_knows_an_instance_without_kms_calls_and_a_grant_by_its_use() {
    let folder = tempfile::tempdir().unwrap();
    ingest(folder.path(), &[launch()]);
    let lake = folder.path().join("lake");
    for id in ["i-81e2f56c", "I-81E2F56C", LAUNCH] {
        let said = trailweave(&["trace", "--lake", utf8(&lake), id]).stdout;
        assert!(
            said.contains("└─ 2014-11-05T21:35:27Z  RunInstances  by arn:aws:iam::111122223333:user/Alice"),
            "{said}"
        );
    }
    let unknown = trailweave(&["trace", "--lake", utf8(&lake), "i-00000000"]);
    assert!(unknown.stderr.contains("knows nothing about `i-00000000`"), "{}", unknown.stderr);

    let folder = tempfile::tempdir().unwrap();
    let mut grant = create_grant();
    grant["responseElements"] = json!({"grantId": "0".repeat(64)});
    ingest(folder.path(), &[launch(), grant, decrypt()]);
    let said = trailweave(&["trace", "--lake", utf8(&folder.path().join("lake")), &"0".repeat(64)]).stdout;
    assert!(said.contains("CreateGrant") && said.contains("Decrypt"), "{said}");
}

#[test]
fn a_trace_follows_an_alias_a_user_and_the_days_that_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    ingest(folder.path(), &[launch(), create_grant(), data_key(), decrypt()]);
    let lake = folder.path().join("lake");
    for (id, calls) in [
        ("alias/aws/ebs", 3),
        ("arn:aws:kms:us-west-2:111122223333:alias/aws/ebs", 3),
        ("arn:aws:iam::111122223333:user/Alice", 3),
        ("arn:aws:ec2:us-west-2:111122223333:volume/vol-f67bafb2", 3),
    ] {
        let said = trailweave(&["trace", "--lake", utf8(&lake), id, "--since", "2014-11-05", "--until", "2014-11-05"]);
        assert_eq!(said.stdout.matches("  vol-f67bafb2").count(), calls, "{id}: {}{}", said.stdout, said.stderr);
        assert_eq!(said.stdout.contains(&format!("is an alias of {KEY}")), id.contains("alias/"), "{}", said.stdout);
    }
    let later = trailweave(&["trace", "--lake", utf8(&lake), "vol-f67bafb2", "--since", "2014-11-06"]);
    assert_eq!(later.code, 1, "{}", later.stdout);
    let nothing = "no event of `vol-f67bafb2` since 2014-11-06; leave out --since to look at all days";
    assert!(later.stderr.contains(nothing), "{}", later.stderr);
    let wrong = trailweave(&["trace", "--lake", utf8(&lake), "vol-f67bafb2", "--since", "soon"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("since"), "{}", wrong.stderr);
}

#[test]
fn an_alias_stands_for_the_keys_that_it_was_pointed_at_and_those_that_calls_used_by_it() {
    let arn = |name: &str| KEY.replace("1234abcd", name);
    let of_key = |mut record: Value, name: &str| {
        record["resources"] = json!([{"ARN": arn(name), "accountId": ACCOUNT}]);
        record
    };
    let point = |name: &str, time: &str, key: &str| {
        let parameters = json!({"aliasName": "alias/app", "targetKeyId": arn(key)});
        of_key(kms(name, time, name, name, &parameters), key)
    };
    let mut refused = point("UpdateAlias", "2014-11-05T21:00:01Z", "cccccccc");
    refused["errorCode"] = json!("AccessDenied");
    let mut used = of_key(data_key(), "bbbbbbbb");
    used["requestParameters"]["keyId"] = json!("alias/app");
    let folder = tempfile::tempdir().unwrap();
    ingest(folder.path(), &[launch(), point("CreateAlias", "2014-11-05T21:00:00Z", "aaaaaaaa"), refused, used]);
    let said = trailweave(&["trace", "--lake", utf8(&folder.path().join("lake")), "alias/app"]);
    for (name, is_named) in [("aaaaaaaa", true), ("bbbbbbbb", true), ("cccccccc", false)] {
        assert_eq!(said.stdout.contains(&format!("is an alias of {}\n", arn(name))), is_named, "{name}: {said:?}");
    }
}

#[test]
fn views_tell_a_use_of_a_disabled_key_and_a_volume_of_an_unknown_instance() {
    let state = |name: &str, time: &str| kms(name, time, name, name, &json!({"keyId": KEY}));
    let folder = tempfile::tempdir().unwrap();
    let records = [
        state("DisableKey", "2014-11-05T21:00:00Z"),
        state("EnableKey", "2014-11-05T21:30:00Z"),
        state("ScheduleKeyDeletion", "2014-11-05T21:35:40Z"),
        data_key(),
        decrypt(),
    ];
    ingest(folder.path(), &records);
    let lake = folder.path().join("lake");
    let rows = query(&lake, "SELECT disabled_by, kms_event_name FROM key_use_after_disabling");
    assert_eq!(rows, [json!({"disabled_by": "ScheduleKeyDeletion", "kms_event_name": "Decrypt"})]);
    let rows = query(&lake, "SELECT instance_id, decrypts, volumes FROM decrypts_without_launch");
    assert_eq!(rows, [json!({"instance_id": "i-81e2f56c", "decrypts": 1, "volumes": 1})]);
}

fn ingest(folder: &Path, records: &[Value]) {
    let trail = folder.join("trail");
    deliver(&trail, ACCOUNT, "us-west-2", "2014-11-05", json!({"Records": records}).to_string().as_bytes());
    run(&trail, &folder.join("lake"), 0);
}

fn launch() -> Value {
    json!({
        "eventVersion": "1.02", "userIdentity": alice(), "eventTime": "2014-11-05T21:35:27Z",
        "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "awsRegion": "us-west-2",
        "requestParameters": {"instancesSet": {"items": [{"imageId": "ami-b66ed3de", "minCount": 1, "maxCount": 1}]}},
        "responseElements": {"reservationId": "r-5ebc9f74", "instancesSet": {"items": [
            {"instanceId": "i-81e2f56c", "imageId": "ami-b66ed3de", "instanceType": "m3.medium", "blockDeviceMapping": {}}
        ]}},
        "requestID": "41c4b4f7-8bce-4773-bf0e-5ae3bb5cbce2", "eventID": LAUNCH, "recipientAccountId": ACCOUNT,
    })
}

fn create_grant() -> Value {
    kms(
        "CreateGrant",
        "2014-11-05T21:35:35Z",
        "41c4b4f7-8bce-4773-bf0e-5ae3bb5cbce2",
        "c1ad79e3-0d3f-402a-b119-d5c31d7c6a6c",
        &json!({
            "keyId": KEY, "granteePrincipal": "111122223333:aws:ec2-infrastructure:i-81e2f56c",
            "constraints": {"encryptionContextSubset": {"aws:ebs:id": "vol-f67bafb2"}},
        }),
    )
}

fn data_key() -> Value {
    let parameters =
        json!({"keyId": "alias/aws/ebs", "numberOfBytes": 64, "encryptionContext": {"aws:ebs:id": "vol-f67bafb2"}});
    let request = "create-111122223333-758247346-1415223332";
    let event = "ac3cab10-ce93-4953-9d62-0b6e5cba651d";
    kms("GenerateDataKeyWithoutPlaintext", "2014-11-05T21:35:32Z", request, event, &parameters)
}

fn decrypt() -> Value {
    let parameters = json!({"encryptionContext": {"aws:ebs:id": "vol-f67bafb2"}});
    let (request, event) = ("b4b27883-6533-11e4-b4d9-751f1761e9e5", "edb65380-0a3e-4123-bbc8-3d1b7cff49b0");
    let mut record = kms("Decrypt", "2014-11-05T21:35:47Z", request, event, &parameters);
    record["userIdentity"] = json!({
        "type": "AssumedRole", "principalId": "111122223333:aws:ec2-infrastructure:i-81e2f56c", "accountId": ACCOUNT,
        "arn": "arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/i-81e2f56c", "accessKeyId": "",
    });
    record.as_object_mut().unwrap().remove("userAgent");
    record
}

fn kms(name: &str, time: &str, request_id: &str, event_id: &str, parameters: &Value) -> Value {
    json!({
        "eventVersion": "1.02", "userIdentity": alice(), "eventTime": time,
        "eventSource": "kms.amazonaws.com", "eventName": name, "awsRegion": "us-east-1", "userAgent": "AWS Internal",
        "requestParameters": parameters, "responseElements": null,
        "resources": [{"ARN": KEY, "accountId": ACCOUNT}],
        "requestID": request_id, "eventID": event_id, "recipientAccountId": ACCOUNT,
    })
}

fn alice() -> Value {
    json!({"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/Alice", "accountId": ACCOUNT, "userName": "Alice"})
}
