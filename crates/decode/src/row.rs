//! The row of a record, and whether it has one.

use trailweave_table::EVENTS;

use crate::append::RowBuilder;
use crate::ec2;
use crate::identity::{Identities, Identity};
use crate::kms;
use crate::kms::Contexts;
use crate::normalise;
use crate::options::Selection;
use crate::position::{BoolAt, TextAt, TimeAt};
use crate::record::{FieldName, Record};
use crate::relevant;
use crate::relevant::Facts;
use crate::session;

const EVENT_TIME: TimeAt = TimeAt::of(&EVENTS, "event_time");
const EVENT_ID: TextAt = TextAt::of(&EVENTS, "event_id");
const REQUEST_ID: TextAt = TextAt::of(&EVENTS, "request_id");
const SHARED_EVENT_ID: TextAt = TextAt::of(&EVENTS, "shared_event_id");
const READ_ONLY: BoolAt = BoolAt::of(&EVENTS, "read_only");
const MANAGEMENT_EVENT: BoolAt = BoolAt::of(&EVENTS, "management_event");
const RECIPIENT_ACCOUNT_ID: TextAt = TextAt::of(&EVENTS, "recipient_account_id");
const ERROR_CODE: TextAt = TextAt::of(&EVENTS, "error_code");
const CLIENT_TOKEN: TextAt = TextAt::of(&EVENTS, "client_token");
const ISSUED_ACCESS_KEY_ID: TextAt = TextAt::of(&EVENTS, "issued_access_key_id");
const AMENDED_EVENT_ID: TextAt = TextAt::of(&EVENTS, "amended_event_id");
const EXTRA: TextAt = TextAt::of(&EVENTS, "extra");

/// Columns that hold a field as it is.
const TEXTS: [(TextAt, FieldName); 10] = [
    (TextAt::of(&EVENTS, "event_version"), FieldName::EventVersion),
    (TextAt::of(&EVENTS, "event_source"), FieldName::EventSource),
    (TextAt::of(&EVENTS, "event_name"), FieldName::EventName),
    (TextAt::of(&EVENTS, "event_type"), FieldName::EventType),
    (TextAt::of(&EVENTS, "event_category"), FieldName::EventCategory),
    (TextAt::of(&EVENTS, "aws_region"), FieldName::AwsRegion),
    (TextAt::of(&EVENTS, "source_ip_address"), FieldName::SourceIpAddress),
    (TextAt::of(&EVENTS, "user_agent"), FieldName::UserAgent),
    (TextAt::of(&EVENTS, "error_message"), FieldName::ErrorMessage),
    (TextAt::of(&EVENTS, "vpc_endpoint_id"), FieldName::VpcEndpointId),
];

/// Columns that hold a field's JSON text as logged.
const JSON_TEXTS: [(TextAt, FieldName); 5] = [
    (TextAt::of(&EVENTS, "request_parameters"), FieldName::RequestParameters),
    (TextAt::of(&EVENTS, "response_elements"), FieldName::ResponseElements),
    (TextAt::of(&EVENTS, "additional_event_data"), FieldName::AdditionalEventData),
    (TextAt::of(&EVENTS, "service_event_details"), FieldName::ServiceEventDetails),
    (TextAt::of(&EVENTS, "resources"), FieldName::Resources),
];

/// The table that a record becomes a row of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowOf {
    /// `events`.
    Events,
    /// `sessions`.
    Sessions,
    /// None: the lake does not keep it.
    NoTable,
}

/// Tells of which table the record becomes a row. What is relevant of an STS event is the key that it issued.
pub(crate) fn row_of(record: &Record<'_>, selection: Selection) -> RowOf {
    let event_source = record.json(FieldName::EventSource).string().unwrap_or_default();
    match selection {
        Selection::All => RowOf::Events,
        Selection::Relevant if record.is_of_network_alone() || !is_relevant(record) => RowOf::NoTable,
        Selection::Relevant if !relevant::is_sts(event_source.as_bytes()) => RowOf::Events,
        Selection::Relevant if session::issues(record) => RowOf::Sessions,
        Selection::Relevant => RowOf::NoTable,
    }
}

fn is_relevant(record: &Record<'_>) -> bool {
    let event_source = record.json(FieldName::EventSource).string().unwrap_or_default();
    let event_name = record.json(FieldName::EventName).string().unwrap_or_default();
    if let Some(is_relevant) = relevant::by_name(event_source.as_bytes(), event_name.as_bytes()) {
        return is_relevant;
    }
    let identity = Identity::new(record.json(FieldName::UserIdentity));
    let parameters = record.json(FieldName::RequestParameters);
    let grantee = kms::grantee(parameters).string();
    relevant::is_relevant(&Facts {
        event_source,
        event_name,
        names_ebs: Contexts::new(parameters).name_ebs(),
        is_infrastructure: identity.is_infrastructure() || grantee.is_some_and(normalise::is_infrastructure),
        callers: [
            identity.invoked_by(),
            record.json(FieldName::UserAgent).string(),
            record.json(FieldName::SourceIpAddress).string(),
        ],
        session_name: identity.session_name(),
        is_blind: parameters.is_null() && record.id(FieldName::ErrorCode).is_some(),
    })
}

/// Fills all columns but those that say where the record came from.
pub(crate) fn append(record: &Record<'_>, event_time_ms: i64, identities: &mut Identities, rows: &mut RowBuilder) {
    rows.time(EVENT_TIME, event_time_ms);
    for (column, name) in TEXTS {
        rows.text(column, record.text(name));
    }
    for (column, name) in JSON_TEXTS {
        rows.text(column, record.logged(name));
    }
    rows.text(EVENT_ID, record.id(FieldName::EventId));
    rows.text(SHARED_EVENT_ID, record.id(FieldName::SharedEventId));
    rows.text(RECIPIENT_ACCOUNT_ID, record.recipient());
    rows.text(ERROR_CODE, record.id(FieldName::ErrorCode));
    rows.lower_text(REQUEST_ID, record.id(FieldName::RequestId));
    rows.truth(READ_ONLY, record.json(FieldName::ReadOnly).truth());
    rows.truth(MANAGEMENT_EVENT, record.json(FieldName::ManagementEvent).truth());
    rows.text(CLIENT_TOKEN, record.client_token());
    rows.text(AMENDED_EVENT_ID, record.amended_event_id());
    let identity = record.json(FieldName::UserIdentity);
    let known = identities.known(record.raw(FieldName::UserIdentity), identity);
    known.append(rows);
    if let Some(extra) = record.extra(known.rest()) {
        rows.text_of(EXTRA, extra);
    }
    let event_source = record.json(FieldName::EventSource).string().unwrap_or_default();
    if relevant::is_kms(event_source) {
        let contexts = Contexts::new(record.json(FieldName::RequestParameters));
        kms::append(record, &Identity::new(identity), &contexts, rows);
        return;
    }
    ec2::append_resource_ids(record, rows);
    if relevant::is_ec2(event_source) {
        ec2::append(record, rows);
    } else if relevant::is_sts(event_source.as_bytes()) {
        rows.text(ISSUED_ACCESS_KEY_ID, record.issued_access_key_id());
    }
}
