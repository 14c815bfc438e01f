//! Calls that two trails logged, and keys that are used from another account.

use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::datatypes::Int64Type;
use trailweave_oracle::Event;
use trailweave_query::Session;
use trailweave_table::Dialect;
use trailweave_table::Limits;
use trailweave_table::Question;
use trailweave_table::Value;

use crate::lakes::event;
use crate::lakes::join;
use crate::lakes::lake_of;
use crate::lakes::opened;
use crate::lakes::texts;

const OWNER: &str = "111111111111";
const CALLER: &str = "222222222222";
/// A key of the owner.
const KEY: &str = "arn:aws:kms:us-west-2:111111111111:key/1234abcd-12ab-34cd-56ef-000000000001";
/// A key of the caller.
const OWN_KEY: &str = "arn:aws:kms:us-west-2:222222222222:key/1234abcd-12ab-34cd-56ef-000000000002";
const CHOICES: [&[&str]; 4] = [&[], &[OWNER], &[CALLER], &[OWNER, CALLER]];

/// Makes the records of a call in the trails of the owner and of the caller, whom AWS names in its own.
fn in_two_trails(call: &Event) -> [Event; 2] {
    let id = call.event_id.as_ref().unwrap();
    let callers = Event {
        recipient_account_id: Some(CALLER.into()),
        user_identity_type: Some("AssumedRole".into()),
        principal_arn: Some(format!("arn:aws:sts::{CALLER}:assumed-role/r/s")),
        principal_account_id: Some(CALLER.into()),
        shared_event_id: Some(format!("shared-{id}")),
        ..call.clone()
    };
    // Its id is the smaller one.
    let owners = Event {
        event_id: Some(format!("a-{id}")),
        recipient_account_id: Some(OWNER.into()),
        user_identity_type: Some("AWSAccount".into()),
        principal_id: Some("AROAEXAMPLE:s".into()),
        principal_arn: None,
        session_name: None,
        instance_ids: Vec::new(),
        ..callers.clone()
    };
    [owners, callers]
}

/// Makes the same of a call that a service made, which no trail names.
fn of_service(call: &Event) -> [Event; 2] {
    in_two_trails(call).map(|copy| Event {
        user_identity_type: Some("AWSService".into()),
        principal_arn: None,
        principal_account_id: None,
        ..copy
    })
}

fn of_key(id: &str, seconds: i64, name: &str) -> Event {
    Event { key_arn: Some(KEY.into()), ..event("kms", id, seconds, name) }
}

fn of_volume(id: &str, seconds: i64, name: &str) -> Event {
    Event {
        volume_ids: vec!["vol-0000000c".into()],
        encryption_context: [("aws:ebs:id".to_owned(), "vol-0000000c".to_owned())].into(),
        ..of_key(id, seconds, name)
    }
}

/// The caller copies a snapshot of the owner, and so uses a key of each.
fn copied(seconds: i64) -> [Event; 2] {
    in_two_trails(&Event {
        snapshot_ids: vec!["snap-0000000d".into()],
        encryption_context: [("aws:ebs:id".to_owned(), "snap-0000000d".to_owned())].into(),
        key_arn: Some(OWN_KEY.into()),
        source_key_arn: Some(KEY.into()),
        ..event("kms", "copied", seconds, "ReEncrypt")
    })
}

async fn ask(session: &Session, name: &str, key: Option<&str>, accounts: &[&str]) -> Vec<RecordBatch> {
    let values: Vec<_> = key.map(|key| Value::Text(key.to_owned())).into_iter().collect();
    let limits = Limits { accounts: accounts.iter().map(|it| (*it).to_owned()).collect(), ..Limits::default() };
    let sql = Question::named(name).unwrap().sql(Dialect::Athena, &values, &limits);
    session.query(&sql).await.unwrap_or_else(|error| panic!("{error:?}: {sql}"))
}

fn calls(rows: &[RecordBatch]) -> i64 {
    rows.iter().flat_map(|rows| rows["calls"].as_primitive::<Int64Type>().iter().flatten()).sum()
}

#[tokio::test]
async fn a_call_in_two_trails_is_one_whichever_accounts_are_asked_about() {
    let of_instance = |call: Event| Event {
        principal_id: Some(format!("{CALLER}:aws:ec2-infrastructure:i-0000000a")),
        session_name: Some("i-0000000a".into()),
        instance_ids: vec!["i-0000000a".into()],
        ..call
    };
    let launch = Event {
        instance_ids: vec!["i-0000000a".into()],
        recipient_account_id: Some(CALLER.into()),
        principal_arn: Some("arn:aws:iam::222222222222:user/bob".into()),
        ..event("ec2", "run", 0, "RunInstances")
    };
    let decrypts = in_two_trails(&of_instance(of_volume("decrypts", 60, "Decrypt")));
    let (_folder, lake) = lake_of(&[vec![launch], decrypts.to_vec()].concat());
    join(&lake);
    let session = opened(&lake).await;
    for accounts in CHOICES {
        for (name, key) in [("links", None), ("foreign-keys", None), ("who-used-key", Some(KEY))] {
            assert_eq!(calls(&ask(&session, name, key, accounts).await), 1, "{name} of {accounts:?}");
        }
    }
    for view in ["keys_by_instance", "keys_by_launching_principal"] {
        let rows = session.query(&format!("SELECT calls FROM {view}")).await.unwrap();
        assert_eq!(calls(&rows), 1, "{view}");
    }
    let launchers = ask(&session, "launchers-of-key", Some(KEY), &[]).await;
    assert_eq!(texts(&launchers, "launch_principal_arn"), ["arn:aws:iam::222222222222:user/bob"]);
    assert_eq!(texts(&ask(&session, "unexplained-decrypts", None, &[]).await, "kms_event_id"), [""; 0]);
    let unnamed = ask(&session, "who-used-key", Some(KEY), &[OWNER]).await;
    assert_eq!(texts(&unnamed, "principal_arn"), ["-"]);
    assert_eq!(texts(&unnamed, "principal_account_id"), [CALLER]);
    assert_eq!(texts(&unnamed, "principal_id"), ["AROAEXAMPLE:s"]);
}

#[tokio::test]
async fn who_uses_a_key_of_another_account_is_its_caller() {
    let ended = of_service(&Event { grant_id: Some("g1".into()), ..of_volume("ended", 90, "RetireGrant") });
    let (_folder, lake) = lake_of(&[copied(60), ended].concat());
    join(&lake);
    let session = opened(&lake).await;
    for accounts in CHOICES {
        let rows = ask(&session, "foreign-keys", None, accounts).await;
        let named = ["key_arn", "key_account_id", "caller_account_id"].map(|column| texts(&rows, column));
        // Whom the call of a service was for, the owner's trail does not say.
        let n = if accounts == [OWNER] { 1 } else { 2 };
        assert_eq!(named, [KEY, OWNER, CALLER].map(|it| vec![it; n]), "{accounts:?}");
        assert_eq!(calls(&rows), i64::try_from(n).unwrap(), "{accounts:?}");
    }
}

#[tokio::test]
async fn the_uses_of_a_disabled_key_are_calls_that_use_it_while_it_is_disabled() {
    let direct = |id, seconds| Event { error_code: Some("DisabledException".into()), ..of_key(id, seconds, "Decrypt") };
    let once = [
        of_key("disabled", 30, "DisableKey"),
        of_key("scheduled", 40, "ScheduleKeyDeletion"),
        Event { grant_id: Some("g1".into()), ..of_volume("ended", 70, "RetireGrant") },
        direct("direct", 80),
        of_key("enabled", 100, "EnableKey"),
        direct("enabled-again", 110),
        // Times are whole seconds.
        of_key("disabled-twice", 120, "DisableKey"),
        of_key("and-enabled", 120, "EnableKey"),
        direct("enabled-twice", 130),
    ];
    let (_folder, lake) = lake_of(&[once.to_vec(), copied(60).to_vec()].concat());
    join(&lake);
    let session = opened(&lake).await;
    for (accounts, copy) in CHOICES.into_iter().zip(["copied", "a-copied", "copied", "copied"]) {
        let rows = ask(&session, "uses-of-disabled-keys", None, accounts).await;
        let expected = if accounts == [CALLER] { vec![copy] } else { vec![copy, "direct"] };
        assert_eq!(texts(&rows, "kms_event_id"), expected, "{accounts:?}");
        assert!(texts(&rows, "disabling_event_id").into_iter().all(|it| it == "scheduled"), "{accounts:?}");
        assert!(texts(&rows, "key_arn").into_iter().all(|it| it == KEY), "{accounts:?}");
    }
}
