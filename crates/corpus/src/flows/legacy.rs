//! Flows A and F1 as in 2014: request ids are shared by `CreateGrant` alone.

use serde_json::json;

use crate::flows::calls::{self, Call, Grantee};
use crate::flows::launch::{self, Lives, Plan};
use crate::flows::{Attached, Instance, Volume};
use crate::scene::Scene;
use crate::truth::Link;
use crate::world::Key;

/// Plays flow A: one instance with encrypted volumes.
pub(crate) fn launch(scene: &mut Scene<'_, '_>, at: i64, key: &Key, volumes: usize) -> Instance {
    let id = scene.id("i");
    let plan = Plan { flow: "A", instances: 1, volumes, key, lives: Lives::On };
    let cause = launch::run_instances(scene, at, std::slice::from_ref(&id), &plan);
    scene.count("A");
    let mut instance = Instance::launched(id);
    for index in 0..volumes {
        let volume = Volume { id: scene.id("vol"), key: key.clone() };
        let (keyed, allowed, used) = (at + 5, at + 8, at + scene.dice.between(18, 22));
        let request_id = create_request_id(scene, keyed);
        let apart = Call::forwarded(keyed, Link::apart("A", &cause));
        calls::data_key_as(scene, apart, key, (&volume.id, Some(request_id), None));
        let shared = Link::shared("A", &cause);
        let grantee = Grantee::Instance(&instance.id);
        let grant = calls::create_grant(scene, Call::forwarded(allowed, shared), key, &volume.id, grantee);
        let call = calls::attached(scene, used, &instance.id, shared);
        calls::decrypt(scene, call, key, &volume.id);
        instance.volumes.push(Attached { volume, device: launch::device(index + 1), grant: Some(grant) });
    }
    instance
}

/// Plays flow F1: a blank encrypted volume.
pub(crate) fn create_volume(scene: &mut Scene<'_, '_>, at: i64, key: &Key) -> Volume {
    let volume = Volume { id: scene.id("vol"), key: key.clone() };
    let zone = format!("{}a", scene.region_name());
    let request = json!({"size": "10", "zone": zone, "volumeType": "gp2", "encrypted": true});
    let response = json!({
        "volumeId": volume.id,
        "size": "10",
        "zone": zone,
        "status": "creating",
        "createTime": at * 1000 + 517,
        "volumeType": "gp2",
        "iops": 30,
        "encrypted": true,
    });
    let cause = scene.ec2(at, "CreateVolume", request, response);
    scene.count("F1");
    let request_id = create_request_id(scene, at);
    let call = Call::forwarded(at + 1, Link::apart("F1", &cause));
    calls::data_key_as(scene, call, key, (&volume.id, Some(request_id), None));
    volume
}

fn create_request_id(scene: &mut Scene<'_, '_>, at: i64) -> String {
    format!("create-{}-{}-{at}", scene.account_id(), scene.dice.between(100_000_000, 999_999_999))
}
