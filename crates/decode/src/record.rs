//! One record: its top-level fields, whether it may be a row, and the row.

use simd_json::Node;
use trailweave_table::EVENTS;

use crate::append::{Rows, position};
use crate::ec2;
use crate::identity::Identity;
use crate::json;
use crate::json::Json;
use crate::kms;
use crate::kms::Contexts;
use crate::normalise;
use crate::options::Selection;
use crate::reject::Reason;
use crate::relevant;
use crate::relevant::{Facts, is_relevant};
use crate::split::Field;

const EVENT_TIME: usize = position(&EVENTS, "event_time");
const EVENT_ID: usize = position(&EVENTS, "event_id");
const REQUEST_ID: usize = position(&EVENTS, "request_id");
const SHARED_EVENT_ID: usize = position(&EVENTS, "shared_event_id");
const READ_ONLY: usize = position(&EVENTS, "read_only");
const MANAGEMENT_EVENT: usize = position(&EVENTS, "management_event");
const RECIPIENT_ACCOUNT_ID: usize = position(&EVENTS, "recipient_account_id");
const ERROR_CODE: usize = position(&EVENTS, "error_code");
const CLIENT_TOKEN: usize = position(&EVENTS, "client_token");
const ISSUED_ACCESS_KEY_ID: usize = position(&EVENTS, "issued_access_key_id");
const AMENDED_EVENT_ID: usize = position(&EVENTS, "amended_event_id");
const EXTRA: usize = position(&EVENTS, "extra");

/// Columns that hold a field as it is.
const TEXTS: [(usize, Key); 10] = [
    (position(&EVENTS, "event_version"), Key::EventVersion),
    (position(&EVENTS, "event_source"), Key::EventSource),
    (position(&EVENTS, "event_name"), Key::EventName),
    (position(&EVENTS, "event_type"), Key::EventType),
    (position(&EVENTS, "event_category"), Key::EventCategory),
    (position(&EVENTS, "aws_region"), Key::AwsRegion),
    (position(&EVENTS, "source_ip_address"), Key::SourceIpAddress),
    (position(&EVENTS, "user_agent"), Key::UserAgent),
    (position(&EVENTS, "error_message"), Key::ErrorMessage),
    (position(&EVENTS, "vpc_endpoint_id"), Key::VpcEndpointId),
];

/// Columns that hold a field's JSON text as logged.
const JSON_TEXTS: [(usize, Key); 5] = [
    (position(&EVENTS, "request_parameters"), Key::RequestParameters),
    (position(&EVENTS, "response_elements"), Key::ResponseElements),
    (position(&EVENTS, "additional_event_data"), Key::AdditionalEventData),
    (position(&EVENTS, "service_event_details"), Key::ServiceEventDetails),
    (position(&EVENTS, "resources"), Key::Resources),
];

/// The top-level fields that columns are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Addendum,
    AdditionalEventData,
    AwsRegion,
    ErrorCode,
    ErrorMessage,
    EventCategory,
    EventId,
    EventName,
    EventSource,
    EventTime,
    EventType,
    EventVersion,
    ManagementEvent,
    ReadOnly,
    RecipientAccountId,
    RequestId,
    RequestParameters,
    Resources,
    ResponseElements,
    ServiceEventDetails,
    SharedEventId,
    SourceIpAddress,
    UserAgent,
    UserIdentity,
    VpcEndpointId,
}

const N_KEYS: usize = Key::VpcEndpointId as usize + 1;

/// A parsed record.
#[derive(Debug)]
pub(crate) struct Record<'t> {
    known: [(Json<'t>, &'t str); N_KEYS],
    extra: Vec<(&'t str, Extra<'t>)>,
}

/// A field as logged that `extra` may have to hold.
#[derive(Debug, Clone, Copy)]
struct Extra<'t> {
    raw_key: &'t str,
    raw_value: &'t str,
    is_needed: bool,
}

impl Key {
    fn of(key: &str) -> Option<Self> {
        Some(match key {
            "addendum" => Self::Addendum,
            "additionalEventData" => Self::AdditionalEventData,
            "awsRegion" => Self::AwsRegion,
            "errorCode" => Self::ErrorCode,
            "errorMessage" => Self::ErrorMessage,
            "eventCategory" => Self::EventCategory,
            "eventID" => Self::EventId,
            "eventName" => Self::EventName,
            "eventSource" => Self::EventSource,
            "eventTime" => Self::EventTime,
            "eventType" => Self::EventType,
            "eventVersion" => Self::EventVersion,
            "managementEvent" => Self::ManagementEvent,
            "readOnly" => Self::ReadOnly,
            "recipientAccountId" => Self::RecipientAccountId,
            "requestID" => Self::RequestId,
            "requestParameters" => Self::RequestParameters,
            "resources" => Self::Resources,
            "responseElements" => Self::ResponseElements,
            "serviceEventDetails" => Self::ServiceEventDetails,
            "sharedEventID" | "sharedEventId" => Self::SharedEventId,
            "sourceIPAddress" => Self::SourceIpAddress,
            "userAgent" => Self::UserAgent,
            "userIdentity" => Self::UserIdentity,
            "vpcEndpointId" => Self::VpcEndpointId,
            _ => return None,
        })
    }

    fn may_need_extra(self) -> bool {
        matches!(self, Self::UserIdentity | Self::Addendum | Self::ReadOnly | Self::ManagementEvent)
    }

    /// Whether no column holds all of the field, so that `extra` must.
    fn needs_extra(self, value: Json<'_>) -> bool {
        match self {
            Self::UserIdentity | Self::Addendum => true,
            Self::ReadOnly | Self::ManagementEvent => value.truth().is_none() && !value.is_null(),
            _ => false,
        }
    }
}

impl<'t> Record<'t> {
    /// Joins the values on `tape` with their bytes as logged, `raw`, which `fields` divides.
    /// Needs: all three are of the same object.
    pub(crate) fn new(tape: &'t [Node<'t>], raw: &'t str, fields: &[Field]) -> Self {
        let mut record = Self { known: [(Json::NULL, "null"); N_KEYS], extra: Vec::new() };
        for ((key, json), field) in Json::root(tape).fields().zip(fields) {
            let raw_value = &raw[field.value.start..field.value.end];
            let name = Key::of(key);
            if let Some(name) = name {
                record.known[name as usize] = (json, raw_value);
            }
            if name.is_none_or(Key::may_need_extra) {
                let raw_key = &raw[field.key.start..field.key.end];
                let is_needed = name.is_none_or(|name| name.needs_extra(json));
                record.extra.push((key, Extra { raw_key, raw_value, is_needed }));
            }
        }
        json::keep_last(&mut record.extra);
        record.extra.retain(|(_, extra)| extra.is_needed);
        record
    }

    pub(crate) fn json(&self, name: Key) -> Json<'t> {
        self.known[name as usize].0
    }

    /// A field as text: a string's content, anything else as logged.
    fn text(&self, name: Key) -> Option<&'t str> {
        let (json, raw) = self.known[name as usize];
        if json.is_null() { None } else { Some(json.string().unwrap_or(raw)) }
    }

    /// A field of which an empty text, as some tools write for what is absent, says nothing.
    pub(crate) fn id(&self, name: Key) -> Option<&'t str> {
        self.text(name).filter(|id| !id.is_empty())
    }

    /// The record's time, if it has all that a row must have.
    pub(crate) fn validate(&self) -> Result<i64, Reason> {
        let required = |name| self.json(name).string().filter(|text| !text.is_empty());
        let event_time = required(Key::EventTime).and_then(normalise::event_time_ms);
        let event_time_ms = event_time.ok_or(Reason::InvalidEventTime)?;
        let event_source = required(Key::EventSource).ok_or(Reason::InvalidEventSource)?;
        required(Key::EventName).ok_or(Reason::InvalidEventName)?;
        if relevant::is_notification(event_source.as_bytes()) {
            return Err(Reason::Notification);
        }
        Ok(event_time_ms)
    }

    /// Whether the record is among the events that the lake keeps.
    pub(crate) fn is_selected(&self, selection: Selection) -> bool {
        match selection {
            Selection::All => true,
            Selection::Relevant => self.is_relevant(),
        }
    }

    fn is_relevant(&self) -> bool {
        let event_source = self.json(Key::EventSource).string().unwrap_or_default();
        let event_name = self.json(Key::EventName).string().unwrap_or_default();
        if let Some(is_relevant) = relevant::by_name(event_source.as_bytes(), event_name.as_bytes()) {
            return is_relevant;
        }
        let identity = Identity::new(self.json(Key::UserIdentity));
        let parameters = self.json(Key::RequestParameters);
        let grantee = kms::grantee(parameters).string();
        is_relevant(&Facts {
            event_source,
            event_name,
            names_ebs: Contexts::new(parameters).name_ebs(),
            is_infrastructure: identity.is_infrastructure() || grantee.is_some_and(normalise::is_infrastructure),
            callers: [
                identity.invoked_by(),
                self.json(Key::UserAgent).string(),
                self.json(Key::SourceIpAddress).string(),
            ],
            session_name: identity.session_name(),
            is_blind: parameters.is_null() && self.id(Key::ErrorCode).is_some(),
        })
    }

    /// Fills all columns but those that say where the record came from.
    pub(crate) fn append(&self, event_time_ms: i64, rows: &mut Rows) {
        rows.time(EVENT_TIME, event_time_ms);
        for (column, name) in TEXTS {
            rows.text(column, self.text(name));
        }
        for (column, name) in JSON_TEXTS {
            let (json, raw) = self.known[name as usize];
            rows.text(column, (!json.is_null()).then_some(raw));
        }
        rows.text(EVENT_ID, self.id(Key::EventId));
        rows.text(SHARED_EVENT_ID, self.id(Key::SharedEventId));
        rows.text(RECIPIENT_ACCOUNT_ID, self.id(Key::RecipientAccountId));
        rows.text(ERROR_CODE, self.id(Key::ErrorCode));
        rows.lower_text(REQUEST_ID, self.id(Key::RequestId));
        rows.truth(READ_ONLY, self.json(Key::ReadOnly).truth());
        rows.truth(MANAGEMENT_EVENT, self.json(Key::ManagementEvent).truth());
        rows.text(CLIENT_TOKEN, self.client_token());
        rows.text(AMENDED_EVENT_ID, self.amended_event_id());
        if !self.extra.is_empty() {
            rows.text_of(EXTRA, self.extra());
        }
        let identity = Identity::new(self.json(Key::UserIdentity));
        identity.append(rows);
        let event_source = self.json(Key::EventSource).string().unwrap_or_default();
        if relevant::is_kms(event_source) {
            let contexts = Contexts::new(self.json(Key::RequestParameters));
            kms::append(self, &identity, &contexts, rows);
            return;
        }
        ec2::append_resource_ids(self, rows);
        if relevant::is_ec2(event_source) {
            ec2::append(self, rows);
        } else if relevant::is_sts(event_source) {
            rows.text(ISSUED_ACCESS_KEY_ID, self.issued_access_key_id());
        }
    }

    /// What the record replaces: the event that its addendum names, or else the earlier record of its own event.
    pub(crate) fn amended_event_id(&self) -> Option<&'t str> {
        let addendum = self.json(Key::Addendum);
        if addendum.get("reason").string() != Some("UPDATED_DATA") {
            return None;
        }
        let own = self.id(Key::EventId)?;
        Some(addendum.get("originalEventID").string().filter(|id| !id.is_empty()).unwrap_or(own))
    }

    fn issued_access_key_id(&self) -> Option<&'t str> {
        let credentials = self.json(Key::ResponseElements).get("credentials");
        credentials.get("accessKeyId").string().filter(|id| !id.is_empty())
    }

    /// EC2's newer operations wrap their parameters in `<eventName>Request` and a scalar in `{"content":..}`.
    fn client_token(&self) -> Option<&'t str> {
        const NAMES: [&str; 2] = ["clientToken", "ClientToken"];
        let parameters = self.json(Key::RequestParameters);
        let event_name = self.json(Key::EventName).string().unwrap_or_default();
        let mut token = parameters.get_any(&NAMES);
        if token.is_null() {
            let wrapper = |key: &str| key.strip_suffix("Request") == Some(event_name);
            token = parameters.get_where(wrapper).get_any(&NAMES);
        }
        token.string().or_else(|| token.get("content").string())
    }

    /// The text of an object of what no column holds.
    fn extra(&self) -> impl Iterator<Item = &'t str> {
        let separators = std::iter::once("{").chain(std::iter::repeat(","));
        let fields = separators.zip(&self.extra);
        fields.flat_map(|(before, (_, extra))| [before, extra.raw_key, ":", extra.raw_value]).chain(["}"])
    }
}
