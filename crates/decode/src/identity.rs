//! The caller: `userIdentity`.

use std::borrow::Cow;

use trailweave_table::EVENTS;

use crate::append::RowBuilder;
use crate::json::Json;
use crate::normalise;
use crate::position::TextAt;

const USER_IDENTITY_TYPE: TextAt = TextAt::of(&EVENTS, "user_identity_type");
const PRINCIPAL_ID: TextAt = TextAt::of(&EVENTS, "principal_id");
const PRINCIPAL_ARN: TextAt = TextAt::of(&EVENTS, "principal_arn");
const PRINCIPAL_ACCOUNT_ID: TextAt = TextAt::of(&EVENTS, "principal_account_id");
const ACCESS_KEY_ID: TextAt = TextAt::of(&EVENTS, "access_key_id");
const SESSION_ISSUER_ARN: TextAt = TextAt::of(&EVENTS, "session_issuer_arn");
const INVOKED_BY: TextAt = TextAt::of(&EVENTS, "invoked_by");
const USER_NAME: TextAt = TextAt::of(&EVENTS, "user_name");
const SESSION_NAME: TextAt = TextAt::of(&EVENTS, "session_name");
const SOURCE_IDENTITY: TextAt = TextAt::of(&EVENTS, "source_identity");

/// The fields of a record's `userIdentity`; what is not there is null.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'t> {
    pub(crate) kind: Json<'t>,
    pub(crate) principal_id: Json<'t>,
    pub(crate) arn: Json<'t>,
    pub(crate) account_id: Json<'t>,
    pub(crate) access_key_id: Json<'t>,
    user_name: Json<'t>,
    session_context: Json<'t>,
    in_scope_of: Json<'t>,
    invoked_by: Json<'t>,
}

impl<'t> Identity<'t> {
    pub(crate) fn new(json: Json<'t>) -> Self {
        const NULL: Json<'_> = Json::NULL;
        let mut identity = Self {
            kind: NULL,
            principal_id: NULL,
            arn: NULL,
            account_id: NULL,
            access_key_id: NULL,
            user_name: NULL,
            session_context: NULL,
            in_scope_of: NULL,
            invoked_by: NULL,
        };
        for (key, value) in json.fields() {
            match key {
                "type" => identity.kind = value,
                "principalId" => identity.principal_id = value,
                "arn" => identity.arn = value,
                "accountId" => identity.account_id = value,
                "accessKeyId" => identity.access_key_id = value,
                "userName" => identity.user_name = value,
                "sessionContext" => identity.session_context = value,
                "inScopeOf" => identity.in_scope_of = value,
                "invokedBy" => identity.invoked_by = value,
                _ => {}
            }
        }
        identity
    }

    pub(crate) fn invoked_by(&self) -> Option<&'t str> {
        self.invoked_by.string()
    }

    pub(crate) fn session_name(&self) -> Option<&'t str> {
        self.arn.string().and_then(normalise::session_name)
    }

    /// Tells whether the caller is EC2 itself, acting for an instance.
    pub(crate) fn is_infrastructure(&self) -> bool {
        let issuer = self.session_context.get("sessionIssuer");
        let names = [self.principal_id, self.arn, issuer.get("principalId"), issuer.get("arn")];
        names.into_iter().filter_map(Json::string).any(normalise::is_infrastructure)
    }

    /// Returns the instance for which EC2 itself acts. An ordinary role has `inScopeOf` too, so that alone proves
    /// nothing.
    pub(crate) fn infrastructure_instance(&self) -> Option<Cow<'t, str>> {
        let mut principals = [self.principal_id, self.arn].into_iter().filter_map(Json::string);
        let named = principals.find_map(normalise::infrastructure_instance);
        if named.is_some() || !self.is_infrastructure() {
            return named;
        }
        match normalise::ec2_resource(self.in_scope_of.get("credentialsIssuedTo").string()?) {
            Some((normalise::Resource::Instance, id)) => Some(id),
            _ => None,
        }
    }

    /// Returns who issued the credentials of a session.
    pub(crate) fn session_issuer_arn(&self) -> Option<Cow<'t, str>> {
        self.session_context.get("sessionIssuer").get("arn").scalar()
    }

    /// Returns the service that made the call, whatever type its name has.
    pub(crate) fn invoked_by_any(&self) -> Option<Cow<'t, str>> {
        self.invoked_by.scalar().filter(|service| !service.is_empty())
    }

    pub(crate) fn append(&self, rows: &mut RowBuilder) {
        rows.text(USER_IDENTITY_TYPE, self.kind.scalar());
        rows.text(PRINCIPAL_ID, self.principal_id.scalar());
        rows.text(PRINCIPAL_ARN, self.arn.scalar());
        rows.text(PRINCIPAL_ACCOUNT_ID, self.account_id.scalar());
        rows.text(ACCESS_KEY_ID, self.access_key_id.scalar());
        rows.text(USER_NAME, self.user_name.scalar());
        rows.text(SESSION_ISSUER_ARN, self.session_issuer_arn());
        rows.text(SESSION_NAME, self.session_name());
        rows.text(SOURCE_IDENTITY, self.session_context.get("sourceIdentity").scalar());
        rows.text(INVOKED_BY, self.invoked_by_any());
    }
}
