//! Snapshots: taken (I), copied (J), shared, and copied with an image (L).

use serde_json::{Value, json};

use crate::flows::calls::{self, Call, Grantee};
use crate::flows::volume::Snapshot;
use crate::flows::{Instance, Volume};
use crate::record::Record;
use crate::scene::{By, Scene};
use crate::truth::{Cause, Link};
use crate::world::Key;

/// Plays flow I: no KMS call.
pub(crate) fn take(scene: &mut Scene<'_, '_>, at: i64, volume: &Volume) -> Snapshot {
    let id = scene.id("snap");
    let response = json!({
        "snapshotId": id,
        "volumeId": volume.id,
        "status": "pending",
        "startTime": at * 1000 + 226,
        "ownerId": scene.account_id(),
        "volumeSize": "10",
        "encrypted": true,
    });
    scene.ec2(at, "CreateSnapshot", json!({"volumeId": volume.id}), response);
    scene.stage.facts.snapshotted.insert(volume.id.clone());
    scene.count("I");
    Snapshot { id, key: volume.key.clone(), owner: scene.account }
}

/// Plays flow I for all volumes of an instance, in the wrapped form of the newer operations.
pub(crate) fn take_all(scene: &mut Scene<'_, '_>, at: i64, instance: &Instance) {
    let mut items = Vec::new();
    for attached in &instance.volumes {
        let volume = &attached.volume.id;
        items.push(json!({"snapshotId": scene.id("snap"), "volumeId": volume, "state": "pending", "encrypted": true}));
        scene.stage.facts.snapshotted.insert(volume.clone());
    }
    // A repeated element is an array only when there are several.
    let item = if items.len() == 1 { items.remove(0) } else { Value::Array(items) };
    let request = json!({"CreateSnapshotsRequest": {"InstanceSpecification": {"InstanceId": instance.id}}});
    let response = json!({"CreateSnapshotsResponse": {
        "xmlns": "http://ec2.amazonaws.com/doc/2016-11-15/",
        "snapshotSet": {"item": item},
    }});
    scene.ec2(at, "CreateSnapshots", request, response);
    scene.count("I");
}

/// Plays flow J: only `DescribeKey` shares the request id. `from_region` is where the source lies.
pub(crate) fn copy(scene: &mut Scene<'_, '_>, at: i64, source: &Snapshot, key: &Key, from_region: usize) -> Snapshot {
    let id = scene.id("snap");
    let (from, to) = (scene.world.regions[from_region], scene.region_name());
    let typed = key.as_typed(&mut scene.dice);
    let request = json!({
        "sourceRegion": from,
        "sourceSnapshotId": source.id,
        "destinationRegion": to,
        "encrypted": true,
        "masterEncryptionKeyId": typed,
        "presignedUrl": "HIDDEN_DUE_TO_SECURITY_REASONS",
    });
    let cause = scene.ec2(at, "CopySnapshot", request, json!({"snapshotId": id}));
    scene.count("J");
    calls::describe_key(scene, Call::forwarded(at, Link::shared("J", &cause)), key);
    copy_data(scene, ("J", &cause), (source, from_region), (&id, key));
    Snapshot { id, key: key.clone(), owner: scene.account }
}

/// Plays flow L: as J, but no EC2 event names the new snapshot.
pub(crate) fn copy_image(scene: &mut Scene<'_, '_>, at: i64, source: &Snapshot, key: &Key) {
    let request = json!({
        "sourceRegion": scene.region_name(),
        "sourceImageId": scene.id("ami"),
        "name": "golden",
        "encrypted": true,
        "kmsKeyId": key.arn,
    });
    let image = scene.id("ami");
    let cause = scene.ec2(at, "CopyImage", request, json!({"imageId": image}));
    scene.count("L");
    let id = scene.id("snap");
    copy_data(scene, ("L", &cause), (source, scene.region), (&id, key));
}

fn copy_data(
    scene: &mut Scene<'_, '_>,
    (flow, cause): (&'static str, &Cause),
    (source, from_region): (&Snapshot, usize),
    (id, key): (&str, &Key),
) {
    let here = scene.region;
    let gap = if flow == "L" {
        Some("image_copy")
    } else if from_region != here {
        Some("copy_between_regions")
    } else {
        None
    };
    let apart = Link { ambiguous: gap, ..Link::apart(flow, cause) };
    let at = cause.at;
    calls::data_key(scene, Call::forwarded(at + 2, apart), key, id);
    let to = calls::create_grant(scene, Call::forwarded(at + 2, apart), key, id, Grantee::Copy);

    scene.region = from_region;
    let copier = format!("prod.kms-caller.ebs.{}.amazonaws.com", scene.region_name());
    let by = By::Service(&copier);
    let from = calls::create_grant(scene, Call::new(at + 3, by, apart), &source.key, &source.id, Grantee::Copy);
    calls::decrypt(scene, Call::new(at + 3, by, apart), &source.key, &source.id);
    calls::retire(scene, Call::new(at + 4, by, apart), &from);

    scene.region = here;
    calls::decrypt(scene, Call::new(at + 4, by, apart), key, id);
    calls::retire(scene, Call::new(at + 4, by, apart), &to);
}

/// Shares a snapshot; the front end looks at its key under a request id of its own.
pub(crate) fn share(scene: &mut Scene<'_, '_>, at: i64, snapshot: &Snapshot, with: &str) {
    let request = json!({
        "snapshotId": snapshot.id,
        "createVolumePermission": {"add": {"items": [{"userId": with}]}},
        "attributeType": "CREATE_VOLUME_PERMISSION",
    });
    let cause = scene.ec2(at, "ModifySnapshotAttribute", request, json!({"_return": true}));
    let link = Link::apart("share", &cause).ambiguous("nothing_shared_with_the_cause");
    calls::describe_key(scene, Call::forwarded(at, link), &snapshot.key);
    scene.count("share");
}

/// Logs the event by which the owner of a shared snapshot learns that a volume was made of it.
pub(crate) fn notify_owner(scene: &mut Scene<'_, '_>, at: i64, snapshot: &Snapshot) {
    let owner = scene.world.accounts[snapshot.owner].id.clone();
    let identity = json!({"accountId": owner, "invokedBy": "ec2.amazonaws.com"});
    let mut record = Record::new("ec2.amazonaws.com", "SharedSnapshotVolumeCreated", at, identity);
    "ec2.amazonaws.com".clone_into(&mut record.address);
    "ec2.amazonaws.com".clone_into(&mut record.agent);
    record.event_type = "AwsServiceEvent";
    record.event_id = scene.dice.uuid();
    record.shared = Some(scene.dice.uuid());
    record.details = Some(json!({"snapshotId": snapshot.id}));
    record.recipient = owner;
    scene.write(snapshot.owner, record);
}
