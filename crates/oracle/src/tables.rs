//! The rows of the products.

use crate::Event;
use crate::Row;
use crate::asof::scoped;
use crate::cause::Cause;
use crate::cause::cause;
use crate::kms;
use crate::kms::Kms;
use crate::kms::first;
use crate::learned;
use crate::learned::data_key;
use crate::learned::data_keys;
use crate::learned::learned_instance;
use crate::root::root;
use crate::row::joined;
use crate::trail::Trail;

/// Makes the table `correlated`.
pub(crate) fn correlated(trail: &Trail<'_>) -> Vec<Row> {
    trail.kms.iter().filter(|kms| trail.is_row(kms)).map(|kms| correlated_row(trail, kms)).collect()
}

fn correlated_row(trail: &Trail<'_>, kms: &Kms<'_>) -> Row {
    let event = kms.event;
    let cause = cause(trail, kms);
    let caller_instance = kms::caller_instance(event);
    let instance = instance_id(trail, kms, cause.as_ref());
    let launch = instance.or(caller_instance.as_deref()).and_then(|instance| launch(trail, event, instance));
    let data_key = kms.volume().filter(|_| kms.teaches()).and_then(|volume| data_key(trail, volume));

    let root = cause.map(|cause| cause.event).or(launch).and_then(|event| root(trail, event));

    let row = with_cause(kms_columns(event), event, cause.as_ref());
    row.with("key_arn", kms.key_arn())
        .with("key_account_id", kms.key_arn().and_then(|arn| arn.split(':').nth(4)).filter(|it| !it.is_empty()))
        .with("instance_id", instance)
        .with("volume_id", kms.volume().or_else(|| volume_of_request(kms, cause.as_ref())))
        .with("snapshot_id", kms.snapshot().or_else(|| snapshot_of_request(kms, cause.as_ref())))
        .with("unmatched_reason", cause.is_none().then(|| unmatched_reason(kms)))
        .with("caller_instance_id", caller_instance)
        .with("launch_event_id", launch.and_then(|launch| launch.event_id.as_ref()))
        .with("launch_event_time", launch.map(|launch| launch.event_time))
        .with("launch_principal_arn", launch.and_then(|launch| launch.principal_arn.as_ref()))
        .with("root_principal_arn", root.as_ref().map(|(principal, _)| principal))
        .with("root_source", root.as_ref().map(|(_, source)| source))
        .with("grant_event_id", allowed_by(trail, kms).and_then(|grant| grant.event_id.as_ref()))
        .with("data_key_event_id", data_key.and_then(made_by))
}

/// Returns the event id of what made a data key, if that was not made of another.
fn made_by(data_key: &Event) -> Option<&String> {
    data_key.event_id.as_ref().filter(|_| !learned::is_of_another_key(data_key))
}

/// Makes the columns that say what was logged.
fn kms_columns(event: &Event) -> Row {
    home_columns(event)
        .with("kms_event_id", event.event_id.as_ref())
        .with("kms_event_time", Some(event.event_time))
        .with("kms_event_name", event.event_name.as_ref())
        .with("kms_error_code", event.error_code.as_ref())
        .with("kms_principal_arn", event.principal_arn.as_ref())
        .with("kms_principal_account_id", event.principal_account_id.as_ref())
        .with("kms_invoked_by", event.invoked_by.as_ref())
        .with("kms_request_id", event.request_id.as_ref())
        .with("shared_event_id", event.shared_event_id.as_ref())
        .with("source_key_arn", event.source_key_arn.as_ref())
        .with("kms_source_object", event.source_object.as_ref())
        .with("grant_id", event.grant_id.as_ref())
}

fn home_columns(event: &Event) -> Row {
    let filled = |text| Some(text).filter(|text: &&str| !text.is_empty());
    Row::default().with("recipient_account_id", filled(event.account())).with("aws_region", filled(event.region()))
}

fn with_cause(row: Row, event: &Event, cause: Option<&Cause<'_>>) -> Row {
    let Some(cause) = cause else {
        return row.with("link", Some("none"));
    };
    let ec2 = cause.event;
    row.with("link", Some(cause.link))
        .with("confidence", Some(cause.confidence(event)))
        .with("delta_ms", Some(event.event_time - ec2.event_time))
        .with("ec2_event_id", ec2.event_id.as_ref())
        .with("ec2_event_time", Some(ec2.event_time))
        .with("ec2_event_name", ec2.event_name.as_ref())
        .with("ec2_principal_arn", ec2.principal_arn.as_ref())
        .with("ec2_source_ip_address", ec2.source_ip_address.as_ref())
        .with("ec2_request_id", ec2.request_id.as_ref())
        .with("ec2_error_code", ec2.error_code.as_ref())
        .with("ec2_source_object", ec2.source_object.as_ref())
}

/// Finds its own instance, else its grant's, else the learned one, else the only one of a cause of the same request.
fn instance_id<'a>(trail: &Trail<'a>, kms: &Kms<'a>, cause: Option<&Cause<'a>>) -> Option<&'a str> {
    let of_request = || of_request(cause).and_then(|event| only(&event.instance_ids));
    kms.instance().or_else(|| learned_instance(trail, kms)).or_else(of_request)
}

/// Finds the volume of a call that names neither a volume nor a snapshot: the only one of a cause of the same request.
fn volume_of_request<'a>(kms: &Kms<'a>, cause: Option<&Cause<'a>>) -> Option<&'a str> {
    let event = of_request(cause).filter(|_| kms.names_nothing_of_ebs())?;
    only(&event.volume_ids)
}

/// Finds the snapshot alike, unless the cause names what it made of it or used it for.
fn snapshot_of_request<'a>(kms: &Kms<'a>, cause: Option<&Cause<'a>>) -> Option<&'a str> {
    let event = of_request(cause).filter(|_| kms.names_nothing_of_ebs())?;
    only(&event.snapshot_ids).filter(|_| event.volume_ids.is_empty() && event.instance_ids.is_empty())
}

fn of_request<'a>(cause: Option<&Cause<'a>>) -> Option<&'a Event> {
    cause.filter(|cause| cause.link == "request_id").map(|cause| cause.event)
}

/// Returns the identifier if it is the only one.
fn only(ids: &[String]) -> Option<&str> {
    first(ids).filter(|_| ids.len() == 1)
}

fn unmatched_reason(kms: &Kms<'_>) -> &'static str {
    if kms.external {
        "external_service"
    } else if kms::caller_instance(kms.event).is_some() && (!kms.trusted || is_of_no_volume(kms)) {
        "instance_role"
    } else if kms.event.error_code.is_some() {
        "denied"
    } else if kms.ends_grant() && kms.grant.is_none() {
        "outside_lookback"
    } else {
        "no_ec2_event"
    }
}

/// Tells whether nothing says that a call has to do with EC2 or EBS but who made it.
fn is_of_no_volume(kms: &Kms<'_>) -> bool {
    kms.instance().is_none() && kms.names_nothing_of_ebs() && !kms::is_forwarded(kms.event)
}

/// Finds the `RunInstances` that created an instance: of the event's account and region, else of any; the first.
fn launch<'a>(trail: &Trail<'a>, event: &Event, instance: &str) -> Option<&'a Event> {
    let launches = trail.successes.iter().copied().filter(|it| it.name() == "RunInstances");
    let of_instance = launches.filter(|it| it.names_instance(instance));
    of_instance.min_by_key(|it| (!it.shares_home_with(event), it.order()))
}

/// Finds the `CreateGrant` that allowed a call.
fn allowed_by<'a>(trail: &Trail<'a>, kms: &Kms<'a>) -> Option<&'a Event> {
    if kms.is_create_grant() {
        return None;
    }
    if kms.event.grant_id.is_some() {
        return kms.grant;
    }
    let granted = trail.kms.iter().filter(|it| it.is_create_grant() && it.event.succeeded());
    let matching: Vec<&Event> = match (kms.own_instance(), kms.own_volume()) {
        (Some(instance), Some(volume)) => {
            let names_both = |it: &&Kms<'_>| it.own_instance() == Some(instance) && it.own_volume() == Some(volume);
            granted.filter(|it| it.trusted).filter(names_both).map(|it| it.event).collect()
        }
        (Some(_), None) => Vec::new(),
        (None, volume) => {
            if kms.ends_grant() || kms.external || !kms::is_by_aws_service(kms.event) {
                return None;
            }
            let to_service = granted.filter(|it| it.teaches() && it.own_instance().is_none());
            let names_same = |it: &&Kms<'_>| match volume {
                Some(volume) => it.own_volume() == Some(volume),
                None => it.own_snapshot().is_some() && it.own_snapshot() == kms.own_snapshot(),
            };
            to_service.filter(names_same).map(|it| it.event).collect()
        }
    };
    scoped(kms.event, &matching)
}

/// Makes the table `instances`.
pub(crate) fn instances(trail: &Trail<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for run in trail.successes.iter().filter(|event| event.name() == "RunInstances") {
        for instance in run.instance_ids.iter().filter(|instance| trail.is_first(run, instance)) {
            let root = root(trail, run);
            let row = home_columns(run)
                .with("instance_id", Some(instance))
                .with("root_principal_arn", root.as_ref().map(|(principal, _)| principal))
                .with("root_source", root.as_ref().map(|(_, source)| source))
                .with("launch_event_id", run.event_id.as_ref())
                .with("launched_at", Some(run.event_time))
                .with("launch_principal_arn", run.principal_arn.as_ref())
                .with("image_id", first(&run.image_ids))
                .with("instance_type", run.instance_type.as_ref())
                .with("reservation_id", run.reservation_id.as_ref())
                .with("client_token", run.client_token.as_ref());
            rows.push(row);
        }
    }
    rows
}

/// Makes the table `volumes`: those that were created, and those that only their data key tells of. Copies of what
/// other accounts did make none.
pub(crate) fn volumes(trail: &Trail<'_>) -> Vec<Row> {
    let created: Vec<(&str, &Event)> = creations(trail);
    let is_created = |volume: &str| created.iter().any(|(it, _)| *it == volume);
    let mut rows: Vec<Row> = created.iter().map(|(volume, event)| created_volume(trail, volume, event)).collect();
    for kms in &trail.kms {
        let Some(volume) = kms.own_volume().filter(|volume| !is_created(volume)) else { continue };
        let of_volume = data_keys(trail, volume);
        let at_home = of_volume.iter().map(|it| it.event).filter(|it| it.shares_home_with(kms.event));
        let first = at_home.min_by_key(|it| learned::place(it)).filter(|it| !it.is_of_another_account());
        if first.is_some_and(|first| first.rid() == kms.event.rid()) {
            rows.push(launched_volume(trail, volume, kms));
        }
    }
    rows
}

/// Finds the first `CreateVolume` of each account, region and volume.
fn creations<'a>(trail: &Trail<'a>) -> Vec<(&'a str, &'a Event)> {
    let is_own = |it: &&Event| it.name() == "CreateVolume" && !it.is_of_another_account();
    let created = trail.successes.iter().copied().filter(is_own);
    let named = created.flat_map(|event| event.volume_ids.iter().map(move |volume| (volume.as_str(), event)));
    named.filter(|(volume, event)| trail.is_first(event, volume)).collect()
}

fn created_volume(trail: &Trail<'_>, volume: &str, event: &Event) -> Row {
    let data_key = data_key(trail, volume);
    home_columns(event)
        .with("volume_id", Some(volume))
        .with("created_event_id", event.event_id.as_ref())
        .with("created_at", Some(event.event_time))
        .with("created_by_arn", event.principal_arn.as_ref())
        .with("snapshot_id", first(&event.snapshot_ids))
        .with("encrypted", data_key.map(|_| true).or(event.encrypted))
        .with("key_arn", data_key.and_then(|it| it.key_arn.as_ref()).or(event.key_arn.as_ref()))
        .with("data_key_event_id", data_key.and_then(made_by))
}

fn launched_volume(trail: &Trail<'_>, volume: &str, data_key: &Kms<'_>) -> Row {
    let event = data_key.event;
    let launch = cause(trail, data_key).filter(|cause| cause.makes_volume(event)).map(|cause| cause.event);
    home_columns(event)
        .with("volume_id", Some(volume))
        .with("created_event_id", launch.and_then(|launch| launch.event_id.as_ref()))
        .with("created_at", Some(launch.map_or(event.event_time, |launch| launch.event_time)))
        .with("created_by_arn", launch.and_then(|launch| launch.principal_arn.as_ref()))
        .with("encrypted", Some(true))
        .with("key_arn", event.key_arn.as_ref())
        .with("data_key_event_id", made_by(event))
}

/// Makes the table `attachments`.
pub(crate) fn attachments(trail: &Trail<'_>) -> Vec<Row> {
    let row = |it: learned::Attachment<'_>| {
        home_columns(it.event)
            .with("volume_id", Some(it.volume))
            .with("instance_id", Some(it.instance))
            .with("attached_at", Some(it.event.event_time))
            .with("source_event_id", it.event.event_id.as_ref())
            .with("source", it.event.event_name.as_ref())
    };
    learned::attachments(trail).into_iter().map(row).collect()
}

/// Makes the table `grants`: of copies in any account the first, an owner's last.
pub(crate) fn grants(trail: &Trail<'_>) -> Vec<Row> {
    let is_granted = |kms: &&Kms<'_>| {
        kms.is_create_grant() && kms.event.succeeded() && kms.event.grant_id.is_some() && trail.is_row(kms)
    };
    let granted: Vec<&Kms<'_>> = trail.kms.iter().filter(is_granted).collect();
    let place = |event: &Event| (event.is_of_another_account(), event.order());
    let is_copy =
        |kms: &Kms<'_>, of: &Kms<'_>| kms.event.grant_id == of.event.grant_id && place(kms.event) > place(of.event);
    let firsts = granted.iter().filter(|kms| !granted.iter().any(|of| is_copy(kms, of)));
    firsts.map(|kms| grant_row(kms, end_of(trail, kms))).collect()
}

/// Finds what retired or revoked the grant that an event created.
fn end_of<'a>(trail: &Trail<'a>, create: &Kms<'_>) -> Option<&'a Event> {
    let ends =
        |kms: &&Kms<'_>| kms.ends_grant() && kms.event.succeeded() && kms.event.grant_id == create.event.grant_id;
    let ended = trail.kms.iter().filter(ends).map(|kms| kms.event);
    ended.min_by_key(|it| (it.is_of_another_account(), it.order()))
}

fn grant_row(kms: &Kms<'_>, end: Option<&Event>) -> Row {
    let event = kms.event;
    home_columns(event)
        .with("grant_id", event.grant_id.as_ref())
        .with("key_arn", event.key_arn.as_ref())
        .with("create_event_id", event.event_id.as_ref())
        .with("created_at", Some(event.event_time))
        .with("grantee_principal", event.grantee_principal.as_ref())
        .with("instance_id", kms.own_instance())
        .with("volume_id", kms.own_volume())
        .with("snapshot_id", kms.own_snapshot())
        .with("operations", joined(&event.operations))
        .with("retiring_principal", event.retiring_principal.as_ref())
        .with("end_event_id", end.and_then(|end| end.event_id.as_ref()))
        .with("ended_at", end.map(|end| end.event_time))
        .with("ended_by_arn", end.and_then(|end| end.principal_arn.as_ref()))
}
