//! The columns of the fixtures' rows.

use arrow::array::Array;
use trailweave_decode::Selection;
use trailweave_table::EVENTS;
use trailweave_table::SESSIONS;

use crate::objects::{FIXTURES, LAUNCH, LEAST, NEW_OPERATIONS, ODD_TYPES, VOLUMES, all, decode, events, text, texts};

const INSTANCE: &str = "i-0a1b2c3d4e5f60718";
const VOLUME: &str = "vol-0f1e2d3c4b5a69788";
const SNAPSHOT: &str = "snap-0123456789abcdef0";
const COPY: &str = "snap-0fedcba9876543210";
const KEY: &str = "arn:aws:kms:eu-west-1:210987654321:key/5f0c3a52-94d1-4e0b-8a7e-0c1d2e3f4a5b";
const OTHER_KEY: &str = "arn:aws:kms:eu-west-1:210987654321:key/mrk-0123456789abcdef0123456789abcdef";

#[test]
fn every_column_is_filled_by_some_fixture() {
    let batches = FIXTURES.map(|fixture| events(&all(fixture)));
    for column in EVENTS.columns {
        let is_filled = batches.iter().any(|batch| {
            let array = batch.column_by_name(column.name).unwrap();
            array.null_count() < array.len()
        });
        assert!(is_filled, "{}", column.name);
    }
}

#[test]
fn a_launch_carries_the_ids_that_join_it() {
    let batch = events(&all(LAUNCH));
    let ids =
        |row| ["instance_ids", "volume_ids", "snapshot_ids", "image_ids"].map(|column| texts(&batch, column, row));
    assert_eq!(ids(0), [INSTANCE, "-", SNAPSHOT, "ami-0aa11bb22cc33dd44"]);
    assert_eq!(ids(1), ["-", VOLUME, "-", "-"]);
    assert_eq!(ids(2), [INSTANCE, VOLUME, "-", "-"]);
    assert_eq!(ids(3), [INSTANCE, VOLUME, "-", "-"]);
    assert_eq!(text(&batch, "request_id", 0), text(&batch, "request_id", 2));
    assert_eq!(text(&batch, "key_arn", 0), "-", "an alias is not guessed");
    assert_eq!(text(&batch, "key_arn", 1), KEY, "an alias is resolved by the event's own resources");
    assert_eq!(text(&batch, "grant_id", 2), text(&batch, "grant_id", 4));
    assert_eq!(texts(&batch, "operations", 2), "Decrypt CreateGrant");
    assert_eq!(text(&batch, "session_name", 3), INSTANCE);
    assert_eq!(text(&batch, "invoked_by", 5), "ec2-frontend-api.amazonaws.com");
}

#[test]
fn an_empty_text_says_nothing_of_a_fault_an_account_or_a_service() {
    let empty = r#""errorCode":"","recipientAccountId":"","userIdentity":{"invokedBy":"","accountId":""}"#;
    let batch = events(&all(LEAST.replacen('{', &format!("{{{empty},"), 1)));
    for column in ["error_code", "recipient_account_id", "invoked_by"] {
        assert_eq!(text(&batch, column, 0), "-", "{column}");
    }
    assert_eq!(text(&batch, "principal_account_id", 0), "");
}

#[test]
fn a_bare_key_id_is_one_of_the_account_that_was_called() {
    let volume = r#""recipientAccountId":"222233334444","awsRegion":"eu-west-1","eventSource":"ec2.amazonaws.com""#;
    let asked = r#""requestParameters":{"kmsKeyId":"5f0c3a52-94d1-4e0b-8a7e-0c1d2e3f4a5b"}"#;
    for (kind, account) in [("AssumedRole", "222233334444"), ("AWSAccount", "210987654321")] {
        let identity = format!(r#""userIdentity":{{"type":"{kind}","accountId":"210987654321"}}"#);
        let record = LEAST.replacen(r#""eventSource":"kms.amazonaws.com""#, &[volume, asked, &identity].join(","), 1);
        assert_eq!(text(&events(&all(record)), "key_arn", 0), KEY.replace("210987654321", account), "{kind}");
    }
}

#[test]
fn what_a_call_created_comes_first() {
    let batch = events(&all(VOLUMES));
    assert_eq!(
        text(&batch, "key_arn", 0),
        KEY.replace("5f0c3a52-94d1-4e0b-8a7e-0c1d2e3f4a5b", "mrk-0123456789abcdef0123456789abcdef")
    );
    assert_eq!([text(&batch, "source_key_arn", 1), text(&batch, "key_arn", 1)], [KEY, OTHER_KEY]);
    assert_eq!([texts(&batch, "volume_ids", 1), texts(&batch, "snapshot_ids", 1)], [VOLUME, SNAPSHOT]);
    assert_eq!([texts(&batch, "volume_ids", 2), texts(&batch, "instance_ids", 2)], [VOLUME, INSTANCE]);
    assert_eq!(texts(&batch, "snapshot_ids", 3), format!("{COPY} {SNAPSHOT}"));
    assert_eq!(text(&batch, "key_arn", 4), KEY, "a bare id is completed");
    assert_eq!(texts(&batch, "snapshot_ids", 4), COPY);
    assert_eq!(texts(&batch, "snapshot_ids", 5), SNAPSHOT);
}

#[test]
fn newer_operations_wrap_their_ids() {
    let batch = events(&all(NEW_OPERATIONS));
    let both = format!("{INSTANCE} i-0a1b2c3d4e5f60719");
    assert_eq!([texts(&batch, "instance_ids", 0), texts(&batch, "instance_ids", 3)], [both.clone(), both]);
    assert_eq!(text(&batch, "client_token", 0), "fleet-token");
    assert_eq!(texts(&batch, "instance_ids", 1), INSTANCE);
    assert_eq!(texts(&batch, "snapshot_ids", 1), format!("{SNAPSHOT} {COPY}"));
    assert_eq!(texts(&batch, "volume_ids", 1), VOLUME, "the placeholder is no volume");
    assert_eq!(texts(&batch, "volume_ids", 2), VOLUME);
    assert_eq!([texts(&batch, "volume_ids", 4), texts(&batch, "image_ids", 4)], [VOLUME, "ami-0aa11bb22cc33dd44"]);
}

#[test]
fn targets_of_other_services_are_instances() {
    for (source, parameters) in [
        ("ssm.amazonaws.com", format!(r#"{{"target":"{INSTANCE}","documentName":"shell"}}"#)),
        ("ssm.amazonaws.com", format!(r#"{{"targets":[{{"key":"InstanceIds","values":["{INSTANCE}"]}}]}}"#)),
        ("elasticloadbalancing.amazonaws.com", format!(r#"{{"targets":[{{"id":"{INSTANCE}","port":443}}]}}"#)),
        ("ssm.amazonaws.com", format!(r#"{{"instanceIds":["{INSTANCE}"]}}"#)),
    ] {
        let record = LEAST.replace("kms.amazonaws.com", source);
        let batch = events(&all(record.replacen('{', &format!(r#"{{"requestParameters":{parameters},"#), 1)));
        assert_eq!(texts(&batch, "instance_ids", 0), INSTANCE, "{parameters}");
    }
}

#[test]
fn a_field_of_an_unexpected_type_is_kept_as_text_or_null() {
    let batch = events(&all(ODD_TYPES));
    let found = ["user_identity_type", "principal_account_id", "principal_arn", "user_name", "principal_id"]
        .map(|column| text(&batch, column, 0));
    assert_eq!(found, ["7", "210987654321", "-", "true", "-"]);
    assert_eq!([text(&batch, "request_id", 0), text(&batch, "event_id", 0)], ["12", "-"]);
    assert_eq!(text(&batch, "error_code", 0).split_whitespace().collect::<String>(), r#"{"a":1}"#);
    assert_eq!(text(&batch, "request_parameters", 0), "\"text\"");
    let extra = text(&batch, "extra", 0);
    for kept in ["\"userIdentity\":", "\"managementEvent\":\"maybe\"", "\"apiVersion\":\"2014-11-01\""] {
        assert!(extra.contains(kept), "{kept} in {extra}");
    }
}

#[test]
fn relevant_leaves_out_what_no_join_needs() {
    let tallies = FIXTURES.map(|fixture| decode(Selection::Relevant, fixture).unwrap().tally);
    assert_eq!(tallies.map(|tally| (tally.rows, tally.filtered)), [(7, 0), (6, 0), (5, 2), (1, 1)]);
}

#[test]
fn a_refused_call_without_parameters_that_any_service_forwards_is_relevant() {
    for (parameters, error, service, kept) in [
        ("null", "AccessDenied", "cloudformation.amazonaws.com", 1),
        ("{}", "AccessDenied", "cloudformation.amazonaws.com", 0),
        ("null", "", "cloudformation.amazonaws.com", 0),
        ("null", "AccessDenied", "cloudformation.example.com", 0),
    ] {
        let fields = format!(
            r#""requestParameters":{parameters},"errorCode":"{error}","userIdentity":{{"invokedBy":"{service}"}}"#
        );
        let decoded = decode(Selection::Relevant, kms_event("GenerateDataKeyWithoutPlaintext", &fields)).unwrap();
        assert_eq!(decoded.tally.rows, kept, "{fields}");
    }
}

#[test]
fn only_updated_data_amends_and_it_names_the_original_or_its_own_event() {
    let amended = |event_id: &str, addendum: &str| {
        let id = format!(r#""eventID":"{event_id}","addendum":{addendum}"#);
        text(&events(&all(kms_event("Decrypt", &id))), "amended_event_id", 0)
    };
    let renamed = r#"{"reason":"UPDATED_DATA","updatedFields":"eventID","originalEventID":"old"}"#;
    assert_eq!(amended("new", renamed), "old");
    assert_eq!(amended("new", r#"{"reason":"UPDATED_DATA","originalEventID":""}"#), "new");
    assert_eq!(amended("", renamed), "-", "what has no id of its own cannot be told from its copies");
    for late in [r#"{"reason":"DELIVERY_DELAY"}"#, r#"{"reason":"SERVICE_OUTAGE"}"#, "null", "\"UPDATED_DATA\""] {
        assert_eq!(amended("new", late), "-", "{late}");
    }
}

#[test]
fn an_amendment_outside_of_the_selection_is_put_aside() {
    let decoded = decode(Selection::Relevant, NEW_OPERATIONS).unwrap();
    let [amendment] = &decoded.amendments[..] else { panic!("{:?}", decoded.amendments) };
    assert_eq!(text(amendment, "event_name", 0), "DescribeInstances");
    assert_eq!(text(amendment, "amended_event_id", 0), "c0ffee00-0000-4000-8000-000000000011");
    assert!(decode(Selection::All, NEW_OPERATIONS).unwrap().amendments.is_empty());
}

#[test]
fn sts_tells_which_access_key_it_issued() {
    let issued = |service: &str, credentials: &str| {
        let batch = events(&all(format!(
            r#"{{"eventTime":"2026-09-01T06:04:25Z","eventSource":"{service}.amazonaws.com","eventName":"AssumeRole",
                "userIdentity":{{"accessKeyId":"AKIAEXAMPLEEXAMPLE01"}},
                "responseElements":{{"credentials":{credentials}}}}}"#
        )));
        text(&batch, "issued_access_key_id", 0)
    };
    let credentials = r#"{"accessKeyId":"ASIAEXAMPLEEXAMPLE01","sessionToken":"x"}"#;
    assert_eq!(issued("sts", credentials), "ASIAEXAMPLEEXAMPLE01");
    assert_eq!([issued("sso", credentials), issued("sts", "null"), issued("sts", r#"{"accessKeyId":""}"#)], ["-"; 3]);
}

#[test]
fn a_relevant_event_of_sts_is_a_session() {
    let record = r#"{"eventTime":"2026-09-01T06:04:25Z","eventSource":"sts.amazonaws.com","eventName":"AssumeRole","eventID":"e",
        "awsRegion":"eu-west-1","recipientAccountId":"210987654321","sourceIPAddress":"192.0.2.1",
        "addendum":{"reason":"UPDATED_DATA"},"requestParameters":{"roleArn":"role"},
        "userIdentity":{"type":"AssumedRole","principalId":"P","arn":"A","accountId":"1","accessKeyId":"ASIA0","invokedBy":"s",
            "sessionContext":{"sessionIssuer":{"arn":"I"}}},
        "responseElements":{"credentials":{"accessKeyId":"ASIA1","sessionToken":"x"},"assumedRoleUser":{"arn":"to"}}}"#;
    let decoded = decode(Selection::Relevant, record).unwrap();
    let [session] = &decoded.sessions[..] else { panic!("{decoded:?}") };
    for column in SESSIONS.columns {
        assert_eq!(session[column.name].null_count(), 0, "{}", column.name);
    }
    assert_eq!(text(session, "issued_access_key_id", 0), "ASIA1");
    assert_eq!(text(session, "issued_to", 0), "to");
    assert_eq!((decoded.events.len(), decoded.amendments.len(), decoded.tally.rows), (0, 0, 1));
    for (from, to) in
        [("ASIA1", ""), ("\"e\"", "\"e\",\"errorCode\":\"AccessDenied\""), ("AssumeRole", "GetCallerIdentity")]
    {
        let decoded = decode(Selection::Relevant, record.replacen(from, to, 1)).unwrap();
        assert_eq!((decoded.sessions.len(), decoded.tally.filtered), (0, 1), "{to}");
    }
}

/// A KMS event with these fields besides the required ones.
fn kms_event(name: &str, fields: &str) -> String {
    format!(
        r#"{{"eventTime":"2026-09-01T06:04:25Z","eventSource":"kms.amazonaws.com","eventName":"{name}",
            "awsRegion":"cn-north-1","recipientAccountId":"210987654321",{fields}}}"#
    )
}

#[test]
fn an_ordinary_role_never_gives_an_instance() {
    let batch = events(&all(kms_event(
        "Decrypt",
        r#""userIdentity":{"arn":"arn:aws:sts::210987654321:assumed-role/Web/i-0a1b2c3d4e5f60718",
            "principalId":"AROAEXAMPLEEXAMPLE01:i-0a1b2c3d4e5f60718",
            "inScopeOf":{"credentialsIssuedTo":"arn:aws:ec2:eu-west-1:210987654321:instance/i-0a1b2c3d4e5f60718"}}"#,
    )));
    assert_eq!([texts(&batch, "instance_ids", 0), text(&batch, "session_name", 0)], ["-", INSTANCE]);
}

#[test]
fn the_infrastructure_role_gives_an_instance_in_every_form() {
    for identity in [
        r#""principalId":"210987654321:aws:ec2-infrastructure:i-0a1b2c3d4e5f60718""#,
        r#""arn":"arn:aws:sts::210987654321:assumed-role/aws:ec2-infrastructure/i-0a1b2c3d4e5f60718""#,
        r#""sessionContext":{"sessionIssuer":{"principalId":"210987654321:aws:ec2-infrastructure"}},
           "inScopeOf":{"credentialsIssuedTo":"arn:aws:ec2:eu-west-1:210987654321:instance/i-0a1b2c3d4e5f60718"}"#,
    ] {
        let batch = events(&all(kms_event("Decrypt", &format!(r#""userIdentity":{{{identity}}}"#))));
        assert_eq!(texts(&batch, "instance_ids", 0), INSTANCE, "{identity}");
    }
}

#[test]
fn a_key_is_found_where_the_event_names_it() {
    let uuid = "5f0c3a52-94d1-4e0b-8a7e-0c1d2e3f4a5b";
    let china = format!("arn:aws-cn:kms:cn-north-1:210987654321:key/{uuid}");
    for (name, fields, expected) in [
        ("Decrypt", format!(r#""requestParameters":{{"keyId":"alias/x"}},"resources":[{{"arn":"{KEY}"}}]"#), KEY),
        ("Decrypt", r#""requestParameters":{"keyId":"alias/x"}"#.to_owned(), "-"),
        ("Decrypt", format!(r#""requestParameters":{{"keyId":"{uuid}"}}"#), &china),
        ("RetireGrant", format!(r#""responseElements":{{"keyId":"{KEY}"}}"#), KEY),
        ("CreateKey", format!(r#""responseElements":{{"keyMetadata":{{"arn":"{KEY}"}}}}"#), KEY),
        ("UpdateAlias", format!(r#""requestParameters":{{"targetKeyId":"{uuid}"}}"#), &china),
        ("ReEncrypt", format!(r#""requestParameters":{{"destinationKeyId":"{uuid}","sourceKeyId":"{KEY}"}}"#), &china),
    ] {
        let batch = events(&all(kms_event(name, &fields)));
        assert_eq!(text(&batch, "key_arn", 0), expected, "{name} {fields}");
    }
}

#[test]
fn the_key_of_a_refused_call_is_found_in_what_kms_says_of_it() {
    let refused = |more: &str, action: &str| {
        format!(
            r#""errorCode":"AccessDenied","errorMessage":"User: arn:aws:sts::210987654321:assumed-role/ci/1 is not
                authorized to perform: kms:{action} on resource: {KEY} because no policy allows it"{more}"#
        )
        .replace(char::is_whitespace, " ")
    };
    let asked = format!(r#","requestParameters":{{"keyId":"{OTHER_KEY}"}}"#);
    let from = format!(r#","requestParameters":{{"sourceKeyId":"{OTHER_KEY}"}}"#);
    for (name, fields, expected) in [
        ("CreateGrant", refused("", "CreateGrant"), [KEY, "-"]),
        ("CreateGrant", refused(&asked, "CreateGrant"), [OTHER_KEY, "-"]),
        ("CreateGrant", refused("", "CreateGrant").replace("AccessDenied", ""), ["-", "-"]),
        ("ReEncrypt", refused("", "ReEncryptTo"), [KEY, "-"]),
        ("ReEncrypt", refused("", "ReEncryptFrom"), ["-", KEY]),
        ("ReEncrypt", refused(&from, "ReEncryptTo"), [KEY, OTHER_KEY]),
        (
            "ReEncrypt",
            refused(r#","resources":[{"ARN":"KEY"}]"#, "ReEncryptFrom").replace("\"KEY", &format!("\"{KEY}")),
            ["-", KEY],
        ),
    ] {
        let batch = events(&all(kms_event(name, &fields)));
        let found = ["key_arn", "source_key_arn"].map(|column| text(&batch, column, 0));
        assert_eq!(found, expected, "{name} {fields}");
    }
}

#[test]
fn one_key_among_the_resources_of_a_reencrypt_is_the_one_that_is_not_named() {
    let listed = |key: &str| format!(r#""resources":[{{"ARN":"{key}"}}]"#);
    let asked = |side: &str, key: &str| format!(r#","requestParameters":{{"{side}KeyId":"{key}"}}"#);
    for (fields, expected) in [
        (listed(KEY) + &asked("destination", OTHER_KEY), [OTHER_KEY, KEY]),
        (listed(OTHER_KEY) + &asked("destination", OTHER_KEY), [OTHER_KEY, "-"]),
        (listed(KEY) + &asked("source", OTHER_KEY), [KEY, OTHER_KEY]),
        (listed(OTHER_KEY) + &asked("source", OTHER_KEY), ["-", OTHER_KEY]),
        (listed(KEY) + &asked("destination", "alias/disk"), [KEY, "-"]),
    ] {
        let batch = events(&all(kms_event("ReEncrypt", &fields)));
        let found = ["key_arn", "source_key_arn"].map(|column| text(&batch, column, 0));
        assert_eq!(found, expected, "{fields}");
    }
}

#[test]
fn an_event_of_eventbridge_tells_the_account_that_a_record_does_not() {
    let bridged = |account: &str, record: &str| {
        format!(r#"{{"detail-type":"x","account":{account},"detail":{record}}}{{"Records":[{LEAST}]}}"#)
    };
    let own = LEAST.replacen('{', r#"{"recipientAccountId":"222233334444","#, 1);
    for (account, record, expected) in [
        (r#""210987654321""#, LEAST, "210987654321"),
        (r#""210987654321""#, &own, "222233334444"),
        ("210987654321", LEAST, "-"),
        (r#""somebody""#, LEAST, "-"),
    ] {
        let batch = events(&all(bridged(account, record)));
        assert_eq!(text(&batch, "recipient_account_id", 0), expected, "{account} {record}");
        assert_eq!(text(&batch, "recipient_account_id", 1), "-", "it is not that of the record behind");
    }
}

#[test]
fn an_event_that_is_of_many_calls_or_of_a_call_that_has_another_is_left_out() {
    let of = |category: &str, more: &str| LEAST.replacen('{', &format!(r#"{{"eventCategory":"{category}"{more},"#), 1);
    let refused = r#","errorCode":"VpceAccessDenied""#;
    for (record, rows) in [
        (of("Management", ""), [1, 1]),
        (of("NetworkActivity", ""), [1, 0]),
        (of("NetworkActivity", refused), [1, 1]),
        (of("Aggregated", ""), [0, 0]),
        (r#"{"eventTime":"2026-09-01T06:04:25Z","eventVersion":"1.07","eventCategory":"Insight"}"#.to_owned(), [0, 0]),
    ] {
        for (selection, rows) in [Selection::All, Selection::Relevant].into_iter().zip(rows) {
            let tally = decode(selection, &record).unwrap().tally;
            assert_eq!((tally.rows, tally.filtered, tally.rejects), (rows, 1 - rows, 0), "{selection:?} {record}");
        }
    }
}

#[test]
fn a_grant_is_named_by_the_event_that_ends_it() {
    for (name, fields, expected) in [
        ("RetireGrant", r#""additionalEventData":{"grantId":"a"},"requestParameters":{"grantId":"b"}"#, "a"),
        ("RetireGrant", r#""additionalEventData":null,"requestParameters":{"grantId":"b"}"#, "b"),
        ("RevokeGrant", r#""requestParameters":{"grantId":"b"}"#, "b"),
        ("CreateGrant", r#""requestParameters":{"grantId":"b"},"responseElements":{"grantId":"c"}"#, "c"),
        ("Decrypt", r#""requestParameters":{"grantId":"b"}"#, "-"),
    ] {
        let batch = events(&all(kms_event(name, fields)));
        assert_eq!(text(&batch, "grant_id", 0), expected, "{name} {fields}");
    }
}
