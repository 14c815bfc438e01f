//! Where flows write: the records, the truth, and what the events show together.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::identity::{self, Caller};
use crate::record::{Failure, Record, Resource, Version};
use crate::truth::{Cause, Draft, Facts, Link, Serves};
use crate::world::{Account, Key, World};

pub(crate) const FRONT_END: &str = "ec2-frontend-api.amazonaws.com";
pub(crate) const INTERNAL: &str = "AWS Internal";

/// Everything that the flows have written so far.
pub(crate) struct Stage<'w> {
    pub(crate) world: &'w World,
    pub(crate) records: Vec<Placed>,
    pub(crate) drafts: Vec<Draft>,
    pub(crate) facts: Facts,
    pub(crate) chains: BTreeMap<&'static str, usize>,
    /// An instance that was launched, stopped and started with encrypted volumes.
    pub(crate) first_instance: Option<String>,
    n_short_ids: u32,
}

/// A rendered record and the trail that it belongs to.
pub(crate) struct Placed {
    pub(crate) at: i64,
    pub(crate) scope: usize,
    pub(crate) json: Box<[u8]>,
}

/// One story's view of the stage: who acts, where, in which generation.
pub(crate) struct Scene<'s, 'w> {
    pub(crate) stage: &'s mut Stage<'w>,
    pub(crate) world: &'w World,
    pub(crate) dice: Dice,
    pub(crate) account: usize,
    pub(crate) region: usize,
    pub(crate) caller: Caller,
    pub(crate) version: Version,
}

/// The maker of a KMS call.
#[derive(Clone, Copy)]
pub(crate) enum By<'k> {
    /// The scene's caller.
    Caller,
    /// A service in the name of the scene's caller.
    Through(&'k str),
    /// The part of EC2 that attaches volumes to this instance.
    Infrastructure(&'k str),
    /// A service in its own name.
    Service(&'k str),
}

/// A KMS call of a flow.
pub(crate) struct KmsCall<'k> {
    pub(crate) at: i64,
    pub(crate) name: &'static str,
    pub(crate) by: By<'k>,
    /// The keys that the call used, the destination last; none when the call was denied.
    pub(crate) keys: Vec<&'k Key>,
    pub(crate) request: Value,
    pub(crate) response: Value,
    pub(crate) additional: Option<Value>,
    pub(crate) failure: Option<Failure>,
    /// Given when the call neither shares the cause's nor has a random one.
    pub(crate) request_id: Option<String>,
    pub(crate) serves: Serves,
    pub(crate) link: Link<'k>,
}

impl<'w> Stage<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        Self {
            world,
            records: Vec::new(),
            drafts: Vec::new(),
            facts: Facts::default(),
            chains: BTreeMap::new(),
            first_instance: None,
            n_short_ids: 0,
        }
    }

    /// Eight hex digits that no other id of the corpus has: an odd multiple is a permutation of 32 bits.
    fn short_hex(&mut self) -> String {
        self.n_short_ids += 1;
        let low = u32::try_from(self.world.seed & 0xffff_ffff).expect("masked to 32 bits");
        format!("{:08x}", self.n_short_ids.wrapping_mul(0x9E37_79B1) ^ low)
    }

    fn write(&mut self, account: usize, region: usize, record: Record) {
        let at = record.at;
        let json = serde_json::to_vec(&record.into_json()).expect("maps with text keys can be written");
        let scope = self.world.scope(account, region);
        self.records.push(Placed { at, scope, json: json.into_boxed_slice() });
    }
}

impl Scene<'_, '_> {
    pub(crate) fn account(&self) -> &Account {
        &self.world.accounts[self.account]
    }

    pub(crate) fn account_id(&self) -> String {
        self.account().id.clone()
    }

    pub(crate) fn region_name(&self) -> &'static str {
        self.world.regions[self.region]
    }

    /// Tells whether the window lasts long enough after `at` for a whole flow.
    pub(crate) fn lasts_after(&self, at: i64) -> bool {
        at + 600 < self.world.end
    }

    /// An instance, volume or snapshot id of the scene's generation.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        if self.version.is_legacy() {
            format!("{prefix}-{}", self.stage.short_hex())
        } else {
            self.dice.resource_id(prefix)
        }
    }

    /// Counts one chain of a flow.
    pub(crate) fn count(&mut self, flow: &'static str) {
        *self.stage.chains.entry(flow).or_default() += 1;
    }

    /// Notes that an event showed `volume` at `instance`.
    pub(crate) fn sight(&mut self, at: i64, volume: &str, instance: &str) {
        let seen = self.stage.facts.sightings.entry(volume.to_owned()).or_default();
        seen.push((at, instance.to_owned()));
    }

    /// A successful EC2 call of the scene's caller.
    pub(crate) fn ec2(&mut self, at: i64, name: &'static str, request: Value, response: Value) -> Cause {
        self.ec2_delivered_to(at, name, (request, response), None)
    }

    /// A successful EC2 call that is also delivered to the account `owner` of a snapshot.
    pub(crate) fn ec2_delivered_to(
        &mut self,
        at: i64,
        name: &'static str,
        (request, mut response): (Value, Value),
        owner: Option<usize>,
    ) -> Cause {
        let request_id = self.dice.uuid();
        if !self.version.is_legacy() {
            answer_with_request_id(&mut response, name, &request_id);
        }
        let shared = owner.map(|_| self.dice.name_uuid());
        let mut copies = Vec::new();
        for account in [Some(self.account), owner].into_iter().flatten() {
            let recipient = self.world.accounts[account].id.clone();
            let event_id = if shared.is_some() { self.dice.name_uuid() } else { self.dice.uuid() };
            let mut record = self.caller_record("ec2.amazonaws.com", name, at);
            record.resources = self.launched_resources(&response);
            record.request = request.clone();
            record.response = response.clone();
            record.request_id.clone_from(&request_id);
            record.event_id.clone_from(&event_id);
            record.shared.clone_from(&shared);
            record.recipient.clone_from(&recipient);
            self.write(account, record);
            copies.push((recipient, event_id));
        }
        let root = self.caller.root.clone();
        Cause { at, request_id, copies, names_its_volume: name == "CreateVolume", root }
    }

    /// An EC2 call that failed or was a dry run.
    pub(crate) fn ec2_failed(&mut self, at: i64, name: &'static str, request: Value, failure: Failure) {
        let mut record = self.caller_record("ec2.amazonaws.com", name, at);
        record.failure = Some(failure);
        record.request = request;
        self.write(self.account, record);
    }

    /// A call of the scene's caller, with ids of its own.
    pub(crate) fn caller_record(&mut self, source: &'static str, name: &'static str, at: i64) -> Record {
        let mut record = Record::new(source, name, at, self.caller.direct(at, self.version));
        record.address.clone_from(&self.caller.address);
        record.agent.clone_from(&self.caller.agent);
        record.link = self.caller.connection();
        record.request_id = self.dice.uuid();
        record.event_id = self.dice.uuid();
        record.recipient = self.account_id();
        record
    }

    /// Writes a record into the trail of `account` in the scene's region.
    pub(crate) fn write(&mut self, account: usize, mut record: Record) {
        record.version = self.version;
        record.region = self.region_name();
        self.stage.write(account, self.region, record);
    }

    /// Since 1.11 `RunInstances` lists what it launched.
    fn launched_resources(&self, response: &Value) -> Vec<Resource> {
        let launched = response.get("reservationId").and_then(|_| response["instancesSet"]["items"].as_array());
        let (Some(instances), true) = (launched, self.version >= Version::LATEST) else {
            return Vec::new();
        };
        let (region, account) = (self.region_name(), self.account_id());
        let resource = |instance: &Value| Resource {
            arn: format!(
                "arn:aws:ec2:{region}:{account}:instance/{}",
                instance["instanceId"].as_str().unwrap_or_default()
            ),
            account: account.clone(),
            kind: "AWS::EC2::Instance",
        };
        instances.iter().map(resource).collect()
    }

    /// A KMS call, and its row of the truth. A call with another account's key is logged in both accounts.
    pub(crate) fn kms(&mut self, call: &KmsCall<'_>) {
        let request_id = match (call.link.cause, &call.request_id) {
            (_, Some(given)) => given.clone(),
            (Some(cause), None) if call.link.shares_request => cause.request_id.clone(),
            _ => self.dice.uuid(),
        };
        let from_aws = !matches!(call.by, By::Caller);
        let shared = (from_aws && !self.version.is_legacy()).then(|| self.dice.name_uuid());
        let mut owners = call.keys.iter().map(|key| self.world.account_index(&key.account));
        let foreign = owners.find(|&owner| owner != self.account && call.failure.is_none());
        for account in [Some(self.account), foreign].into_iter().flatten() {
            let mut record = self.kms_record(call, account);
            record.request_id.clone_from(&request_id);
            record.shared.clone_from(&shared);
            record.event_id = if shared.is_some() { self.dice.name_uuid() } else { self.dice.uuid() };
            self.stage.drafts.push(self.draft(call, &record));
            self.write(account, record);
        }
        let shows = matches!(call.name, "CreateGrant" | "Decrypt") && call.failure.is_none();
        if let (true, Some(volume), Some(instance)) = (shows, &call.serves.volume, &call.serves.instance) {
            self.sight(call.at, volume, instance);
        }
    }

    fn kms_record(&mut self, call: &KmsCall<'_>, recipient: usize) -> Record {
        let identity = if recipient == self.account { self.own_identity(call) } else { self.foreign_identity(call) };
        let mut record = Record::new("kms.amazonaws.com", call.name, call.at, identity);
        (record.address, record.agent) = self.origin(call.by);
        if let By::Caller = call.by {
            record.link = self.caller.connection();
        }
        record.read_only = !matches!(call.name, "CreateGrant" | "RetireGrant" | "RevokeGrant");
        record.request = call.request.clone();
        record.response = call.response.clone();
        record.additional.clone_from(&call.additional);
        record.failure = call.failure;
        record.recipient.clone_from(&self.world.accounts[recipient].id);
        let resource =
            |key: &&Key| Resource { arn: key.arn.clone(), account: key.account.clone(), kind: "AWS::KMS::Key" };
        record.resources = call.keys.iter().map(resource).collect();
        record
    }

    fn own_identity(&mut self, call: &KmsCall<'_>) -> Value {
        let (at, version) = (call.at, self.version);
        match call.by {
            By::Caller => self.caller.direct(at, version),
            By::Through(service) => self.caller.through(service, at, version),
            By::Service(name) => identity::service(name),
            By::Infrastructure(instance) => {
                let access_key = self.dice.principal_id("ASIA");
                let (account, region) = (self.account_id(), self.region_name());
                identity::infrastructure(
                    &identity::Infrastructure { account: &account, region, instance, access_key: &access_key[..20] },
                    at,
                    version,
                )
            }
        }
    }

    fn foreign_identity(&self, call: &KmsCall<'_>) -> Value {
        let account = self.account_id();
        match call.by {
            By::Caller => identity::foreign(&account, &self.caller.identity.principal_id(), None),
            By::Through(service) => identity::foreign(&account, &self.caller.identity.principal_id(), Some(service)),
            By::Service(name) => identity::service(name),
            By::Infrastructure(instance) => {
                identity::foreign(&account, &format!("{account}:aws:ec2-infrastructure:{instance}"), Some(INTERNAL))
            }
        }
    }

    /// `sourceIPAddress` and `userAgent` of a KMS call.
    fn origin(&self, by: By<'_>) -> (String, String) {
        match by {
            By::Infrastructure(_) if self.version.is_legacy() => (self.caller.address.clone(), String::new()),
            By::Through(_) if self.version.is_legacy() => (self.caller.address.clone(), INTERNAL.to_owned()),
            By::Caller => (self.caller.address.clone(), self.caller.agent.clone()),
            By::Through(service) | By::Service(service) => (service.to_owned(), service.to_owned()),
            By::Infrastructure(_) => (INTERNAL.to_owned(), INTERNAL.to_owned()),
        }
    }

    fn draft(&self, call: &KmsCall<'_>, record: &Record) -> Draft {
        let own_role = matches!(call.by, By::Caller | By::Through(_)) && record.recipient == self.account().id;
        Draft {
            at: call.at,
            flow: call.link.flow,
            event_id: record.event_id.clone(),
            event_name: call.name,
            recipient: record.recipient.clone(),
            cause: call.link.cause.cloned(),
            shares_request: call.link.shares_request,
            serves: call.serves.clone(),
            caller_instance: self.caller.identity.instance().filter(|_| own_role).map(str::to_owned),
            key_arn: call.keys.last().map(|key| key.arn.clone()),
            unmatched: call.link.unmatched,
            ambiguous: call.link.ambiguous,
        }
    }
}

/// EC2 repeats the request id in its answer, inside the wrapper of the newer operations.
fn answer_with_request_id(response: &mut Value, name: &str, request_id: &str) {
    let wrapper = format!("{name}Response");
    let answer = if response.get(&wrapper).is_some() { &mut response[&wrapper] } else { response };
    if let Value::Object(fields) = answer {
        let place = usize::from(fields.contains_key("xmlns"));
        fields.shift_insert(place, "requestId".to_owned(), json!(request_id));
    }
}
