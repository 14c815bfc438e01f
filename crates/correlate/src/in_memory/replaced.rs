//! Which rows of the products are computed anew.

use trailweave_lake::read::Ask;
use trailweave_table::VOLUMES;

use crate::CorrelateError;
use crate::in_memory::id::Id;
use crate::in_memory::join::shows;
use crate::in_memory::parts::look_up;
use crate::in_memory::reach::Reach;
use crate::in_memory::read::{IdColumn, List, Text};
use crate::in_memory::rows::Kind;
use crate::product::Replaced;
use crate::product::Replacement;

/// The rows of each product that are computed anew, and by row of the events whether its are.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) correlated: Replaced,
    pub(super) instances: Replaced,
    pub(super) volumes: Replaced,
    pub(super) attachments: Replaced,
    pub(super) grants: Replaced,
    /// By row: a KMS event that is reached.
    pub(super) reopened: Vec<bool>,
    /// By row: an EC2 event that is new, or a copy of such.
    pub(super) changed: Vec<bool>,
}

/// What a reach says of the products of a lake.
pub(super) fn of(reach: &Reach<'_, '_>, products: &Replacement<'_>) -> Result<Opened, CorrelateError> {
    let rows = reach.rows;
    let account = |at: usize| Some(rows.account(at)).filter(|account| !account.is_empty());
    let mut opened = Opened {
        correlated: Replaced::by(&["recipient_account_id", "kms_event_id"]).or_by("kms_source_object"),
        instances: Replaced::by(&["instance_id"]),
        volumes: Replaced::by(&["volume_id"]),
        attachments: Replaced::by(&["recipient_account_id", "source_event_id"]).or_by("volume_id"),
        grants: Replaced::by(&["recipient_account_id", "grant_id"]),
        reopened: reach.reopened.clone(),
        changed: reach.changed.clone(),
    };
    for row in rows.all() {
        let at = row as usize;
        let event_id = rows.id(IdColumn::Event, at).map(Id::to_text);
        let event = |instead| match event_id.as_deref() {
            Some(id) => vec![account(at), Some(id)],
            None => vec![account(at), None, instead],
        };
        let shown = || event(rows.resource(rows.volumes[at]));
        let time = rows.times[at];
        let mut instances = rows.list(List::InstanceIds, at);
        match rows.kind(row) {
            Kind::AttachVolume | Kind::DetachVolume if reach.changed[at] => opened.attachments.add(&shown(), time),
            // Where an instance has a row, it is one of its launches'.
            Kind::RunInstances if instances.any(|id| reach.instances.contains(id)) => opened.instances.add_time(time),
            _ => {}
        }
        if reach.reopened[at] {
            opened.correlated.add(&event(rows.text(Text::SourceObject, at)), time);
            if shows(rows, row) {
                opened.attachments.add(&shown(), time);
            }
            if rows.kind(row) == Kind::CreateGrant {
                opened.grants.add(&[account(at), rows.text(Text::GrantId, at)], time);
            }
        }
    }
    reach.instances.iter().for_each(|id| opened.instances.add_key(&[Some(id)]));
    reach.volumes.iter().for_each(|id| opened.volumes.add_key(&[Some(id)]));
    // A volume may have been dated by a launch that is not its launch any more.
    let asks = [Ask { column: "volume_id", keys: &opened.volumes.keys }];
    opened.volumes.days.extend(look_up(products, &VOLUMES, ["volume_id"], &asks)?.days);
    Ok(opened)
}
