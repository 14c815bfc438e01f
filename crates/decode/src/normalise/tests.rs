//! One line per textual form.

use super::*;

#[test]
fn ec2_resources_have_one_normal_form() {
    use Resource::{Image, Instance, Snapshot, Volume};
    for (text, expected) in [
        ("i-81e2f56c", Some((Instance, "i-81e2f56c"))),
        ("i-0A1B2C3D4E5F60718", Some((Instance, "i-0a1b2c3d4e5f60718"))),
        ("I-0a1b2c3d4e5f60718", Some((Instance, "i-0a1b2c3d4e5f60718"))),
        ("arn:aws:ec2:eu-west-1:210987654321:instance/i-0a1b2c3d4e5f60718", Some((Instance, "i-0a1b2c3d4e5f60718"))),
        ("vol-f67bafb2", Some((Volume, "vol-f67bafb2"))),
        (
            "arn:aws-cn:ec2:cn-north-1:210987654321:volume/vol-0f1e2d3c4b5a69788",
            Some((Volume, "vol-0f1e2d3c4b5a69788")),
        ),
        ("arn:aws:ec2::eu-west-1:volume/vol-0f1e2d3c4b5a69788", Some((Volume, "vol-0f1e2d3c4b5a69788"))),
        ("arn:aws:ec2:eu-west-1::snapshot/snap-0123456789abcdef0", Some((Snapshot, "snap-0123456789abcdef0"))),
        ("arn:aws:s3:::bucket/backup/snap-0123456789abcdef0", None),
        ("ami-b66ed3de", Some((Image, "ami-b66ed3de"))),
        ("vol-ffffffff", None),
        ("VOL-FFFFFFFF", None),
        ("snap-ffffffff", Some((Snapshot, "snap-ffffffff"))),
        ("i-0a1b2c3d4e5f6071", None),
        ("i-81e2f56g", None),
        ("i-", None),
        ("i", None),
        ("", None),
        ("eni-0a1b2c3d4e5f60718", None),
        ("x/i-81e2f56c", None),
        ("i-\u{e9}\u{e9}\u{e9}\u{e9}", None),
    ] {
        let expected = expected.map(|(resource, id)| (resource, Cow::Borrowed(id)));
        assert_eq!(ec2_resource(text), expected, "{text}");
    }
}

#[test]
fn only_the_infrastructure_role_gives_an_instance() {
    let instance = Some(Cow::Borrowed("i-0a1b2c3d4e5f60718"));
    for (text, expected) in [
        ("210987654321:aws:ec2-infrastructure:i-0a1b2c3d4e5f60718", instance.clone()),
        ("arn:aws:sts::210987654321:assumed-role/aws:ec2-infrastructure/i-0a1b2c3d4e5f60718", instance.clone()),
        ("arn:aws:iam::210987654321:role/aws:ec2-infrastructure/I-0A1B2C3D4E5F60718", instance),
        ("arn:aws:sts::210987654321:assumed-role/Web/i-0a1b2c3d4e5f60718", None),
        ("AROAEXAMPLEEXAMPLE01:i-0a1b2c3d4e5f60718", None),
        ("arn:aws:sts::210987654321:assumed-role/not-aws:ec2-infrastructure/i-0a1b2c3d4e5f60718", None),
        ("210987654321:aws:ec2-infrastructure", None),
        ("210987654321:aws:ec2-infrastructure:vol-0f1e2d3c4b5a69788", None),
        ("AIDAEXAMPLEEXAMPLE01:x:aws:ec2-infrastructure:i-0a1b2c3d4e5f60718", None),
        ("arn:aws:iam::210987654321:user/role/aws:ec2-infrastructure/i-0a1b2c3d4e5f60718", None),
        ("arn:aws:iam::210987654321:user/assumed-role/aws:ec2-infrastructure/i-0a1b2c3d4e5f60718", None),
        ("arn:aws:iam::210987654321:user/x:role/aws:ec2-infrastructure/i-0a1b2c3d4e5f60718", None),
        ("i-0a1b2c3d4e5f60718", None),
    ] {
        assert_eq!(infrastructure_instance(text), expected, "{text}");
    }
    for (text, expected) in [
        ("210987654321:aws:ec2-infrastructure", true),
        ("arn:aws:iam::210987654321:role/aws:ec2-infrastructure", true),
        ("arn:aws:iam::210987654321:role/aws:ec2-infrastructure-like", false),
        ("arn:aws:iam::210987654321:role/x:role/aws:ec2-infrastructure", false),
        ("arn:aws:iam::210987654321:user/role/aws:ec2-infrastructure", false),
    ] {
        assert_eq!(is_infrastructure(text), expected, "{text}");
    }
}

#[test]
fn a_session_name_is_what_follows_the_role() {
    for (text, expected) in [
        ("arn:aws:sts::210987654321:assumed-role/Web/i-81e2f56c", Some("i-81e2f56c")),
        ("arn:aws:sts::210987654321:assumed-role/aws:ec2-infrastructure/i-81e2f56c", Some("i-81e2f56c")),
        ("arn:aws:sts::210987654321:assumed-role/Web/", None),
        ("arn:aws:iam::210987654321:role/Web", None),
        ("arn:aws:iam::210987654321:user/path/ana", None),
        ("assumed-role/Web/ana", None),
    ] {
        assert_eq!(session_name(text), expected, "{text}");
    }
}

#[test]
fn keys_are_full_arns_or_nothing() {
    let arn = "arn:aws:kms:eu-west-1:210987654321:key/5f0c3a52-94d1-4e0b-8a7e-0c1d2e3f4a5b";
    for (text, expected) in [
        (arn, Some(arn)),
        ("arn:aws:kms:eu-west-1:210987654321:key/5F0C3A52-94D1-4E0B-8A7E-0C1D2E3F4A5B", Some(arn)),
        ("arn:aws:kms:eu-west-1:210987654321:alias/disk", None),
        ("arn:aws:kms:eu-west-1::key/5f0c3a52-94d1-4e0b-8a7e-0c1d2e3f4a5b", None),
        ("arn:aws:ec2:eu-west-1:210987654321:key/5f0c3a52-94d1-4e0b-8a7e-0c1d2e3f4a5b", None),
        ("alias/aws/ebs", None),
        ("5f0c3a52-94d1-4e0b-8a7e-0c1d2e3f4a5b", None),
        ("", None),
    ] {
        assert_eq!(key_arn(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn a_sentence_names_a_key_by_a_whole_arn_that_is_a_word() {
    const KEY: &str = "arn:aws:kms:eu-west-1:210987654321:key/5f0c3a52-94d1-4e0b-8a7e-0c1d2e3f4a5b";
    let refused =
        "User: arn:aws:sts::210987654321:assumed-role/ci/1 is not authorized to perform: kms:Decrypt on resource:";
    for (sentence, expected) in [
        (format!("{refused} {KEY} because no resource-based policy allows the kms:Decrypt action"), Some(KEY)),
        (format!("{KEY} is disabled."), Some(KEY)),
        (format!("Key '{KEY}' does not exist."), Some(KEY)),
        (format!("The state of {KEY}."), Some(KEY)),
        (format!("{refused} {}", KEY.replace("5f0c", "5F0C")), Some(KEY)),
        (format!("{refused} {}", &KEY[..KEY.len() - 1]), None),
        (format!("{refused} {KEY}0"), None),
        (format!("{refused} {}", KEY.replace("210987654321", "2109")), None),
        (format!("{refused} {}", KEY.replace("aws:", "aws-cn:")), None),
        (format!("{refused} {}", KEY.replace("key/", "alias/")), None),
        // A user of this path.
        (format!("User: arn:aws:iam::210987654321:user/,{KEY}/ana is not authorized"), None),
        (format!("{refused} this resource"), None),
    ] {
        assert_eq!(key_arn_in(&sentence).as_deref(), expected, "{sentence}");
    }
}

#[test]
fn a_bare_key_id_is_completed_from_region_and_account() {
    let complete = |key, region| complete_key_arn(key, Some(region), Some("210987654321"));
    let uuid = "5F0C3A52-94d1-4e0b-8a7e-0c1d2e3f4a5b";
    for (key, region, expected) in [
        (uuid, "eu-west-1", Some("arn:aws:kms:eu-west-1:210987654321:key/5f0c3a52-94d1-4e0b-8a7e-0c1d2e3f4a5b")),
        (uuid, "cn-north-1", Some("arn:aws-cn:kms:cn-north-1:210987654321:key/5f0c3a52-94d1-4e0b-8a7e-0c1d2e3f4a5b")),
        (
            "mrk-0123456789abcdef0123456789ABCDEF",
            "us-gov-west-1",
            Some("arn:aws-us-gov:kms:us-gov-west-1:210987654321:key/mrk-0123456789abcdef0123456789abcdef"),
        ),
        ("alias/disk", "eu-west-1", None),
        ("5f0c3a52-94d1-4e0b-8a7e", "eu-west-1", None),
        (uuid, "", None),
    ] {
        assert_eq!(complete(key, region).as_deref(), expected, "{key} {region}");
    }
    assert_eq!(complete_key_arn(uuid, Some("eu-west-1"), Some("AWS Internal")), None);
    assert_eq!(complete_key_arn(uuid, None, Some("210987654321")), None);
}

#[test]
fn event_times_are_rfc_3339_between_2000_and_2099() {
    const TIME_MS: i64 = 1_788_242_665_000;
    for (text, expected) in [
        ("2026-09-01T06:04:25Z", Some(TIME_MS)),
        ("2026-09-01t06:04:25z", Some(TIME_MS)),
        ("2026-09-01T06:04:25.75Z", Some(TIME_MS + 750)),
        ("2026-09-01T06:04:25.999999999Z", Some(TIME_MS + 999)),
        ("2026-09-01T08:04:25+02:00", Some(TIME_MS)),
        ("2026-09-01T06:04:25-00:00", Some(TIME_MS)),
        ("2026-09-01T06:04:25", None),
        ("2026-09-01", None),
        ("2026-13-01T06:04:25Z", None),
        ("2026-02-30T06:04:25Z", None),
        ("2026-09-01T25:04:25Z", None),
        ("2026-09-01T06:04:25.Z", None),
        ("2026-09-01T06:04:25Z ", None),
        ("2026-09-01T06:04:25+02:00[Europe/Berlin]", None),
        ("20260901T060425Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("1788242665", None),
        ("", None),
    ] {
        assert_eq!(event_time_ms(text), expected, "{text}");
    }
}
