//! The row of `sessions`, of an STS event that issued an access key.

use trailweave_table::SESSIONS;

use crate::append::RowBuilder;
use crate::identity::Identity;
use crate::json::Json;
use crate::position::{TextAt, TimeAt};
use crate::record::{FieldName, Record};

const EVENT_TIME: TimeAt = TimeAt::of(&SESSIONS, "event_time");
const EVENT_ID: TextAt = TextAt::of(&SESSIONS, "event_id");
const EVENT_NAME: TextAt = TextAt::of(&SESSIONS, "event_name");
const AWS_REGION: TextAt = TextAt::of(&SESSIONS, "aws_region");
const RECIPIENT_ACCOUNT_ID: TextAt = TextAt::of(&SESSIONS, "recipient_account_id");
const SOURCE_IP_ADDRESS: TextAt = TextAt::of(&SESSIONS, "source_ip_address");
const ISSUED_ACCESS_KEY_ID: TextAt = TextAt::of(&SESSIONS, "issued_access_key_id");
const ISSUED_TO: TextAt = TextAt::of(&SESSIONS, "issued_to");
const AMENDED_EVENT_ID: TextAt = TextAt::of(&SESSIONS, "amended_event_id");

/// Tells whether an STS event issued an access key.
pub(crate) fn issues(record: &Record<'_>) -> bool {
    record.issued_access_key_id().is_some() && record.id(FieldName::ErrorCode).is_none()
}

/// Fills all columns but those that say where the record came from.
pub(crate) fn append(record: &Record<'_>, event_time_ms: i64, rows: &mut RowBuilder) {
    rows.time(EVENT_TIME, event_time_ms);
    rows.text(EVENT_ID, record.id(FieldName::EventId));
    rows.text(EVENT_NAME, record.text(FieldName::EventName));
    rows.text(AWS_REGION, record.text(FieldName::AwsRegion));
    rows.text(RECIPIENT_ACCOUNT_ID, record.id(FieldName::RecipientAccountId));
    rows.text(SOURCE_IP_ADDRESS, record.text(FieldName::SourceIpAddress));
    Identity::new(record.json(FieldName::UserIdentity)).append_to_session(rows);
    rows.text(ISSUED_ACCESS_KEY_ID, record.issued_access_key_id());
    rows.text(ISSUED_TO, issued_to(record));
    rows.text(AMENDED_EVENT_ID, record.amended_event_id());
}

/// Returns the ARN of the session that got the key, else of the role that it is of.
fn issued_to<'t>(record: &Record<'t>) -> Option<&'t str> {
    let response = record.json(FieldName::ResponseElements);
    let of_user = ["assumedRoleUser", "federatedUser"].map(|user| response.get(user).get("arn"));
    let of_role = record.json(FieldName::RequestParameters).get("roleArn");
    of_user.into_iter().chain([of_role]).find_map(Json::string)
}
