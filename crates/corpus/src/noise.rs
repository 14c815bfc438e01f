//! The rest of a busy trail: calls that have nothing to do with instances and volumes.

use serde_json::json;

use crate::dice::Dice;
use crate::identity::{self, Caller, Identity};
use crate::record::{Failure, Record, Resource, Version};
use crate::world::{Account, Key, World};

/// A record that is rendered when it is delivered: rendering it again gives the same bytes.
pub(crate) struct Slot {
    pub(crate) at: i64,
    pub(crate) scope: usize,
    stream: u64,
}

/// Slots of noise over the whole window, busier by day than by night.
pub(crate) fn slots(world: &World, n: usize) -> Vec<Slot> {
    let mut dice = Dice::new(world.seed, 2);
    let mut slots = Vec::with_capacity(n);
    for _ in 0..n {
        let mut at = dice.between(world.start, world.end - 1);
        let night = !(6..20).contains(&(at.rem_euclid(86_400) / 3_600));
        if night && dice.chance(0.5) {
            at = at.div_euclid(86_400) * 86_400 + dice.between(6 * 3_600, 20 * 3_600 - 1);
        }
        slots.push(Slot { at, scope: dice.below(world.scopes()), stream: dice.number() });
    }
    slots
}

/// Returns the record of a slot.
pub(crate) fn render(world: &World, slot: &Slot) -> Vec<u8> {
    let (account, region) = world.of_scope(slot.scope);
    let mut dice = Dice::new(slot.stream, 0);
    let caller = dice.pick(&account.people).clone();
    let versions = [(Version(11), 6), (Version(10), 2), (Version(9), 1), (Version(8), 1)];
    let version = dice.weighted(&versions);
    let mut scene =
        Setting { region: world.regions[region], account, key_region: region, caller, version, at: slot.at, dice };
    let kinds: [(NoiseKind, usize); 12] = [
        (describe, 36),
        (service_key_use, 17),
        (key_look, 3),
        (key_admin, 1),
        (storage, 12),
        (assume_role, 10),
        (function, 7),
        (parameter, 4),
        (login, 1),
        (rotation, 1),
        (ec2_write, 4),
        (other_grant, 1),
    ];
    // Without that share the dice fall as they do without the option.
    let is_assume_role = world.assume_role > 0.0 && scene.dice.chance(world.assume_role);
    let kind = if is_assume_role { assume_role } else { scene.dice.weighted(&kinds) };
    let mut record = kind(&mut scene);
    record.version = version;
    record.region = scene.region;
    record.recipient.clone_from(&account.id);
    record.event_id = scene.dice.uuid();
    if record.event_type == "AwsApiCall" {
        record.request_id = scene.dice.uuid();
    }
    serde_json::to_vec(&record.into_json()).expect("maps with text keys can be written")
}

/// Makes one record of a kind.
type NoiseKind = fn(&mut Setting<'_>) -> Record;

struct Setting<'w> {
    account: &'w Account,
    region: &'static str,
    key_region: usize,
    caller: Caller,
    version: Version,
    at: i64,
    dice: Dice,
}

impl Setting<'_> {
    fn direct(&self, source: &'static str, name: &'static str) -> Record {
        let mut record = Record::new(source, name, self.at, self.caller.direct(self.at, self.version));
        record.address.clone_from(&self.caller.address);
        record.agent.clone_from(&self.caller.agent);
        record.link = self.caller.connection();
        record.read_only = true;
        record
    }

    fn by_service(&self, source: &'static str, name: &'static str, service: &str) -> Record {
        let mut record = Record::new(source, name, self.at, identity::service(service));
        service.clone_into(&mut record.address);
        service.clone_into(&mut record.agent);
        record
    }

    fn key(&mut self) -> Key {
        self.dice.pick(&self.account.keys[self.key_region].own).clone()
    }

    fn key_resource(key: &Key) -> Vec<Resource> {
        vec![Resource { arn: key.arn.clone(), account: key.account.clone(), kind: "AWS::KMS::Key" }]
    }
}

fn describe(set: &mut Setting<'_>) -> Record {
    let name = *set.dice.pick(&[
        "DescribeInstances",
        "DescribeInstances",
        "DescribeInstanceStatus",
        "DescribeVolumes",
        "DescribeSnapshots",
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeVpcs",
        "DescribeTags",
        "DescribeRouteTables",
        "DescribeNetworkInterfaces",
    ]);
    let mut record = set.direct("ec2.amazonaws.com", name);
    record.request = match name {
        "DescribeInstances" if set.dice.chance(0.5) => {
            json!({"instancesSet": {"items": [{"instanceId": set.dice.resource_id("i")}]}, "filterSet": {}})
        }
        "DescribeInstances" => json!({
            "maxResults": 1000,
            "instancesSet": {},
            "filterSet": {"items": [{"name": "instance-state-name", "valueSet": {"items": [{"value": "running"}]}}]},
        }),
        "DescribeVolumes" => {
            json!({"volumeSet": {"items": [{"volumeId": set.dice.resource_id("vol")}]}, "filterSet": {}})
        }
        _ => json!({"filterSet": {}, "maxResults": 500}),
    };
    if set.dice.chance(0.03) {
        record.failure = Some(Failure {
            code: "Client.UnauthorizedOperation",
            message: Some("You are not authorized to perform this operation."),
        });
    }
    record
}

/// Makes `Decrypt` or `GenerateDataKey` by one of the services that encrypt what they store.
fn service_key_use(set: &mut Setting<'_>) -> Record {
    let (region, account) = (set.region, set.account.id.as_str());
    let (service, context) = match set.dice.below(6) {
        0 | 1 => {
            ("s3.amazonaws.com", json!({"aws:s3:arn": format!("arn:aws:s3:::example-data-{}", set.dice.below(9))}))
        }
        2 => {
            let function = format!("arn:aws:lambda:{region}:{account}:function:job-{}", set.dice.below(20));
            ("lambda.amazonaws.com", json!({"aws:lambda:FunctionArn": function}))
        }
        3 => {
            let secret = format!("arn:aws:secretsmanager:{region}:{account}:secret:db-{}", set.dice.alphanumeric(6));
            ("secretsmanager.amazonaws.com", json!({"SecretARN": secret, "SecretVersionId": set.dice.uuid()}))
        }
        4 => {
            let group = format!("arn:aws:logs:{region}:{account}:log-group:/app/{}", set.dice.below(30));
            ("logs.amazonaws.com", json!({"aws:logs:arn": group}))
        }
        _ => {
            let parameter = format!("arn:aws:ssm:{region}:{account}:parameter/app/{}", set.dice.below(50));
            ("AWS Internal", json!({"PARAMETER_ARN": parameter}))
        }
    };
    let key = set.key();
    let encrypts = set.dice.chance(0.35);
    let name = if encrypts { "GenerateDataKey" } else { "Decrypt" };
    let mut record = set.direct("kms.amazonaws.com", name);
    record.identity = set.caller.through(service, set.at, set.version);
    service.clone_into(&mut record.address);
    service.clone_into(&mut record.agent);
    record.link = crate::record::Connection::Internal;
    record.request = if encrypts {
        json!({"keySpec": "AES_256", "keyId": key.as_typed(&mut set.dice), "encryptionContext": context})
    } else {
        json!({"encryptionContext": context, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"})
    };
    record.resources = Setting::key_resource(&key);
    record
}

fn key_look(set: &mut Setting<'_>) -> Record {
    let key = set.key();
    let name = *set.dice.pick(&["DescribeKey", "ListGrants", "GetKeyPolicy", "ListAliases"]);
    let mut record = set.direct("kms.amazonaws.com", name);
    if name != "ListAliases" {
        record.request = json!({"keyId": key.as_typed(&mut set.dice)});
        record.resources = Setting::key_resource(&key);
    }
    record
}

fn key_admin(set: &mut Setting<'_>) -> Record {
    let mut key = set.key();
    let name = *set.dice.pick(&[
        "CreateAlias",
        "UpdateAlias",
        "ScheduleKeyDeletion",
        "DisableKey",
        "EnableKey",
        "PutKeyPolicy",
    ]);
    // Keys that others use stay usable.
    if matches!(name, "ScheduleKeyDeletion" | "DisableKey" | "EnableKey") {
        key.arn = key.arn.replace(&key.id().to_owned(), &set.dice.uuid());
    }
    let mut record = set.direct("kms.amazonaws.com", name);
    record.read_only = false;
    record.resources = Setting::key_resource(&key);
    let alias = format!("alias/team-{}", set.dice.below(90));
    record.request = match name {
        "CreateAlias" | "UpdateAlias" => {
            let arn = format!("arn:aws:kms:{}:{}:{alias}", set.region, set.account.id);
            record.resources.push(Resource { arn, account: set.account.id.clone(), kind: "AWS::KMS::Alias" });
            json!({"aliasName": alias, "targetKeyId": key.id()})
        }
        "ScheduleKeyDeletion" => json!({"keyId": key.id(), "pendingWindowInDays": 30}),
        "PutKeyPolicy" => json!({"keyId": key.id(), "policyName": "default", "policy": "{\"Version\":\"2012-10-17\"}"}),
        _ => json!({"keyId": key.id()}),
    };
    if !name.ends_with("Alias") {
        record.response = json!({"keyId": key.arn});
    }
    record
}

/// Returns a grant to a service that has nothing to do with EBS.
fn other_grant(set: &mut Setting<'_>) -> Record {
    let key = set.key();
    let mut record = set.direct("kms.amazonaws.com", "CreateGrant");
    record.read_only = false;
    record.request = json!({
        "keyId": key.arn,
        "granteePrincipal": format!("arn:aws:iam::{}:role/job-runner", set.account.id),
        "operations": ["Encrypt", "Decrypt"],
        "constraints": {"encryptionContextSubset": {"aws:lambda:FunctionArn": "job"}},
    });
    record.response = json!({"grantId": set.dice.hex(64), "keyId": key.arn});
    record.resources = Setting::key_resource(&key);
    record
}

fn storage(set: &mut Setting<'_>) -> Record {
    let name = *set.dice.pick(&[
        "GetBucketAcl",
        "ListBuckets",
        "GetBucketLocation",
        "GetBucketEncryption",
        "PutBucketTagging",
    ]);
    let mut record = set.direct("s3.amazonaws.com", name);
    record.read_only = name != "PutBucketTagging";
    if name != "ListBuckets" {
        let bucket = format!("example-data-{}", set.dice.below(9));
        record.resources = vec![Resource {
            arn: format!("arn:aws:s3:::{bucket}"),
            account: set.account.id.clone(),
            kind: "AWS::S3::Bucket",
        }];
        record.request = json!({"bucketName": bucket, "Host": format!("{bucket}.s3.{}.amazonaws.com", set.region)});
    }
    record.additional = Some(json!({
        "SignatureVersion": "SigV4",
        "bytesTransferredIn": 0,
        "bytesTransferredOut": set.dice.below(4_000),
    }));
    record
}

fn assume_role(set: &mut Setting<'_>) -> Record {
    let (service, role) = *set.dice.pick(&[
        ("lambda.amazonaws.com", "job-role"),
        ("ec2.amazonaws.com", "billing-app"),
        ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling"),
    ]);
    let mut record = set.by_service("sts.amazonaws.com", "AssumeRole", service);
    let arn = format!("arn:aws:iam::{}:role/{role}", set.account.id);
    // EC2 names the session after the instance whose role it fetches.
    let session = if service.starts_with("ec2") { set.dice.resource_id("i") } else { format!("{role}-session") };
    record.read_only = true;
    record.request = json!({"roleArn": arn, "roleSessionName": session});
    record.response = json!({
        "credentials": {
            "accessKeyId": &set.dice.principal_id("ASIA")[..20],
            "sessionToken": set.dice.alphanumeric(120),
            "expiration": "Mar 9, 2026, 1:28:25 PM",
        },
    });
    record.resources = vec![Resource { arn, account: set.account.id.clone(), kind: "AWS::IAM::Role" }];
    record.shared = Some(set.dice.uuid());
    record
}

fn function(set: &mut Setting<'_>) -> Record {
    let name = *set.dice.pick(&["GetFunction20150331v2", "ListFunctions20150331", "UpdateFunctionCode20150331v2"]);
    let mut record = set.direct("lambda.amazonaws.com", name);
    record.read_only = !name.starts_with("Update");
    record.request = json!({"functionName": format!("job-{}", set.dice.below(20))});
    record
}

fn parameter(set: &mut Setting<'_>) -> Record {
    let session = set.dice.alphanumeric(12);
    let identity = Identity::role(&mut set.dice, &set.account.id, "job-role", &session);
    set.caller.identity = identity;
    let name = *set.dice.pick(&["GetParameter", "GetParametersByPath", "PutParameter"]);
    let mut record = set.direct("ssm.amazonaws.com", name);
    record.read_only = name != "PutParameter";
    record.request = json!({"name": format!("/app/{}", set.dice.below(50)), "withDecryption": true});
    if name == "PutParameter" {
        record.response = json!({"version": set.dice.between(1, 40), "tier": "Standard"});
    }
    record
}

fn login(set: &mut Setting<'_>) -> Record {
    let mut record = set.direct("signin.amazonaws.com", "ConsoleLogin");
    record.read_only = false;
    record.event_type = "AwsConsoleSignIn";
    record.response = json!({"ConsoleLogin": if set.dice.chance(0.9) { "Success" } else { "Failure" }});
    record.additional = Some(json!({"MobileVersion": "No", "MFAUsed": "Yes"}));
    record
}

/// Returns an event of the service itself, without a request id.
fn rotation(set: &mut Setting<'_>) -> Record {
    let key = set.key();
    let identity = json!({"accountId": set.account.id, "invokedBy": "AWS Internal"});
    let mut record = Record::new("kms.amazonaws.com", "RotateKey", set.at, identity);
    "AWS Internal".clone_into(&mut record.address);
    "AWS Internal".clone_into(&mut record.agent);
    record.event_type = "AwsServiceEvent";
    record.resources = Setting::key_resource(&key);
    record.details = Some(json!({"keyId": key.id()}));
    record
}

fn ec2_write(set: &mut Setting<'_>) -> Record {
    let name = *set.dice.pick(&[
        "CreateTags",
        "AuthorizeSecurityGroupIngress",
        "CreateNetworkInterface",
        "ModifyInstanceAttribute",
    ]);
    let mut record = set.direct("ec2.amazonaws.com", name);
    record.read_only = false;
    record.request = match name {
        "CreateTags" => json!({
            "resourcesSet": {"items": [{"resourceId": set.dice.resource_id("i")}]},
            "tagSet": {"items": [{"key": "team", "value": "data"}]},
        }),
        "ModifyInstanceAttribute" => {
            json!({"instanceId": set.dice.resource_id("i"), "disableApiTermination": {"value": true}})
        }
        "CreateNetworkInterface" => json!({"subnetId": set.dice.resource_id("subnet"), "groupSet": {}}),
        _ => {
            json!({"groupId": set.dice.resource_id("sg"), "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": 443}]}})
        }
    };
    record.response = match name {
        "CreateNetworkInterface" => {
            json!({"networkInterface": {"networkInterfaceId": set.dice.resource_id("eni"), "tagSet": {}}})
        }
        _ => json!({"_return": true}),
    };
    record
}
