//! All events, sorted out: KMS events with their flags, EC2 events, copies, candidates, rows.

use crate::Event;
use crate::kms;
use crate::kms::Kms;

/// The events of a lake.
#[derive(Debug)]
pub(crate) struct Trail<'a> {
    /// Every KMS event.
    pub(crate) kms: Vec<Kms<'a>>,
    /// Every EC2 event, copies and failed ones too.
    pub(crate) ec2: Vec<&'a Event>,
    /// The canonical copies that succeeded. Retries, too: see [`Trail::is_first`].
    pub(crate) successes: Vec<&'a Event>,
    /// Every STS event that issued an access key.
    pub(crate) issues: Vec<&'a Event>,
}

impl<'a> Trail<'a> {
    pub(crate) fn new(events: &'a [Event]) -> Self {
        let alone: Vec<Kms<'a>> = events.iter().filter(|event| event.is_kms()).map(Kms::alone).collect();
        let ec2: Vec<&Event> = events.iter().filter(|event| event.is_ec2()).collect();
        let is_canonical = |event: &Event| canonical(&ec2, event).rid() == event.rid();
        let successes = ec2.iter().copied().filter(|event| event.succeeded() && is_canonical(event)).collect();
        let issues = events.iter().filter(|event| event.issues()).collect();
        Self { kms: alone.iter().map(|kms| with_grant(&alone, kms)).collect(), ec2, successes, issues }
    }

    /// Returns the copy of an EC2 event that the tables report.
    pub(crate) fn canonical(&self, event: &'a Event) -> &'a Event {
        canonical(&self.ec2, event)
    }

    /// Returns where to look for the request of an event: in its account, in those of its copies, and in the caller's.
    /// Copies in accounts that only own the key stand last.
    pub(crate) fn requests(&self, event: &'a Event) -> Vec<(&'a Event, &'a str)> {
        let is_copy = |it: &&Event| event.shared_event_id.is_some() && it.shared_event_id == event.shared_event_id;
        let mut copies: Vec<&Event> = self.kms.iter().map(|kms| kms.event).filter(is_copy).collect();
        copies.sort_by_key(|it| (it.is_of_another_account(), it.order()));
        let own = [vec![event], copies].concat().into_iter().map(|copy| (copy, copy.account()));
        own.chain(event.principal_account_id.as_deref().map(|caller| (event, caller))).collect()
    }

    /// Tells whether no earlier event of the same name, account and region succeeded with this instance or volume. A retry
    /// with the same client token answers with the same one.
    pub(crate) fn is_first(&self, event: &Event, id: &str) -> bool {
        let is_same = |it: &&&Event| {
            it.name() == event.name() && it.shares_home_with(event) && (it.names_instance(id) || it.names_volume(id))
        };
        !self.successes.iter().filter(is_same).any(|other| other.order() < event.order())
    }

    /// Finds the KMS event of a `CreateGrant` that another event names.
    pub(crate) fn kms_of(&self, event: &Event) -> Kms<'a> {
        let found = self.kms.iter().find(|kms| kms.event.rid() == event.rid());
        *found.expect("a grant is a KMS event of the trail")
    }

    /// Tells whether a KMS event is a row of `correlated`.
    pub(crate) fn is_row(&self, kms: &Kms<'a>) -> bool {
        self.touches_ec2(kms)
            || kms.event.grant_id.as_ref().is_some_and(|grant_id| {
                let mut grants = self.kms.iter().filter(|it| it.is_create_grant());
                grants.any(|grant| grant.event.grant_id.as_ref() == Some(grant_id) && self.touches_ec2(grant))
            })
    }

    /// Tells whether a KMS event is a row whatever grant it names.
    fn touches_ec2(&self, kms: &Kms<'a>) -> bool {
        let event = kms.event;
        kms::is_infrastructure(event)
            || event.encryption_context.contains_key("aws:ebs:id")
            || kms.own_instance().is_some()
            || kms.own_volume().is_some()
            || kms.own_snapshot().is_some()
            || kms::is_forwarded(event)
            || kms::caller_instance(event).is_some()
            || kms::is_to_family(event)
            || self.requests(event).iter().any(|asked| self.ec2.iter().any(|ec2| is_of_request(ec2, *asked)))
    }
}

/// Tells whether an EC2 event was logged in an account for the request of a KMS event.
pub(crate) fn is_of_request(ec2: &Event, (event, account): (&Event, &str)) -> bool {
    event.request_id.is_some() && event.request_id == ec2.request_id && ec2.account() == account
}

/// Finds the first copy of an EC2 event; that of the account which only owns the resource stands last. What EC2 itself
/// says of a call may share the id of the call, and is not a copy of it.
fn canonical<'a>(ec2: &[&'a Event], event: &'a Event) -> &'a Event {
    if event.shared_event_id.is_none() {
        return event;
    }
    let is_copy = |it: &&Event| it.shared_event_id == event.shared_event_id && it.name() == event.name();
    let copies = ec2.iter().copied().filter(is_copy);
    copies.min_by_key(|it| (it.is_of_another_account(), it.order())).unwrap_or(event)
}

/// Returns the event with the `CreateGrant` of its grant, and what this makes of it.
fn with_grant<'a>(all: &[Kms<'a>], kms: &Kms<'a>) -> Kms<'a> {
    match grant_of(all, kms) {
        Some(grant) => Kms {
            grant: Some(grant.event),
            trusted: kms.trusted || grant.trusted,
            external: kms.external || grant.external,
            apart: kms.apart || grant.apart,
            ..*kms
        },
        None => *kms,
    }
}

/// Finds the `CreateGrant` of the grant that an event names: of the same account, else of any; the first.
fn grant_of<'a, 'b>(all: &'b [Kms<'a>], kms: &Kms<'_>) -> Option<&'b Kms<'a>> {
    if kms.is_create_grant() || kms.event.grant_id.is_none() {
        return None;
    }
    let creates = |it: &&Kms<'_>| it.is_create_grant() && it.event.grant_id == kms.event.grant_id;
    let elsewhere = |it: &&Kms<'_>| it.event.account() != kms.event.account();
    all.iter().filter(creates).min_by_key(|it| (elsewhere(it), it.event.order()))
}
