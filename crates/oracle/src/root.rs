//! The principal behind an EC2 event.

use crate::Event;
use crate::kms::service_of_role;
use crate::trail::Trail;

/// Finds the last caller in the chain of access keys, at most nine of them, and how it is known.
pub(crate) fn root(trail: &Trail<'_>, event: &Event) -> Option<(String, &'static str)> {
    let last = followed(trail, event, 9);
    let in_session = matches!(last.user_identity_type.as_deref(), Some("AssumedRole" | "AWSAccount"));
    let source = match (in_session, issuer(trail, event)) {
        (true, _) => "session",
        (false, Some(_)) => "assume_role",
        (false, None) => "direct",
    };
    let source_identity = filled(event.source_identity.as_ref()).filter(|_| in_session);
    let caller = filled(last.principal_arn.as_ref()).or_else(|| filled(last.principal_id.as_ref()));
    let by_service = service(last).map(|name| (name, "service"));
    by_service
        .or_else(|| source_identity.map(|name| (name, "source_identity")))
        .or_else(|| caller.map(|caller| (caller, source)))
}

/// Finds the STS event at the end of the chain, or the event itself.
fn followed<'a>(trail: &Trail<'a>, event: &'a Event, steps: usize) -> &'a Event {
    match issuer(trail, event) {
        Some(issuer) if steps > 0 => followed(trail, issuer, steps - 1),
        _ => event,
    }
}

/// Finds the STS event that issued the access key of a call; the copy of the role's owner stands last.
fn issuer<'a>(trail: &Trail<'a>, event: &Event) -> Option<&'a Event> {
    let issues = |it: &&Event| event.access_key_id.is_some() && it.issued_access_key_id == event.access_key_id;
    trail.issues.iter().copied().filter(issues).min_by_key(|it| (it.is_of_another_account(), it.order()))
}

/// Finds the AWS service that made a call for itself.
fn service(event: &Event) -> Option<String> {
    let name = match &event.user_identity_type {
        Some(kind) if kind == "AWSService" => event.invoked_by.clone(),
        _ => service_of_role(event.session_issuer_arn.as_deref()).map(str::to_owned),
    };
    filled(name.as_ref())
}

fn filled(text: Option<&String>) -> Option<String> {
    text.cloned().filter(|text| !text.is_empty())
}
