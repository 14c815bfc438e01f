//! Volumes and snapshots: what made them, where they are, whose data key they have.

use super::*;

#[test]
fn a_resource_is_linked_by_its_volume_then_by_its_snapshot() {
    let snapshot = |event: Event| Event { snapshot_ids: vec!["snap-00000001".into()], ..event };
    let events = [
        snapshot(with_volume(ec2("create", 0, "CreateVolume"))),
        snapshot(ec2("copy", 10, "CopySnapshot")),
        with_volume(by_service(kms("by-volume", 20, "Decrypt"))),
        snapshot(by_service(kms("by-snapshot", 20, "Decrypt"))),
        with_volume(kms("by-hand", 20, "Decrypt")),
    ];
    let found = correlated(&events);
    assert_link(&found, "by-volume", "resource", Some("create"));
    assert_link(&found, "by-snapshot", "resource", Some("copy"));
    assert_link(&found, "by-hand", "none", None);
}

#[test]
fn a_volume_that_a_launch_made_of_a_snapshot_is_not_the_doing_of_who_made_the_snapshot() {
    let snapshot = |event: Event| Event { snapshot_ids: vec!["snap-00000001".into()], ..event };
    let events = [
        snapshot(ec2("image", -90_000, "CreateSnapshot")),
        Event { instance_ids: vec![INSTANCE.into()], ..ec2("run", 0, "RunInstances") },
        snapshot(with_volume(forwarded(kms("re-encrypt", 2, "ReEncrypt")))),
        with_volume(infrastructure(kms("decrypt", 4, "Decrypt"))),
    ];
    assert_link(&correlated(&events), "re-encrypt", "volume", Some("run"));
}

#[test]
fn a_volume_is_the_first_of_who_tried_twice_with_one_token() {
    let snapshot = |event: Event| Event { snapshot_ids: vec!["snap-00000001".into()], ..event };
    let create = |id, at| snapshot(with_volume(ec2(id, at, "CreateVolume")));
    let events = [
        create("create", 0),
        create("retry", 20),
        with_volume(by_service(kms("of-volume", 25, "Decrypt"))),
        snapshot(by_service(kms("of-snapshot", 25, "Decrypt"))),
    ];
    let found = correlated(&events);
    assert_link(&found, "of-volume", "resource", Some("create"));
    assert_link(&found, "of-snapshot", "resource", Some("create"));
    assert_eq!(found.volumes.len(), 1);
}

#[test]
fn a_volume_is_where_the_nearest_evidence_shows_it() {
    let attach = |id, at, instance: &str| {
        with_volume(Event { instance_ids: vec![instance.into()], ..ec2(id, at, "AttachVolume") })
    };
    let decrypt = |id, at| with_volume(by_service(kms(id, at, "Decrypt")));
    let events = [
        attach("first", 0, INSTANCE),
        attach("second", 200, "i-00000002"),
        decrypt("near-first", 99),
        decrypt("between", 100),
        decrypt("near-second", 101),
        decrypt("long-before", -90_000),
    ];
    let found = correlated(&events);
    let at = |event| row(&found, event).value("instance_id");
    assert_eq!(at("near-first"), Some(INSTANCE));
    assert_eq!(at("between"), Some(INSTANCE));
    assert_eq!(at("near-second"), Some("i-00000002"));
    assert_eq!(at("long-before"), Some(INSTANCE));
    assert_link(&found, "near-first", "volume", Some("first"));
    assert_link(&found, "long-before", "none", None);
}

#[test]
fn who_took_a_snapshot_is_blamed_last() {
    let snapshot = |event: Event| Event { snapshot_ids: vec!["snap-00000001".into()], ..event };
    let elsewhere = |event: Event| Event { recipient_account_id: Some("222222222222".into()), ..event };
    let events = [
        snapshot(ec2("take", 0, "CreateSnapshot")),
        elsewhere(snapshot(ec2("copy", 300, "CopySnapshot"))),
        snapshot(by_service(kms("of-the-copy", 302, "Decrypt"))),
        Event { snapshot_ids: vec!["snap-00000002".into()], ..ec2("take-alone", 0, "CreateSnapshots") },
        Event { snapshot_ids: vec!["snap-00000002".into()], ..by_service(kms("of-no-copy", 302, "Decrypt")) },
    ];
    let found = correlated(&events);
    assert_link(&found, "of-the-copy", "resource", Some("copy"));
    assert_link(&found, "of-no-copy", "resource", Some("take-alone"));
    let confidence = |event| row(&found, event).value("confidence");
    assert_eq!([confidence("of-the-copy"), confidence("of-no-copy")], [Some("exact"), Some("inferred")]);
}

#[test]
fn after_a_detachment_nothing_is_learned_from_before_it() {
    let at = |event: Event| with_volume(Event { instance_ids: vec![INSTANCE.into()], ..event });
    let decrypt = |id, at| with_volume(by_service(kms(id, at, "Decrypt")));
    let events = [
        at(ec2("attach", 0, "AttachVolume")),
        at(ec2("detach", 300, "DetachVolume")),
        decrypt("between", 299),
        decrypt("after", 301),
        decrypt("long-after", 90_000),
    ];
    let found = correlated(&events);
    assert_link(&found, "between", "volume", Some("attach"));
    for event in ["after", "long-after"] {
        assert_link(&found, event, "none", None);
        assert_eq!(row(&found, event).value("instance_id"), None, "{event}");
    }
}

#[test]
fn a_refused_grant_shows_no_volume_and_a_refused_decrypt_does() {
    let refused = |event: Event| Event { error_code: Some("DisabledException".into()), ..event };
    let grant = with_volume(Event { instance_ids: vec!["i-00000002".into()], ..kms("grant", 10, "CreateGrant") });
    let events = [
        refused(infrastructure(with_volume(kms("refused", 0, "Decrypt")))),
        refused(forwarded(grant)),
        with_volume(by_service(kms("decrypt", 11, "Decrypt"))),
    ];
    let found = correlated(&events);
    assert_eq!(row(&found, "decrypt").value("instance_id"), Some(INSTANCE));
    assert_eq!(found.attachments.len(), 1);
}

#[test]
fn the_grant_of_a_call_is_that_of_its_own_account_first() {
    let copy = |id, at, account: &str| Event {
        recipient_account_id: Some(account.into()),
        ..forwarded(with_volume(Event { instance_ids: vec![INSTANCE.into()], ..kms(id, at, "CreateGrant") }))
    };
    let events = [
        copy("own", 0, ACCOUNT),
        copy("owners", 1, "222222222222"),
        infrastructure(with_volume(kms("decrypt", 2, "Decrypt"))),
    ];
    let found = correlated(&events);
    assert_eq!(row(&found, "decrypt").value("grant_event_id"), Some("own"));
}

#[test]
fn a_grant_that_nobody_vouches_for_allowed_nothing() {
    let grant = |event: Event| with_volume(Event { instance_ids: vec![INSTANCE.into()], ..event });
    let events = [
        forwarded(grant(kms("by-ec2", 0, "CreateGrant"))),
        grant(kms("by-hand", 5, "CreateGrant")),
        infrastructure(with_volume(kms("decrypt", 6, "Decrypt"))),
    ];
    assert_eq!(row(&correlated(&events), "decrypt").value("grant_event_id"), Some("by-ec2"));
}

#[test]
fn a_launch_makes_the_volumes_of_its_request_and_of_its_time() {
    let of_instance = |event: Event| Event { instance_ids: vec![INSTANCE.into()], ..event };
    for (seconds, request, maker) in [(600, None, Some("run")), (601, None, None), (601, Some("r1"), Some("run"))] {
        let requested = |event: Event| Event { request_id: request.map(str::to_owned), ..event };
        let data_key = kms("data-key", seconds, "GenerateDataKeyWithoutPlaintext");
        let found = correlated(&[
            requested(of_instance(ec2("run", 0, "RunInstances"))),
            requested(with_volume(forwarded(data_key))),
            // The CreateVolume between them is not in the lake.
            with_volume(of_instance(ec2("attach", seconds + 20, "AttachVolume"))),
        ]);
        let data_key = row(&found, "data-key");
        assert_eq!(data_key.value("ec2_event_id"), Some("run"), "{seconds} {request:?}");
        let made = if maker.is_some() { "ec2_event_time" } else { "kms_event_time" };
        let volume = &found.volumes[0];
        assert_eq!(volume.value("created_event_id"), maker, "{seconds} {request:?}");
        assert_eq!(volume.value("created_at"), data_key.value(made), "{seconds} {request:?}");
    }
}

#[test]
fn what_ec2_itself_says_of_a_call_is_no_copy_of_it() {
    let shared = |event: Event| Event { shared_event_id: Some("shared".into()), ..event };
    let by = |arn: &str, event: Event| Event { principal_arn: Some(arn.into()), ..event };
    let events = [
        shared(ec2("said", 0, "SharedSnapshotVolumeCreated")),
        shared(by("alice", with_volume(ec2("create", 1, "CreateVolume")))),
        with_volume(by_service(kms("decrypt", 2, "Decrypt"))),
    ];
    let found = correlated(&events);
    assert_link(&found, "decrypt", "resource", Some("create"));
    assert_eq!(found.volumes[0].value("created_by_arn"), Some("alice"));
}

#[test]
fn a_volume_may_have_the_data_key_of_its_snapshot_encrypted_anew() {
    let snapshot = |event: Event| Event { snapshot_ids: vec!["snap-00000001".into()], ..event };
    let requested = |event: Event| Event { request_id: Some("r1".into()), ..event };
    let re_encrypt = |at| requested(snapshot(with_volume(forwarded(kms("re-encrypt", at, "ReEncrypt")))));
    let run = requested(Event { instance_ids: vec![INSTANCE.into()], ..ec2("run", 0, "RunInstances") });
    let launched = correlated(&[run.clone(), re_encrypt(1)]);
    assert_eq!(launched.volumes[0].value("created_event_id"), Some("run"));
    assert_eq!(launched.volumes[0].value("key_arn"), row(&launched, "re-encrypt").value("key_arn"));
    assert_eq!(launched.volumes[0].value("data_key_event_id"), None);
    let data_key = requested(with_volume(forwarded(kms("data-key", 2, "GenerateDataKeyWithoutPlaintext"))));
    let with_both = correlated(&[run, re_encrypt(1), data_key]);
    assert_eq!(with_both.volumes[0].value("data_key_event_id"), Some("data-key"));
    let task = requested(ec2("task", 0, "CreateReplaceRootVolumeTask"));
    let replaced = correlated(&[Event { instance_ids: vec![INSTANCE.into()], ..task }, re_encrypt(1)]);
    assert_eq!(replaced.volumes[0].value("created_event_id"), Some("task"));
}
