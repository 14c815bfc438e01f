//! The key, the grant and the encryption context of a KMS event.

use std::borrow::Cow;

use trailweave_table::EVENTS;

use crate::append::RowBuilder;
use crate::identity::Identity;
use crate::json;
use crate::json::Json;
use crate::normalise;
use crate::normalise::Resource;
use crate::position::{TextAt, TextListAt, TextMapAt};
use crate::record::{FieldName, Record};
use crate::resource_ids::ResourceIds;

const KEY_ARN: TextAt = TextAt::of(&EVENTS, "key_arn");
const SOURCE_KEY_ARN: TextAt = TextAt::of(&EVENTS, "source_key_arn");
const GRANT_ID: TextAt = TextAt::of(&EVENTS, "grant_id");
const GRANTEE_PRINCIPAL: TextAt = TextAt::of(&EVENTS, "grantee_principal");
const RETIRING_PRINCIPAL: TextAt = TextAt::of(&EVENTS, "retiring_principal");
const OPERATIONS: TextListAt = TextListAt::of(&EVENTS, "operations");
const ENCRYPTION_CONTEXT: TextMapAt = TextMapAt::of(&EVENTS, "encryption_context");

const EBS_ID: &str = "aws:ebs:id";
/// How a message says that a `ReEncrypt` lacks a permission on its source key. A user's path, which it also names,
/// holds no space.
const RE_ENCRYPT_FROM: &str = "perform: kms:ReEncryptFrom";

/// The encryption contexts of a call, the one that describes it best first; absent ones are null.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contexts<'t>([Json<'t>; 5]);

impl<'t> Contexts<'t> {
    pub(crate) fn new(parameters: Json<'t>) -> Self {
        let constraints = parameters.get_any(&["constraints", "Constraints"]);
        Self([
            parameters.get_any(&["encryptionContext", "EncryptionContext"]),
            constraints.get_any(&["encryptionContextSubset", "EncryptionContextSubset"]),
            constraints.get_any(&["encryptionContextEquals", "EncryptionContextEquals"]),
            parameters.get_any(&["destinationEncryptionContext", "DestinationEncryptionContext"]),
            parameters.get_any(&["sourceEncryptionContext", "SourceEncryptionContext"]),
        ])
    }

    /// Tells whether any of them is about an EBS volume or snapshot.
    pub(crate) fn name_ebs(&self) -> bool {
        self.0.iter().any(|context| !context.get(EBS_ID).is_null())
    }

    fn ebs_ids(&self) -> impl Iterator<Item = &'t str> {
        self.0.into_iter().filter_map(|context| context.get(EBS_ID).string())
    }

    /// Returns the entries of the first that has any.
    fn entries(&self) -> Vec<(&'t str, Option<Cow<'t, str>>)> {
        let Some(context) = self.0.iter().find(|context| context.fields().next().is_some()) else {
            return Vec::new();
        };
        let mut entries = context.fields().map(|(key, value)| (key, value.scalar())).collect();
        json::keep_last(&mut entries);
        entries
    }
}

/// Returns the principal that a grant lets use its key.
pub(crate) fn grantee(parameters: Json<'_>) -> Json<'_> {
    parameters.get_any(&["granteePrincipal", "granteeServicePrincipal"])
}

/// Fills the columns of a KMS event.
pub(crate) fn append(record: &Record<'_>, identity: &Identity<'_>, contexts: &Contexts<'_>, rows: &mut RowBuilder) {
    let parameters = record.json(FieldName::RequestParameters);
    let event_name = record.json(FieldName::EventName).string().unwrap_or_default();
    if event_name == "ReEncrypt" {
        append_keys_of_reencrypt(record, rows);
    } else {
        let key = keys_in_resources(record).next().or_else(|| key_in_payload(record).map(Cow::Owned));
        rows.text(KEY_ARN, key.or_else(|| key_in_refusal(record)));
    }
    rows.text(GRANT_ID, grant_id(record, event_name).string().filter(|id| !id.is_empty()));
    if event_name == "CreateGrant" {
        rows.text(GRANTEE_PRINCIPAL, grantee(parameters).scalar());
        let retiring = parameters.get_any(&["retiringPrincipal", "retiringServicePrincipal"]);
        rows.text(RETIRING_PRINCIPAL, retiring.scalar());
        rows.texts(OPERATIONS, parameters.get("operations").elements().filter_map(Json::scalar));
    }
    rows.text_map(ENCRYPTION_CONTEXT, &contexts.entries());
    append_resource_ids(parameters, identity, contexts, rows);
}

fn append_resource_ids(parameters: Json<'_>, identity: &Identity<'_>, contexts: &Contexts<'_>, rows: &mut RowBuilder) {
    let mut ids = ResourceIds::default();
    let grantee = grantee(parameters).string().and_then(normalise::infrastructure_instance);
    for instance in grantee.into_iter().chain(identity.infrastructure_instance()) {
        ids.add_id(Resource::Instance, instance);
    }
    for id in contexts.ebs_ids() {
        ids.add_volume_or_snapshot(id);
    }
    ids.append(rows);
}

fn grant_id<'t>(record: &Record<'t>, event_name: &str) -> Json<'t> {
    let parameters = record.json(FieldName::RequestParameters);
    match event_name {
        "CreateGrant" => record.json(FieldName::ResponseElements).get("grantId"),
        "RetireGrant" => match record.json(FieldName::AdditionalEventData).get("grantId") {
            data if data.is_null() => parameters.get("grantId"),
            data => data,
        },
        "RevokeGrant" => parameters.get("grantId"),
        _ => Json::NULL,
    }
}

/// Returns the keys among the event's `resources`, in logged order: the only place where an alias is resolved.
fn keys_in_resources<'t>(record: &Record<'t>) -> impl Iterator<Item = Cow<'t, str>> {
    let resources = record.json(FieldName::Resources).elements();
    resources.filter_map(|resource| resource.get_any(&["ARN", "arn"]).string().and_then(normalise::key_arn))
}

/// Finds the key that the payload names in full; else the one that it names by a bare id.
fn key_in_payload(record: &Record<'_>) -> Option<String> {
    let parameters = record.json(FieldName::RequestParameters);
    let response = record.json(FieldName::ResponseElements);
    let named = [
        parameters.get("keyId"),
        parameters.get("destinationKeyId"),
        parameters.get("targetKeyId"),
        response.get("keyId"),
        response.get("keyMetadata").get("arn"),
        response.get("keyMetadata").get("keyId"),
    ];
    normalise::first_key_arn(record.called(), named.into_iter().filter_map(Json::string))
}

/// Finds the key that the message of a refused call names: such a record may hide everything else.
fn key_in_refusal<'t>(record: &Record<'t>) -> Option<Cow<'t, str>> {
    refusal(record).and_then(normalise::key_arn_in)
}

/// Returns why a call was refused, in words.
fn refusal<'t>(record: &Record<'t>) -> Option<&'t str> {
    record.id(FieldName::ErrorCode)?;
    record.json(FieldName::ErrorMessage).string()
}

/// Fills both keys. `resources` lists the source first and the destination second, also when they are equal.
fn append_keys_of_reencrypt(record: &Record<'_>, rows: &mut RowBuilder) {
    let parameters = record.json(FieldName::RequestParameters);
    let in_resources: Vec<_> = keys_in_resources(record).collect();
    if let [source, destination, ..] = in_resources.as_slice() {
        rows.text(SOURCE_KEY_ARN, Some(source));
        rows.text(KEY_ARN, Some(destination));
        return;
    }
    let source = normalise::first_key_arn(record.called(), parameters.get("sourceKeyId").string().into_iter());
    let destination =
        normalise::first_key_arn(record.called(), parameters.get("destinationKeyId").string().into_iter());
    let refused = key_in_refusal(record).map(Cow::into_owned).filter(|key| Some(key) != source.as_ref());
    let is_source = refusal(record).is_some_and(|refusal| refusal.contains(RE_ENCRYPT_FROM));
    let (of_source, of_destination) = if is_source { (refused, None) } else { (None, refused) };
    let source = source.or(of_source);
    // One key in `resources` is what the other names leave to it.
    let other = in_resources.into_iter().next().map(Cow::into_owned).filter(|key| Some(key) != source.as_ref());
    let (source, other) = match (source, &destination) {
        (None, Some(destination)) if other.as_ref() != Some(destination) => (other, None),
        (source, _) => (source, other),
    };
    rows.text(SOURCE_KEY_ARN, source);
    rows.text(KEY_ARN, destination.or(other).or(of_destination));
}
