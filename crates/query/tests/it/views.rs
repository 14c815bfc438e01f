//! Views over the products.

use std::num::NonZeroUsize;

use arrow::array::AsArray;
use trailweave_correlate::CorrelateOptions;
use trailweave_correlate::Progress;
use trailweave_correlate::Scope;
use trailweave_correlate::correlate;
use trailweave_oracle::Event;
use trailweave_oracle::products;

use crate::lakes::event;
use crate::lakes::lake_of;
use crate::lakes::opened;

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
    let threads = NonZeroUsize::new(2).unwrap();
    let options =
        CorrelateOptions { memory_bytes: 256 << 20, threads, slice_rows: None, scope: Scope::Whole, give_back: || () };
    correlate(&lake, &options, &Progress::default()).unwrap();
    assert_eq!(products(&lake).grants.len(), 1);
    let session = opened(&lake).await;
    for view in ["volume_readers", "grants_never_retired"] {
        let rows = session.query(&format!("SELECT create_event_id FROM {view}")).await.unwrap();
        let ids: Vec<_> = rows.iter().flat_map(|rows| rows["create_event_id"].as_string::<i32>().iter()).collect();
        assert_eq!(ids, [Some("callers")], "{view}");
    }
}
