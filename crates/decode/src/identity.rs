//! The caller: `userIdentity`.

use std::borrow::Cow;
use std::ops::Range;

use ahash::RandomState;
use hashbrown::HashTable;
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
    known: HashTable<KnownIdentity>,
    hasher: RandomState,
    bytes: usize,
}

/// The columns of an identity, and what none of them holds.
#[derive(Debug)]
pub(crate) struct KnownIdentity {
    hash: u64,
    /// Its text as logged, those of the columns one after the other, then the rest.
    text: String,
    logged: Range<u32>,
    /// Where in `text` that of each column stands, if it has one.
    texts: [Option<Range<u32>>; COLUMNS.len()],
    /// Where the rest of the JSON text stands, which is empty where the columns hold all.
    rest: Range<u32>,
    /// The numbers of its texts in their columns, as long as a batch lasts.
    codes: [i32; COLUMNS.len()],
    epoch: Option<u64>,
}

impl Identities {
    /// Forgets what it would be too much to keep.
    const MOST_BYTES: usize = 1 << 19;

    /// Finds an identity by its text, which is on the tape, too.
    pub(crate) fn known(&mut self, raw: &str, json: Json<'_>) -> &mut KnownIdentity {
        let hash = self.hasher.hash_one(raw);
        if self.known.find(hash, |known| known.logged() == raw).is_none() {
            let known = KnownIdentity::new(hash, raw, json);
            let bytes = known.text.capacity() + size_of::<KnownIdentity>();
            if self.bytes + bytes > Self::MOST_BYTES {
                self.known.clear();
                self.bytes = 0;
            }
            self.bytes += bytes;
            self.known.insert_unique(hash, known, |known| known.hash);
        }
        self.known.find_mut(hash, |known| known.logged() == raw).expect("it was just put there")
    }
}

impl KnownIdentity {
    fn new(hash: u64, raw: &str, json: Json<'_>) -> Self {
        let mut text = String::with_capacity(3 * raw.len());
        text.push_str(raw);
        let length = |text: &String| u32::try_from(text.len()).expect("a record is less than 4 GiB");
        let logged = 0..length(&text);
        let mut add = |column: Option<Cow<'_, str>>| {
            let start = length(&text);
            column.map(|column| {
                text.push_str(&column);
                start..length(&text)
            })
        };
        let texts = Identity::new(json).texts().map(&mut add);
        let start = length(&text);
        write_rest(raw, json, &mut text);
        let rest = start..length(&text);
        Self { hash, text, logged, texts, rest, codes: [0; COLUMNS.len()], epoch: None }
    }

    fn at(&self, range: &Range<u32>) -> &str {
        &self.text[range.start as usize..range.end as usize]
    }

    fn logged(&self) -> &str {
        self.at(&self.logged)
    }

    /// Returns what no column holds, as JSON.
    pub(crate) fn rest(&self) -> Option<&str> {
        Some(self.at(&self.rest)).filter(|rest| !rest.is_empty())
    }

    /// Fills the columns of a row of `events`.
    pub(crate) fn append(&mut self, rows: &mut RowBuilder) {
        if self.epoch != Some(rows.epoch()) {
            self.epoch = Some(rows.epoch());
            for (at, column) in COLUMNS.into_iter().enumerate() {
                let text = self.texts[at].as_ref().map(|range| self.at(range));
                self.codes[at] = rows.code(column, text);
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
fn write_rest(raw: &str, json: Json<'_>, out: &mut String) {
    if json.is_null() {
        return;
    }
    let begin = out.len();
    if !raw.starts_with('{') || write_rest_of_object(raw, 0, json, &HELD, out).is_none() {
        out.truncate(begin);
        out.push_str(raw);
    }
}

/// Does so for the object that begins at `start`, and returns where it ends; none where its text cannot be divided. It
/// reads the text once, whatever is inside.
fn write_rest_of_object(raw: &str, start: usize, json: Json<'_>, held: &Held, out: &mut String) -> Option<usize> {
    let bytes = raw.as_bytes();
    let begin = out.len();
    let mut at = split::skip_space(bytes, start + 1);
    for (key, value) in json.fields() {
        let raw_key = split::value(bytes, at).ok()?;
        let colon = split::skip_space(bytes, raw_key.end);
        let value_start = split::skip_space(bytes, colon + 1);
        let before = out.len();
        out.push(if before == begin { '{' } else { ',' });
        out.extend([&raw[raw_key.start..raw_key.end], ":"]);
        let empty = out.len();
        let inside = held.objects.iter().find(|(name, _)| *name == key);
        let end = match inside {
            Some((_, held)) if bytes.get(value_start) == Some(&b'{') => {
                write_rest_of_object(raw, value_start, value, held, out)?
            }
            _ => {
                let end = split::value(bytes, value_start).ok()?.end;
                let is_held = held.has(key, value) || inside.is_some() && value.is_null();
                out.push_str(if is_held { "" } else { &raw[value_start..end] });
                end
            }
        };
        if out.len() == empty {
            out.truncate(before);
        }
        at = split::skip_space(bytes, end);
        if bytes.get(at) == Some(&b',') {
            at = split::skip_space(bytes, at + 1);
        }
    }
    if out.len() > begin {
        out.push('}');
    }
    (bytes.get(at) == Some(&b'}')).then_some(at + 1)
}

impl Held {
    /// Tells whether a column holds a field, being a text that says something, or null.
    fn has(&self, key: &str, value: Json<'_>) -> bool {
        self.texts.contains(&key) && (value.is_null() || value.string().is_some_and(|text| !text.is_empty()))
    }
}
