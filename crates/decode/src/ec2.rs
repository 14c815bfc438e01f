//! The instances, volumes, snapshots and images of an event of EC2, or of any other service but KMS.

use trailweave_table::EVENTS;

use crate::append::RowBuilder;
use crate::json::Json;
use crate::normalise;
use crate::position::{BoolAt, TextAt};
use crate::record::{FieldName, Record};
use crate::resource_ids::ResourceIds;

const KEY_ARN: TextAt = TextAt::of(&EVENTS, "key_arn");
const INSTANCE_TYPE: TextAt = TextAt::of(&EVENTS, "instance_type");
const RESERVATION_ID: TextAt = TextAt::of(&EVENTS, "reservation_id");
const ENCRYPTED: BoolAt = BoolAt::of(&EVENTS, "encrypted");

/// Fills the columns of identifiers. Those of the response come first, because the call created them.
pub(crate) fn append_resource_ids(record: &Record<'_>, rows: &mut RowBuilder) {
    let mut ids = ResourceIds::default();
    for payload in [FieldName::ResponseElements, FieldName::RequestParameters, FieldName::ServiceEventDetails] {
        ids.add_all(record.json(payload));
    }
    for resource in record.json(FieldName::Resources).elements() {
        if let Some(arn) = resource.get_any(&["ARN", "arn"]).string() {
            ids.add(arn);
        }
    }
    ids.append(rows);
}

/// Fills the columns that only EC2's own events have.
pub(crate) fn append(record: &Record<'_>, rows: &mut RowBuilder) {
    let request = record.json(FieldName::RequestParameters);
    let response = record.json(FieldName::ResponseElements);
    let mut keys = Vec::new();
    collect_keys(response, &mut keys);
    collect_keys(request, &mut keys);
    rows.text(KEY_ARN, normalise::first_key_arn(record.called(), keys.into_iter()));
    match record.json(FieldName::EventName).string() {
        Some("RunInstances") => {
            let launched = response.get("instancesSet").items();
            let launched = launched.into_iter().find_map(|instance| instance.get("instanceType").scalar());
            rows.text(INSTANCE_TYPE, launched.or_else(|| request.get("instanceType").scalar()));
            rows.text(RESERVATION_ID, response.get("reservationId").scalar());
        }
        Some("CreateVolume" | "CopySnapshot" | "CreateSnapshot") => {
            let encrypted = response.get("encrypted").truth();
            rows.truth(ENCRYPTED, encrypted.or_else(|| request.get("encrypted").truth()));
        }
        _ => {}
    }
}

/// Collects the texts that name a KMS key, wherever they stand in a request or response.
fn collect_keys<'t>(value: Json<'t>, found: &mut Vec<&'t str>) {
    for element in value.elements() {
        collect_keys(element, found);
    }
    for (key, field) in value.fields() {
        match field.string() {
            Some(text) if is_key_key(key) => found.push(text),
            _ => collect_keys(field, found),
        }
    }
}

fn is_key_key(key: &str) -> bool {
    matches!(key, "kmsKeyId" | "KmsKeyId" | "masterEncryptionKeyId" | "MasterEncryptionKeyId" | "kmsKeyArn")
}
