//! The chain of one identifier: the EC2 events that caused KMS calls on it, and those calls.

use std::collections::BTreeSet;
use std::collections::HashMap;

use arrow::array::Array;
use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::array::TimestampMillisecondArray;
use serde::Serialize;

use crate::QueryError;
use crate::Session;

/// What happened around one identifier, in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// The identifier as asked.
    pub id: String,
    /// The causes, earliest call first.
    pub causes: Vec<Cause>,
    /// What the lake does not hold and a whole chain would.
    pub missing: Vec<Missing>,
}

/// What a chain lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "missing", rename_all = "snake_case")]
pub enum Missing {
    /// A Decrypt of a volume's key succeeded, and no `CreateGrant` allowed it.
    Grant {
        /// The event id of the Decrypt.
        kms_event_id: Option<String>,
        /// When it was, RFC 3339.
        time: String,
    },
    /// A grant was neither retired nor revoked.
    Retirement {
        /// The grant.
        grant_id: String,
    },
    /// A volume's data key was made, and never decrypted.
    Decrypt {
        /// The volume.
        volume_id: String,
    },
}

/// An EC2 event and the KMS calls that it made; or calls without one, by the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The EC2 event; `None`: the calls have none.
    pub event: Option<Event>,
    /// Why there is none.
    pub unmatched_reason: Option<String>,
    /// The calls, in time.
    pub calls: Vec<Call>,
}

/// An EC2 event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its event id.
    pub event_id: String,
    /// When, RFC 3339.
    pub time: String,
    /// Its name.
    pub name: String,
    /// The caller.
    pub principal_arn: Option<String>,
    /// The principal behind the caller.
    pub root_principal_arn: Option<String>,
    /// How that is known.
    pub root_source: Option<String>,
    /// From where.
    pub source_ip_address: Option<String>,
    /// Its error, if it failed.
    pub error_code: Option<String>,
    /// The object in which it was logged.
    pub source_object: Option<String>,
}

/// A KMS call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each field is the column of `correlated` of the same name, less the prefix kms_")]
pub struct Call {
    pub event_id: Option<String>,
    pub time: String,
    pub name: String,
    pub error_code: Option<String>,
    pub principal_arn: Option<String>,
    pub invoked_by: Option<String>,
    pub instance_id: Option<String>,
    pub caller_instance_id: Option<String>,
    pub volume_id: Option<String>,
    pub snapshot_id: Option<String>,
    pub grant_id: Option<String>,
    pub grant_event_id: Option<String>,
    pub key_arn: Option<String>,
    pub link: String,
    pub confidence: Option<String>,
    pub source_object: Option<String>,
}

/// Finds the chain of an instance, volume, snapshot, key (ARN or bare id), grant or event.
pub async fn trace(session: &Session, id: &str) -> Result<Chain, QueryError> {
    let sql = format!("SELECT * FROM correlated WHERE {} ORDER BY kms_event_time, kms_event_id", condition(id));
    let mut causes = Vec::<Cause>::new();
    let mut positions = HashMap::new();
    for batch in session.query(&sql).await? {
        let rows = Rows { batch: &batch };
        for row in 0..batch.num_rows() {
            let (event, unmatched_reason) = (rows.event(row), rows.text("unmatched_reason", row));
            let key = (event.as_ref().map(|event| event.event_id.clone()), unmatched_reason.clone());
            let position = *positions.entry(key).or_insert(causes.len());
            if position == causes.len() {
                causes.push(Cause { event, unmatched_reason, calls: Vec::new() });
            }
            causes[position].calls.push(rows.call(row));
        }
    }
    if causes.is_empty() {
        causes = without_calls(session, id).await?;
    }
    if causes.is_empty() {
        return Err(QueryError::NothingKnown { id: id.to_owned() });
    }
    let missing = missing(session, causes.iter().flat_map(|cause| &cause.calls)).await?;
    Ok(Chain { id: id.to_owned(), causes, missing })
}

/// The events that name an identifier of which no row of `correlated` knows: an instance without encrypted volumes, or
/// an event that is no part of a chain.
async fn without_calls(session: &Session, id: &str) -> Result<Vec<Cause>, QueryError> {
    let sql = format!("SELECT * FROM events WHERE {} ORDER BY event_time, event_id LIMIT 100", of_event(id));
    let mut causes = Vec::new();
    for batch in session.query(&sql).await? {
        let rows = Rows { batch: &batch };
        for row in 0..batch.num_rows() {
            let event = Event {
                event_id: rows.text("event_id", row).unwrap_or_default(),
                time: rows.time("event_time", row),
                name: rows.text("event_name", row).unwrap_or_default(),
                principal_arn: rows.text("principal_arn", row),
                root_principal_arn: None,
                root_source: None,
                source_ip_address: rows.text("source_ip_address", row),
                error_code: rows.text("error_code", row),
                source_object: rows.text("source_object", row),
            };
            causes.push(Cause { event: Some(event), unmatched_reason: None, calls: Vec::new() });
        }
    }
    Ok(causes)
}

/// What the lake lacks about calls that succeeded.
async fn missing<'a>(session: &Session, calls: impl Iterator<Item = &'a Call>) -> Result<Vec<Missing>, QueryError> {
    let mut missing = Vec::new();
    let (mut grants, mut volumes) = (BTreeSet::new(), BTreeSet::new());
    for call in calls.filter(|call| call.error_code.is_none()) {
        match call.name.as_str() {
            "Decrypt" if call.volume_id.is_some() && call.grant_event_id.is_none() => {
                missing.push(Missing::Grant { kms_event_id: call.event_id.clone(), time: call.time.clone() });
            }
            "CreateGrant" => grants.extend(call.grant_id.clone()),
            name if name.starts_with("GenerateDataKey") => volumes.extend(call.volume_id.clone()),
            _ => {}
        }
    }
    let unretired = session.texts("SELECT grant_id FROM grants_never_retired WHERE grant_id", &grants).await?;
    let decrypted = "SELECT DISTINCT volume_id FROM correlated \
                     WHERE kms_event_name = 'Decrypt' AND kms_error_code IS NULL AND volume_id";
    let decrypted = session.texts(decrypted, &volumes).await?;
    missing.extend(unretired.into_iter().map(|grant_id| Missing::Retirement { grant_id }));
    let unused = volumes.into_iter().filter(|volume_id| !decrypted.contains(volume_id));
    missing.extend(unused.map(|volume_id| Missing::Decrypt { volume_id }));
    Ok(missing)
}

impl Session {
    /// The texts that a question gives, which ends before `IN (..)`; none where nothing is looked for.
    async fn texts(&self, question: &str, among: &BTreeSet<String>) -> Result<BTreeSet<String>, QueryError> {
        if among.is_empty() {
            return Ok(BTreeSet::new());
        }
        let among: Vec<_> = among.iter().map(|text| format!("'{}'", text.replace('\'', "''"))).collect();
        let batches = self.query(&format!("{question} IN ({})", among.join(", "))).await?;
        let texts = batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten());
        Ok(texts.map(str::to_owned).collect())
    }
}

/// Which rows of `correlated` an identifier is in.
fn condition(id: &str) -> String {
    let id = quoted(id);
    match kind(&id) {
        Kind::Instance => equals(&id, &["instance_id", "caller_instance_id"]),
        Kind::Volume => equals(&id, &["volume_id"]),
        Kind::Snapshot => equals(&id, &["snapshot_id"]),
        Kind::Arn => equals(&id, &["key_arn"]),
        Kind::Other => {
            let key = format!("lower(split_part(key_arn, ':key/', 2)) = {id}");
            let allowed =
                format!("grant_event_id IN (SELECT create_event_id FROM grants WHERE lower(grant_id) = {id})");
            let named = equals(&id, &["grant_id", "kms_event_id", "ec2_event_id", "launch_event_id"]);
            format!("{named} OR {key} OR {allowed}")
        }
    }
}

/// Which rows of `events` an identifier is in.
fn of_event(id: &str) -> String {
    let id = quoted(id);
    match kind(&id) {
        Kind::Instance => format!("array_has(instance_ids, {id})"),
        Kind::Volume => format!("array_has(volume_ids, {id})"),
        Kind::Snapshot => format!("array_has(snapshot_ids, {id})"),
        Kind::Arn => equals(&id, &["key_arn", "source_key_arn"]),
        Kind::Other => {
            let key = format!("lower(split_part(key_arn, ':key/', 2)) = {id}");
            format!("{} OR {key}", equals(&id, &["grant_id", "event_id"]))
        }
    }
}

/// What an identifier may be of.
enum Kind {
    Instance,
    Volume,
    Snapshot,
    Arn,
    /// A grant, an event, or a key: a UUID may be either of the latter.
    Other,
}

fn kind(quoted: &str) -> Kind {
    match quoted[1..].split_once(['-', ':']).map(|(kind, _)| kind) {
        Some("i") => Kind::Instance,
        Some("vol") => Kind::Volume,
        Some("snap") => Kind::Snapshot,
        Some("arn") => Kind::Arn,
        _ => Kind::Other,
    }
}

/// An identifier in its normal form, as a text in SQL.
fn quoted(id: &str) -> String {
    format!("'{}'", id.to_lowercase().replace('\'', "''"))
}

fn equals(quoted: &str, columns: &[&str]) -> String {
    let each = columns.iter().map(|column| format!("lower({column}) = {quoted}"));
    each.collect::<Vec<_>>().join(" OR ")
}

/// Rows of `correlated`.
struct Rows<'a> {
    batch: &'a RecordBatch,
}

impl Rows<'_> {
    fn text(&self, column: &str, row: usize) -> Option<String> {
        let column = self.batch.column_by_name(column)?.as_any().downcast_ref::<StringArray>()?;
        column.is_valid(row).then(|| column.value(row).to_owned())
    }

    fn time(&self, column: &str, row: usize) -> String {
        let times =
            self.batch.column_by_name(column).and_then(|it| it.as_any().downcast_ref::<TimestampMillisecondArray>());
        let time = times.filter(|times| times.is_valid(row)).map(|times| times.value(row));
        let time = time.and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
        time.map_or_else(String::new, |time| time.to_string())
    }

    fn event(&self, row: usize) -> Option<Event> {
        let name = self.text("ec2_event_name", row)?;
        Some(Event {
            event_id: self.text("ec2_event_id", row).unwrap_or_default(),
            time: self.time("ec2_event_time", row),
            name,
            principal_arn: self.text("ec2_principal_arn", row),
            root_principal_arn: self.text("root_principal_arn", row),
            root_source: self.text("root_source", row),
            source_ip_address: self.text("ec2_source_ip_address", row),
            error_code: self.text("ec2_error_code", row),
            source_object: self.text("ec2_source_object", row),
        })
    }

    fn call(&self, row: usize) -> Call {
        Call {
            event_id: self.text("kms_event_id", row),
            time: self.time("kms_event_time", row),
            name: self.text("kms_event_name", row).unwrap_or_default(),
            error_code: self.text("kms_error_code", row),
            principal_arn: self.text("kms_principal_arn", row),
            invoked_by: self.text("kms_invoked_by", row),
            instance_id: self.text("instance_id", row),
            caller_instance_id: self.text("caller_instance_id", row),
            volume_id: self.text("volume_id", row),
            snapshot_id: self.text("snapshot_id", row),
            grant_id: self.text("grant_id", row),
            grant_event_id: self.text("grant_event_id", row),
            key_arn: self.text("key_arn", row),
            link: self.text("link", row).unwrap_or_default(),
            confidence: self.text("confidence", row),
            source_object: self.text("kms_source_object", row),
        }
    }
}
