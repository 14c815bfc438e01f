//! Volumes and snapshots without an EC2 event: the EBS direct APIs (K), and other services (N).

use serde_json::json;

use crate::flows::calls::{self, Call, Grantee};
use crate::record::Record;
use crate::scene::{By, FRONT_END, INTERNAL, KmsCall, Scene};
use crate::truth::{Link, Serves};
use crate::world::Key;

const EBS: &str = "ebs.amazonaws.com";
const EXTERNAL: &str = "external_service";

/// Plays flow K: a snapshot is written and read through the EBS direct APIs.
pub(crate) fn direct(scene: &mut Scene<'_, '_>, at: i64, key: &Key) {
    let snapshot = scene.id("snap");
    let mut started = scene.caller_record(EBS, "StartSnapshot", at);
    started.request = json!({"volumeSize": 8, "encrypted": true, "kmsKeyArn": "HIDDEN_DUE_TO_SECURITY_REASONS"});
    started.response =
        json!({"snapshotId": snapshot, "ownerId": scene.account_id(), "status": "pending", "volumeSize": 8});
    scene.write(scene.account, started);
    scene.count("K");
    let through = Call::new(at, By::Through(EBS), Link::none("K", EXTERNAL));
    calls::with_context(scene, through, key, ("GenerateDataKey", &snapshot, json!({"aws:ebs:id": snapshot})));

    read_blocks(scene, at + 240, &snapshot);
    describe_for_ebs(scene, at + 240, key);
    let again = Call::new(at + 241, By::Through(EBS), Link::none("K", EXTERNAL));
    calls::decrypt(scene, again, key, &snapshot);
}

/// Plays flow K: blocks of a snapshot are read, whose data key is that of the volume it was taken from.
pub(crate) fn read_snapshot_of(scene: &mut Scene<'_, '_>, at: i64, snapshot: &str, volume: (&str, &Key)) {
    read_blocks(scene, at, snapshot);
    scene.count("K");
    let link = Link::none("K", EXTERNAL).ambiguous("direct_read_of_a_known_volume");
    calls::decrypt(scene, Call::new(at, By::Through(EBS), link), volume.1, volume.0);
}

fn read_blocks(scene: &mut Scene<'_, '_>, at: i64, snapshot: &str) {
    let mut read = scene.caller_record(EBS, "ListSnapshotBlocks", at);
    read.request = json!({"snapshotId": snapshot, "maxResults": 100});
    read.read_only = true;
    read.category = "Data";
    scene.write(scene.account, read);
}

/// Logs a look at the key that names no volume; it is not a part of the truth.
fn describe_for_ebs(scene: &mut Scene<'_, '_>, at: i64, key: &Key) {
    let identity = scene.caller.through(EBS, at, scene.version);
    let mut record = Record::new("kms.amazonaws.com", "DescribeKey", at, identity);
    EBS.clone_into(&mut record.address);
    EBS.clone_into(&mut record.agent);
    record.read_only = true;
    record.request = json!({"keyId": key.arn});
    record.request_id = scene.dice.uuid();
    record.event_id = scene.dice.name_uuid();
    record.recipient = scene.account_id();
    scene.write(scene.account, record);
}

/// Plays flow N: Fargate's ephemeral storage.
pub(crate) fn fargate(scene: &mut Scene<'_, '_>, at: i64, key: &Key) {
    let volume = scene.id("vol");
    let account = scene.account_id();
    let context = json!({"aws:ecs:clusterAccount": account, "aws:ebs:id": volume, "aws:ecs:clusterName": "web"});
    let link = Link::none("N", EXTERNAL);
    scene.count("N");
    let front = Call::new(at, By::Service(FRONT_END), link);
    calls::with_context(scene, front, key, ("GenerateDataKeyWithoutPlaintext", &volume, context.clone()));
    let grant = scene.dice.hex(64);
    let serves = Serves { volume: Some(volume.clone()), grant: Some(grant.clone()), ..Serves::default() };
    let call = |name, by, after: i64| KmsCall {
        at: at + after,
        name,
        by,
        keys: vec![key],
        request: serde_json::Value::Null,
        response: serde_json::Value::Null,
        additional: None,
        failure: None,
        request_id: None,
        serves: serves.clone(),
        link,
    };
    let mut made = call("CreateGrant", By::Service(FRONT_END), 0);
    made.request = json!({
        "keyId": key.arn,
        "granteePrincipal": format!("fargate.{}.amazonaws.com", scene.region_name()),
        "operations": ["Decrypt"],
        "constraints": {"encryptionContextSubset": context},
        "retiringPrincipal": format!("ec2.{}.amazonaws.com", scene.region_name()),
    });
    made.response = json!({"grantId": grant, "keyId": key.arn});
    scene.kms(&made);
    let read = Call::new(at + 6, By::Service("fargate.amazonaws.com"), link);
    calls::with_context(scene, read, key, ("Decrypt", &volume, context));
    let mut retired = call("RetireGrant", By::Service(INTERNAL), 2400);
    retired.response = json!({"keyId": key.arn});
    retired.additional = Some(json!({"grantId": grant}));
    scene.kms(&retired);
}

/// Plays flow N: the storage of a database.
pub(crate) fn database(scene: &mut Scene<'_, '_>, at: i64, key: &Key) {
    let volume = scene.id("vol");
    let database = format!("db-{}", scene.dice.alphanumeric(26).to_uppercase());
    let link = Link::none("N", EXTERNAL);
    scene.count("N");
    let by = By::Through("rds.amazonaws.com");
    let context = json!({"aws:rds:db-id": database, "aws:ebs:id": volume});
    let made = ("GenerateDataKeyWithoutPlaintext", volume.as_str(), context);
    calls::with_context(scene, Call::new(at, by, link), key, made);
    calls::create_grant(scene, Call::new(at + 1, by, link), key, &volume, Grantee::Other("rds.amazonaws.com"));
}
