//! The caller: `userIdentity`.

use std::borrow::Cow;
use std::collections::HashMap;

use ahash::RandomState;
use trailweave_table::EVENTS;

use crate::append::RowBuilder;
use crate::json::Json;
use crate::normalise;
use crate::position::TextAt;
use crate::split;

/// The columns that tell of the caller.
const COLUMNS: [TextAt; 10] = [
    TextAt::of(&EVENTS, "user_identity_type"),
    TextAt::of(&EVENTS, "principal_id"),
    TextAt::of(&EVENTS, "principal_arn"),
    TextAt::of(&EVENTS, "principal_account_id"),
    TextAt::of(&EVENTS, "access_key_id"),
    TextAt::of(&EVENTS, "user_name"),
    TextAt::of(&EVENTS, "session_issuer_arn"),
    TextAt::of(&EVENTS, "session_name"),
    TextAt::of(&EVENTS, "source_identity"),
    TextAt::of(&EVENTS, "invoked_by"),
];

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

    /// Returns what stands in [`COLUMNS`].
    fn texts(&self) -> [Option<Cow<'t, str>>; COLUMNS.len()] {
        [
            self.kind.scalar(),
            self.principal_id.scalar(),
            self.arn.scalar(),
            self.account_id.scalar(),
            self.access_key_id.scalar(),
            self.user_name.scalar(),
            self.session_issuer_arn(),
            self.session_name().map(Cow::Borrowed),
            self.session_context.get("sourceIdentity").scalar(),
            self.invoked_by_any(),
        ]
    }
}

/// Identities that were seen, by their text as logged: a trail has few.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    known: HashMap<Box<str>, KnownIdentity, RandomState>,
    bytes: usize,
}

/// The columns of an identity, and what none of them holds.
#[derive(Debug)]
pub(crate) struct KnownIdentity {
    texts: [Option<Box<str>>; COLUMNS.len()],
    /// The rest of its JSON text; nothing where the columns hold all.
    pub(crate) rest: Option<Box<str>>,
    /// The numbers of its texts in their columns, as long as a batch lasts.
    codes: [i32; COLUMNS.len()],
    epoch: Option<u64>,
}

impl Identities {
    /// Forgets what it would be too much to keep.
    const MOST_BYTES: usize = 1 << 19;

    /// Finds an identity by its text, which is on the tape, too.
    pub(crate) fn known(&mut self, raw: &str, json: Json<'_>) -> &mut KnownIdentity {
        if !self.known.contains_key(raw) {
            let known = KnownIdentity::new(raw, json);
            let bytes = 2 * raw.len() + size_of::<KnownIdentity>();
            if self.bytes + bytes > Self::MOST_BYTES {
                self.known.clear();
                self.bytes = 0;
            }
            self.bytes += bytes;
            self.known.insert(raw.into(), known);
        }
        self.known.get_mut(raw).expect("it was just put there")
    }
}

impl KnownIdentity {
    fn new(raw: &str, json: Json<'_>) -> Self {
        let texts = Identity::new(json).texts().map(|text| text.map(|text| Box::from(&*text)));
        let rest = rest(raw, json, &HELD).map(String::into_boxed_str);
        Self { texts, rest, codes: [0; COLUMNS.len()], epoch: None }
    }

    /// Fills the columns of a row of `events`.
    pub(crate) fn append(&mut self, rows: &mut RowBuilder) {
        if self.epoch != Some(rows.epoch()) {
            self.epoch = Some(rows.epoch());
            for ((code, column), text) in self.codes.iter_mut().zip(COLUMNS).zip(&self.texts) {
                *code = rows.code(column, text.as_deref());
            }
        }
        for (column, code) in COLUMNS.into_iter().zip(self.codes) {
            rows.coded_text(column, code);
        }
    }
}

/// The fields of an object that columns hold where they are texts.
struct Held {
    texts: &'static [&'static str],
    objects: &'static [(&'static str, Held)],
}

const HELD: Held = Held {
    texts: &["type", "principalId", "arn", "accountId", "accessKeyId", "userName", "invokedBy"],
    objects: &[(
        "sessionContext",
        Held { texts: &["sourceIdentity"], objects: &[("sessionIssuer", Held { texts: &["arn"], objects: &[] })] },
    )],
};

/// Writes what of a value no column holds; nothing where they hold all.
fn rest(raw: &str, json: Json<'_>, held: &Held) -> Option<String> {
    if json.is_null() {
        return None;
    }
    let mut fields = Vec::new();
    if !raw.starts_with('{') || split::fields(raw.as_bytes(), &mut fields).is_err() {
        return Some(raw.to_owned());
    }
    let mut out = String::new();
    for ((key, value), field) in json.fields().zip(fields) {
        let raw_value = &raw[field.value.start..field.value.end];
        let is_held = || value.is_null() || value.string().is_some_and(|text| !text.is_empty());
        let kept = match held.objects.iter().find(|(name, _)| *name == key) {
            Some((_, held)) => rest(raw_value, value, held),
            None if held.texts.contains(&key) && is_held() => None,
            None => Some(raw_value.to_owned()),
        };
        if let Some(kept) = kept {
            out.push(if out.is_empty() { '{' } else { ',' });
            out.extend([&raw[field.key.start..field.key.end], ":", &kept]);
        }
    }
    (!out.is_empty()).then(|| out + "}")
}
