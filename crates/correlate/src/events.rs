//! The KMS, EC2 and STS rows of `events`, and those of `sessions`, as Arrow columns: those that the products show, and flags made of the others.

use std::collections::HashMap;

use ahash::RandomState;
use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::BooleanArray;
use arrow::array::Int32Array;
use arrow::array::Int64Array;
use arrow::array::ListArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::datatypes::DataType;
use arrow::datatypes::FieldRef;
use arrow::datatypes::Int32Type;
use arrow::datatypes::Int64Type;
use arrow::datatypes::TimestampMicrosecondType;
use trailweave_table::EVENTS;
use trailweave_table::ms_of_time;

use crate::id::{Id, IdValues};

/// A text column that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    AccessKeyId,
    AwsRegion,
    ClientToken,
    ErrorCode,
    EventName,
    GrantId,
    GranteePrincipal,
    InstanceType,
    InvokedBy,
    IssuedAccessKeyId,
    KeyArn,
    PrincipalAccountId,
    PrincipalArn,
    PrincipalId,
    RecipientAccountId,
    ReservationId,
    RetiringPrincipal,
    SessionIssuerArn,
    SourceIdentity,
    SourceIpAddress,
    SourceKeyArn,
    SourceObject,
    UserIdentityType,
}

/// The columns of [`Text`], in its order, and whether few values fill them.
const TEXTS: [(&str, bool); 23] = [
    ("access_key_id", true),
    ("aws_region", true),
    ("client_token", false),
    ("error_code", true),
    ("event_name", true),
    ("grant_id", false),
    ("grantee_principal", true),
    ("instance_type", true),
    ("invoked_by", true),
    ("issued_access_key_id", false),
    ("key_arn", true),
    ("principal_account_id", true),
    ("principal_arn", true),
    ("principal_id", true),
    ("recipient_account_id", true),
    ("reservation_id", false),
    ("retiring_principal", true),
    ("session_issuer_arn", true),
    ("source_identity", true),
    ("source_ip_address", true),
    ("source_key_arn", true),
    ("source_object", true),
    ("user_identity_type", true),
];

/// A column of identifiers that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdColumn {
    Event,
    Request,
    SharedEvent,
}

/// The columns of [`IdColumn`], in its order.
const IDS: [&str; 3] = ["event_id", "request_id", "shared_event_id"];

/// A list column that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    ImageIds,
    InstanceIds,
    Operations,
    SnapshotIds,
    VolumeIds,
}

/// The columns of [`List`], in its order.
const LISTS: [&str; 5] = ["image_ids", "instance_ids", "operations", "snapshot_ids", "volume_ids"];

/// Names the columns of a part that are read.
pub(crate) fn columns() -> impl Iterator<Item = &'static str> {
    let names = TEXTS.iter().map(|(name, _)| *name).chain(LISTS).chain(FLAGGED);
    names.chain(IDS).chain(["event_time", "event_source", CHOOSING, "encrypted", "source_index"])
}

/// Tells whether the join reads a column of the events.
pub fn reads_column(column: &str) -> bool {
    columns().any(|it| it == column)
}

/// Columns that the join compares with each other, or in which it looks for names of AWS alone. So hashes will do that
/// leave those names.
pub const HASHABLE: [&str; 3] = ["access_key_id", "source_ip_address", "user_agent"];

/// Tells whether few values fill a text column.
pub(crate) fn is_shared(column: &str) -> bool {
    matches!(column, "event_source" | CHOOSING)
        || FLAGGED[..N_FLAGGED_TEXTS].contains(&column)
        || TEXTS.iter().any(|(name, is_shared)| *name == column && *is_shared)
}

/// Columns of which only flags are kept.
const FLAGGED: [&str; 4] = ["event_version", "user_agent", "session_name", "encryption_context"];
/// The number of these that are texts.
const N_FLAGGED_TEXTS: usize = 3;

/// The nature of a row, as far as its own columns tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags(u16);

impl Flags {
    pub(crate) const KMS: u16 = 1;
    /// The session of an instance's infrastructure role made the call.
    pub(crate) const INFRASTRUCTURE: u16 = 1 << 1;
    pub(crate) const BY_SERVICE: u16 = 1 << 2;
    pub(crate) const TRUSTED: u16 = 1 << 3;
    pub(crate) const EXTERNAL: u16 = 1 << 4;
    /// EC2 made the call for an instance or forwarded it, the encryption context names a volume or snapshot, or a grant
    /// goes to the role of a service that launches instances.
    pub(crate) const TOUCHES: u16 = 1 << 5;
    pub(crate) const FAILED: u16 = 1 << 6;
    /// The copy of an event in the trail of another account than the caller's.
    pub(crate) const OF_ANOTHER_ACCOUNT: u16 = 1 << 7;
    pub(crate) const ASSUMED_ROLE: u16 = 1 << 8;
    pub(crate) const EC2: u16 = 1 << 9;
    pub(crate) const STS: u16 = 1 << 10;
    /// EC2 forwarded the call.
    pub(crate) const FORWARDED: u16 = 1 << 11;
    /// The call is for a volume or snapshot that no EC2 event accounts for, even if one names it.
    pub(crate) const APART: u16 = 1 << 12;

    pub(crate) fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }
}

/// Some rows.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Milliseconds since the epoch.
    pub(crate) times: Int64Array,
    pub(crate) flags: Vec<Flags>,
    pub(crate) encrypted: BooleanArray,
    caller_instances: StringArray,
    source_index: Int64Array,
    texts: Vec<Texts>,
    ids: Vec<IdValues>,
    lists: Vec<ListArray>,
}

/// A text column, whose values may be shared.
#[derive(Debug)]
enum Texts {
    Plain(StringArray),
    Shared(Keys, StringArray),
    /// As many rows without a value: the table, or a part that was written before it got the column, lacks it.
    Missing(usize),
}

/// Leaves out the values that no row has, where rows are few: a dictionary is that of a whole row group.
fn used(keys: &Int32Array, values: &StringArray) -> (Int32Array, StringArray) {
    if keys.len() >= values.len() {
        return (keys.clone(), values.clone());
    }
    let mut positions: HashMap<i32, i32, RandomState> = HashMap::default();
    let mut used = Vec::new();
    let mut position = |key: i32| {
        *positions.entry(key).or_insert_with(|| {
            let at = usize::try_from(key).expect("keys are positions");
            used.push(values.is_valid(at).then(|| values.value(at)));
            i32::try_from(used.len() - 1).expect("rows are fewer than numbers")
        })
    };
    let keys = keys.iter().map(|key| key.map(&mut position)).collect();
    (keys, used.into_iter().collect())
}

/// By row the position of a shared value, in as few bytes as hold them all; the greatest number where there is none.
#[derive(Debug)]
enum Keys {
    Bytes(Vec<u8>),
    Shorts(Vec<u16>),
    Words(Vec<u32>),
}

impl Texts {
    fn new(column: &dyn Array) -> Self {
        match column.as_dictionary_opt::<Int32Type>() {
            None => Self::Plain(column.as_string::<i32>().clone()),
            Some(shared) => {
                let (keys, values) = used(shared.keys(), shared.values().as_string());
                Self::Shared(Keys::new(&keys, values.len()), values)
            }
        }
    }

    fn get(&self, row: usize) -> Option<&str> {
        let (at, values) = match self {
            Self::Plain(values) => (Some(row), values),
            Self::Shared(keys, values) => (keys.at(row), values),
            Self::Missing(_) => return None,
        };
        at.filter(|at| values.is_valid(*at)).map(|at| values.value(at))
    }

    /// Returns what `map` makes of the text of each row; a text that rows share is asked for once.
    fn each<'b, T: Copy>(&'b self, mut map: impl FnMut(Option<&'b str>) -> T) -> Vec<T> {
        match self {
            Self::Plain(values) => values.iter().map(map).collect(),
            Self::Missing(n_rows) => vec![map(None); *n_rows],
            Self::Shared(keys, values) => {
                let (mut of_value, mut of_none) = (vec![None; values.len()], None);
                let value = |at: usize| values.is_valid(at).then(|| values.value(at));
                let of_row = |row: usize| match keys.at(row) {
                    Some(at) => *of_value[at].get_or_insert_with(|| map(value(at))),
                    None => *of_none.get_or_insert_with(|| map(None)),
                };
                (0..keys.len()).map(of_row).collect()
            }
        }
    }

    /// Sets `flag` in the rows whose value passes `test`.
    fn flag(&self, flags: &mut [Flags], flag: u16, test: impl Fn(&str) -> bool) {
        for (flags, passed) in flags.iter_mut().zip(self.each(|value| value.is_some_and(&test))) {
            flags.0 |= if passed { flag } else { 0 };
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::Plain(values) => values.get_array_memory_size(),
            Self::Missing(_) => 0,
            // A value that batches share counts in each: rather too much than too little.
            Self::Shared(keys, values) => keys.memory_bytes() + values.get_array_memory_size(),
        }
    }
}

impl Keys {
    fn new(keys: &Int32Array, n_values: usize) -> Self {
        fn narrow<K: TryFrom<i32> + Copy>(keys: &Int32Array, none: K) -> Vec<K> {
            keys.iter().map(|key| key.and_then(|key| key.try_into().ok()).unwrap_or(none)).collect()
        }
        if u8::try_from(n_values).is_ok() {
            Self::Bytes(narrow(keys, u8::MAX))
        } else if u16::try_from(n_values).is_ok() {
            Self::Shorts(narrow(keys, u16::MAX))
        } else {
            Self::Words(narrow(keys, u32::MAX))
        }
    }

    fn at(&self, row: usize) -> Option<usize> {
        match self {
            Self::Bytes(keys) => Some(keys[row]).filter(|key| *key != u8::MAX).map(usize::from),
            Self::Shorts(keys) => Some(keys[row]).filter(|key| *key != u16::MAX).map(usize::from),
            Self::Words(keys) => Some(keys[row]).filter(|key| *key != u32::MAX).map(|key| key as usize),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Bytes(keys) => keys.len(),
            Self::Shorts(keys) => keys.len(),
            Self::Words(keys) => keys.len(),
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::Bytes(keys) => keys.capacity(),
            Self::Shorts(keys) => keys.capacity() * size_of::<u16>(),
            Self::Words(keys) => keys.capacity() * size_of::<u32>(),
        }
    }
}

/// Returns the field of the elements of a column of lists, as `events` has it.
fn element(name: &str) -> FieldRef {
    match EVENTS.data_type(&EVENTS.columns[EVENTS.position(name)]) {
        DataType::List(element) => element,
        other => unreachable!("`{name}` is {other}"),
    }
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn text(&self, column: Text, row: usize) -> Option<&str> {
        self.texts[column as usize].get(row)
    }

    /// Returns what `map` makes of the text of each row; a text that rows share is asked for once.
    pub(crate) fn each<'b, T: Copy>(&'b self, column: Text, map: impl FnMut(Option<&'b str>) -> T) -> Vec<T> {
        self.texts[column as usize].each(map)
    }

    pub(crate) fn id(&self, column: IdColumn, row: usize) -> Option<Id<'_>> {
        self.ids[column as usize].get(row)
    }

    /// Returns the instance whose role made a KMS call.
    pub(crate) fn caller_instance(&self, row: usize) -> Option<&str> {
        self.caller_instances.is_valid(row).then(|| self.caller_instances.value(row))
    }

    pub(crate) fn source_index(&self, row: usize) -> i64 {
        if self.source_index.is_valid(row) { self.source_index.value(row) } else { 0 }
    }

    /// Returns the elements of a list; none where it is null.
    pub(crate) fn list(&self, column: List, row: usize) -> impl ExactSizeIterator<Item = &str> {
        let list = &self.lists[column as usize];
        let values = list.values().as_string::<i32>();
        let offsets = list.value_offsets();
        let range = if list.is_valid(row) { offsets[row]..offsets[row + 1] } else { 0..0 };
        let position = |at: i32| usize::try_from(at).expect("offsets are positions");
        (position(range.start)..position(range.end)).map(|at| values.value(at))
    }

    pub(crate) fn lists(&self, column: List) -> &ListArray {
        &self.lists[column as usize]
    }

    pub(crate) fn new(rows: RecordBatch) -> Self {
        let rows = &exact(rows);
        let n_rows = rows.num_rows();
        let column = |name: &str| rows.column_by_name(name);
        let texts = |name: &str| column(name).map_or(Texts::Missing(n_rows), |column| Texts::new(column));
        // What `sessions` lacks, and every row of `events` has.
        let is_session = column("event_source").is_none();
        let encrypted = column("encrypted").map(|column| column.as_boolean().clone());
        let ids = |name: &&str| column(name).map_or_else(IdValues::default, |column| IdValues::new(column.as_string()));
        let list = |name: &&str| match column(name) {
            Some(column) => column.as_list::<i32>().clone(),
            None => ListArray::new_null(element(name), n_rows),
        };
        let of_all = if is_session { Flags::STS } else { 0 };
        let mut batch = Self {
            times: rows["event_time"].as_primitive::<TimestampMicrosecondType>().unary::<_, Int64Type>(ms_of_time),
            flags: vec![Flags(of_all); n_rows],
            encrypted: encrypted.unwrap_or_else(|| BooleanArray::new_null(n_rows)),
            caller_instances: StringArray::new_null(0),
            source_index: rows["source_index"].as_primitive::<Int64Type>().clone(),
            texts: TEXTS.iter().map(|(name, _)| texts(name)).collect(),
            ids: IDS.iter().map(ids).collect(),
            lists: LISTS.iter().map(list).collect(),
        };
        batch.set_flags(
            &texts("event_source"),
            &FLAGGED[..N_FLAGGED_TEXTS].iter().map(|name| texts(name)).collect::<Vec<_>>(),
        );
        batch.set_context_flags(rows);
        batch
    }

    /// Sets the flags of `docs/join.md`, but for what the encryption context says.
    fn set_flags(&mut self, event_source: &Texts, flagged: &[Texts]) {
        let [event_version, user_agent, session] = flagged else {
            unreachable!("as many as are read");
        };
        let (texts, flags) = (&self.texts, &mut self.flags);
        let text = |column: Text| &texts[column as usize];
        event_source.flag(flags, Flags::KMS, |source| source.starts_with("kms."));
        event_source.flag(flags, Flags::EC2, is_ec2);
        event_source.flag(flags, Flags::STS, |source| source.starts_with("sts."));
        text(Text::PrincipalId).flag(flags, Flags::INFRASTRUCTURE, is_infrastructure_id);
        text(Text::PrincipalArn).flag(flags, Flags::INFRASTRUCTURE, is_infrastructure_arn);
        let issuer = text(Text::SessionIssuerArn);
        issuer.flag(flags, Flags::INFRASTRUCTURE, |arn| resource(arn) == Some("role/aws:ec2-infrastructure"));
        let identity_type = text(Text::UserIdentityType);
        identity_type.flag(flags, Flags::BY_SERVICE, |it| it == "AWSService");
        identity_type.flag(flags, Flags::ASSUMED_ROLE, |it| it == "AssumedRole");
        identity_type.flag(flags, Flags::OF_ANOTHER_ACCOUNT, |it| it == "AWSAccount");
        text(Text::ErrorCode).flag(flags, Flags::FAILED, |_| true);
        let (invoked_by, address) = (text(Text::InvokedBy), text(Text::SourceIpAddress));
        for flags in &mut *flags {
            flags.0 |= if flags.has(Flags::INFRASTRUCTURE | Flags::BY_SERVICE) { Flags::TRUSTED } else { 0 };
            flags.0 |= if flags.has(Flags::INFRASTRUCTURE) { Flags::TOUCHES } else { 0 };
        }
        // In old records nothing else may tell of AWS. In others anybody may have sent the agent, and users' own calls
        // come from the address, too. A key's owner sees nothing but the address of another account's call.
        let is_old = event_version.each(|it| matches!(it, None | Some("1.0" | "1.01" | "1.02")));
        let is_agent = user_agent.each(|it| matches!(it, Some("AWS Internal" | "&AWS; Internal")));
        let is_address = address.each(|it| it == Some("AWS Internal"));
        for (row, flags) in flags.iter_mut().enumerate() {
            let is_address = is_address[row] && (is_old[row] || flags.has(Flags::OF_ANOTHER_ACCOUNT));
            flags.0 |= if is_address || is_old[row] && is_agent[row] { Flags::TRUSTED } else { 0 };
        }
        let told = |service: &str| (is_family(service), amazon_name(service) == Some("ebs"));
        let by_address = address.each(|it| it.filter(|it| amazon_name(it).is_some()).map(told));
        let services = invoked_by.each(|it| it.map(told)).into_iter().zip(by_address);
        for (flags, (invoked_by, by_address)) in flags.iter_mut().zip(services) {
            let Some((is_family, is_ebs)) = invoked_by.or(by_address) else { continue };
            // The EBS direct APIs are the caller's own, unless EBS itself is the caller.
            let is_direct = is_ebs && !flags.has(Flags::BY_SERVICE);
            flags.0 |= Flags::TRUSTED;
            flags.0 |= if is_direct { Flags::EXTERNAL | Flags::APART } else { 0 };
            flags.0 |= if is_family { 0 } else { Flags::EXTERNAL };
        }
        for caller in [invoked_by, user_agent, address] {
            caller.flag(flags, Flags::TOUCHES | Flags::FORWARDED, |it| amazon_name(it) == Some("ec2-frontend-api"));
        }
        text(Text::GranteePrincipal).flag(flags, Flags::TOUCHES, is_role_of_family);
        let is_caller =
            |flags: Flags| flags.has(Flags::KMS) && flags.has(Flags::ASSUMED_ROLE) && !flags.has(Flags::INFRASTRUCTURE);
        let callers = flags.iter().enumerate().map(|(row, flags)| {
            let session = session.get(row).filter(|_| is_caller(*flags))?.to_lowercase();
            is_instance_id(&session).then_some(session)
        });
        self.caller_instances = callers.collect();
    }

    fn set_context_flags(&mut self, rows: &RecordBatch) {
        let Some(contexts) = rows.column_by_name("encryption_context") else { return };
        let contexts = contexts.as_map();
        let keys = contexts.keys().as_string::<i32>();
        let offsets = contexts.value_offsets();
        for (row, flags) in self.flags.iter_mut().enumerate().filter(|(row, _)| contexts.is_valid(*row)) {
            let position = |at: i32| usize::try_from(at).expect("offsets are positions");
            let mut keys = (position(offsets[row])..position(offsets[row + 1])).map(|at| keys.value(at));
            let names_ebs = keys.clone().any(|key| key == "aws:ebs:id");
            // EC2 and EBS give no other key. A principal gives S3 and other services a context of its own choice.
            let is_apart = keys.any(|key| is_of_another_service(key) || names_ebs && !key.starts_with("aws:ebs:"));
            flags.0 |= if is_apart { Flags::EXTERNAL | Flags::APART } else { 0 };
            flags.0 |= if names_ebs { Flags::TOUCHES } else { 0 };
        }
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        let texts = self.texts.iter().map(Texts::memory_bytes);
        let ids = self.ids.iter().map(IdValues::memory_bytes);
        let lists = self.lists.iter().map(Array::get_array_memory_size);
        (texts.chain(ids).chain(lists).sum::<usize>() + self.len() * 2 * size_of::<u64>()) as u64
    }
}

/// Copies rows to arrays without spare room, which is a quarter of what the reader gives.
fn exact(rows: RecordBatch) -> RecordBatch {
    let (schema, mut columns, _) = rows.into_parts();
    columns.iter_mut().for_each(Array::shrink_to_fit);
    RecordBatch::try_new(schema, columns).expect("the columns are the same")
}

/// Returns what stands before `.amazonaws.com` or `.amazonaws.com.cn`.
fn amazon_name(host: &str) -> Option<&str> {
    host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com")
}

/// Tells whether a service that calls KMS for a principal is EC2, EBS, or launches instances.
fn is_family(invoked_by: &str) -> bool {
    let is_region = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    matches!(invoked_by, "AWS Internal" | "Amazon Internal")
        || amazon_name(invoked_by).is_some_and(|name| {
            matches!(name, "ec2-frontend-api" | "ec2" | "ebs" | "autoscaling" | "spot" | "spotfleet" | "ec2fleet")
                || name.strip_prefix("ec2.").is_some_and(is_region)
                || name.strip_prefix("prod.kms-caller.ebs.").is_some_and(is_region)
        })
}

/// Tells whether a principal is the role that a service which launches instances has in an account.
fn is_role_of_family(principal: &str) -> bool {
    service_of_role(principal).is_some_and(|service| amazon_name(service).is_some() && is_family(service))
}

/// Returns the service of an ARN that is of a role which services assume for themselves.
pub(crate) fn service_of_role(arn: &str) -> Option<&str> {
    resource(arn)?.strip_prefix("role/aws-service-role/")?.split('/').next()
}

/// Returns the resource of an ARN. It begins with its kind; the path of a user or role follows, and may be any text.
fn resource(arn: &str) -> Option<&str> {
    arn.splitn(6, ':').nth(5)
}

/// Tells whether a principal id is of a session of EC2's own role.
fn is_infrastructure_id(id: &str) -> bool {
    id.split_once(':').is_some_and(|(_, role)| role.starts_with("aws:ec2-infrastructure:"))
}

/// Tells whether an ARN is of a session of EC2's own role.
fn is_infrastructure_arn(arn: &str) -> bool {
    let role = resource(arn).map(|resource| resource.strip_prefix("assumed-").unwrap_or(resource));
    role.is_some_and(|role| role.starts_with("role/aws:ec2-infrastructure/"))
}

/// Tells whether a key of an encryption context is given by a service that keeps volumes of its own.
fn is_of_another_service(key: &str) -> bool {
    ["aws:ecs:", "aws:rds:", "aws:workspaces:"].iter().any(|prefix| key.starts_with(prefix))
}

/// Tells whether a text has the form of an instance id.
fn is_instance_id(text: &str) -> bool {
    let is_hex = |digits: &str| digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    text.strip_prefix("i-").is_some_and(|digits| matches!(digits.len(), 8 | 17) && is_hex(digits))
}

/// Tells of each row whether its text in a column of few values passes; a text that rows share is asked for once.
pub(crate) fn each_text(rows: &RecordBatch, column: &str, passes: impl Fn(&str) -> bool) -> Vec<bool> {
    let shared = rows[column].as_dictionary::<Int32Type>();
    let of_value: Vec<bool> = shared.values().as_string::<i32>().iter().map(|it| it.is_some_and(&passes)).collect();
    let of_row = |key: Option<i32>| key.and_then(|key| of_value.get(usize::try_from(key).ok()?)).copied();
    shared.keys().iter().map(|key| of_row(key).unwrap_or(false)).collect()
}

/// Tells whether events of a source are those of EC2.
pub(crate) fn is_ec2(event_source: &str) -> bool {
    event_source.starts_with("ec2.")
}

/// The column that is read for nothing but whether a row is joined.
pub(crate) const CHOOSING: &str = "event_category";

/// The columns by which a row is joined or not.
pub(crate) const JOINED_BY: [&str; 3] = ["event_source", CHOOSING, "error_code"];

/// Tells of each row of `events` whether it is joined: an event of KMS, EC2 or STS. What a VPC endpoint saw of a call that
/// went through is none, as the call has an event of its own.
pub(crate) fn are_joined(rows: &RecordBatch) -> Vec<bool> {
    let is_joined = |source: &str| amazon_name(source).is_some_and(|name| matches!(name, "kms" | "ec2" | "sts"));
    let of_source = each_text(rows, "event_source", is_joined);
    let of_network = each_text(rows, CHOOSING, |category| category == "NetworkActivity");
    let failed = &rows["error_code"];
    let of_row = |(row, (is_joined, of_network))| is_joined && !(of_network && failed.is_null(row));
    of_source.into_iter().zip(of_network).enumerate().map(of_row).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::DictionaryArray;

    use super::*;

    #[test]
    fn shared_texts_are_what_they_were_however_many_there_are() {
        for n_values in [1, 255, 256, 65_535, 65_536] {
            let values: StringArray = (0..n_values).map(|value| (value != 0).then(|| value.to_string())).collect();
            let keys: Int32Array = (0..n_values).rev().map(Some).chain([None, Some(0)]).collect();
            let expected: Vec<_> =
                keys.iter().map(|key| key.filter(|key| *key != 0).map(|key| key.to_string())).collect();
            let texts = Texts::new(&DictionaryArray::new(keys, Arc::new(values)));
            let got: Vec<_> = (0..expected.len()).map(|row| texts.get(row).map(str::to_owned)).collect();
            assert!(got == expected, "{n_values}");
            let mut n_asked = 0;
            let count = |value: Option<&str>| {
                n_asked += 1;
                value.map_or(0, str::len)
            };
            let lengths: Vec<_> = expected.iter().map(|text| text.as_ref().map_or(0, String::len)).collect();
            assert!(texts.each(count) == lengths, "{n_values}");
            assert_eq!(n_asked, n_values + 1);
            let mut flags = vec![Flags::default(); expected.len()];
            texts.flag(&mut flags, Flags::KMS, |text| text.ends_with('7'));
            let flagged = expected.iter().map(|text| text.as_ref().is_some_and(|text| text.ends_with('7')));
            assert!(flags.iter().map(|flags| flags.has(Flags::KMS)).eq(flagged), "{n_values}");
        }
    }
}
