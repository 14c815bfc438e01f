//! The rows that the correlation of a corpus should find: one per KMS event that touches EC2 or EBS.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// An EC2 call that made KMS calls happen.
#[derive(Clone)]
pub(crate) struct Cause {
    pub(crate) at: i64,
    pub(crate) request_id: String,
    /// Account and event id of each delivered copy, the caller's first.
    pub(crate) copies: Vec<(String, String)>,
    /// True if its response names the volume that it created.
    pub(crate) names_its_volume: bool,
    /// The principal behind the call, and how the trail tells.
    pub(crate) root: (String, &'static str),
}

impl Cause {
    /// The event id of the caller's copy.
    pub(crate) fn event_id(&self) -> &str {
        &self.copies[0].1
    }

    fn copy_in(&self, account: &str) -> Option<&str> {
        self.copies.iter().find(|(recipient, _)| recipient == account).map(|(_, event_id)| event_id.as_str())
    }
}

/// How a KMS event came about.
#[derive(Clone, Copy)]
pub(crate) struct Link<'c> {
    pub(crate) flow: &'static str,
    pub(crate) cause: Option<&'c Cause>,
    /// True if the KMS event carries the cause's request id.
    pub(crate) shares_request: bool,
    pub(crate) unmatched: Option<&'static str>,
    pub(crate) ambiguous: Option<&'static str>,
}

impl<'c> Link<'c> {
    /// Caused by `cause`, with its request id.
    pub(crate) fn shared(flow: &'static str, cause: &'c Cause) -> Self {
        Self { flow, cause: Some(cause), shares_request: true, unmatched: None, ambiguous: None }
    }

    /// Caused by `cause`, with a request id of its own.
    pub(crate) fn apart(flow: &'static str, cause: &'c Cause) -> Self {
        Self { shares_request: false, ..Self::shared(flow, cause) }
    }

    /// Without an EC2 cause.
    pub(crate) fn none(flow: &'static str, unmatched: &'static str) -> Self {
        Self { flow, cause: None, shares_request: false, unmatched: Some(unmatched), ambiguous: None }
    }

    pub(crate) fn ambiguous(self, reason: &'static str) -> Self {
        Self { ambiguous: Some(reason), ..self }
    }
}

/// The things that a KMS event touches.
#[derive(Clone, Default)]
pub(crate) struct Serves {
    pub(crate) instance: Option<String>,
    pub(crate) volume: Option<String>,
    pub(crate) snapshot: Option<String>,
    pub(crate) grant: Option<String>,
}

/// A row of the truth before the whole story is known.
pub(crate) struct Draft {
    pub(crate) at: i64,
    pub(crate) flow: &'static str,
    pub(crate) event_id: String,
    pub(crate) event_name: &'static str,
    pub(crate) recipient: String,
    pub(crate) cause: Option<Cause>,
    pub(crate) shares_request: bool,
    pub(crate) serves: Serves,
    pub(crate) caller_instance: Option<String>,
    pub(crate) key_arn: Option<String>,
    pub(crate) unmatched: Option<&'static str>,
    pub(crate) ambiguous: Option<&'static str>,
}

/// Facts that the events of a corpus show together.
#[derive(Default)]
pub(crate) struct Facts {
    /// By volume: when an event showed it at which instance.
    pub(crate) sightings: BTreeMap<String, Vec<(i64, String)>>,
    /// By instance: its `RunInstances`.
    pub(crate) launches: BTreeMap<String, Cause>,
    /// Volumes that a `CreateSnapshot` names.
    pub(crate) snapshotted: BTreeSet<String>,
}

/// One line of `truth.jsonl`.
#[derive(Serialize)]
pub(crate) struct Row {
    flow: &'static str,
    kms_event_id: String,
    kms_event_name: &'static str,
    recipient_account_id: String,
    ec2_event_id: Option<String>,
    ec2_event_copies: Vec<String>,
    instance_id: Option<String>,
    caller_instance_id: Option<String>,
    volume_id: Option<String>,
    snapshot_id: Option<String>,
    grant_id: Option<String>,
    key_arn: Option<String>,
    link_exists: bool,
    ambiguous: Option<&'static str>,
    unmatched_reason: Option<&'static str>,
    launch_event_id: Option<String>,
    root_principal_arn: Option<String>,
    root_source: Option<&'static str>,
}

/// The rows in the order of time.
pub(crate) fn rows(mut drafts: Vec<Draft>, facts: &Facts) -> Vec<Row> {
    drafts.sort_by(|a, b| (a.at, &a.event_id).cmp(&(b.at, &b.event_id)));
    drafts.into_iter().map(|draft| row(draft, facts)).collect()
}

fn row(draft: Draft, facts: &Facts) -> Row {
    let (learned, tie) = nearest_instance(&draft, facts);
    let ambiguous = draft.ambiguous.or(tie).or_else(|| rule_gap(&draft, facts));
    let instance_id = draft.serves.instance.or(learned);
    let launch_of = instance_id.as_ref().or(draft.caller_instance.as_ref());
    let launch = launch_of.and_then(|instance| facts.launches.get(instance));
    let cause = draft.cause.as_ref();
    let root = cause.or(launch).map(|call| &call.root);
    Row {
        flow: draft.flow,
        kms_event_id: draft.event_id,
        kms_event_name: draft.event_name,
        ec2_event_id: cause.map(|cause| cause.copy_in(&draft.recipient).unwrap_or_else(|| cause.event_id()).to_owned()),
        ec2_event_copies: cause.map_or_else(Vec::new, |cause| cause.copies.iter().map(|(_, id)| id.clone()).collect()),
        recipient_account_id: draft.recipient,
        instance_id,
        caller_instance_id: draft.caller_instance,
        volume_id: draft.serves.volume,
        snapshot_id: draft.serves.snapshot,
        grant_id: draft.serves.grant,
        key_arn: draft.key_arn,
        link_exists: cause.is_some(),
        ambiguous,
        unmatched_reason: draft.unmatched,
        launch_event_id: launch.map(|launch| launch.event_id().to_owned()),
        root_principal_arn: root.map(|(principal, _)| principal.clone()),
        root_source: root.map(|(_, source)| *source),
    }
}

/// The instance at which the volume was seen nearest in time, and whether another was seen as near.
fn nearest_instance(draft: &Draft, facts: &Facts) -> (Option<String>, Option<&'static str>) {
    if draft.serves.instance.is_some() {
        return (None, None);
    }
    let Some(seen) = draft.serves.volume.as_ref().and_then(|volume| facts.sightings.get(volume)) else {
        return (None, None);
    };
    let distance = |&(at, _): &&(i64, String)| (at - draft.at).abs();
    let nearest = seen.iter().min_by_key(distance).expect("a volume is entered with its first sighting");
    let tie = seen.iter().any(|other| distance(&other) == distance(&nearest) && other.1 != nearest.1);
    (Some(nearest.1.clone()), tie.then_some("instance_tie"))
}

/// Where the rules of the join, as they are written, miss the cause or find another.
fn rule_gap(draft: &Draft, facts: &Facts) -> Option<&'static str> {
    let cause = draft.cause.as_ref()?;
    if draft.shares_request {
        return None;
    }
    let retires = draft.event_name == "RetireGrant";
    let snapshotted = draft.serves.volume.as_ref().is_some_and(|volume| facts.snapshotted.contains(volume));
    let by_volume_only = draft.serves.instance.is_none() && !retires && !cause.names_its_volume;
    (snapshotted && by_volume_only).then_some("snapshot_names_volume")
}
