//! A record's row, column by column.

use crate::normalise;
use crate::normalise::Resource;
use crate::oracle::batch::{Cell, Row};
use crate::oracle::envelope;
use crate::oracle::tree::Tree;
use crate::relevant::{Facts, is_relevant};
use std::borrow::Cow;

/// The reason of a reject, and its message.
pub(super) type Fault = (&'static str, &'static str);

/// A record, parsed; of fields that are there twice only the last.
#[derive(Debug)]
pub(super) struct RecordTree<'a> {
    fields: Vec<TopField<'a>>,
    account: Option<String>,
}

#[derive(Debug)]
struct TopField<'a> {
    key: String,
    raw_key: &'a str,
    raw_value: Cow<'a, str>,
    value: Tree,
}

/// Fields that some exports hold as text.
const PAYLOADS: [&str; 7] = [
    "userIdentity",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "serviceEventDetails",
    "resources",
    "addendum",
];

const TEXTS: &[(&str, &str)] = &[
    ("event_version", "eventVersion"),
    ("event_source", "eventSource"),
    ("event_name", "eventName"),
    ("event_type", "eventType"),
    ("event_category", "eventCategory"),
    ("aws_region", "awsRegion"),
    ("recipient_account_id", "recipientAccountId"),
    ("source_ip_address", "sourceIPAddress"),
    ("user_agent", "userAgent"),
    ("error_code", "errorCode"),
    ("error_message", "errorMessage"),
    ("vpc_endpoint_id", "vpcEndpointId"),
];

const JSON_TEXTS: &[(&str, &str)] = &[
    ("request_parameters", "requestParameters"),
    ("response_elements", "responseElements"),
    ("additional_event_data", "additionalEventData"),
    ("service_event_details", "serviceEventDetails"),
    ("resources", "resources"),
];

const IDENTITY_TEXTS: &[(&str, &[&str])] = &[
    ("user_identity_type", &["type"]),
    ("principal_id", &["principalId"]),
    ("principal_arn", &["arn"]),
    ("principal_account_id", &["accountId"]),
    ("access_key_id", &["accessKeyId"]),
    ("user_name", &["userName"]),
    ("session_issuer_arn", &["sessionContext", "sessionIssuer", "arn"]),
    ("source_identity", &["sessionContext", "sourceIdentity"]),
    ("invoked_by", &["invokedBy"]),
];

/// Columns that some tools write as an empty text when they are absent.
const NULL_WHEN_EMPTY: [&str; 3] = ["recipient_account_id", "error_code", "invoked_by"];

impl<'a> RecordTree<'a> {
    /// Parses a record; `account` is that of its wrapper, and stands for a field that it does not have.
    pub(super) fn parse(text: &'a str, account: Option<&str>) -> Option<Self> {
        Tree::parse(text)?;
        let raw_fields = envelope::raw_fields(text)?;
        let mut fields = Vec::<TopField<'_>>::new();
        for (raw_key, raw_value) in raw_fields {
            let key = serde_json::from_str::<String>(raw_key).ok()?;
            fields.retain(|field| field.key != key);
            let mut value = Tree::parse(raw_value)?;
            let mut raw_value = Cow::Borrowed(raw_value);
            let is_payload = PAYLOADS.iter().any(|payload| raw_key == format!("\"{payload}\""));
            if let Some((text, tree)) = value.text().filter(|_| is_payload).and_then(payload) {
                (raw_value, value) = (Cow::Owned(text), tree);
            }
            fields.push(TopField { key, raw_key, raw_value, value });
        }
        Some(Self { fields, account: account.map(str::to_owned) })
    }

    /// Tells whether the record is of a category.
    pub(super) fn is_of(&self, category: &str) -> bool {
        self.tree("eventCategory").text() == Some(category)
    }

    pub(super) fn is_refused(&self) -> bool {
        self.id(&["errorCode"]).is_some()
    }

    /// Returns the account that it was delivered to.
    fn recipient(&self) -> Option<String> {
        self.id(&["recipientAccountId"]).or_else(|| self.account.clone())
    }

    fn field(&self, keys: &[&str]) -> Option<&TopField<'a>> {
        self.fields.iter().rev().find(|field| keys.contains(&field.key.as_str()))
    }

    fn tree(&self, key: &str) -> &Tree {
        self.field(&[key]).map_or(&Tree::Null, |field| &field.value)
    }

    fn text(&self, keys: &[&str]) -> Option<String> {
        let field = self.field(keys)?;
        match &field.value {
            Tree::Null => None,
            Tree::Text(text) => Some(text.clone()),
            _ => Some(field.raw_value.clone().into_owned()),
        }
    }

    fn id(&self, keys: &[&str]) -> Option<String> {
        self.text(keys).filter(|id| !id.is_empty())
    }

    pub(super) fn validate(&self) -> Result<i64, Fault> {
        const TIME: &str = "eventTime is missing, or not an RFC 3339 time between 2000 and 2099";
        let time = self.tree("eventTime").text().and_then(normalise::event_time_ms);
        let time = time.ok_or(("invalid_event_time", TIME))?;
        for (key, reason, message) in [
            ("eventSource", "invalid_event_source", "eventSource is missing, or not a text"),
            ("eventName", "invalid_event_name", "eventName is missing, or not a text"),
        ] {
            if self.tree(key).text().unwrap_or_default().is_empty() {
                return Err((reason, message));
            }
        }
        if self.tree("eventSource").text().is_some_and(|source| source.starts_with("aws:")) {
            return Err(("notification", "an event notification of an AWS service, not a CloudTrail record"));
        }
        Ok(time)
    }

    pub(super) fn is_relevant(&self) -> bool {
        let identity = self.tree("userIdentity");
        let parameters = self.tree("requestParameters");
        let issuer = identity.at(&["sessionContext", "sessionIssuer"]);
        let principals = [
            identity.get("principalId"),
            identity.get("arn"),
            issuer.get("principalId"),
            issuer.get("arn"),
            parameters.any(&["granteePrincipal", "granteeServicePrincipal"]),
        ];
        let contexts = contexts(parameters);
        is_relevant(&Facts {
            event_source: self.tree("eventSource").text().unwrap_or_default(),
            event_name: self.tree("eventName").text().unwrap_or_default(),
            names_ebs: contexts.iter().any(|context| *context.get("aws:ebs:id") != Tree::Null),
            is_infrastructure: principals.iter().filter_map(|tree| tree.text()).any(normalise::is_infrastructure),
            callers: [
                identity.get("invokedBy").text(),
                self.tree("userAgent").text(),
                self.tree("sourceIPAddress").text(),
            ],
            session_name: identity.get("arn").text().and_then(normalise::session_name),
            is_blind: *parameters == Tree::Null && self.id(&["errorCode"]).is_some(),
        })
    }

    pub(super) fn row(&self, event_time_ms: i64) -> Row {
        let mut row = Row::from([("event_time", Cell::Time(event_time_ms))]);
        for (column, key) in TEXTS {
            put(&mut row, column, self.text(&[key]));
        }
        for (column, key) in JSON_TEXTS {
            let field = self.field(&[key]).filter(|field| field.value != Tree::Null);
            put(&mut row, column, field.map(|field| field.raw_value.clone().into_owned()));
        }
        put(&mut row, "event_id", self.id(&["eventID"]));
        put(&mut row, "recipient_account_id", self.recipient());
        put(&mut row, "shared_event_id", self.id(&["sharedEventID", "sharedEventId"]));
        put(&mut row, "request_id", self.id(&["requestID"]).map(|id| id.to_ascii_lowercase()));
        put_truth(&mut row, "read_only", self.tree("readOnly").truth());
        put_truth(&mut row, "management_event", self.tree("managementEvent").truth());
        put(&mut row, "extra", self.extra());
        let identity = self.tree("userIdentity");
        for (column, path) in IDENTITY_TEXTS {
            put(&mut row, column, identity.at(path).scalar());
        }
        let session = identity.get("arn").text().and_then(normalise::session_name);
        put(&mut row, "session_name", session.map(str::to_owned));
        put(&mut row, "client_token", self.client_token());
        put(&mut row, "amended_event_id", self.amended_event_id());
        let source = self.tree("eventSource").text().unwrap_or_default();
        if ["kms.amazonaws.com", "kms.amazonaws.com.cn"].contains(&source) {
            self.put_kms(&mut row);
        } else {
            self.put_named_resources(&mut row);
        }
        if ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"].contains(&source) {
            self.put_ec2(&mut row);
        }
        if self.is_sts() {
            put(&mut row, "issued_access_key_id", self.issued_access_key_id());
            put(&mut row, "issued_to", self.issued_to());
        }
        row.retain(|column, cell| !NULL_WHEN_EMPTY.contains(column) || *cell != Cell::Text(String::new()));
        row
    }

    pub(super) fn is_sts(&self) -> bool {
        matches!(self.tree("eventSource").text(), Some("sts.amazonaws.com" | "sts.amazonaws.com.cn"))
    }

    /// Tells whether an STS event issued an access key.
    pub(super) fn issues(&self) -> bool {
        self.issued_access_key_id().is_some() && self.id(&["errorCode"]).is_none()
    }

    fn issued_access_key_id(&self) -> Option<String> {
        let issued = self.tree("responseElements").get("credentials").get("accessKeyId").text();
        issued.filter(|id| !id.is_empty()).map(str::to_owned)
    }

    fn issued_to(&self) -> Option<String> {
        let response = self.tree("responseElements");
        let of_role = response.at(&["assumedRoleUser", "arn"]).text();
        let of_user = response.at(&["federatedUser", "arn"]).text();
        let asked = self.tree("requestParameters").get("roleArn").text();
        of_role.or(of_user).or(asked).map(str::to_owned)
    }

    pub(super) fn amended_event_id(&self) -> Option<String> {
        let own = self.id(&["eventID"])?;
        let addendum = self.tree("addendum");
        let original = addendum.get("originalEventID").text().unwrap_or_default();
        match addendum.get("reason").text() {
            Some("UPDATED_DATA") if original.is_empty() => Some(own),
            Some("UPDATED_DATA") => Some(original.to_owned()),
            _ => None,
        }
    }

    fn extra(&self) -> Option<String> {
        let is_extra = |field: &&TopField<'_>| match field.key.as_str() {
            "eventID" | "sharedEventID" | "sharedEventId" | "requestID" | "eventTime" | "userIdentity" => false,
            "readOnly" | "managementEvent" => field.value != Tree::Null && field.value.truth().is_none(),
            key => !TEXTS.iter().chain(JSON_TEXTS).any(|(_, other)| *other == key),
        };
        let fields = self.fields.iter().filter(is_extra);
        let mut fields = fields.map(|field| format!("{}:{}", field.raw_key, field.raw_value)).collect::<Vec<_>>();
        let identity = self.field(&["userIdentity"]).and_then(|field| rest_of_identity(&[], &field.raw_value));
        fields.extend(identity.map(|identity| format!("\"userIdentity\":{identity}")));
        (!fields.is_empty()).then(|| format!("{{{}}}", fields.join(",")))
    }

    fn client_token(&self) -> Option<String> {
        let parameters = self.tree("requestParameters");
        let wrapper = format!("{}Request", self.tree("eventName").text().unwrap_or_default());
        let token = match parameters.any(&["clientToken", "ClientToken"]) {
            Tree::Null => parameters.get(&wrapper).any(&["clientToken", "ClientToken"]),
            token => token,
        };
        token.text().or_else(|| token.get("content").text()).map(str::to_owned)
    }

    fn put_kms(&self, row: &mut Row) {
        let parameters = self.tree("requestParameters");
        let response = self.tree("responseElements");
        let data = self.tree("additionalEventData");
        let name = self.tree("eventName").text().unwrap_or_default();
        let grant_id = match name {
            "CreateGrant" => response.get("grantId"),
            "RetireGrant" if *data.get("grantId") != Tree::Null => data.get("grantId"),
            "RetireGrant" | "RevokeGrant" => parameters.get("grantId"),
            _ => &Tree::Null,
        };
        put(row, "grant_id", grant_id.text().filter(|id| !id.is_empty()).map(str::to_owned));
        let grantee = parameters.any(&["granteePrincipal", "granteeServicePrincipal"]);
        if name == "CreateGrant" {
            put(row, "grantee_principal", grantee.scalar());
            let retiring = parameters.any(&["retiringPrincipal", "retiringServicePrincipal"]);
            put(row, "retiring_principal", retiring.scalar());
            let operations = parameters.get("operations").elements().iter().filter_map(Tree::scalar).collect();
            put_list(row, "operations", operations);
        }
        let contexts = contexts(parameters);
        if let Some(context) = contexts.iter().find(|context| !context.fields().is_empty()) {
            row.insert("encryption_context", Cell::TextMap(map(context)));
        }
        let ids = contexts.iter().filter_map(|context| context.get("aws:ebs:id").text());
        let ids = ids.filter_map(normalise::ec2_resource).collect::<Vec<_>>();
        put_list(row, "volume_ids", of(Resource::Volume, &ids));
        put_list(row, "snapshot_ids", of(Resource::Snapshot, &ids));
        let served = grantee.text().and_then(normalise::infrastructure_instance);
        let served = served.into_iter().chain(self.infrastructure_instance()).map(Cow::into_owned);
        put_list(row, "instance_ids", unique(served.collect()));
        self.put_keys(row, name);
    }

    fn put_keys(&self, row: &mut Row, name: &str) {
        let parameters = self.tree("requestParameters");
        let response = self.tree("responseElements");
        let resources = self.tree("resources").elements().iter();
        let listed = resources.filter_map(|resource| resource.any(&["ARN", "arn"]).text());
        let listed = listed.filter_map(normalise::key_arn).map(String::from).collect::<Vec<_>>();
        if name != "ReEncrypt" {
            let named = [
                parameters.get("keyId"),
                parameters.get("destinationKeyId"),
                parameters.get("targetKeyId"),
                response.get("keyId"),
                response.at(&["keyMetadata", "arn"]),
                response.at(&["keyMetadata", "keyId"]),
            ];
            let named = self.resolve(&named.into_iter().filter_map(Tree::text).collect::<Vec<_>>());
            put(row, "key_arn", listed.first().cloned().or(named).or_else(|| self.refused_key()));
        } else if listed.len() >= 2 {
            put(row, "source_key_arn", Some(listed[0].clone()));
            put(row, "key_arn", Some(listed[1].clone()));
        } else {
            let resolve = |key| parameters.get(key).text().and_then(|text| self.resolve(&[text]));
            let (mut source, mut destination) = (resolve("sourceKeyId"), resolve("destinationKeyId"));
            let refused = self.refused_key().filter(|key| Some(key) != source.as_ref());
            let message = self.tree("errorMessage").text().unwrap_or_default();
            let is_source_refused = message.contains("perform: kms:ReEncryptFrom");
            if is_source_refused {
                source = source.or_else(|| refused.clone());
            }
            // The one that is listed is neither of those that are named.
            let left = listed.first().filter(|key| ![&source, &destination].contains(&&Some((*key).clone())));
            if destination.is_none() {
                destination = left.cloned().or_else(|| refused.filter(|_| !is_source_refused));
            } else if source.is_none() {
                source = left.cloned();
            }
            put(row, "key_arn", destination);
            put(row, "source_key_arn", source);
        }
    }

    fn refused_key(&self) -> Option<String> {
        let message = self.tree("errorMessage").text().filter(|_| self.id(&["errorCode"]).is_some())?;
        normalise::key_arn_in(message).map(Cow::into_owned)
    }

    fn resolve(&self, named: &[&str]) -> Option<String> {
        if let Some(arn) = named.iter().find_map(|text| normalise::key_arn(text)) {
            return Some(arn.into_owned());
        }
        let identity = self.tree("userIdentity");
        let principal_account = identity.get("accountId").text();
        let account = self.recipient().filter(|_| identity.get("type").text() != Some("AWSAccount"));
        let region = self.tree("awsRegion").text();
        named.iter().find_map(|key| normalise::complete_key_arn(key, region, account.as_deref().or(principal_account)))
    }

    fn infrastructure_instance(&self) -> Option<Cow<'_, str>> {
        let identity = self.tree("userIdentity");
        let principals = [identity.get("principalId"), identity.get("arn")];
        let named = principals.iter().filter_map(|name| name.text()).find_map(normalise::infrastructure_instance);
        let issuer = identity.at(&["sessionContext", "sessionIssuer"]);
        let roles = [identity.get("principalId"), identity.get("arn"), issuer.get("principalId"), issuer.get("arn")];
        let is_infrastructure = roles.iter().filter_map(|name| name.text()).any(normalise::is_infrastructure);
        let issued_to = identity.at(&["inScopeOf", "credentialsIssuedTo"]).text();
        let issued_to = issued_to.filter(|_| is_infrastructure).and_then(normalise::ec2_resource);
        named.or_else(|| issued_to.filter(|(resource, _)| *resource == Resource::Instance).map(|(_, id)| id))
    }

    fn put_named_resources(&self, row: &mut Row) {
        let mut texts = Vec::new();
        for payload in ["responseElements", "requestParameters", "serviceEventDetails"] {
            let wrappers = ["items", "item", "content", "value", "values", "id"];
            collect(self.tree(payload), false, &is_id_key, &wrappers, &mut texts);
        }
        let resources = self.tree("resources").elements().iter();
        texts.extend(resources.filter_map(|resource| resource.any(&["ARN", "arn"]).text()));
        let ids = texts.into_iter().filter_map(normalise::ec2_resource).collect::<Vec<_>>();
        put_list(row, "instance_ids", of(Resource::Instance, &ids));
        put_list(row, "volume_ids", of(Resource::Volume, &ids));
        put_list(row, "snapshot_ids", of(Resource::Snapshot, &ids));
        put_list(row, "image_ids", of(Resource::Image, &ids));
    }

    fn put_ec2(&self, row: &mut Row) {
        let request = self.tree("requestParameters");
        let response = self.tree("responseElements");
        let mut keys = Vec::new();
        collect(response, false, &is_key_key, &[], &mut keys);
        collect(request, false, &is_key_key, &[], &mut keys);
        put(row, "key_arn", self.resolve(&keys));
        match self.tree("eventName").text() {
            Some("RunInstances") => {
                let launched = items(response.get("instancesSet"));
                let launched = launched.iter().find_map(|instance| instance.get("instanceType").scalar());
                put(row, "instance_type", launched.or_else(|| request.get("instanceType").scalar()));
                put(row, "reservation_id", response.get("reservationId").scalar());
            }
            Some("CreateVolume" | "CopySnapshot" | "CreateSnapshot") => {
                let encrypted = response.get("encrypted").truth();
                put_truth(row, "encrypted", encrypted.or_else(|| request.get("encrypted").truth()));
            }
            _ => {}
        }
    }
}

/// Returns what no column holds of the value at a path in `userIdentity`: neither null, nor a text that one holds, nor an
/// object on the way to such texts of which nothing else is left.
fn rest_of_identity(path: &[&str], raw: &str) -> Option<String> {
    let value = Tree::parse(raw)?;
    let is_held = IDENTITY_TEXTS.iter().any(|(_, held)| *held == path) && value.text().is_none_or(|it| !it.is_empty());
    let is_way = IDENTITY_TEXTS.iter().any(|(_, held)| held.len() > path.len() && held.starts_with(path));
    match value {
        Tree::Null if is_held || is_way => None,
        Tree::Text(_) if is_held => None,
        Tree::Object(_) if is_way => {
            let mut left = Vec::new();
            for (raw_key, raw_value) in envelope::raw_fields(raw)? {
                let key = serde_json::from_str::<String>(raw_key).ok()?;
                let rest = rest_of_identity(&[path, &[&key]].concat(), raw_value);
                left.extend(rest.map(|rest| format!("{raw_key}:{rest}")));
            }
            (!left.is_empty()).then(|| format!("{{{}}}", left.join(",")))
        }
        _ => Some(raw.to_owned()),
    }
}

/// Returns the object, array or null that a text is, and its tree.
fn payload(text: &str) -> Option<(String, Tree)> {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let is_payload = text.starts_with(['{', '[']) && envelope::depth(text.as_bytes()) < 128 || text == "null";
    Some((text.to_owned(), Tree::parse(text).filter(|_| is_payload)?))
}

fn put(row: &mut Row, column: &'static str, value: Option<String>) {
    if let Some(value) = value {
        row.insert(column, Cell::Text(value));
    }
}

fn put_truth(row: &mut Row, column: &'static str, value: Option<bool>) {
    if let Some(value) = value {
        row.insert(column, Cell::Bool(value));
    }
}

fn put_list(row: &mut Row, column: &'static str, values: Vec<String>) {
    if !values.is_empty() {
        row.insert(column, Cell::TextList(values));
    }
}

fn contexts(parameters: &Tree) -> [&Tree; 5] {
    let constraints = parameters.any(&["constraints", "Constraints"]);
    [
        parameters.any(&["encryptionContext", "EncryptionContext"]),
        constraints.any(&["encryptionContextSubset", "EncryptionContextSubset"]),
        constraints.any(&["encryptionContextEquals", "EncryptionContextEquals"]),
        parameters.any(&["destinationEncryptionContext", "DestinationEncryptionContext"]),
        parameters.any(&["sourceEncryptionContext", "SourceEncryptionContext"]),
    ]
}

fn map(context: &Tree) -> Vec<(String, Option<String>)> {
    let mut entries = Vec::<(String, Option<String>)>::new();
    for (key, value) in context.fields() {
        entries.retain(|(other, _)| other != key);
        entries.push((key.clone(), value.scalar()));
    }
    entries
}

fn of(resource: Resource, ids: &[(Resource, Cow<'_, str>)]) -> Vec<String> {
    unique(ids.iter().filter(|(found, _)| *found == resource).map(|(_, id)| id.to_string()).collect())
}

fn unique(ids: Vec<String>) -> Vec<String> {
    let mut found = Vec::new();
    for id in ids {
        if !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

/// Returns the texts under a key that `is_wanted`, directly, in arrays, or in wrappers under it.
fn collect<'t>(
    tree: &'t Tree,
    is_under: bool,
    is_wanted: &dyn Fn(&str) -> bool,
    wrappers: &[&str],
    found: &mut Vec<&'t str>,
) {
    match tree {
        Tree::Text(text) if is_under => found.push(text),
        Tree::Array(elements) => {
            let is_under = is_under && !wrappers.is_empty();
            for element in elements {
                collect(element, is_under, is_wanted, wrappers, found);
            }
        }
        Tree::Object(fields) => {
            for (key, value) in fields {
                let is_under = is_wanted(key) || is_under && wrappers.contains(&key.as_str());
                collect(value, is_under, is_wanted, wrappers, found);
            }
        }
        _ => {}
    }
}

fn is_id_key(key: &str) -> bool {
    if ["target", "targets"].contains(&key) {
        return true;
    }
    let first = key.chars().next().unwrap_or_default();
    let key = key.replacen(first, &first.to_ascii_lowercase().to_string(), 1);
    let lists = ["instance", "volume", "snapshot", "image"];
    let sources = ["sourceVolumeId", "sourceSnapshotId", "sourceImageId", "resourceId"];
    sources.contains(&key.as_str())
        || lists.iter().any(|name| [format!("{name}Id"), format!("{name}Ids"), format!("{name}IdSet")].contains(&key))
}

fn is_key_key(key: &str) -> bool {
    ["kmsKeyId", "KmsKeyId", "masterEncryptionKeyId", "MasterEncryptionKeyId", "kmsKeyArn"].contains(&key)
}

fn items(tree: &Tree) -> Vec<&Tree> {
    match tree {
        Tree::Array(elements) => elements.iter().collect(),
        Tree::Object(_) => match tree.any(&["items", "item"]) {
            Tree::Null => vec![tree],
            inner => items(inner),
        },
        _ => Vec::new(),
    }
}
