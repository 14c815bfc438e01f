//! The lessons of other events about a volume: the instance that it is at, the data key that it has.

use crate::Event;
use crate::kms::Kms;
use crate::kms::first;
use crate::trail::Trail;

/// An event that shows a volume at an instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attachment<'a> {
    pub(crate) event: &'a Event,
    pub(crate) volume: &'a str,
    pub(crate) instance: &'a str,
}

/// Collects all attachments: of EC2 what succeeded, of KMS what can be believed, but for grants that were refused.
pub(crate) fn attachments<'a>(trail: &Trail<'a>) -> Vec<Attachment<'a>> {
    let is_of_volume = |event: &&&Event| matches!(event.name(), "AttachVolume" | "DetachVolume");
    let ec2 = trail.successes.iter().filter(is_of_volume).copied();
    let shows = |kms: &&Kms<'_>| {
        kms.teaches() && (kms.event.name() == "Decrypt" || kms.is_create_grant() && kms.event.succeeded())
    };
    let kms = trail.kms.iter().filter(shows).map(|kms| kms.event);
    ec2.chain(kms).filter_map(attachment).collect()
}

fn attachment(event: &Event) -> Option<Attachment<'_>> {
    Some(Attachment { event, volume: first(&event.volume_ids)?, instance: first(&event.instance_ids)? })
}

/// Finds the instance that an event's volume was at, when the event itself knows none.
pub(crate) fn learned_instance<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<&'a str> {
    if !kms.teaches() || kms.instance().is_some() {
        return None;
    }
    let volume = kms.volume()?;
    let of_volume: Vec<_> = attachments(trail).into_iter().filter(|it| it.volume == volume).collect();
    let home: Vec<_> = of_volume.iter().copied().filter(|it| it.event.shares_home_with(kms.event)).collect();
    let nearest = nearest(kms.event, &home).or_else(|| nearest(kms.event, &of_volume));
    nearest.map(|attachment| attachment.instance)
}

/// Finds the attachment nearest in time; of two equally near the earlier. After a `DetachVolume` the volume is there no
/// more, nor where it was before.
fn nearest<'a>(event: &Event, attachments: &[Attachment<'a>]) -> Option<Attachment<'a>> {
    let time = event.event_time;
    let (before, after): (Vec<_>, Vec<_>) = attachments.iter().copied().partition(|it| it.event.event_time <= time);
    let is_there = |it: &Attachment<'_>| it.event.name() != "DetachVolume";
    let before = before.into_iter().max_by_key(|it| it.event.order()).filter(is_there);
    let after = after.into_iter().min_by_key(|it| it.event.order());
    match (before, after) {
        (Some(before), Some(after)) if after.event.event_time - time < time - before.event.event_time => Some(after),
        (Some(before), _) => Some(before),
        (None, after) => after,
    }
}

/// Collects the data keys made for a volume that can be believed.
pub(crate) fn data_keys<'a>(trail: &Trail<'a>, volume: &str) -> Vec<Kms<'a>> {
    let makes = |kms: &&Kms<'_>| {
        kms.makes_data_key() && kms.own_volume() == Some(volume) && kms.teaches() && kms.event.succeeded()
    };
    trail.kms.iter().filter(makes).copied().collect()
}

/// Finds the first data key of a volume.
pub(crate) fn data_key<'a>(trail: &Trail<'a>, volume: &str) -> Option<&'a Event> {
    data_keys(trail, volume).into_iter().map(|kms| kms.event).min_by_key(|event| place(event))
}

/// Orders events that made a data key: the copy of the key's owner stands last, and after all others those that
/// made it of another.
pub(crate) fn place(event: &Event) -> (bool, bool, (i64, String)) {
    (is_of_another_key(event), event.is_of_another_account(), event.order())
}

/// Tells whether it made a data key of another, that of a snapshot.
pub(crate) fn is_of_another_key(event: &Event) -> bool {
    event.name() == "ReEncrypt"
}
