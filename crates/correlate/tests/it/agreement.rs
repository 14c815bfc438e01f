//! The join and the oracle give the same products, on flows as AWS logs them and on random events.

use trailweave_oracle::Event;
use trailweave_oracle::assert_agrees_on_cases;
use trailweave_oracle::assert_agrees_on_cases_backwards;
use trailweave_oracle::assert_agrees_on_worlds;
use trailweave_oracle::batch;

use crate::lake::products_of_join;

#[test]
fn the_join_says_of_all_cases_what_the_oracle_says_of_each() {
    assert_agrees_on_cases(products_of_join);
}

#[test]
fn the_join_says_the_same_of_records_that_arrive_backwards_in_several_files() {
    assert_agrees_on_cases_backwards(products_of_join);
}

#[test]
fn join_and_oracle_agree_on_any_world() {
    assert_agrees_on_worlds(products_of_join, 10, 8, 60..160);
}

#[test]
fn join_and_oracle_agree_on_tiny_worlds() {
    assert_agrees_on_worlds(products_of_join, 8, 100, 2..24);
}

#[test]
fn calls_of_one_second_without_an_id_stand_in_one_order_in_slices_too() {
    let text = |text: &str| Some(text.to_owned());
    let call = |at: usize, name: &str| Event {
        event_time: 1_788_306_604_000,
        event_source: text("kms.amazonaws.com"),
        event_name: text(name),
        recipient_account_id: text("444455556666"),
        invoked_by: text("ec2-frontend-api.amazonaws.com"),
        volume_ids: vec![format!("vol-0000000{at}")],
        source_object: text(&format!("object-{at}")),
        source_index: Some(0),
        ..Event::default()
    };
    let launch = Event {
        event_id: text("event"),
        event_time: 1_788_306_600_000,
        event_source: text("ec2.amazonaws.com"),
        event_name: text("RunInstances"),
        instance_ids: vec!["i-0000000a".to_owned()],
        source_object: text("object-0"),
        source_index: Some(0),
        ..Event::default()
    };
    // Only this one has a launch, and is the first nevertheless.
    let of_instance =
        Event { user_identity_type: text("AssumedRole"), session_name: text("i-0000000a"), ..call(1, "Decrypt") };
    // Reaches the other one, which is computed anew.
    let grant = || text("grant");
    let later = Event { event_time: 1_788_306_610_000, grant_id: grant(), ..call(3, "CreateGrant") };
    let of_grant = Event { grant_id: grant(), ..call(2, "GenerateDataKey") };
    products_of_join(&[batch(&[launch, of_instance, of_grant, later])]);
}
