//! The decoder equals its oracle, whatever it is given.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::sample::select;

use crate::objects::{FIXTURES, LEAST};
use crate::same;

const CAP_BYTES: usize = 1 << 20;

/// Names of fields that columns are made of, at any depth, and some that no column knows.
const KEYS: [&str; 47] = [
    "eventID",
    "addendum",
    "eventVersion",
    "eventType",
    "awsRegion",
    "recipientAccountId",
    "requestID",
    "sharedEventID",
    "sharedEventId",
    "readOnly",
    "managementEvent",
    "userAgent",
    "errorCode",
    "errorMessage",
    "userIdentity",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "serviceEventDetails",
    "resources",
    "ARN",
    "arn",
    "type",
    "principalId",
    "accountId",
    "sessionContext",
    "sessionIssuer",
    "inScopeOf",
    "credentialsIssuedTo",
    "keyId",
    "grantId",
    "granteePrincipal",
    "operations",
    "constraints",
    "encryptionContext",
    "encryptionContextSubset",
    "aws:ebs:id",
    "instancesSet",
    "items",
    "item",
    "instanceId",
    "volumeId",
    "kmsKeyId",
    "encrypted",
    "accessKeyId",
    "Records",
    "n\\u0065w",
];

const SCALARS: [&str; 27] = [
    "\"UPDATED_DATA\"",
    "null",
    "true",
    "false",
    "\"true\"",
    "0",
    "-0",
    "-1",
    "1.50",
    "123456789012345678901234567890",
    "18446744073709551615",
    "\"\"",
    "\"\\ud83d\\ude00 \\n\"",
    "\"vol-0f1e2d3c4b5a69788\"",
    "\"vol-ffffffff\"",
    "\"i-0A1b2c3d4e5f60718\"",
    "\"210987654321\"",
    "\"eu-west-1\"",
    "\"alias/disk\"",
    "\"5f0c3a52-94d1-4e0b-8a7e-0c1d2e3f4a5b\"",
    "\"210987654321:aws:ec2-infrastructure:i-0a1b2c3d4e5f60718\"",
    "\"arn:aws:sts::210987654321:assumed-role/Web/i-0a1b2c3d4e5f60718\"",
    "\"arn:aws:kms:eu-west-1:210987654321:key/mrk-0123456789abcdef0123456789abcdef\"",
    "\"arn:aws:ec2:eu-west-1::snapshot/snap-0123456789abcdef0\"",
    "\"ebs.amazonaws.com\"",
    "\"cloudformation.amazonaws.com\"",
    "\"Decrypt\"",
];

/// Texts that spoil their record; rare, so that most records have none.
const INVALID: [&str; 8] = ["tru", "1e999", "01", "1.", "+1", "\"\\udc00\"", "\"\\x\"", "\"\u{1}\""];

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        200 => select(&SCALARS[..]).prop_map(str::to_owned),
        20 => any::<String>().prop_map(|text| quoted(&text)),
        1 => select(&INVALID[..]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let field = (select(&KEYS[..]), inner.clone()).prop_map(|(key, value)| format!("\"{key}\" : {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|elements| format!("[{}]", elements.join(",\n"))),
            prop::collection::vec(field, 0..5).prop_map(|fields| format!("{{{}}}", fields.join(" ,"))),
        ]
    })
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Objects that columns look into, and the fields that they look for there.
const PAYLOADS: [(&str, &[&str]); 10] = [
    ("addendum", &["reason", "reason", "originalEventID"]),
    ("addendum", &["reason", "updatedFields"]),
    (
        "userIdentity",
        &["type", "principalId", "arn", "accountId", "userName", "invokedBy", "sessionContext", "inScopeOf"],
    ),
    (
        "requestParameters",
        &["keyId", "granteePrincipal", "operations", "encryptionContext", "constraints", "clientToken"],
    ),
    (
        "requestParameters",
        &["destinationKeyId", "sourceKeyId", "destinationEncryptionContext", "sourceEncryptionContext"],
    ),
    (
        "requestParameters",
        &["instanceId", "volumeId", "snapshotId", "kmsKeyId", "encrypted", "instanceType", "resourcesSet"],
    ),
    ("responseElements", &["credentials", "credentials", "assumedRoleUser"]),
    ("responseElements", &["grantId", "keyId", "volumeId", "snapshotId", "instancesSet", "reservationId", "encrypted"]),
    ("additionalEventData", &["grantId", "grantId"]),
    ("serviceEventDetails", &["instanceIdSet", "snapshotId"]),
];

fn payload() -> impl Strategy<Value = String> {
    select(&PAYLOADS[..]).prop_flat_map(|(name, keys)| {
        let field = (select(keys), value()).prop_map(|(key, value)| format!("\"{key}\":{value}"));
        prop::collection::vec(field, 0..6).prop_map(move |fields| format!("\"{name}\":{{{}}}", fields.join(",")))
    })
}

/// Makes a payload as some exports write it.
fn payload_as_text() -> impl Strategy<Value = String> {
    payload().prop_map(|payload| {
        let (key, value) = payload.split_once(':').unwrap();
        format!("{key}:{}", quoted(value))
    })
}

fn resources() -> impl Strategy<Value = String> {
    let element =
        (select(vec!["ARN", "arn", "type"]), value()).prop_map(|(key, value)| format!("{{\"{key}\":{value}}}"));
    prop::collection::vec(element, 0..4).prop_map(|elements| format!("\"resources\":[{}]", elements.join(",")))
}

/// Makes a refusal as KMS words it, of a key or of none that can be known.
fn refusal() -> impl Strategy<Value = String> {
    let action = select(vec!["Decrypt", "ReEncryptFrom", "ReEncryptTo"]);
    let on = select(vec![
        "this resource",
        "resource: arn:aws:kms:eu-west-1:210987654321:key/5F0C3A52-94d1-4e0b-8a7e-0c1d2e3f4a5b because of a policy",
        "resource: arn:aws:kms:eu-west-1:210987654321:key/5f0c3a52-94d1-4e0b",
        "resource: arn:aws:kms:eu-west-1:210987654321:alias/disk",
    ]);
    let code = select(vec!["AccessDenied", "DisabledException", ""]);
    (code, action, on).prop_map(|(code, action, on)| {
        format!(r#""errorCode":"{code}","errorMessage":"x is not authorized to perform: kms:{action} on {on}""#)
    })
}

fn record() -> impl Strategy<Value = String> {
    let times = ["2026-09-01T06:04:25Z", "2026-09-01T06:04:25.5+02:00", "2026-09-01T06:04:25Z", "never"];
    let names = [
        "CreateGrant",
        "RetireGrant",
        "Decrypt",
        "ReEncrypt",
        "RunInstances",
        "CreateVolume",
        "CopySnapshot",
        "AssumeRole",
    ];
    let sources = ["kms.amazonaws.com", "ec2.amazonaws.com", "sts.amazonaws.com", "s3.amazonaws.com", "aws:s3"];
    let required = (select(times.to_vec()), select(sources.to_vec()), select(names.to_vec()));
    let required = required.prop_map(|(time, source, name)| {
        format!(r#""eventTime":"{time}","eventSource":"{source}","eventName":"{name}""#)
    });
    let any_field = (select(&KEYS[..]), value()).prop_map(|(key, value)| format!("\"{key}\":{value}"));
    let field = prop_oneof![
        6 => payload(),
        2 => resources(),
        4 => any_field,
        1 => payload_as_text(),
        1 => refusal(),
        1 => category(),
    ];
    let event = (required, prop::collection::vec(field, 0..8))
        .prop_map(|(required, fields)| format!("{{{}}}", [vec![required], fields].concat().join(", ")));
    prop_oneof![9 => event, 1 => value()]
}

fn category() -> impl Strategy<Value = String> {
    let categories = vec!["Management", "Data", "NetworkActivity", "Insight", "Aggregated"];
    select(categories).prop_map(|category| format!(r#""eventCategory":"{category}""#))
}

/// Makes a record of an STS event that may have issued a key, with fields of any kind around it.
fn session() -> impl Strategy<Value = String> {
    let scalar = || select(&SCALARS[..]).prop_map(str::to_owned);
    let field =
        |keys: &'static [&'static str]| (select(keys), scalar()).prop_map(|(key, it)| format!("\"{key}\":{it}"));
    let fields = |keys| prop::collection::vec(field(keys), 0..4).prop_map(|fields| fields.join(","));
    let credentials = fields(&["accessKeyId", "accessKeyId", "sessionToken"]);
    let user = (select(vec!["assumedRoleUser", "federatedUser", "arn"]), fields(&["arn", "assumedRoleId"]));
    let response = (credentials, user, value()).prop_map(|(credentials, (name, user), other)| {
        format!(r#""responseElements":{{"credentials":{{{credentials}}},"{name}":{{{user}}},"other":{other}}}"#)
    });
    let issuer = fields(&["arn", "principalId"]);
    let identity = (fields(&["type", "principalId", "arn", "accountId", "accessKeyId", "invokedBy"]), issuer);
    let identity = identity.prop_map(|(fields, issuer)| {
        let comma = if fields.is_empty() { "" } else { "," };
        format!(r#""userIdentity":{{{fields}{comma}"sessionContext":{{"sessionIssuer":{{{issuer}}}}}}}"#)
    });
    let request = fields(&["roleArn", "roleSessionName"]).prop_map(|it| format!(r#""requestParameters":{{{it}}}"#));
    let own = ["eventID", "awsRegion", "recipientAccountId", "sourceIPAddress", "errorCode", "eventVersion"];
    let own = (select(own.to_vec()), scalar()).prop_map(|(key, it)| format!("\"{key}\":{it}"));
    let any = prop_oneof![3 => response, 2 => identity, 1 => request, 2 => own, 1 => payload(), 1 => payload_as_text(), 1 => category()];
    prop::collection::vec(any, 1..8).prop_map(|fields| {
        let required =
            r#""eventTime":"2026-09-01T06:04:25Z","eventSource":"sts.amazonaws.com","eventName":"AssumeRole""#;
        format!("{{{required},{}}}", fields.join(","))
    })
}

fn object() -> impl Strategy<Value = String> {
    (prop::collection::vec(prop_oneof![3 => record(), 1 => session()], 0..4), 0..14).prop_map(|(records, shape)| {
        let wrap = |record: &String| match shape {
            0 => format!("{{\"detail\":{record},\"detail-type\":\"x\",\"account\":\"210987654321\"}}"),
            1 => format!("{{\"Events\":[{{\"CloudTrailEvent\":{}}}]}}", quoted(record)),
            2 => format!("{{\"Records\":[{record}]}}"),
            3 => format!("{{\"messageType\":\"DATA_MESSAGE\",\"logEvents\":[{{\"message\":{}}}]}}", quoted(record)),
            4 | 7 => quoted(record),
            _ => record.clone(),
        };
        let wrapped = records.iter().map(wrap).collect::<Vec<_>>();
        match shape {
            0..=5 => wrapped.join("\n"),
            6 | 7 => format!("\u{feff}[{}]", wrapped.join(" , ")),
            8 | 9 => format!("{{\"x\":1,\"Records\":[{}]}}", wrapped.join(",")),
            _ => format!("{{\"Records\":[{}]}}", wrapped.join(",")),
        }
    })
}

/// Gives the object as it is, or as gzip with one more member than there are cuts, perhaps in gzip.
fn stored(json: &[u8], cuts: Option<&[prop::sample::Index]>, is_in_gzip: bool) -> Vec<u8> {
    let Some(cuts) = cuts else {
        return json.to_vec();
    };
    let mut borders = cuts.iter().map(|cut| cut.index(json.len() + 1)).collect::<Vec<_>>();
    borders.extend([0, json.len()]);
    borders.sort_unstable();
    let gzipped: Vec<u8> = borders.windows(2).flat_map(|border| gzip(&json[border[0]..border[1]])).collect();
    if is_in_gzip { gzip(&gzipped) } else { gzipped }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_object_is_cut_wherever_its_text_is_interrupted() {
    let record = r#"{"eventTime":"2026-09-01T06:04:25Z","eventSource":"ec2.amazonaws.com","eventName":"RunInstances"}"#;
    let object = format!("{{\"Records\": [ {} ] }} ", vec![record; 40].join(" , "));
    for member_bytes in [1, 7, record.len(), object.len()] {
        let members: Vec<u8> = object.as_bytes().chunks(member_bytes).flat_map(gzip).collect();
        assert_eq!(same::check_pieces(CAP_BYTES, &members, 300), Ok(true), "{member_bytes}");
        let cut = &members[..members.len() - 1];
        assert_eq!(same::check_pieces(CAP_BYTES, cut, 300), Ok(false), "{member_bytes}");
    }
    let odd = [
        format!("[ {} ] ", vec![record; 40].join(" , ")),
        format!("{{\"Events\": [ {} ], \"NextToken\": \"n\" }} ", vec![record; 40].join(" , ")),
        format!("{} ", vec![record; 40].join(" ")),
    ];
    for object in odd {
        for member_bytes in [1, 7, record.len(), object.len()] {
            let members: Vec<u8> = object.as_bytes().chunks(member_bytes).flat_map(gzip).collect();
            assert_eq!(same::check_pieces(CAP_BYTES, &members, 300), Ok(true), "{member_bytes}: {object}");
            let cut = &members[..members.len() - 1];
            assert_eq!(same::check_pieces(CAP_BYTES, cut, 300), Ok(false), "{member_bytes}: {object}");
        }
        assert_eq!(same::check_pieces(CAP_BYTES, object.as_bytes(), 300), Ok(true), "{object}");
    }
    let broken = object.replacen("} ,", "} ;", 20);
    assert_eq!(same::check_pieces(CAP_BYTES, &gzip(broken.as_bytes()), 300), Ok(false));
}

#[test]
fn only_a_record_is_passed_over_as_larger_than_any() {
    let trail = format!("{{\"Records\":[{}]}}", vec![LEAST; (5 << 20) / LEAST.len()].join(","));
    let long = "x".repeat(12 << 20);
    let control =
        format!("{{\"messageType\":\"CONTROL_MESSAGE\",\"logEvents\":[{{\"id\":\"{long}\"}},{{\"id\":\"1\"}}]}}");
    for (object, is_cut) in [
        (format!("[{trail},{LEAST}]"), false),
        (format!("{{\"Records\":[{LEAST},{trail}]}}"), false),
        (format!("{{\"Records\":[{{\"a\":\"{long}\",\"\\u0052ecords\":[{LEAST}]}},{LEAST}]}}"), false),
        (format!("{{\"logEvents\":[{{\"id\":\"1\",\"message\":\"{long}\"}},{{}}]}}"), false),
        (control, false),
        (format!("{{\"Records\":[{LEAST},{{\"a\":\"{long}\"}},{LEAST}]}}"), true),
        (format!("[{LEAST},{{\"a\":\"{long}\"}},{LEAST}]"), true),
    ] {
        let mut decoder = trailweave_decode::Decoder::new(trailweave_decode::DecodeOptions::default());
        let survey = decoder.survey(&gzip(object.as_bytes()), 1 << 20).unwrap();
        assert_eq!(matches!(survey, trailweave_decode::Survey::Cut(_)), is_cut, "{}", &object[..100]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoder_equals_oracle(
        json in object(), cuts in any::<Option<Vec<prop::sample::Index>>>(), is_in_gzip: bool,
    ) {
        let cuts = cuts.as_deref().map(|cuts| &cuts[..cuts.len().min(3)]);
        let outcome = same::check(CAP_BYTES, &stored(json.as_bytes(), cuts, is_in_gzip));
        prop_assert!(outcome.is_ok(), "{}\n{json}", outcome.unwrap_err());
    }

    #[test]
    fn pieces_have_the_rows_of_the_whole(
        records in prop::collection::vec(record(), 0..8), end in "[]}]{0,2}", piece_bytes in 0_usize..2000,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let object = format!("{{\"Records\":[{}]}}{end}", records.join(" , "));
        let outcome = same::check_pieces(CAP_BYTES, &stored(object.as_bytes(), Some(&cuts), false), piece_bytes);
        prop_assert!(outcome.is_ok(), "{}\n{object}", outcome.unwrap_err());
    }

    #[test]
    fn pieces_have_the_rows_of_the_whole_whatever_the_records_stand_in(
        json in object(), more in prop::collection::vec(object(), 0..3), frame in 0..6_usize, piece_bytes in 0_usize..600,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4), is_plain: bool,
    ) {
        let all = [vec![json], more].concat();
        let (head, between, end) = [
            ("", " ", ""), ("[", " ,", "]"), ("{\"Events\": [", ",", "],\"NextToken\":\"x\"}"),
            ("{\"a\":[1],\"Records\":[", ",", "]}"), ("{\"Events\":[", ",", "],\"Records\":[]}"),
            ("\u{feff}{\"detail-type\":\"\",\"Events\":[", ",", "] ,\"detail\":7} "),
        ][frame];
        let object = format!("{head}{}{end}", all.join(between));
        let stored = stored(object.as_bytes(), (!is_plain).then_some(&cuts), false);
        let outcome = same::check_pieces(CAP_BYTES, &stored, piece_bytes);
        prop_assert!(outcome.is_ok(), "{}\n{object}", outcome.unwrap_err());
    }

    #[test]
    fn objects_that_are_read_together_have_the_rows_of_each(
        objects in prop::collection::vec((object(), any::<prop::sample::Index>(), 0..4), 1..5),
    ) {
        let stored = |(json, end, damage): &(String, prop::sample::Index, i32)| {
            let mut stored = json.as_bytes().to_vec();
            stored.truncate(if *damage == 0 { end.index(stored.len() + 1) } else { usize::MAX });
            if *damage == 1 { gzip(&stored) } else { stored }
        };
        let outcome = same::check_together(CAP_BYTES, &objects.iter().map(stored).collect::<Vec<_>>());
        prop_assert!(outcome.is_ok(), "{}\n{objects:?}", outcome.unwrap_err());
    }

    #[test]
    fn decoder_equals_oracle_on_damaged_objects(
        fixture in select(&FIXTURES[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        end in any::<prop::sample::Index>(),
        is_cut: bool,
        is_gzip: bool,
    ) {
        let mut object = if is_gzip { gzip(LEAST.as_bytes()) } else { fixture.as_bytes().to_vec() };
        for (at, byte) in changes {
            let at = at.index(object.len());
            object[at] = byte;
        }
        if is_cut {
            object.truncate(end.index(object.len()));
        }
        let outcome = same::check(CAP_BYTES, &object);
        prop_assert!(outcome.is_ok(), "{}\n{:?}", outcome.unwrap_err(), String::from_utf8_lossy(&object));
    }
}
