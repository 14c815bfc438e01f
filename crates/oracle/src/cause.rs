//! The EC2 event that caused a KMS event, and the rule that found it.

use crate::Event;
use crate::asof::NEAR_MS;
use crate::asof::SKEW_MS;
use crate::asof::is_near;
use crate::asof::near_home;
use crate::asof::scoped;
use crate::kms::Kms;
use crate::learned::learned_instance;
use crate::trail::Trail;
use crate::trail::is_of_request;

/// A cause and the rule that found it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause<'a> {
    pub(crate) event: &'a Event,
    pub(crate) link: &'static str,
}

impl Cause<'_> {
    /// Tells the confidence in the link.
    pub(crate) fn confidence(&self, of: &Event) -> &'static str {
        match self.link {
            "request_id" | "grant" => "exact",
            "resource" if takes_snapshot(self.event) => "inferred",
            "resource" if self.is_near(of) => "exact",
            "instance" if self.is_near(of) => "strong",
            _ => "inferred",
        }
    }

    /// Tells whether the cause of a data key's event made the volume, too: a far one did only with the same request.
    pub(crate) fn makes_volume(&self, of: &Event) -> bool {
        matches!(self.event.name(), "RunInstances" | "CreateReplaceRootVolumeTask")
            && (self.link == "request_id" || self.is_near(of))
    }

    fn is_near(&self, of: &Event) -> bool {
        (-SKEW_MS..=NEAR_MS).contains(&(of.event_time - self.event.event_time))
    }
}

/// Finds the cause of any KMS event: the rules go in their order, the first that finds one wins.
pub(crate) fn cause<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<Cause<'a>> {
    let by_request = by_request_id(trail, kms).map(|event| Cause { event, link: "request_id" });
    by_request
        .or_else(|| by_grant(trail, kms).map(|event| Cause { event, link: "grant" }))
        .or_else(|| by_what_it_names(trail, kms))
}

/// Follows rule 1: by its own request, else by that of the first copy which has one, else by its own in the caller's
/// account.
fn by_request_id<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<&'a Event> {
    trail.requests(kms.event).into_iter().find_map(|asked| of_request(trail, asked))
}

/// Finds the EC2 event of a request in an account. Failed ones count here.
fn of_request<'a>(trail: &Trail<'a>, (event, account): (&Event, &str)) -> Option<&'a Event> {
    let preference = |ec2: &&Event| {
        let delta_ms = event.event_time - ec2.event_time;
        (ec2.region() != event.region(), delta_ms < 0, delta_ms.abs(), ec2.rid())
    };
    let of_request = trail.ec2.iter().copied().filter(|ec2| is_of_request(ec2, (event, account)));
    of_request.min_by_key(preference).map(|ec2| trail.canonical(ec2))
}

/// Follows rule 2: what caused the grant caused its use and its end.
fn by_grant<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<&'a Event> {
    let grant = trail.kms_of(kms.grant?);
    let by_request = by_request_id(trail, &grant);
    by_request.or_else(|| by_what_it_names(trail, &grant).map(|cause| cause.event))
}

/// Follows rules 3 to 5.
fn by_what_it_names<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<Cause<'a>> {
    if !kms.trusted || kms.apart || kms.ends_grant() {
        return None;
    }
    let resource = |event| Cause { event, link: "resource" };
    match kms.own_instance() {
        Some(_) if kms.external => None,
        None if kms.external => by_resource(trail, kms, near_home).map(resource),
        Some(instance) => by_instance(trail, kms, instance).map(|event| Cause { event, link: "instance" }),
        None => {
            let made = by_resource(trail, kms, scoped).or_else(|| by_taking(trail, kms)).map(resource);
            if made.is_some_and(|made| is_near(kms.event, made.event)) {
                return made;
            }
            let learned = by_learned_instance(trail, kms).map(|event| Cause { event, link: "volume" });
            made.into_iter().chain(learned).max_by_key(|cause| cause.event.order())
        }
    }
}

/// Follows rule 3.
fn by_instance<'a>(trail: &Trail<'a>, kms: &Kms<'a>, instance: &str) -> Option<&'a Event> {
    let acts_on = |event: &&Event| {
        event.names_instance(instance)
            && match event.name() {
                "RunInstances" => trail.is_first(event, instance),
                "StartInstances" | "CreateReplaceRootVolumeTask" => true,
                "AttachVolume" => kms.volume().is_some_and(|volume| event.names_volume(volume)),
                _ => false,
            }
    };
    let offers: Vec<&Event> = trail.successes.iter().copied().filter(acts_on).collect();
    scoped(kms.event, &offers)
}

/// A way to choose one of several events.
type Choice<'a> = fn(&Event, &[&'a Event]) -> Option<&'a Event>;

/// Follows rule 4, except for events that took a snapshot.
fn by_resource<'a>(trail: &Trail<'a>, kms: &Kms<'a>, choice: Choice<'a>) -> Option<&'a Event> {
    match kms.volume() {
        Some(volume) => by_volume(trail, kms, volume, choice),
        None => by_snapshot(trail, kms, choice),
    }
}

/// Finds the event that made a volume, unless something has attached it since.
fn by_volume<'a>(trail: &Trail<'a>, kms: &Kms<'a>, volume: &str, choice: Choice<'a>) -> Option<&'a Event> {
    let acts = |event: &&Event| {
        event.names_volume(volume)
            && match event.name() {
                "CreateVolume" => trail.is_first(event, volume),
                "AttachVolume" => true,
                _ => false,
            }
    };
    let offers: Vec<&Event> = trail.successes.iter().copied().filter(acts).collect();
    choice(kms.event, &offers).filter(|event| event.name() == "CreateVolume")
}

fn by_snapshot<'a>(trail: &Trail<'a>, kms: &Kms<'a>, choice: Choice<'a>) -> Option<&'a Event> {
    let snapshot = kms.snapshot()?;
    let uses = |event: &&Event| {
        event.names_snapshot(snapshot)
            && match event.name() {
                "CopySnapshot" | "ImportSnapshot" => true,
                "CreateVolume" => event.volume_ids.iter().any(|volume| trail.is_first(event, volume)),
                _ => false,
            }
    };
    let offers: Vec<&Event> = trail.successes.iter().copied().filter(uses).collect();
    choice(kms.event, &offers)
}

/// Finds the event that took a snapshot, which calls no KMS itself.
fn by_taking<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<&'a Event> {
    let snapshot = kms.snapshot().filter(|_| kms.volume().is_none())?;
    let takes = |event: &&Event| takes_snapshot(event) && event.names_snapshot(snapshot);
    let offers: Vec<&Event> = trail.successes.iter().copied().filter(takes).collect();
    scoped(kms.event, &offers)
}

fn takes_snapshot(event: &Event) -> bool {
    matches!(event.name(), "CreateSnapshot" | "CreateSnapshots")
}

/// Follows rule 5.
fn by_learned_instance<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<&'a Event> {
    by_instance(trail, kms, learned_instance(trail, kms)?)
}
