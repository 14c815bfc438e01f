//! The EC2 identifiers that a record names, each once, in order of first appearance.

use std::borrow::Cow;
use std::collections::HashSet;

use trailweave_table::EVENTS;

use crate::append::RowBuilder;
use crate::json::{FEW, Json};
use crate::normalise;
use crate::normalise::Resource;
use crate::position::TextListAt;

const COLUMNS: [(Resource, TextListAt); 4] = [
    (Resource::Instance, TextListAt::of(&EVENTS, "instance_ids")),
    (Resource::Volume, TextListAt::of(&EVENTS, "volume_ids")),
    (Resource::Snapshot, TextListAt::of(&EVENTS, "snapshot_ids")),
    (Resource::Image, TextListAt::of(&EVENTS, "image_ids")),
];

/// Identifiers found so far.
#[derive(Debug, Default)]
pub(crate) struct ResourceIds<'t> {
    found: Vec<(Resource, Cow<'t, str>)>,
    /// The identifiers found, once they are many.
    seen: HashSet<Cow<'t, str>>,
}

impl<'t> ResourceIds<'t> {
    /// Adds what `text` names, if it is an identifier or the ARN of one.
    pub(crate) fn add(&mut self, text: &'t str) {
        if let Some((resource, id)) = normalise::ec2_resource(text) {
            self.add_id(resource, id);
        }
    }

    pub(crate) fn add_volume_or_snapshot(&mut self, text: &'t str) {
        if let Some((resource @ (Resource::Volume | Resource::Snapshot), id)) = normalise::ec2_resource(text) {
            self.add_id(resource, id);
        }
    }

    /// Adds an identifier in its normal form.
    pub(crate) fn add_id(&mut self, resource: Resource, id: Cow<'t, str>) {
        let is_new = if self.found.len() < FEW {
            self.found.iter().all(|(_, found)| *found != id)
        } else {
            if self.seen.is_empty() {
                self.seen.extend(self.found.iter().map(|(_, id)| id.clone()));
            }
            self.seen.insert(id.clone())
        };
        if is_new {
            self.found.push((resource, id));
        }
    }

    /// Adds every identifier under a key that holds identifiers, however EC2 wraps it: text, array, `{"items":[..]}`,
    /// `{"item":..}`, `{"tag":1,"content":".."}`; and however Systems Manager and load balancers name their targets:
    /// text, `[{"key":"InstanceIds","values":[..]}]`, `[{"id":".."}]`. Keys decide, not values, because tags and names
    /// are the user's own.
    pub(crate) fn add_all(&mut self, payload: Json<'t>) {
        self.walk(payload, false);
    }

    fn walk(&mut self, value: Json<'t>, is_id: bool) {
        if let Some(text) = value.string() {
            if is_id {
                self.add(text);
            }
            return;
        }
        for element in value.elements() {
            self.walk(element, is_id);
        }
        for (key, field) in value.fields() {
            self.walk(field, is_id_key(key) || is_id && is_wrapper_key(key));
        }
    }

    pub(crate) fn append(&self, rows: &mut RowBuilder) {
        for (resource, column) in COLUMNS {
            let ids = self.found.iter().filter(|(found, _)| *found == resource).map(|(_, id)| id);
            rows.texts(column, ids);
        }
    }
}

fn is_wrapper_key(key: &str) -> bool {
    matches!(key, "items" | "item" | "content" | "value" | "values" | "id")
}

fn is_id_key(key: &str) -> bool {
    #[rustfmt::skip]
    const KEYS: [&str; 34] = [
        "instanceId", "instanceIds", "instanceIdSet", "InstanceId", "InstanceIds", "InstanceIdSet",
        "volumeId", "volumeIds", "volumeIdSet", "VolumeId", "VolumeIds", "VolumeIdSet",
        "snapshotId", "snapshotIds", "snapshotIdSet", "SnapshotId", "SnapshotIds", "SnapshotIdSet",
        "imageId", "imageIds", "imageIdSet", "ImageId", "ImageIds", "ImageIdSet",
        "sourceVolumeId", "SourceVolumeId", "sourceSnapshotId", "SourceSnapshotId", "sourceImageId", "SourceImageId",
        "resourceId", "ResourceId", "target", "targets",
    ];
    matches!(key.as_bytes(), [.., b'd' | b's' | b't']) && KEYS.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_identifier_is_kept_once_whether_few_or_many() {
        let texts: Vec<String> = (0..3 * FEW).chain(0..3 * FEW).map(|n| format!("i-{n:08x}")).collect();
        let mut ids = ResourceIds::default();
        for text in &texts {
            ids.add(text);
        }
        let found: Vec<&str> = ids.found.iter().map(|(_, id)| &**id).collect();
        assert_eq!(found, texts[..3 * FEW]);
    }
}
