//! Views over the products.

use trailweave_correlate::prune;
use trailweave_lake::Change;
use trailweave_oracle::Event;
use trailweave_oracle::products;
use trailweave_table::Dialect;
use trailweave_table::Limits;
use trailweave_table::Question;
use trailweave_table::Value;
use trailweave_table::day_of_date;

use crate::lakes::event;
use crate::lakes::join;
use crate::lakes::lake_of;
use crate::lakes::opened;
use crate::lakes::texts;

/// A key that nothing else says anything about.
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

#[tokio::test]
async fn a_key_that_the_role_of_an_instance_used_is_told_of_its_caller_alone() {
    // As the first records are, which do not say in whose trail they are.
    let launch = Event {
        instance_ids: vec!["i-0000000a".into()],
        recipient_account_id: None,
        principal_account_id: Some("111111111111".into()),
        ..event("ec2", "run", 0, "RunInstances")
    };
    let of_role = Event {
        user_identity_type: Some("AssumedRole".into()),
        session_name: Some("i-0000000a".into()),
        key_arn: Some(KEY.into()),
        ..event("kms", "of-role", 60, "Decrypt")
    };
    let of_volume = Event {
        user_identity_type: Some("AssumedRole".into()),
        principal_id: Some("111111111111:aws:ec2-infrastructure:i-0000000a".into()),
        session_name: Some("i-0000000a".into()),
        instance_ids: vec!["i-0000000a".into()],
        event_id: Some("of-volume".into()),
        ..of_role.clone()
    };
    let (_folder, lake) = lake_of(&[launch, of_role, of_volume]);
    join(&lake);
    let session = opened(&lake).await;
    let asked = async |sql: &str, column: &str| {
        let rows = session.query(sql).await.unwrap();
        texts(&rows, column).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let view = "SELECT * FROM keys_by_instance ORDER BY caller_instance_id NULLS LAST";
    assert_eq!(asked(view, "instance_id").await, ["-", "i-0000000a"]);
    assert_eq!(asked(view, "caller_instance_id").await, ["i-0000000a", "-"]);
    let behind = Question::named("behind").unwrap();
    let behind = behind.sql(Dialect::DuckDb, &[Value::Text("i-0000000a".into())], &Limits::default());
    assert_eq!(asked(&behind, "caller_instance_id").await, ["i-0000000a", "-"]);
    assert_eq!(asked(&behind, "launched_by").await, ["RunInstances", "RunInstances"]);
    // The question about volumes in docs/readers.md.
    let page = include_str!("../../../../docs/readers.md");
    let first = page.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(asked(first, "instance_id").await, ["i-0000000a"]);
}

#[tokio::test]
async fn a_grant_that_two_accounts_logged_is_one_row() {
    let logged_by = |account: &str, id, kind: &str| Event {
        recipient_account_id: Some(account.into()),
        user_identity_type: Some(kind.into()),
        grant_id: Some("g1".into()),
        invoked_by: Some("ec2-frontend-api.amazonaws.com".into()),
        volume_ids: vec!["vol-0000000c".into()],
        encryption_context: [("aws:ebs:id".to_owned(), "vol-0000000c".to_owned())].into(),
        key_arn: Some("arn:aws:kms:us-west-2:111111111111:key/k".into()),
        ..event("kms", id, 0, "CreateGrant")
    };
    let (_folder, lake) = lake_of(&[
        logged_by("111111111111", "a-owners", "AWSAccount"),
        logged_by("222222222222", "callers", "AssumedRole"),
    ]);
    join(&lake);
    assert_eq!(products(&lake).grants.len(), 1);
    let session = opened(&lake).await;
    for view in ["volume_readers", "grants_never_retired"] {
        let rows = session.query(&format!("SELECT create_event_id FROM {view}")).await.unwrap();
        assert_eq!(texts(&rows, "create_event_id"), ["callers"], "{view}");
    }
}

#[tokio::test]
async fn what_disabled_a_key_and_what_launched_an_instance_is_told_after_its_day_was_pruned() {
    const DAY: i64 = 86_400;
    let launch = Event {
        instance_ids: vec!["i-0000000a".into()],
        user_agent: Some("cli".into()),
        ..event("ec2", "run", -DAY, "RunInstances")
    };
    let of_key = |id, seconds, name| Event { key_arn: Some(KEY.into()), ..event("kms", id, seconds, name) };
    let used = Event {
        user_identity_type: Some("AssumedRole".into()),
        session_name: Some("i-0000000a".into()),
        ..of_key("used", 60, "Decrypt")
    };
    let (_folder, lake) = lake_of(&[launch, of_key("disabled", 60 - DAY, "DisableKey"), used]);
    join(&lake);
    let first_day = day_of_date("2026-09-01").unwrap();
    let mut change = Change::new(&lake, "prune");
    assert_eq!(prune(&lake, first_day, &mut change).unwrap().days, 1);
    lake.stage_pruned(first_day, &mut change).unwrap();
    change.commit().unwrap();
    let session = opened(&lake).await;
    let found = session.query("SELECT disabling_event_id, kms_event_id FROM key_use_after_disabling").await.unwrap();
    assert_eq!(texts(&found, "disabling_event_id"), ["disabled"]);
    assert_eq!(texts(&found, "kms_event_id"), ["used"]);
    let behind = Question::named("behind").unwrap();
    let sql = behind.sql(Dialect::Athena, &[Value::Text("i-0000000a".into())], &Limits::default());
    let rows = session.query(&sql).await.unwrap();
    assert_eq!(texts(&rows, "launched_by"), ["RunInstances"]);
    assert_eq!(texts(&rows, "user_agent"), ["cli"]);
}
