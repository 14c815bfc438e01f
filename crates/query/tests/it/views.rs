//! Views over the products.

use std::num::NonZeroUsize;

use arrow::array::AsArray;
use trailweave_correlate::CorrelateOptions;
use trailweave_correlate::Progress;
use trailweave_correlate::Scope;
use trailweave_correlate::correlate;
use trailweave_lake::Lake;
use trailweave_oracle::Event;
use trailweave_oracle::products;
use trailweave_table::Dialect;
use trailweave_table::Limits;
use trailweave_table::Question;
use trailweave_table::Value;

use crate::lakes::event;
use crate::lakes::lake_of;
use crate::lakes::opened;

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
        let values = rows.iter().flat_map(|rows| rows[column].as_string::<i32>().iter());
        values.map(|value| value.unwrap_or("-").to_owned()).collect::<Vec<_>>()
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
        let ids: Vec<_> = rows.iter().flat_map(|rows| rows["create_event_id"].as_string::<i32>().iter()).collect();
        assert_eq!(ids, [Some("callers")], "{view}");
    }
}

fn join(lake: &Lake) {
    let threads = NonZeroUsize::new(2).unwrap();
    let options =
        CorrelateOptions { memory_bytes: 256 << 20, threads, slice_rows: None, scope: Scope::Whole, give_back: || () };
    correlate(lake, &options, &Progress::default()).unwrap();
}
