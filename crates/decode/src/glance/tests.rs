use crate::glance::{Glance, glance, is_ordinary_time};
use crate::options::Selection;
use crate::ordinary::OrdinaryRecord;

fn of(raw: &str, selection: Selection) -> Glance {
    let mut depth = 0;
    let mut colons = Vec::new();
    for (at, byte) in raw.bytes().enumerate() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b':' if depth == 1 && raw[..at].ends_with('"') => colons.push(at),
            _ => {}
        }
    }
    glance(&OrdinaryRecord { raw: raw.as_bytes(), at: 0, colons: &colons, is_plain: true }, selection)
}

fn record(source: &str, name: &str, more: &str) -> String {
    format!(r#"{{"eventTime":"2026-03-02T10:00:00Z","eventSource":"{source}","eventName": "{name}"{more}}}"#)
}

#[test]
fn names_decide_and_for_kms_the_signs_of_ec2() {
    for (source, name, more, expected) in [
        ("s3.amazonaws.com", "PutObject", "", Glance::Filtered),
        ("s3.amazonaws.com", "PutObject", r#","a":"ec2""#, Glance::Filtered),
        ("ec2.amazonaws.com", "DescribeInstances", "", Glance::Filtered),
        ("ec2.amazonaws.com", "DescribeInstances", r#","addendum":{}"#, Glance::Parse),
        ("ec2.amazonaws.com", "RunInstances", "", Glance::Parse),
        ("kms.amazonaws.com", "CreateGrant", "", Glance::Parse),
        ("kms.amazonaws.com", "Decrypt", "", Glance::Filtered),
        ("kms.amazonaws.com", "Decrypt", r#","a":{"aws:ebs:id":1}"#, Glance::Parse),
        (
            "kms.amazonaws.com",
            "Decrypt",
            r#","a":"arn:aws:sts::111122223333:assumed-role/a/i-0a1b2c3d""#,
            Glance::Parse,
        ),
    ] {
        assert_eq!(of(&record(source, name, more), Selection::Relevant), expected, "{source} {name} {more}");
        assert_eq!(of(&record(source, name, more), Selection::All), Glance::Parse);
    }
}

#[test]
fn what_may_be_rejected_is_parsed() {
    for raw in [
        "{}",
        r#"{"eventTime":"2026-03-02T10:00:00Z","eventSource":"s3.amazonaws.com"}"#,
        r#"{"eventTime":"2026-03-02T10:00:00Z","eventSource":"s3.amazonaws.com","eventName":""}"#,
        r#"{"eventTime":"2026-03-02T10:00:00Z","eventSource":["s3.amazonaws.com"],"eventName":"PutObject"}"#,
        r#"{"eventTime":1772445600,"eventSource":"s3.amazonaws.com","eventName":"PutObject"}"#,
        r#"{"eventTime":"yesterday, 10 o'clock","eventSource":"s3.amazonaws.com","eventName":"PutObject"}"#,
    ] {
        assert_eq!(of(raw, Selection::Relevant), Glance::Parse, "{raw}");
    }
}

#[test]
fn the_last_field_of_a_name_counts() {
    let twice = record("ec2.amazonaws.com", "RunInstances", r#","eventName":"DescribeInstances""#);
    assert_eq!(of(&twice, Selection::Relevant), Glance::Filtered);
}

#[test]
fn what_may_wrap_a_record_is_odd() {
    for key in ["Records", "Events", "detail-type", "CloudTrailEvent"] {
        let wrapper = record("s3.amazonaws.com", "PutObject", &format!(r#","{key}":[]"#));
        assert_eq!(of(&wrapper, Selection::Relevant), Glance::Odd, "{key}");
        assert_eq!(of(&format!(r#"{{"{key}":[]}}"#), Selection::All), Glance::Odd, "{key}");
    }
}

#[test]
fn a_time_of_another_form_is_not_ordinary() {
    for time in ["2026-03-31T23:59:59Z", "2000-01-01T00:00:00Z", "2099-12-31T00:00:00Z"] {
        assert!(is_ordinary_time(time.as_bytes()), "{time}");
    }
    for time in [
        "2026-02-29T00:00:00Z",
        "2024-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00.5Z",
        "2026-01-01T00:00:00+00:00",
        "1999-01-01T00:00:00Z",
        "2026-01-01T0a:00:00Z",
    ] {
        assert!(!is_ordinary_time(time.as_bytes()), "{time}");
    }
}
