//! Which rows of the products are computed anew.

use trailweave_lake::read::Ask;
use trailweave_table::VOLUMES;
use trailweave_table::day_of_time;

use crate::CorrelateError;
use crate::call::shows;
use crate::events::{IdColumn, Text};
use crate::id::Id;
use crate::ids::Marks;
use crate::kind::Kind;
use crate::merge::Replaced;
use crate::parts::look_up;
use crate::reach::Reach;
use crate::replacement::Replacement;
use crate::rows::Rows;

/// The rows of each product that are computed anew, and by row of the events whether its are.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) correlated: Replaced,
    pub(crate) instances: Replaced,
    pub(crate) volumes: Replaced,
    pub(crate) attachments: Replaced,
    pub(crate) grants: Replaced,
    /// By row: a KMS event that is reached.
    pub(crate) reopened: Vec<bool>,
    /// By row: an EC2 event that is new, or a copy of such.
    pub(crate) changed: Vec<bool>,
    /// Whose rows of `instances` are computed anew.
    pub(crate) launched: Marks,
    /// Whose rows of `volumes` are computed anew.
    pub(crate) created: Marks,
    /// Whose rows of `grants` are computed anew.
    pub(crate) granted: Marks,
}

/// Finds what a reach says of the products. `is_new` says of a row whether they cannot know it.
pub(crate) fn of(
    reach: Reach<'_, '_>,
    is_new: impl Fn(u32) -> bool,
    products: &Replacement<'_>,
) -> Result<Opened, CorrelateError> {
    let rows = reach.rows;
    let mut opened = Opened {
        correlated: Replaced::by(&["recipient_account_id", "kms_event_id"]).or_by("kms_source_object"),
        instances: Replaced::by(&["instance_id"]),
        volumes: Replaced::by(&["volume_id"]),
        attachments: Replaced::by(&["recipient_account_id", "source_event_id"]).or_by("volume_id"),
        grants: Replaced::by(&["grant_id"]),
        reopened: reach.reopened,
        changed: reach.changed,
        launched: reach.instances,
        created: reach.volumes,
        granted: reach.grants,
    };
    for row in rows.all() {
        opened.add(rows, row, is_new(row));
    }
    // A volume may have been dated by a launch that is not its launch any more.
    let asks = [Ask::all("volume_id", &opened.volumes.keys)];
    opened.volumes.days.extend(look_up(products, &VOLUMES, ["volume_id"], &asks)?.days);
    Ok(opened)
}

impl Opened {
    /// Adds what is computed anew of a row: the days of its rows in the products, and what they are told by, unless there
    /// can be none yet.
    fn add(&mut self, rows: &Rows<'_>, row: u32, is_new: bool) {
        let at = row as usize;
        let day = day_of_time(rows.times[at]);
        let (is_reopened, is_changed) = (self.reopened[at], self.changed[at]);
        // Where an instance has a row, it is one of its launches'.
        if rows.kind(row) == Kind::RunInstances && rows.instance_numbers(row).any(|id| self.launched.has(id)) {
            self.instances.days.insert(day);
        }
        let is_evidence = shows(rows, row) && (is_reopened || is_changed);
        let is_grant = rows.kind(row) == Kind::CreateGrant && self.granted.has(rows.grants[at]);
        for (table, is_of) in
            [(&mut self.correlated, is_reopened), (&mut self.attachments, is_evidence), (&mut self.grants, is_grant)]
        {
            if is_of {
                table.days.insert(day);
            }
        }
        if is_new {
            return;
        }
        let account = Some(rows.account(at)).filter(|account| !account.is_empty());
        let event_id = rows.id(IdColumn::Event, at).map(Id::to_text);
        let event = |instead| match event_id.as_deref() {
            Some(id) => vec![account, Some(id)],
            None => vec![account, None, instead],
        };
        if is_reopened {
            self.correlated.add_key(&event(rows.text(Text::SourceObject, at)));
        }
        if is_evidence {
            self.attachments.add_key(&event(rows.resource(rows.volumes[at])));
        }
        if is_grant {
            self.grants.add_key(&[rows.text(Text::GrantId, at)]);
        }
        for id in rows.instance_numbers(row).filter(|id| self.launched.has(*id)) {
            self.instances.add_key(&[rows.resource(id)]);
        }
        for id in rows.volume_numbers(row).filter(|id| self.created.has(*id)) {
            self.volumes.add_key(&[rows.resource(id)]);
        }
    }
}
