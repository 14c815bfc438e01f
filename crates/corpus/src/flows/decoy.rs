//! Decoys, which must not be taken for causes: dry runs, failures, unencrypted launches; and calls that KMS denies.

use serde_json::json;

use crate::flows::calls::{self, Call};
use crate::flows::launch::{self, Lives, Plan};
use crate::record::Failure;
use crate::scene::Scene;
use crate::truth::{Link, Serves};
use crate::world::Key;

const DRY_RUN: Failure =
    Failure { code: "Client.DryRunOperation", message: Some("Request would have succeeded, but DryRun flag is set.") };
const NO_CAPACITY: Failure = Failure {
    code: "Server.InsufficientInstanceCapacity",
    message: Some("There is no Spot capacity available that matches your request."),
};

/// A launch that is tried, refused for want of capacity, and not repeated.
pub(crate) fn launch_refused(scene: &mut Scene<'_, '_>, at: i64) {
    let image = scene.id("ami");
    let token = scene.dice.uuid();
    let request = json!({
        "instancesSet": {"items": [{"imageId": image, "minCount": 1, "maxCount": 1}]},
        "instanceType": "p5.48xlarge",
        "blockDeviceMapping": {"items": [{"deviceName": "/dev/xvda", "ebs": {"encrypted": true, "volumeSize": 100}}]},
        "clientToken": token,
    });
    scene.ec2_failed(at, "RunInstances", request.clone(), DRY_RUN);
    scene.ec2_failed(at + 4, "RunInstances", request, NO_CAPACITY);
    scene.count("decoy");
}

/// A dry run on a volume that exists.
pub(crate) fn dry_attach(scene: &mut Scene<'_, '_>, at: i64, volume: &str, instance: &str) {
    let request = json!({"volumeId": volume, "instanceId": instance, "device": "/dev/sdz", "dryRun": true});
    scene.ec2_failed(at, "AttachVolume", request, DRY_RUN);
}

/// A launch without encryption makes no KMS call.
pub(crate) fn plain_launch(scene: &mut Scene<'_, '_>, at: i64, key: &Key) -> String {
    let id = scene.id("i");
    let plan = Plan { flow: "decoy", instances: 1, volumes: 0, key, lives: Lives::On };
    launch::run_instances(scene, at, std::slice::from_ref(&id), &plan);
    scene.count("decoy");
    id
}

/// A launch whose data key KMS denies: EC2 logs a success, and the instance dies.
pub(crate) fn launch_denied(scene: &mut Scene<'_, '_>, at: i64, key: &Key) {
    let id = scene.id("i");
    let plan = Plan { flow: "denied", instances: 1, volumes: 1, key, lives: Lives::Shortly };
    let cause = launch::run_instances(scene, at, std::slice::from_ref(&id), &plan);
    scene.count("denied");
    let link = Link::shared("denied", &cause);
    let serves = Serves { instance: Some(id.clone()), ..Serves::default() };
    calls::denied(scene, Call::forwarded(at + 1, link), "GenerateDataKeyWithoutPlaintext", serves);
}

/// A denied call whose EC2 event is not in the trail.
pub(crate) fn denied_alone(scene: &mut Scene<'_, '_>, at: i64) {
    scene.count("denied");
    calls::denied(scene, Call::forwarded(at, Link::none("denied", "denied")), "CreateGrant", Serves::default());
}
