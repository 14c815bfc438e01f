//! The events that a join needs.

use super::*;

fn kms(event_name: &str) -> Facts<'_> {
    Facts { event_source: "kms.amazonaws.com", event_name, ..Facts::default() }
}

#[test]
fn grants_and_changes_of_a_key_are_kept_whoever_calls() {
    for name in KMS_EVENTS {
        assert!(is_relevant(&kms(name)), "{name}");
    }
    for name in ["Decrypt", "Encrypt", "DescribeKey", "ListGrants", "GenerateDataKey"] {
        assert!(!is_relevant(&kms(name)), "{name}");
    }
}

#[test]
fn another_kms_event_needs_a_sign_of_ec2() {
    let decrypt = kms("Decrypt");
    assert!(is_relevant(&Facts { names_ebs: true, ..decrypt }));
    assert!(is_relevant(&Facts { is_infrastructure: true, ..decrypt }));
    assert!(is_relevant(&Facts { session_name: Some("i-0a1b2c3d4e5f60718"), ..decrypt }));
    assert!(!is_relevant(&Facts { session_name: Some("ana"), ..decrypt }));
    for (caller, expected) in [
        ("ec2-frontend-api.amazonaws.com", true),
        ("ec2.amazonaws.com", true),
        ("ec2.eu-west-1.amazonaws.com", true),
        ("ec2.cn-north-1.amazonaws.com.cn", true),
        ("ebs.amazonaws.com", true),
        ("prod.kms-caller.ebs.us-east-1.amazonaws.com", true),
        ("autoscaling.amazonaws.com", true),
        ("spot.amazonaws.com", true),
        ("ec2fleet.amazonaws.com", true),
        ("rds.amazonaws.com", false),
        ("AWS Internal", false),
        ("192.0.2.7", false),
        ("ec2.example.com", false),
    ] {
        for position in 0..3 {
            let mut facts = decrypt;
            facts.callers[position] = Some(caller);
            assert_eq!(is_relevant(&facts), expected, "{caller}");
        }
    }
}

#[test]
fn a_refused_call_of_aws_that_hides_its_parameters_is_kept() {
    for caller in AWS_ITSELF.into_iter().chain(["cloudformation.amazonaws.com", "backup.amazonaws.com.cn"]) {
        let facts = Facts { callers: [Some(caller), None, None], ..kms("GenerateDataKeyWithoutPlaintext") };
        assert!(is_relevant(&Facts { is_blind: true, ..facts }) && !is_relevant(&facts));
    }
    assert!(!is_relevant(&Facts { callers: [Some("192.0.2.7"); 3], is_blind: true, ..kms("Decrypt") }));
}

#[test]
fn ec2_events_are_kept_by_name_and_never_if_they_only_read() {
    let ec2 = |event_name| Facts { event_source: "ec2.amazonaws.com", event_name, ..Facts::default() };
    for name in EC2_EVENTS {
        assert!(is_relevant(&ec2(name)), "{name}");
        assert!(!["Describe", "Get", "List"].iter().any(|verb| name.starts_with(verb)), "{name}");
    }
    assert!(!is_relevant(&ec2("DescribeInstances")));
    assert!(!is_relevant(&Facts { names_ebs: true, ..ec2("GetEbsDefaultKmsKeyId") }));
    assert!(is_relevant(&Facts { event_source: "ec2.amazonaws.com.cn", ..ec2("RunInstances") }));
}

#[test]
fn sts_events_are_kept_when_they_issue_credentials() {
    let sts = |event_name| Facts { event_source: "sts.amazonaws.com", event_name, ..Facts::default() };
    assert!(STS_EVENTS.iter().all(|name| is_relevant(&sts(name))));
    assert!(!is_relevant(&sts("GetCallerIdentity")));
    assert!(!is_relevant(&Facts { names_ebs: true, ..sts("DecodeAuthorizationMessage") }));
}

#[test]
fn other_services_are_left_out() {
    let facts =
        Facts { event_source: "ebs.amazonaws.com", event_name: "CreateGrant", names_ebs: true, ..Facts::default() };
    assert!(!is_relevant(&facts));
}
