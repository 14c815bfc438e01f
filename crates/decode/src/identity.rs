//! Who made the call: `userIdentity`.

use std::borrow::Cow;

use trailweave_table::EVENTS;

use crate::append::{Rows, position};
use crate::json::Json;
use crate::normalise;

const SESSION_NAME: usize = position(&EVENTS, "session_name");
const INVOKED_BY: usize = position(&EVENTS, "invoked_by");
const TEXTS: [(usize, &[&str]); 8] = [
    (position(&EVENTS, "user_identity_type"), &["type"]),
    (position(&EVENTS, "principal_id"), &["principalId"]),
    (position(&EVENTS, "principal_arn"), &["arn"]),
    (position(&EVENTS, "principal_account_id"), &["accountId"]),
    (position(&EVENTS, "access_key_id"), &["accessKeyId"]),
    (position(&EVENTS, "user_name"), &["userName"]),
    (position(&EVENTS, "session_issuer_arn"), &["sessionContext", "sessionIssuer", "arn"]),
    (position(&EVENTS, "source_identity"), &["sessionContext", "sourceIdentity"]),
];

/// A record's `userIdentity`, with what other columns depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'t> {
    json: Json<'t>,
    pub(crate) principal_id: Option<&'t str>,
    pub(crate) arn: Option<&'t str>,
    pub(crate) invoked_by: Option<&'t str>,
    pub(crate) session_name: Option<&'t str>,
}

impl<'t> Identity<'t> {
    pub(crate) fn new(json: Json<'t>) -> Self {
        let arn = json.get("arn").string();
        Self {
            json,
            arn,
            principal_id: json.get("principalId").string(),
            invoked_by: json.get("invokedBy").string(),
            session_name: arn.and_then(normalise::session_name),
        }
    }

    /// Whether the caller is EC2 itself, acting for an instance.
    pub(crate) fn is_infrastructure(&self) -> bool {
        let issuer = self.json.get("sessionContext").get("sessionIssuer");
        let names = [self.principal_id, self.arn, issuer.get("principalId").string(), issuer.get("arn").string()];
        names.into_iter().flatten().any(normalise::is_infrastructure)
    }

    /// The instance for which EC2 itself acts. An ordinary role has `inScopeOf` too, so that alone proves nothing.
    pub(crate) fn infrastructure_instance(&self) -> Option<Cow<'t, str>> {
        let named = [self.principal_id, self.arn].into_iter().flatten().find_map(normalise::infrastructure_instance);
        if named.is_some() || !self.is_infrastructure() {
            return named;
        }
        let issued_to = self.json.get("inScopeOf").get("credentialsIssuedTo").string()?;
        match normalise::ec2_resource(issued_to) {
            Some((normalise::Resource::Instance, id)) => Some(id),
            _ => None,
        }
    }

    pub(crate) fn append(&self, rows: &mut Rows) {
        for (column, path) in TEXTS {
            let value = path.iter().fold(self.json, |json, key| json.get(key));
            rows.text(column, value.scalar());
        }
        rows.text(SESSION_NAME, self.session_name);
        rows.text(INVOKED_BY, self.json.get("invokedBy").scalar().filter(|service| !service.is_empty()));
    }
}
