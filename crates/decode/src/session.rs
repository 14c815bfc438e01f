//! The row of `sessions`, of an STS event that issued an access key.

use std::borrow::Cow;

use trailweave_table::SESSIONS;

use crate::append::RowBuilder;
use crate::identity::Identity;
use crate::json::Json;
use crate::normalise;
use crate::ordinary::Odd;
use crate::position::{TextAt, TimeAt};
use crate::record::{FieldName, Record};
use crate::split;
use crate::split::Field;

const EVENT_TIME: TimeAt = TimeAt::of(&SESSIONS, "event_time");
const EVENT_ID: TextAt = TextAt::of(&SESSIONS, "event_id");
const EVENT_NAME: TextAt = TextAt::of(&SESSIONS, "event_name");
const AWS_REGION: TextAt = TextAt::of(&SESSIONS, "aws_region");
const RECIPIENT_ACCOUNT_ID: TextAt = TextAt::of(&SESSIONS, "recipient_account_id");
const SOURCE_IP_ADDRESS: TextAt = TextAt::of(&SESSIONS, "source_ip_address");
const USER_IDENTITY_TYPE: TextAt = TextAt::of(&SESSIONS, "user_identity_type");
const PRINCIPAL_ID: TextAt = TextAt::of(&SESSIONS, "principal_id");
const PRINCIPAL_ARN: TextAt = TextAt::of(&SESSIONS, "principal_arn");
const PRINCIPAL_ACCOUNT_ID: TextAt = TextAt::of(&SESSIONS, "principal_account_id");
const ACCESS_KEY_ID: TextAt = TextAt::of(&SESSIONS, "access_key_id");
const SESSION_ISSUER_ARN: TextAt = TextAt::of(&SESSIONS, "session_issuer_arn");
const INVOKED_BY: TextAt = TextAt::of(&SESSIONS, "invoked_by");
const ISSUED_ACCESS_KEY_ID: TextAt = TextAt::of(&SESSIONS, "issued_access_key_id");
const ISSUED_TO: TextAt = TextAt::of(&SESSIONS, "issued_to");
const AMENDED_EVENT_ID: TextAt = TextAt::of(&SESSIONS, "amended_event_id");

/// Tells whether an STS event issued an access key.
pub(crate) fn issues(record: &Record<'_>) -> bool {
    record.issued_access_key_id().is_some() && record.id(FieldName::ErrorCode).is_none()
}

/// A text of a record, or a truth value or number in words.
type Text<'t> = Option<Cow<'t, str>>;

/// A record as `sessions` tells it.
#[derive(Debug)]
pub(crate) struct Issued<'t> {
    event_time_ms: i64,
    /// The values of these columns.
    texts: [(TextAt, Text<'t>); 15],
}

impl<'t> Issued<'t> {
    /// Reads a record that is parsed.
    pub(crate) fn of(record: &Record<'t>, event_time_ms: i64) -> Self {
        let identity = Identity::new(record.json(FieldName::UserIdentity));
        let text = |text: Option<&'t str>| text.map(Cow::Borrowed);
        let texts = [
            (EVENT_ID, text(record.id(FieldName::EventId))),
            (EVENT_NAME, text(record.text(FieldName::EventName))),
            (AWS_REGION, text(record.text(FieldName::AwsRegion))),
            (RECIPIENT_ACCOUNT_ID, text(record.recipient())),
            (SOURCE_IP_ADDRESS, text(record.text(FieldName::SourceIpAddress))),
            (USER_IDENTITY_TYPE, identity.kind.scalar()),
            (PRINCIPAL_ID, identity.principal_id.scalar()),
            (PRINCIPAL_ARN, identity.arn.scalar()),
            (PRINCIPAL_ACCOUNT_ID, identity.account_id.scalar()),
            (ACCESS_KEY_ID, identity.access_key_id.scalar()),
            (SESSION_ISSUER_ARN, identity.session_issuer_arn()),
            (INVOKED_BY, identity.invoked_by_any()),
            (ISSUED_ACCESS_KEY_ID, text(record.issued_access_key_id())),
            (ISSUED_TO, text(issued_to(record))),
            (AMENDED_EVENT_ID, text(record.amended_event_id())),
        ];
        Self { event_time_ms, texts }
    }

    /// Reads a plain record, which `fields` divides, without parsing it; odd where it did not issue a key, where it may
    /// amend another, or where what is looked at is of another type than STS gives it.
    pub(crate) fn of_plain(raw: &'t str, fields: &[Field], inner: &mut Vec<Field>) -> Result<Self, Odd> {
        let [time, category, id, name, region, account, address, error, addendum, identity, request, response] =
            picked(raw, fields, &TOP_LEVEL);
        if !matches!(text(category)?, None | Some("Management")) {
            return Err(Odd);
        }
        let event_time_ms = text(time)?.and_then(normalise::event_time_ms).ok_or(Odd)?;
        let [credentials, of_role, of_user] =
            pick(response, &["credentials", "assumedRoleUser", "federatedUser"], inner)?;
        let [issued] = pick(credentials, &["accessKeyId"], inner)?;
        let issued = filled(issued)?.ok_or(Odd)?;
        if filled(error)?.is_some() || addendum != NULL {
            return Err(Odd);
        }
        let [kind, principal, arn, principal_account, key, context, invoked_by] = pick(identity, &IDENTITY, inner)?;
        let [by] = pick(context, &["sessionIssuer"], inner)?;
        let [issuer_arn] = pick(by, &["arn"], inner)?;
        let [role_arn] = pick(of_role, &["arn"], inner)?;
        let [user_arn] = pick(of_user, &["arn"], inner)?;
        let [asked_arn] = pick(request, &["roleArn"], inner)?;
        let issued_to = text(role_arn)?.or(text(user_arn)?).or(text(asked_arn)?);
        let texts = [
            (EVENT_ID, filled(id)?),
            (EVENT_NAME, filled(name)?),
            (AWS_REGION, text(region)?),
            (RECIPIENT_ACCOUNT_ID, filled(account)?),
            (SOURCE_IP_ADDRESS, text(address)?),
            (USER_IDENTITY_TYPE, text(kind)?),
            (PRINCIPAL_ID, text(principal)?),
            (PRINCIPAL_ARN, text(arn)?),
            (PRINCIPAL_ACCOUNT_ID, text(principal_account)?),
            (ACCESS_KEY_ID, text(key)?),
            (SESSION_ISSUER_ARN, text(issuer_arn)?),
            (INVOKED_BY, filled(invoked_by)?),
            (ISSUED_ACCESS_KEY_ID, Some(issued)),
            (ISSUED_TO, issued_to),
            (AMENDED_EVENT_ID, None),
        ];
        Ok(Self { event_time_ms, texts: texts.map(|(column, text)| (column, text.map(Cow::Borrowed))) })
    }

    /// Fills all columns but those that say where the record came from.
    pub(crate) fn append(&self, rows: &mut RowBuilder) {
        rows.time(EVENT_TIME, self.event_time_ms);
        for (column, text) in &self.texts {
            rows.text(*column, text.as_ref());
        }
    }
}

/// Returns the ARN of the session that got the key, else of the role that it is of.
fn issued_to<'t>(record: &Record<'t>) -> Option<&'t str> {
    let response = record.json(FieldName::ResponseElements);
    let of_session = ["assumedRoleUser", "federatedUser"].map(|user| response.get(user).get("arn"));
    let of_role = record.json(FieldName::RequestParameters).get("roleArn");
    of_session.into_iter().chain([of_role]).find_map(Json::string)
}

/// The value of a field that is not there.
const NULL: &str = "null";

const TOP_LEVEL: [&str; 12] = [
    "eventTime",
    "eventCategory",
    "eventID",
    "eventName",
    "awsRegion",
    "recipientAccountId",
    "sourceIPAddress",
    "errorCode",
    "addendum",
    "userIdentity",
    "requestParameters",
    "responseElements",
];

const IDENTITY: [&str; 7] = ["type", "principalId", "arn", "accountId", "accessKeyId", "sessionContext", "invokedBy"];

/// Returns the values of some fields of an object in a plain record, as logged. It may be null.
fn pick<'t, const N: usize>(object: &'t str, keys: &[&str; N], found: &mut Vec<Field>) -> Result<[&'t str; N], Odd> {
    if object == NULL {
        return Ok([NULL; N]);
    }
    if !object.starts_with('{') {
        return Err(Odd);
    }
    split::fields(object.as_bytes(), found).map_err(|_| Odd)?;
    Ok(picked(object, found, keys))
}

/// Returns the values of some of the `fields` of an object, as logged. Of fields of one name the last counts.
fn picked<'t, const N: usize>(object: &'t str, fields: &[Field], keys: &[&str; N]) -> [&'t str; N] {
    let mut values = [NULL; N];
    for Field { key, value } in fields {
        // Without its quotes.
        let key = &object[key.start + 1..key.end - 1];
        if let Some(at) = keys.iter().position(|it| *it == key) {
            values[at] = &object[value.start..value.end];
        }
    }
    values
}

/// Returns the text that a value of a plain record is, if it is not null.
fn text(value: &str) -> Result<Option<&str>, Odd> {
    if value == NULL {
        return Ok(None);
    }
    let text = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    text.filter(|text| !text.contains('"')).map(Some).ok_or(Odd)
}

/// Does the same, and takes an empty text for null.
fn filled(value: &str) -> Result<Option<&str>, Odd> {
    text(value).map(|text| text.filter(|text| !text.is_empty()))
}
