//! The caller: `userIdentity`.

use std::borrow::Cow;

use trailweave_table::EVENTS;
use trailweave_table::SESSIONS;
use trailweave_table::Table;

use crate::append::RowBuilder;
use crate::json::Json;
use crate::normalise;
use crate::position::TextAt;

/// The columns that `events` and `sessions` have of the caller.
struct Columns {
    user_identity_type: TextAt,
    principal_id: TextAt,
    principal_arn: TextAt,
    principal_account_id: TextAt,
    access_key_id: TextAt,
    session_issuer_arn: TextAt,
    invoked_by: TextAt,
}

impl Columns {
    const fn of(table: &Table) -> Self {
        Self {
            user_identity_type: TextAt::of(table, "user_identity_type"),
            principal_id: TextAt::of(table, "principal_id"),
            principal_arn: TextAt::of(table, "principal_arn"),
            principal_account_id: TextAt::of(table, "principal_account_id"),
            access_key_id: TextAt::of(table, "access_key_id"),
            session_issuer_arn: TextAt::of(table, "session_issuer_arn"),
            invoked_by: TextAt::of(table, "invoked_by"),
        }
    }
}

const OF_EVENTS: Columns = Columns::of(&EVENTS);
const OF_SESSIONS: Columns = Columns::of(&SESSIONS);
const USER_NAME: TextAt = TextAt::of(&EVENTS, "user_name");
const SESSION_NAME: TextAt = TextAt::of(&EVENTS, "session_name");
const SOURCE_IDENTITY: TextAt = TextAt::of(&EVENTS, "source_identity");

/// The fields of a record's `userIdentity`; what is not there is null.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'t> {
    kind: Json<'t>,
    principal_id: Json<'t>,
    arn: Json<'t>,
    account_id: Json<'t>,
    access_key_id: Json<'t>,
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

    /// Fills the columns of a row of `events`.
    pub(crate) fn append(&self, rows: &mut RowBuilder) {
        self.append_to(&OF_EVENTS, rows);
        rows.text(USER_NAME, self.user_name.scalar());
        rows.text(SESSION_NAME, self.session_name());
        rows.text(SOURCE_IDENTITY, self.session_context.get("sourceIdentity").scalar());
    }

    /// Fills the columns of a row of `sessions`.
    pub(crate) fn append_to_session(&self, rows: &mut RowBuilder) {
        self.append_to(&OF_SESSIONS, rows);
    }

    fn append_to(&self, columns: &Columns, rows: &mut RowBuilder) {
        rows.text(columns.user_identity_type, self.kind.scalar());
        rows.text(columns.principal_id, self.principal_id.scalar());
        rows.text(columns.principal_arn, self.arn.scalar());
        rows.text(columns.principal_account_id, self.account_id.scalar());
        rows.text(columns.access_key_id, self.access_key_id.scalar());
        rows.text(columns.session_issuer_arn, self.session_context.get("sessionIssuer").get("arn").scalar());
        rows.text(columns.invoked_by, self.invoked_by.scalar().filter(|service| !service.is_empty()));
    }
}
