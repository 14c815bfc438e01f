//! The later life of an instance: stop (D), start (C), terminate (E), maintenance (O).

use serde_json::{Value, json};

use crate::flows::calls::{self, Call, Grantee};
use crate::flows::{Instance, Volume};
use crate::record::{Failure, Resource};
use crate::scene::Scene;
use crate::truth::{Cause, Link, Serves};
use crate::world::Key;

type State = (u8, &'static str);
const PENDING: State = (0, "pending");
const RUNNING: State = (16, "running");
const SHUTTING_DOWN: State = (32, "shutting-down");
const STOPPING: State = (64, "stopping");
const STOPPED: State = (80, "stopped");

/// Plays flow C: every encrypted volume gets a new grant.
pub(crate) fn start(scene: &mut Scene<'_, '_>, at: i64, instance: &mut Instance) {
    let cause = change(scene, at, "StartInstances", &instance.id, STOPPED, PENDING);
    scene.count("C");
    instance.started_here = true;
    let link = Link::shared("C", &cause);
    for attached in &mut instance.volumes {
        let Volume { id, key } = &attached.volume;
        let early = scene.dice.between(0, 1);
        let call = Call::forwarded(at + early, link);
        attached.grant = Some(calls::create_grant(scene, call, key, id, Grantee::Instance(&instance.id)));
        let used = calls::attached(scene, at + 3, &instance.id, link);
        calls::decrypt(scene, used, key, id);
    }
}

/// Logs a start that KMS denies: EC2 logs a success, and the instance stays stopped.
pub(crate) fn start_denied(scene: &mut Scene<'_, '_>, at: i64, instance: &Instance) {
    let cause = change(scene, at, "StartInstances", &instance.id, STOPPED, PENDING);
    scene.count("denied");
    let serves = Serves { instance: Some(instance.id.clone()), ..Serves::default() };
    calls::denied(scene, Call::forwarded(at, Link::shared("denied", &cause)), "CreateGrant", serves);
}

/// Plays flow D: the grants of the last start are retired.
pub(crate) fn stop(scene: &mut Scene<'_, '_>, at: i64, instance: &mut Instance) {
    let cause = change(scene, at, "StopInstances", &instance.id, RUNNING, STOPPING);
    scene.count("D");
    for attached in &mut instance.volumes {
        if let Some(grant) = attached.grant.take() {
            let later = at + scene.dice.between(1, 20);
            calls::retire(scene, calls::internal(later, Link::shared("D", &cause)), &grant);
        }
    }
}

/// Plays flow E: what grants are left are retired.
pub(crate) fn terminate(scene: &mut Scene<'_, '_>, at: i64, mut instance: Instance) {
    let cause = change(scene, at, "TerminateInstances", &instance.id, RUNNING, SHUTTING_DOWN);
    scene.count("E");
    let link = Link::shared("E", &cause);
    for grant in instance.volumes.iter_mut().filter_map(|attached| attached.grant.take()) {
        calls::retire(scene, calls::internal(at + 2, link), &grant);
    }
    for grant in instance.service_grants {
        calls::retire(scene, calls::internal(at + 7, link), &grant);
    }
}

/// Plays flow O: AWS attaches a volume again on its own account.
pub(crate) fn maintain(scene: &mut Scene<'_, '_>, at: i64, instance: &Instance) {
    let link = Link::none("O", "no_ec2_event");
    let link = if instance.started_here { link.ambiguous("maintenance_after_start") } else { link };
    scene.count("O");
    for attached in &instance.volumes {
        let call = calls::attached(scene, at, &instance.id, link);
        calls::decrypt(scene, call, &attached.volume.key, &attached.volume.id);
    }
}

/// Logs a reboot, which makes no KMS call.
pub(crate) fn reboot(scene: &mut Scene<'_, '_>, at: i64, instance: &Instance) {
    scene.ec2(at, "RebootInstances", naming(&instance.id), json!({"_return": true}));
}

/// Logs a change of a key's state by its owner.
pub(crate) fn change_key(scene: &mut Scene<'_, '_>, at: i64, name: &'static str, key: &Key) {
    let mut record = scene.caller_record("kms.amazonaws.com", name, at);
    record.request = if name == "ScheduleKeyDeletion" {
        json!({"keyId": key.id(), "pendingWindowInDays": 30})
    } else {
        json!({"keyId": key.id()})
    };
    record.response = json!({"keyId": key.arn});
    record.resources = vec![Resource { arn: key.arn.clone(), account: key.account.clone(), kind: "AWS::KMS::Key" }];
    scene.write(scene.account, record);
}

/// Logs a start of a running instance, refused.
pub(crate) fn start_refused(scene: &mut Scene<'_, '_>, at: i64, instance: &Instance) {
    let failure = Failure {
        code: "Client.IncorrectInstanceState",
        message: Some("The instance is not in a state from which it can be started."),
    };
    scene.ec2_failed(at, "StartInstances", naming(&instance.id), failure);
}

fn change(scene: &mut Scene<'_, '_>, at: i64, name: &'static str, id: &str, from: State, to: State) -> Cause {
    let state = |(code, name): State| json!({"code": code, "name": name});
    let item = json!({"instanceId": id, "currentState": state(to), "previousState": state(from)});
    scene.ec2(at, name, naming(id), json!({"instancesSet": {"items": [item]}}))
}

fn naming(id: &str) -> Value {
    json!({"instancesSet": {"items": [{"instanceId": id}]}})
}
