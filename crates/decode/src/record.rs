//! One record: its top-level fields, and whether it may be a row.

use simd_json::Node;

use crate::json;
use crate::json::Json;
use crate::normalise;
use crate::reject::Reason;
use crate::relevant;
use crate::split::Field;

/// The top-level fields that columns are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldName {
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

const N_FIELDS: usize = FieldName::VpcEndpointId as usize + 1;

/// A parsed record.
#[derive(Debug)]
pub(crate) struct Record<'t> {
    known: [(Json<'t>, &'t str); N_FIELDS],
    extra: Vec<(&'t str, Extra<'t>)>,
    /// The account that its wrapper was delivered to.
    account: Option<&'t str>,
}

/// A field as logged that `extra` may have to hold.
#[derive(Debug, Clone, Copy)]
struct Extra<'t> {
    raw_key: &'t str,
    raw_value: &'t str,
    is_needed: bool,
}

impl FieldName {
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
        matches!(self, Self::Addendum | Self::ReadOnly | Self::ManagementEvent)
    }

    /// Tells whether no column holds all of the field, so that `extra` must. What is left of the caller, `Identities` knows.
    fn needs_extra(self, value: Json<'_>) -> bool {
        match self {
            Self::Addendum => true,
            Self::ReadOnly | Self::ManagementEvent => value.truth().is_none() && !value.is_null(),
            _ => false,
        }
    }
}

impl<'t> Record<'t> {
    /// Joins the values on `tape` with their bytes as logged, `raw`, which `fields` divides.
    /// `account` is that of the wrapper. Needs: all three are of the same object.
    pub(crate) fn new(tape: &'t [Node<'t>], raw: &'t str, fields: &[Field], account: Option<&'t str>) -> Self {
        let mut record = Self { known: [(Json::NULL, "null"); N_FIELDS], extra: Vec::new(), account };
        for ((key, json), field) in Json::root(tape).fields().zip(fields) {
            let raw_value = &raw[field.value.start..field.value.end];
            let name = FieldName::of(key);
            if let Some(name) = name {
                record.known[name as usize] = (json, raw_value);
            }
            if name.is_none_or(FieldName::may_need_extra) {
                let raw_key = &raw[field.key.start..field.key.end];
                let is_needed = name.is_none_or(|name| name.needs_extra(json));
                record.extra.push((key, Extra { raw_key, raw_value, is_needed }));
            }
        }
        json::keep_last(&mut record.extra);
        record.extra.retain(|(_, extra)| extra.is_needed);
        record
    }

    pub(crate) fn json(&self, name: FieldName) -> Json<'t> {
        self.known[name as usize].0
    }

    /// Returns a field with its text as logged, unless it is null.
    pub(crate) fn logged(&self, name: FieldName) -> Option<&'t str> {
        let (json, raw) = self.known[name as usize];
        (!json.is_null()).then_some(raw)
    }

    /// Returns a field as text: a string's content, anything else as logged.
    pub(crate) fn text(&self, name: FieldName) -> Option<&'t str> {
        self.logged(name).map(|raw| self.json(name).string().unwrap_or(raw))
    }

    /// Returns a field as text, unless it is empty, as some tools write what is absent.
    pub(crate) fn id(&self, name: FieldName) -> Option<&'t str> {
        self.text(name).filter(|id| !id.is_empty())
    }

    /// Returns the account that the record was delivered to: as it says, or as its wrapper does where a record of an
    /// early version does not.
    pub(crate) fn recipient(&self) -> Option<&'t str> {
        self.id(FieldName::RecipientAccountId).or(self.account)
    }

    /// Tells whether the record is an Insights or an aggregated event, which tells of many calls and is none itself.
    pub(crate) fn is_of_many_calls(&self) -> bool {
        matches!(self.json(FieldName::EventCategory).string(), Some("Insight" | "Aggregated"))
    }

    /// Tells whether the record is what a VPC endpoint saw of a call that went through: the call has an event of its own,
    /// with its parameters. Of a call that the endpoint refused it is the only one.
    pub(crate) fn is_of_network_alone(&self) -> bool {
        self.json(FieldName::EventCategory).string() == Some("NetworkActivity")
            && self.id(FieldName::ErrorCode).is_none()
    }

    /// Returns the record's time, if it has all that a row must have.
    pub(crate) fn validate(&self) -> Result<i64, Reason> {
        let required = |name| self.json(name).string().filter(|text| !text.is_empty());
        let event_time = required(FieldName::EventTime).and_then(normalise::event_time_ms);
        let event_time_ms = event_time.ok_or(Reason::InvalidEventTime)?;
        let event_source = required(FieldName::EventSource).ok_or(Reason::InvalidEventSource)?;
        required(FieldName::EventName).ok_or(Reason::InvalidEventName)?;
        if relevant::is_notification(event_source.as_bytes()) {
            return Err(Reason::Notification);
        }
        Ok(event_time_ms)
    }

    /// Returns the region and the account in which a key that is named by a bare id is: the event's own, and the one
    /// that was called. In the copy that the owner of a shared resource gets, the caller's is meant.
    pub(crate) fn called(&self) -> (Option<&'t str>, Option<&'t str>) {
        let identity = self.json(FieldName::UserIdentity);
        let is_copy = identity.get("type").string() == Some("AWSAccount");
        let account = self.recipient().filter(|_| !is_copy);
        (self.json(FieldName::AwsRegion).string(), account.or_else(|| identity.get("accountId").string()))
    }

    /// Returns what the record replaces: the event that its addendum names, or else the earlier record of its own
    /// event.
    pub(crate) fn amended_event_id(&self) -> Option<&'t str> {
        let addendum = self.json(FieldName::Addendum);
        if addendum.get("reason").string() != Some("UPDATED_DATA") {
            return None;
        }
        let own = self.id(FieldName::EventId)?;
        Some(addendum.get("originalEventID").string().filter(|id| !id.is_empty()).unwrap_or(own))
    }

    pub(crate) fn issued_access_key_id(&self) -> Option<&'t str> {
        let credentials = self.json(FieldName::ResponseElements).get("credentials");
        credentials.get("accessKeyId").string().filter(|id| !id.is_empty())
    }

    /// Finds the client token. EC2's newer operations wrap their parameters in `<eventName>Request` and a scalar in
    /// `{"content":..}`.
    pub(crate) fn client_token(&self) -> Option<&'t str> {
        const NAMES: [&str; 2] = ["clientToken", "ClientToken"];
        let parameters = self.json(FieldName::RequestParameters);
        let event_name = self.json(FieldName::EventName).string().unwrap_or_default();
        let mut token = parameters.get_any(&NAMES);
        if token.is_null() {
            let wrapper = |key: &str| key.strip_suffix("Request") == Some(event_name);
            token = parameters.get_where(wrapper).get_any(&NAMES);
        }
        token.string().or_else(|| token.get("content").string())
    }

    /// Returns a field's text as logged, also where it is null.
    pub(crate) fn raw(&self, name: FieldName) -> &'t str {
        self.known[name as usize].1
    }

    /// Writes an object of the fields that no column holds, in pieces of its text; none where there are none. `identity`
    /// is what is left of the caller.
    pub(crate) fn extra<'e>(&'e self, identity: Option<&'e str>) -> Option<impl Iterator<Item = &'e str>> {
        if self.extra.is_empty() && identity.is_none() {
            return None;
        }
        let fields = self.extra.iter().map(|(_, extra)| (extra.raw_key, extra.raw_value));
        let fields = fields.chain(identity.map(|identity| ("\"userIdentity\"", identity)));
        let separators = std::iter::once("{").chain(std::iter::repeat(","));
        let texts = separators.zip(fields).flat_map(|(before, (key, value))| [before, key, ":", value]);
        Some(texts.chain(["}"]))
    }
}
