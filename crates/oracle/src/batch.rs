//! Events as a batch of the table.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::array::BooleanArray;
use arrow::array::Int64Array;
use arrow::array::ListBuilder;
use arrow::array::MapBuilder;
use arrow::array::MapFieldNames;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::array::StringBuilder;
use arrow::array::TimestampMicrosecondArray;
use arrow::array::new_null_array;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::datatypes::Field;
use trailweave_table::EVENTS;
use trailweave_table::Table;
use trailweave_table::time_of_ms;

use crate::Event;

/// Makes `events` rows of the table; columns that no [`Event`] has are null.
pub fn batch(events: &[Event]) -> RecordBatch {
    rows(&EVENTS, events)
}

/// Makes `events` rows of a table of records; columns that no [`Event`] has are null.
pub(crate) fn rows(table: &Table, events: &[Event]) -> RecordBatch {
    let columns = table.columns.iter().map(|column| {
        let data_type = table.data_type(column);
        match array(column.name, events) {
            Some(array) => cast(&array, &data_type).expect("only ids of fields differ"),
            None => new_null_array(&data_type, events.len()),
        }
    });
    RecordBatch::try_new(table.schema(), columns.collect()).expect("the columns are the table's")
}

/// Makes a column of `events`; none where no [`Event`] has it.
fn array(column: &str, events: &[Event]) -> Option<ArrayRef> {
    Some(match column {
        "event_id" => texts(events, |it| &it.event_id),
        "event_version" => texts(events, |it| &it.event_version),
        "event_source" => texts(events, |it| &it.event_source),
        "event_name" => texts(events, |it| &it.event_name),
        "event_category" => texts(events, |it| &it.event_category),
        "aws_region" => texts(events, |it| &it.aws_region),
        "recipient_account_id" => texts(events, |it| &it.recipient_account_id),
        "request_id" => texts(events, |it| &it.request_id),
        "shared_event_id" => texts(events, |it| &it.shared_event_id),
        "source_ip_address" => texts(events, |it| &it.source_ip_address),
        "user_agent" => texts(events, |it| &it.user_agent),
        "error_code" => texts(events, |it| &it.error_code),
        "user_identity_type" => texts(events, |it| &it.user_identity_type),
        "principal_id" => texts(events, |it| &it.principal_id),
        "principal_arn" => texts(events, |it| &it.principal_arn),
        "principal_account_id" => texts(events, |it| &it.principal_account_id),
        "session_issuer_arn" => texts(events, |it| &it.session_issuer_arn),
        "session_name" => texts(events, |it| &it.session_name),
        "invoked_by" => texts(events, |it| &it.invoked_by),
        "access_key_id" => texts(events, |it| &it.access_key_id),
        "source_identity" => texts(events, |it| &it.source_identity),
        "issued_access_key_id" => texts(events, |it| &it.issued_access_key_id),
        "key_arn" => texts(events, |it| &it.key_arn),
        "source_key_arn" => texts(events, |it| &it.source_key_arn),
        "grant_id" => texts(events, |it| &it.grant_id),
        "grantee_principal" => texts(events, |it| &it.grantee_principal),
        "retiring_principal" => texts(events, |it| &it.retiring_principal),
        "instance_type" => texts(events, |it| &it.instance_type),
        "reservation_id" => texts(events, |it| &it.reservation_id),
        "client_token" => texts(events, |it| &it.client_token),
        "source_object" => texts(events, |it| &it.source_object),
        "instance_ids" => lists(events, |it| &it.instance_ids),
        "volume_ids" => lists(events, |it| &it.volume_ids),
        "snapshot_ids" => lists(events, |it| &it.snapshot_ids),
        "image_ids" => lists(events, |it| &it.image_ids),
        "operations" => lists(events, |it| &it.operations),
        "encryption_context" => contexts(events),
        "event_time" => {
            let times: TimestampMicrosecondArray = events.iter().map(|it| Some(time_of_ms(it.event_time))).collect();
            Arc::new(times.with_timezone("UTC"))
        }
        "encrypted" => Arc::new(events.iter().map(|it| it.encrypted).collect::<BooleanArray>()),
        "source_index" => Arc::new(events.iter().map(|it| it.source_index).collect::<Int64Array>()),
        _ => return None,
    })
}

fn texts(events: &[Event], of: fn(&Event) -> &Option<String>) -> ArrayRef {
    Arc::new(events.iter().map(|event| of(event).as_deref()).collect::<StringArray>())
}

fn lists(events: &[Event], of: fn(&Event) -> &Vec<String>) -> ArrayRef {
    let element = Field::new("element", DataType::Utf8, true);
    let mut builder = ListBuilder::new(StringBuilder::new()).with_field(element);
    for event in events {
        for text in of(event) {
            builder.values().append_value(text);
        }
        builder.append(!of(event).is_empty());
    }
    Arc::new(builder.finish())
}

fn contexts(events: &[Event]) -> ArrayRef {
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for event in events {
        for (key, value) in &event.encryption_context {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(!event.encryption_context.is_empty()).expect("keys and values are as many");
    }
    Arc::new(builder.finish())
}
