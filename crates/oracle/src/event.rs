//! A row of `events` as a plain struct.

use std::collections::BTreeMap;

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::MapArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::datatypes::Int64Type;
use arrow::datatypes::TimestampMicrosecondType;
use trailweave_table::ms_of_time;

/// The columns of `events` that the join reads. A list or map that is null is empty here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the column of its name, which the table documents")]
pub struct Event {
    pub event_id: Option<String>,
    /// Milliseconds since the epoch.
    pub event_time: i64,
    pub event_version: Option<String>,
    pub event_source: Option<String>,
    pub event_name: Option<String>,
    pub event_category: Option<String>,
    pub aws_region: Option<String>,
    pub recipient_account_id: Option<String>,
    pub request_id: Option<String>,
    pub shared_event_id: Option<String>,
    pub source_ip_address: Option<String>,
    pub user_agent: Option<String>,
    pub error_code: Option<String>,
    pub user_identity_type: Option<String>,
    pub principal_id: Option<String>,
    pub principal_arn: Option<String>,
    pub principal_account_id: Option<String>,
    pub session_issuer_arn: Option<String>,
    pub session_name: Option<String>,
    pub invoked_by: Option<String>,
    pub access_key_id: Option<String>,
    pub source_identity: Option<String>,
    pub issued_access_key_id: Option<String>,
    pub key_arn: Option<String>,
    pub source_key_arn: Option<String>,
    pub grant_id: Option<String>,
    pub grantee_principal: Option<String>,
    pub instance_ids: Vec<String>,
    pub volume_ids: Vec<String>,
    pub snapshot_ids: Vec<String>,
    pub image_ids: Vec<String>,
    pub encryption_context: BTreeMap<String, String>,
    pub operations: Vec<String>,
    pub retiring_principal: Option<String>,
    pub instance_type: Option<String>,
    pub reservation_id: Option<String>,
    pub client_token: Option<String>,
    pub encrypted: Option<bool>,
    pub source_object: Option<String>,
    pub source_index: Option<i64>,
}

impl Event {
    /// Returns the account of the trail; else, in old records, of the caller; else empty.
    pub fn account(&self) -> &str {
        self.recipient_account_id.as_deref().or(self.principal_account_id.as_deref()).unwrap_or_default()
    }

    /// Returns the region, else empty.
    pub fn region(&self) -> &str {
        self.aws_region.as_deref().unwrap_or_default()
    }

    /// Returns the row id: what the page joins by, and breaks ties by.
    pub fn rid(&self) -> String {
        let account = self.account();
        match (&self.event_id, &self.source_object) {
            (Some(event_id), _) => format!("{account}/{event_id}"),
            (None, object) => {
                let object = object.as_deref().unwrap_or_default();
                format!("{account}/{object}#{}", self.source_index.unwrap_or_default())
            }
        }
    }

    /// Returns the order in which "first" and "latest" are meant.
    pub(crate) fn order(&self) -> (i64, String) {
        (self.event_time, self.rid())
    }

    pub(crate) fn is_kms(&self) -> bool {
        self.is_from("kms")
    }

    pub(crate) fn is_ec2(&self) -> bool {
        self.is_from("ec2")
    }

    pub(crate) fn is_sts(&self) -> bool {
        self.is_from("sts")
    }

    fn is_from(&self, service: &str) -> bool {
        // What a VPC endpoint saw of a call that went through: the call has an event of its own.
        if self.event_category.as_deref() == Some("NetworkActivity") && self.succeeded() {
            return false;
        }
        let source = self.event_source.as_deref();
        source.and_then(|source| source.strip_prefix(service)).is_some_and(is_amazon_domain)
    }

    /// Tells whether it is an STS event that issued an access key.
    pub(crate) fn issues(&self) -> bool {
        self.is_sts() && self.succeeded() && self.issued_access_key_id.is_some()
    }

    /// Returns the event name, else empty.
    pub(crate) fn name(&self) -> &str {
        self.event_name.as_deref().unwrap_or_default()
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.error_code.is_none()
    }

    /// Tells whether it is the copy in the trail of an account that only owns what another account's call used.
    pub(crate) fn is_of_another_account(&self) -> bool {
        self.user_identity_type.as_deref() == Some("AWSAccount")
    }

    /// Tells whether two events stand in the same account and region.
    pub(crate) fn shares_home_with(&self, other: &Self) -> bool {
        self.account() == other.account() && self.region() == other.region()
    }

    pub(crate) fn names_instance(&self, instance: &str) -> bool {
        self.instance_ids.iter().any(|it| it == instance)
    }

    pub(crate) fn names_volume(&self, volume: &str) -> bool {
        self.volume_ids.iter().any(|it| it == volume)
    }

    pub(crate) fn names_snapshot(&self, snapshot: &str) -> bool {
        self.snapshot_ids.iter().any(|it| it == snapshot)
    }
}

/// Tells whether `text` is what follows a service's name in its principal.
pub(crate) fn is_amazon_domain(text: &str) -> bool {
    matches!(text, ".amazonaws.com" | ".amazonaws.com.cn")
}

/// Reads rows of `events` by the names of their columns.
///
/// # Panics
/// If a column is missing or has another type than the table says.
pub fn events_from(batches: &[RecordBatch]) -> Vec<Event> {
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| event_at(batch, row))).collect()
}

fn event_at(batch: &RecordBatch, row: usize) -> Event {
    let text = |column: &str| text_at(batch, column, row);
    let list = |column: &str| list_at(batch, column, row);
    Event {
        event_id: text("event_id"),
        event_time: time_at(batch, "event_time", row).expect("every event has a time"),
        event_version: text("event_version"),
        event_source: text("event_source"),
        event_name: text("event_name"),
        event_category: text("event_category"),
        aws_region: text("aws_region"),
        recipient_account_id: text("recipient_account_id"),
        request_id: text("request_id"),
        shared_event_id: text("shared_event_id"),
        source_ip_address: text("source_ip_address"),
        user_agent: text("user_agent"),
        error_code: text("error_code"),
        user_identity_type: text("user_identity_type"),
        principal_id: text("principal_id"),
        principal_arn: text("principal_arn"),
        principal_account_id: text("principal_account_id"),
        session_issuer_arn: text("session_issuer_arn"),
        session_name: text("session_name"),
        invoked_by: text("invoked_by"),
        access_key_id: text("access_key_id"),
        source_identity: text("source_identity"),
        issued_access_key_id: text("issued_access_key_id"),
        key_arn: text("key_arn"),
        source_key_arn: text("source_key_arn"),
        grant_id: text("grant_id"),
        grantee_principal: text("grantee_principal"),
        instance_ids: list("instance_ids"),
        volume_ids: list("volume_ids"),
        snapshot_ids: list("snapshot_ids"),
        image_ids: list("image_ids"),
        encryption_context: map_at(batch, "encryption_context", row),
        operations: list("operations"),
        retiring_principal: text("retiring_principal"),
        instance_type: text("instance_type"),
        reservation_id: text("reservation_id"),
        client_token: text("client_token"),
        encrypted: bool_at(batch, "encrypted", row),
        source_object: text("source_object"),
        source_index: integer_at(batch, "source_index", row),
    }
}

/// Reads rows of `sessions` as the STS events that they are of.
///
/// # Panics
/// If a column is missing or has another type than the table says.
pub fn sessions_from(batches: &[RecordBatch]) -> Vec<Event> {
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| session_at(batch, row))).collect()
}

fn session_at(batch: &RecordBatch, row: usize) -> Event {
    let text = |column: &str| text_at(batch, column, row);
    Event {
        event_id: text("event_id"),
        event_time: time_at(batch, "event_time", row).expect("every event has a time"),
        event_source: Some("sts.amazonaws.com".to_owned()),
        event_name: text("event_name"),
        aws_region: text("aws_region"),
        recipient_account_id: text("recipient_account_id"),
        source_ip_address: text("source_ip_address"),
        user_identity_type: text("user_identity_type"),
        principal_id: text("principal_id"),
        principal_arn: text("principal_arn"),
        principal_account_id: text("principal_account_id"),
        access_key_id: text("access_key_id"),
        session_issuer_arn: text("session_issuer_arn"),
        invoked_by: text("invoked_by"),
        issued_access_key_id: text("issued_access_key_id"),
        source_object: text("source_object"),
        source_index: integer_at(batch, "source_index", row),
        ..Event::default()
    }
}

pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a dyn Array {
    batch.column_by_name(name).unwrap_or_else(|| panic!("no column `{name}`")).as_ref()
}

pub(crate) fn text_at(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = column(batch, name).as_string::<i32>();
    column.is_valid(row).then(|| column.value(row).to_owned())
}

pub(crate) fn bool_at(batch: &RecordBatch, name: &str, row: usize) -> Option<bool> {
    let column = column(batch, name).as_boolean();
    column.is_valid(row).then(|| column.value(row))
}

pub(crate) fn integer_at(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = column(batch, name).as_primitive::<Int64Type>();
    column.is_valid(row).then(|| column.value(row))
}

pub(crate) fn time_at(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = column(batch, name).as_primitive::<TimestampMicrosecondType>();
    column.is_valid(row).then(|| ms_of_time(column.value(row)))
}

pub(crate) fn list_at(batch: &RecordBatch, name: &str, row: usize) -> Vec<String> {
    let column = column(batch, name).as_list::<i32>();
    if column.is_valid(row) { texts(column.value(row).as_string::<i32>()) } else { Vec::new() }
}

fn map_at(batch: &RecordBatch, name: &str, row: usize) -> BTreeMap<String, String> {
    let column: &MapArray = column(batch, name).as_map();
    if column.is_null(row) {
        return BTreeMap::new();
    }
    let entries = column.value(row);
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
    let value = |at: usize| if values.is_valid(at) { values.value(at) } else { "" };
    (0..entries.len()).map(|at| (keys.value(at).to_owned(), value(at).to_owned())).collect()
}

fn texts(values: &StringArray) -> Vec<String> {
    values.iter().flatten().map(str::to_owned).collect()
}
