//! `CreateVolume` in its five flows, F1 to F5.

use serde_json::{Value, json};

use crate::flows::calls::{self, Call, Grantee};
use crate::flows::{Grant, Volume};
use crate::record::Failure;
use crate::scene::{By, Scene};
use crate::truth::{Cause, Link, Serves};
use crate::world::Key;

const EBS: &str = "ebs.amazonaws.com";

/// An encrypted snapshot, with its key and the account that owns it.
pub(crate) struct Snapshot {
    pub(crate) id: String,
    pub(crate) key: Key,
    pub(crate) owner: usize,
}

/// Plays flow F1: blank.
pub(crate) fn blank(scene: &mut Scene<'_, '_>, at: i64, key: &Key) -> Volume {
    let (volume, cause) = create(scene, at, key, None);
    scene.count("F1");
    calls::data_key(scene, Call::forwarded(at, Link::shared("F1", &cause)), key, &volume.id);
    volume
}

/// Plays flow F2: from an unencrypted snapshot.
pub(crate) fn from_plain(scene: &mut Scene<'_, '_>, at: i64, key: &Key) -> Volume {
    let snapshot = scene.id("snap");
    let (volume, cause) = create(scene, at, key, Some((&snapshot, None)));
    scene.count("F2");
    calls::data_key(scene, Call::forwarded(at, Link::shared("F2", &cause)), key, &volume.id);
    let grant = service_grant(scene, at + 1, ("F2", &cause), key, &volume.id);
    let call = Call::new(at + 1, By::Service(EBS), Link::apart("F2", &cause));
    calls::decrypt(scene, call, key, &volume.id);
    retire_later(scene, at, ("F2", &cause), &grant);
    volume
}

/// Plays flow F3: from a snapshot with the same key.
pub(crate) fn from_encrypted(scene: &mut Scene<'_, '_>, at: i64, snapshot: &Snapshot) -> Volume {
    let key = &snapshot.key;
    let (volume, cause) = create(scene, at, key, Some((&snapshot.id, snapshot.foreign(scene))));
    scene.count("F3");
    let call = Call::forwarded(at + 1, Link::shared("F3", &cause));
    calls::re_encrypt(scene, call, (key, &snapshot.id), (key, &volume.id));
    volume
}

/// Plays flow F4: from a snapshot with another key.
pub(crate) fn re_keyed(scene: &mut Scene<'_, '_>, at: i64, snapshot: &Snapshot, key: &Key) -> Volume {
    let (volume, cause) = create(scene, at, key, Some((&snapshot.id, snapshot.foreign(scene))));
    scene.count("F4");
    let shared = Link::shared("F4", &cause);
    calls::data_key(scene, Call::forwarded(at, shared), key, &volume.id);
    let call = Call::forwarded(at + 1, shared);
    calls::re_encrypt(scene, call, (&snapshot.key, &snapshot.id), (key, &volume.id));
    let grant = service_grant(scene, at + 1, ("F4", &cause), key, &volume.id);
    for _ in 0..2 {
        let call = Call::new(at + 2, By::Service(EBS), Link::apart("F4", &cause));
        calls::decrypt(scene, call, key, &volume.id);
    }
    retire_later(scene, at, ("F4", &cause), &grant);
    volume
}

pub(crate) const DISABLED: Failure = Failure { code: "DisabledException", message: Some("The KMS key is disabled.") };
pub(crate) const PENDING_DELETION: Failure =
    Failure { code: "KMSInvalidStateException", message: Some("The KMS key is pending deletion.") };

/// Plays flow F5: with a key that is disabled or waits for its deletion; EC2 logs a success.
pub(crate) fn with_refusing_key(scene: &mut Scene<'_, '_>, at: i64, key: &Key, failure: Failure) {
    let (volume, cause) = create(scene, at, key, None);
    scene.count("F5");
    let call = Call::forwarded(at, Link::shared("F5", &cause));
    calls::data_key_as(scene, call, key, (&volume.id, None, Some(failure)));
}

/// Makes a volume whose data key KMS denies; EC2 logs a success.
pub(crate) fn denied(scene: &mut Scene<'_, '_>, at: i64, key: &Key) {
    let (volume, cause) = create(scene, at, key, None);
    scene.count("denied");
    let link = Link::shared("denied", &cause);
    let serves = Serves { volume: Some(volume.id), ..Serves::default() };
    calls::denied(scene, Call::forwarded(at, link), "GenerateDataKeyWithoutPlaintext", serves);
}

impl Snapshot {
    /// Returns the owner, when that is another account than the scene's.
    fn foreign(&self, scene: &Scene<'_, '_>) -> Option<usize> {
        (self.owner != scene.account).then_some(self.owner)
    }
}

fn create(scene: &mut Scene<'_, '_>, at: i64, key: &Key, snapshot: Option<(&str, Option<usize>)>) -> (Volume, Cause) {
    let volume = Volume { id: scene.id("vol"), key: key.clone() };
    let zone = format!("{}a", scene.region_name());
    let mut request =
        json!({"size": "10", "zone": zone, "volumeType": "gp3", "encrypted": true, "clientToken": scene.dice.uuid()});
    let mut response = json!({
        "volumeId": volume.id,
        "size": "10",
        "zone": zone,
        "status": "creating",
        "createTime": at * 1000,
        "volumeType": "gp3",
        "iops": 3000,
        "encrypted": true,
        "tagSet": {},
    });
    let names_key = key.alias.as_deref() != Some("alias/aws/ebs");
    if names_key {
        request["masterEncryptionKeyId"] = json!(key.as_typed(&mut scene.dice));
        response["masterEncryptionKeyId"] = json!(key.arn);
    }
    if let Some((id, _)) = snapshot {
        request["snapshotId"] = json!(id);
        response["snapshotId"] = json!(id);
    }
    let owner = snapshot.and_then(|(_, owner)| owner);
    let cause = scene.ec2_delivered_to(at, "CreateVolume", (request, response), owner);
    (volume, cause)
}

fn service_grant(
    scene: &mut Scene<'_, '_>,
    at: i64,
    (flow, cause): (&'static str, &Cause),
    key: &Key,
    volume: &str,
) -> Grant {
    calls::create_grant(scene, Call::forwarded(at, Link::shared(flow, cause)), key, volume, Grantee::Service)
}

fn retire_later(scene: &mut Scene<'_, '_>, at: i64, (flow, cause): (&'static str, &Cause), grant: &Grant) {
    let later = at + scene.dice.between(87, 95);
    calls::retire(scene, calls::internal(later, Link::apart(flow, cause)), grant);
}

/// Deletes a volume, which makes no KMS call.
pub(crate) fn delete(scene: &mut Scene<'_, '_>, at: i64, volume: &Volume) {
    let request: Value = json!({"volumeId": volume.id});
    scene.ec2(at, "DeleteVolume", request, json!({"_return": true}));
}
