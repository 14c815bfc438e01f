//! Volumes come to an instance (G, refused: G') and leave it (H).

use serde_json::json;

use crate::flows::calls::{self, Call, Grantee};
use crate::flows::{Attached, Instance, Volume};
use crate::record::Failure;
use crate::scene::Scene;
use crate::truth::Link;

const DEVICE: &str = "/dev/sdf";

/// Plays flow G.
pub(crate) fn attach(scene: &mut Scene<'_, '_>, at: i64, volume: Volume, instance: &mut Instance) {
    let request =
        json!({"volumeId": volume.id, "instanceId": instance.id, "device": DEVICE, "deleteOnTermination": false});
    let response = json!({
        "volumeId": volume.id,
        "instanceId": instance.id,
        "device": DEVICE,
        "status": "attaching",
        "attachTime": at * 1000,
        "deleteOnTermination": false,
    });
    let cause = scene.ec2(at, "AttachVolume", request, response);
    scene.sight(at, &volume.id, &instance.id);
    scene.count("G");
    let link = Link::shared("G", &cause);
    let call = Call::forwarded(at + 1, link);
    let grant = calls::create_grant(scene, call, &volume.key, &volume.id, Grantee::Instance(&instance.id));
    let used = calls::attached(scene, at + 2, &instance.id, link);
    calls::decrypt(scene, used, &volume.key, &volume.id);
    instance.volumes.push(Attached { volume, device: DEVICE.to_owned(), grant: Some(grant) });
}

/// Plays flow G': the key is disabled; no KMS event is logged.
pub(crate) fn attach_refused(scene: &mut Scene<'_, '_>, at: i64, volume: &Volume, instance: &Instance) {
    let request = json!({"volumeId": volume.id, "instanceId": instance.id, "device": DEVICE});
    let failure = Failure {
        code: "Client.CustomerKeyHasBeenRevoked",
        message: Some("Access to the customer key that was used to encrypt the volume has been revoked."),
    };
    scene.ec2_failed(at, "AttachVolume", request, failure);
    scene.count("G'");
}

/// Plays flow H: the volume that came last leaves.
pub(crate) fn detach(scene: &mut Scene<'_, '_>, at: i64, instance: &mut Instance) -> Volume {
    let Attached { volume, device, grant } = instance.volumes.pop().expect("detach follows attach");
    let request = if scene.dice.chance(0.5) {
        json!({"volumeId": volume.id, "instanceId": instance.id, "force": false})
    } else {
        json!({"volumeId": volume.id, "force": false})
    };
    let response = json!({
        "volumeId": volume.id,
        "instanceId": instance.id,
        "device": device,
        "status": "detaching",
        "attachTime": (at - 60) * 1000,
    });
    let cause = scene.ec2(at, "DetachVolume", request, response);
    scene.sight(at, &volume.id, &instance.id);
    scene.count("H");
    if let Some(grant) = grant {
        calls::retire(scene, calls::internal(at + 3, Link::shared("H", &cause)), &grant);
    }
    volume
}
