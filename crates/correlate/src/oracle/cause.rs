//! The EC2 event that caused a KMS event, and the rule that found it.

use super::Event;
use super::asof::NEAR_MS;
use super::asof::SKEW_MS;
use super::asof::scoped;
use super::kms::Kms;
use super::learned::learned_instance;
use super::trail::Trail;
use super::trail::is_of_request;

/// A cause and the rule that found it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause<'a> {
    pub(super) event: &'a Event,
    pub(super) link: &'static str,
}

impl Cause<'_> {
    /// How sure the link is.
    pub(super) fn confidence(&self, of: &Event) -> &'static str {
        let delta_ms = of.event_time - self.event.event_time;
        match self.link {
            "instance" if (-SKEW_MS..=NEAR_MS).contains(&delta_ms) => "strong",
            "instance" | "volume" => "inferred",
            _ => "exact",
        }
    }
}

/// The cause of any KMS event: the rules in their order, the first that finds one wins.
pub(super) fn cause<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<Cause<'a>> {
    let by_request = by_request_id(trail, kms).map(|event| Cause { event, link: "request_id" });
    by_request
        .or_else(|| by_grant(trail, kms).map(|event| Cause { event, link: "grant" }))
        .or_else(|| by_what_it_names(trail, kms))
}

/// Rule 1: by its own request, else by that of the first copy which has one, else by its own in the caller's account.
fn by_request_id<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<&'a Event> {
    trail.requests(kms.event).into_iter().find_map(|asked| of_request(trail, asked))
}

/// The EC2 event of a request in an account. Failed ones count here.
fn of_request<'a>(trail: &Trail<'a>, (event, account): (&Event, &str)) -> Option<&'a Event> {
    let preference = |ec2: &&Event| {
        let delta_ms = event.event_time - ec2.event_time;
        (ec2.region() != event.region(), delta_ms < 0, delta_ms.abs(), ec2.rid())
    };
    let of_request = trail.ec2.iter().copied().filter(|ec2| is_of_request(ec2, (event, account)));
    of_request.min_by_key(preference).map(|ec2| trail.canonical(ec2))
}

/// Rule 2: what caused the grant caused its use and its end.
fn by_grant<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<&'a Event> {
    let grant = trail.kms_of(kms.grant?);
    let by_request = by_request_id(trail, &grant);
    by_request.or_else(|| by_what_it_names(trail, &grant).map(|cause| cause.event))
}

/// Rules 3 to 5.
fn by_what_it_names<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<Cause<'a>> {
    if !kms.teaches() || kms.ends_grant() {
        return None;
    }
    if let Some(instance) = kms.own_instance() {
        return by_instance(trail, kms, instance).map(|event| Cause { event, link: "instance" });
    }
    by_resource(trail, kms)
        .map(|event| Cause { event, link: "resource" })
        .or_else(|| by_learned_instance(trail, kms).map(|event| Cause { event, link: "volume" }))
}

/// Rule 3.
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

/// Rule 4.
fn by_resource<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<&'a Event> {
    match kms.volume() {
        Some(volume) => by_volume(trail, kms, volume),
        None => by_snapshot(trail, kms),
    }
}

fn by_volume<'a>(trail: &Trail<'a>, kms: &Kms<'a>, volume: &str) -> Option<&'a Event> {
    let creates =
        |event: &&Event| event.name() == "CreateVolume" && event.names_volume(volume) && trail.is_first(event, volume);
    let offers: Vec<&Event> = trail.successes.iter().copied().filter(creates).collect();
    scoped(kms.event, &offers)
}

fn by_snapshot<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<&'a Event> {
    let snapshot = kms.snapshot()?;
    let of_snapshot = trail.successes.iter().copied().filter(|event| event.names_snapshot(snapshot));
    let uses = |event: &&Event| match event.name() {
        "CopySnapshot" | "ImportSnapshot" => true,
        "CreateVolume" => event.volume_ids.iter().any(|volume| trail.is_first(event, volume)),
        _ => false,
    };
    // What took a snapshot calls no KMS itself.
    let takes = |event: &&Event| matches!(event.name(), "CreateSnapshot" | "CreateSnapshots");
    let first: Vec<&Event> = of_snapshot.clone().filter(uses).collect();
    let last: Vec<&Event> = of_snapshot.filter(takes).collect();
    scoped(kms.event, &first).or_else(|| scoped(kms.event, &last))
}

/// Rule 5.
fn by_learned_instance<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<&'a Event> {
    by_instance(trail, kms, learned_instance(trail, kms)?)
}
