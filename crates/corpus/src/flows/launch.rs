//! `RunInstances`: flow B by people, flow M by Auto Scaling.

use serde_json::{Value, json};

use crate::flows::calls::{self, Call, Grantee};
use crate::flows::{Attached, Instance, Volume};
use crate::scene::{By, Scene};
use crate::truth::{Cause, Link};
use crate::world::Key;

const TYPES: [&str; 5] = ["t3.micro", "t3.large", "m7g.large", "c7i.2xlarge", "r7i.xlarge"];
const EBS: &str = "ebs.amazonaws.com";

/// The instances and volumes that are launched.
pub(crate) struct Plan<'p> {
    pub(crate) flow: &'static str,
    pub(crate) instances: usize,
    /// Encrypted volumes of each instance; unencrypted ones make no KMS call.
    pub(crate) volumes: usize,
    pub(crate) key: &'p Key,
    pub(crate) lives: Lives,
}

/// How long the instances live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lives {
    /// Past the time at which EC2 retires its own grants.
    On,
    /// Not even that long.
    Shortly,
}

/// Launches instances; their volumes and grants come into being.
pub(crate) fn launch(scene: &mut Scene<'_, '_>, at: i64, plan: &Plan<'_>) -> Vec<Instance> {
    let mut ids = Vec::new();
    for _ in 0..plan.instances {
        ids.push(scene.id("i"));
    }
    let cause = run_instances(scene, at, &ids, plan);
    scene.count(plan.flow);
    ids.into_iter().map(|id| born(scene, &cause, id, plan)).collect()
}

/// The `RunInstances` event alone.
pub(crate) fn run_instances(scene: &mut Scene<'_, '_>, at: i64, ids: &[String], plan: &Plan<'_>) -> Cause {
    let scaled = plan.flow == "M";
    let token = if scaled { format!("fleet-{}-0", scene.dice.uuid()) } else { scene.dice.uuid() };
    let image = scene.id("ami");
    let kind = *scene.dice.pick(&TYPES);
    let request = request(scene, plan, (&image, kind, &token), ids.len());
    let items: Vec<Value> =
        ids.iter().enumerate().map(|(index, id)| launched(scene, at, id, (&image, kind, &token), index)).collect();
    let response = json!({
        "reservationId": scene.id("r"),
        "ownerId": scene.account_id(),
        "groupSet": {},
        "instancesSet": {"items": items},
    });
    let cause = scene.ec2(at, "RunInstances", request, response);
    for id in ids {
        scene.stage.facts.launches.insert(id.clone(), cause.clone());
    }
    cause
}

fn request(scene: &mut Scene<'_, '_>, plan: &Plan<'_>, (image, kind, token): (&str, &str, &str), n: usize) -> Value {
    let mut devices = Vec::new();
    for index in 0..plan.volumes {
        let mut ebs = json!({"encrypted": true, "volumeSize": 8 << index, "deleteOnTermination": index == 0, "volumeType": "gp3"});
        // Without a key, EC2 takes the account's default.
        if plan.key.alias.as_deref() != Some("alias/aws/ebs") {
            ebs["kmsKeyId"] = json!(plan.key.as_typed(&mut scene.dice));
        }
        devices.push(json!({"deviceName": device(index), "ebs": ebs}));
    }
    let mut request = json!({
        "instancesSet": {"items": [{"imageId": image, "minCount": n, "maxCount": n}]},
        "instanceType": kind,
        "blockDeviceMapping": if devices.is_empty() { json!({}) } else { json!({"items": devices}) },
        "monitoring": {"enabled": false},
        "disableApiTermination": false,
        "clientToken": token,
        "ebsOptimized": false,
    });
    if plan.flow == "M" {
        let template = json!({"launchTemplateId": scene.dice.resource_id("lt"), "version": "3"});
        request["launchTemplate"] = template;
    } else {
        request["userData"] = json!("<sensitiveDataRemoved>");
    }
    request
}

fn launched(
    scene: &mut Scene<'_, '_>,
    at: i64,
    id: &str,
    (image, kind, token): (&str, &str, &str),
    index: usize,
) -> Value {
    let zone = format!("{}a", scene.region_name());
    let mut instance = json!({
        "instanceId": id,
        "imageId": image,
        "instanceState": {"code": 0, "name": "pending"},
        "amiLaunchIndex": index,
        "productCodes": {},
        "instanceType": kind,
        "launchTime": at * 1000,
        "placement": {"availabilityZone": zone, "tenancy": "default"},
        "monitoring": {"state": "disabled"},
        "stateReason": {"code": "pending", "message": "pending"},
        "architecture": "x86_64",
        "rootDeviceType": "ebs",
        "rootDeviceName": "/dev/xvda",
        "blockDeviceMapping": {},
        "virtualizationType": "hvm",
        "hypervisor": "xen",
        "clientToken": token,
        "groupSet": {"items": [{"groupId": scene.dice.resource_id("sg"), "groupName": "default"}]},
        "networkInterfaceSet": {},
        "ebsOptimized": false,
    });
    if !scene.version.is_legacy() {
        instance["subnetId"] = json!(scene.dice.resource_id("subnet"));
        instance["privateIpAddress"] = json!(format!("10.0.{}.{}", scene.dice.below(250), scene.dice.below(250)));
        instance["tagSet"] = json!({"items": [{"key": "Name", "value": format!("node-{index}")}]});
    }
    instance
}

/// The KMS calls for the volumes of one new instance.
fn born(scene: &mut Scene<'_, '_>, cause: &Cause, id: String, plan: &Plan<'_>) -> Instance {
    let mut instance = Instance::launched(id);
    for index in 0..plan.volumes {
        let volume = Volume { id: scene.id("vol"), key: plan.key.clone() };
        attach_new(scene, cause, &mut instance, (volume, index), plan);
    }
    instance
}

fn attach_new(
    scene: &mut Scene<'_, '_>,
    cause: &Cause,
    instance: &mut Instance,
    (volume, index): (Volume, usize),
    plan: &Plan<'_>,
) {
    let (key, shared) = (plan.key, Link::shared(plan.flow, cause));
    // A callee's clock may be a second behind the caller's.
    let first = cause.at + if scene.dice.chance(0.05) { -1 } else { 1 };
    let forwarded = Call::forwarded(first, shared);
    if index == 0 && scene.dice.chance(0.15) {
        let image_part = scene.id("snap");
        calls::re_encrypt(scene, forwarded, (key, &image_part), (key, &volume.id));
    } else {
        calls::data_key(scene, forwarded, key, &volume.id);
    }
    let service = calls::create_grant(scene, Call::forwarded(cause.at + 1, shared), key, &volume.id, Grantee::Service);
    let apart = Link::apart(plan.flow, cause);
    calls::decrypt(scene, Call::new(cause.at + 1, By::Service(EBS), apart), key, &volume.id);
    let grantee = Grantee::Instance(&instance.id);
    let grant = calls::create_grant(scene, Call::forwarded(cause.at + 1, shared), key, &volume.id, grantee);
    let late = cause.at + scene.dice.between(3, 4);
    let used = calls::attached(scene, late, &instance.id, shared);
    calls::decrypt(scene, used, key, &volume.id);
    if plan.lives == Lives::On {
        let later = cause.at + scene.dice.between(88, 96);
        calls::retire(scene, calls::internal(later, apart), &service);
    } else {
        instance.service_grants.push(service);
    }
    instance.volumes.push(Attached { volume, device: device(index), grant: Some(grant) });
}

pub(crate) fn device(index: usize) -> String {
    if index == 0 {
        "/dev/xvda".to_owned()
    } else {
        format!("/dev/sd{}", char::from(b'a' + u8::try_from(index).unwrap_or(25)))
    }
}
