//! Random worlds: few identifiers, little time, so that events collide, tie and repeat each other.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Range;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::sample::subsequence;
use proptest::test_runner::Config;
use proptest::test_runner::RngAlgorithm;
use proptest::test_runner::TestRng;
use proptest::test_runner::TestRunner;

use crate::Event;

/// Ten minutes before the midnight that ends 1 September 2026, so that a world has two dates.
const START_MS: i64 = 1_788_306_600_000;

const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
const INSTANCES: [&str; 3] = ["i-0000000a", "i-0000000b", "i-00000056789abcdef"];
const VOLUMES: [&str; 3] = ["vol-0000000a", "vol-0000000b", "vol-0000000c"];
const SNAPSHOTS: [&str; 2] = ["snap-0000000a", "snap-0000000b"];
const KEYS: [&str; 2] =
    ["arn:aws:kms:eu-west-1:111122223333:key/mrk-1", "arn:aws:kms:us-east-1:444455556666:key/mrk-2"];

/// The part of every identifier of a world that tells which world it is: in a UUID, too.
const WORLD: &str = "-000000";

/// Makes several worlds that share no identifier, so that what is said of all is what is said of each.
pub fn worlds(n_worlds: usize, n_events: Range<usize>) -> impl Strategy<Value = Vec<Vec<Event>>> {
    vec(world(n_events), 1..=n_worlds).prop_map(|mut worlds| {
        for (n, events) in worlds.iter_mut().enumerate() {
            for event in events {
                moved(event, &format!("-{n:06x}"));
            }
        }
        worlds
    })
}

/// Renames what an event names.
fn moved(event: &mut Event, to: &str) {
    let texts = [
        &mut event.event_id,
        &mut event.request_id,
        &mut event.shared_event_id,
        &mut event.grant_id,
        &mut event.principal_id,
        &mut event.session_name,
        &mut event.access_key_id,
        &mut event.issued_access_key_id,
        &mut event.source_object,
    ];
    let lists = [&mut event.instance_ids, &mut event.volume_ids, &mut event.snapshot_ids];
    for text in texts.into_iter().flatten().chain(lists.into_iter().flatten()) {
        *text = text.replace(WORLD, to);
    }
}

/// Makes the events of a world, unique in their row ids.
pub fn world(n_events: Range<usize>) -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![10 => kms_event(), 8 => ec2_event(), 2 => sts_event(), 2 => other_event()];
    vec(event, n_events).prop_map(|mut events| {
        for (index, event) in (0..).zip(&mut events) {
            event.source_object = Some(format!("object{WORLD}-{}", index % 3));
            event.source_index = Some(index);
        }
        let mut seen = BTreeSet::new();
        events.retain(|event| seen.insert(event.rid()));
        events
    })
}

/// Makes what asks about so many worlds, the same in every run.
pub fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]))
}

/// Brings `events` into an order that follows from `seed`.
pub fn shuffle(events: &mut [Event], seed: u64) {
    let mut state = seed;
    events.sort_by_cached_key(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    });
}

/// Makes the columns that events of every source have.
fn logged() -> impl Strategy<Value = Event> {
    let ids = (weighted(0.95, 0..400_u32), weighted(0.25, 0..6_u8), weighted(0.15, 0..5_u8));
    let home = (weighted(0.9, one_of(&ACCOUNTS)), weighted(0.5, one_of(&ACCOUNTS)), weighted(0.95, one_of(&REGIONS)));
    let version = weighted(0.9, one_of(&["1.0", "1.02", "1.11"]));
    let category = weighted(0.2, one_of(&["Management", "NetworkActivity"]));
    (time(), (version, category), ids, home).prop_map(
        |(event_time, (event_version, event_category), (event_id, request, shared), (recipient, principal, region))| {
            Event {
                event_id: event_id.map(|id| id_of("event", id)),
                event_time,
                event_version,
                event_category,
                aws_region: region,
                recipient_account_id: recipient,
                principal_account_id: principal,
                request_id: request.map(|id| id_of("request", id.into())),
                shared_event_id: shared.map(|id| id_of("shared", id.into())),
                ..Event::default()
            }
        },
    )
}

/// Makes an identifier as CloudTrail makes them, a UUID, or in one of three cases another text.
fn id_of(what: &str, id: u32) -> String {
    if id.is_multiple_of(3) {
        format!("{what}{WORLD}-{id:03x}")
    } else {
        format!("{:08x}-0000-4000-8000{WORLD}{id:06x}", what.len())
    }
}

/// Makes whole seconds, near each other or around the borders of the windows, and rarely something finer.
fn time() -> impl Strategy<Value = i64> {
    let seconds = prop_oneof![
        3 => 0..12_i64,
        2 => 0..60_i64,
        2 => select(vec![0_i64, 10, 11, 599, 600, 601, 610, 611, 1200, 1210]),
        3 => 0..2400_i64,
    ];
    let fraction = prop_oneof![9 => Just(0_i64), 1 => 0..1000_i64];
    (seconds, fraction).prop_map(|(seconds, fraction)| START_MS + seconds * 1000 + fraction)
}

fn other_event() -> impl Strategy<Value = Event> {
    let source = select(vec!["s3.amazonaws.com", "ebs.amazonaws.com", "kms.example.com", "ec2.amazonaws.com.au"]);
    (logged(), source, volumes()).prop_map(|(event, source, volume_ids)| Event {
        event_source: some(source),
        event_name: some("RunInstances"),
        instance_ids: vec![INSTANCES[0].to_owned()],
        volume_ids,
        ..event
    })
}

/// Makes an event that issues an access key, if it succeeds. There are so few keys that they are issued twice, and by
/// each other.
fn sts_event() -> impl Strategy<Value = Event> {
    let error = weighted(0.1, one_of(&["AccessDenied"]));
    let issued = weighted(0.95, 0..5_u8);
    (logged(), source("sts"), actor(), error, issued).prop_map(|(event, event_source, actor, error_code, issued)| {
        let issued_access_key_id = issued.map(|id| format!("key{WORLD}-{id}"));
        let event = Event { event_source, event_name: some("AssumeRole"), error_code, issued_access_key_id, ..event };
        actor.of(event)
    })
}

/// The caller of EC2 or STS, and its access key.
#[derive(Debug, Clone)]
struct Actor {
    kind: Option<String>,
    detail: u8,
    access_key: Option<u8>,
    source_identity: Option<String>,
}

fn actor() -> impl Strategy<Value = Actor> {
    let kind = weighted(0.9, one_of(&["IAMUser", "AssumedRole", "AssumedRole", "AWSAccount", "AWSService"]));
    let source_identity = weighted(0.2, one_of(&["ana", ""]));
    (kind, any::<u8>(), weighted(0.8, 0..5_u8), source_identity)
        .prop_map(|(kind, detail, access_key, source_identity)| Actor { kind, detail, access_key, source_identity })
}

impl Actor {
    fn of(self, event: Event) -> Event {
        let Self { kind, detail, access_key, source_identity } = self;
        let path = match detail % 5 {
            0 => format!("aws-service-role/{detail}.amazonaws.com/"),
            1 => format!("x:role/aws-service-role/{detail}.amazonaws.com/"),
            _ => String::new(),
        };
        let role = format!("arn:aws:iam::111122223333:role/{path}role-{detail}");
        let is_service = kind.as_deref() == Some("AWSService");
        Event {
            session_issuer_arn: (kind.as_deref() == Some("AssumedRole")).then_some(role),
            invoked_by: (is_service && detail % 7 != 0).then(|| format!("{detail}.amazonaws.com")),
            principal_arn: (detail % 6 != 0).then(|| format!("arn:{detail}")),
            principal_id: (detail % 4 != 0).then(|| format!("id:{detail}")),
            user_identity_type: kind,
            access_key_id: access_key.map(|id| format!("key{WORLD}-{id}")),
            source_identity,
            ..event
        }
    }
}

fn ec2_event() -> impl Strategy<Value = Event> {
    let instances = subsequence(INSTANCES.to_vec(), 0..=2).prop_shuffle();
    let error = weighted(0.1, one_of(&["Client.DryRunOperation", "Server.InternalError"]));
    let named = (instances, volumes(), snapshots());
    let details = (weighted(0.5, any::<bool>()), weighted(0.3, one_of(&KEYS)), any::<u8>());
    (logged(), source("ec2"), ec2_name(), error, actor(), named, details).prop_map(
        |(event, event_source, name, error_code, actor, named, (encrypted, key_arn, detail))| {
            let event = Event { event_source, event_name: some(name), error_code, encrypted, key_arn, ..event };
            with_ec2_resources(actor.of(event), name, named, detail)
        },
    )
}

fn ec2_name() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => Just("RunInstances"),
        3 => Just("AttachVolume"),
        3 => Just("CreateVolume"),
        2 => Just("StartInstances"),
        2 => Just("DetachVolume"),
        4 => select(vec![
            "CreateReplaceRootVolumeTask",
            "CreateSnapshot",
            "CreateSnapshots",
            "CopySnapshot",
            "ImportSnapshot",
            "StopInstances",
            "ModifySnapshotAttribute",
        ]),
    ]
}

type Named = (Vec<&'static str>, Vec<String>, Vec<String>);

/// Returns what an event of this name can name.
fn with_ec2_resources(event: Event, name: &str, (instances, volume_ids, snapshot_ids): Named, detail: u8) -> Event {
    let mut instance_ids: Vec<String> = instances.into_iter().map(str::to_owned).collect();
    match name {
        "RunInstances" => Event {
            instance_ids,
            snapshot_ids,
            image_ids: vec![format!("ami-{detail}")],
            instance_type: some("m7.large"),
            reservation_id: Some(format!("r-{detail}")),
            client_token: (detail > 100).then(|| format!("token-{detail}")),
            source_ip_address: some("192.0.2.1"),
            ..event
        },
        "AttachVolume" | "DetachVolume" => {
            instance_ids.truncate(1);
            Event { instance_ids, volume_ids, ..event }
        }
        "StartInstances" | "StopInstances" | "CreateReplaceRootVolumeTask" => Event { instance_ids, ..event },
        _ => Event { volume_ids, snapshot_ids, ..event },
    }
}

fn kms_event() -> impl Strategy<Value = Event> {
    let error = weighted(0.15, one_of(&["AccessDenied"]));
    let instance = weighted(0.3, one_of(&INSTANCES));
    let named = (instance, volumes(), snapshots(), context());
    let grant = (any::<prop::sample::Index>(), 0..4_u8);
    let key = weighted(0.8, one_of(&KEYS));
    (logged(), source("kms"), kms_name(), error, identity(), named, grant, key).prop_map(
        |(event, event_source, name, error_code, identity, named, (chance, grant), key_arn)| {
            let (instance, volume_ids, snapshot_ids, encryption_context) = named;
            let grants_in_100 = match name {
                "CreateGrant" | "RetireGrant" | "RevokeGrant" => 85,
                "Decrypt" => 5,
                _ => 0,
            };
            let grant_id = (chance.index(100) < grants_in_100).then(|| format!("grant{WORLD}-{grant}"));
            let source_key_arn =
                (name == "ReEncrypt" && chance.index(10) > 0).then(|| KEYS[chance.index(KEYS.len())].to_owned());
            let event = Event { event_source, event_name: some(name), error_code, grant_id, ..event };
            let event = identity.of(Event { key_arn, source_key_arn, ..event });
            let instance_ids = instance.into_iter().collect();
            let event = Event { instance_ids, volume_ids, snapshot_ids, encryption_context, ..event };
            if name == "CreateGrant" { with_constraints(event, chance.index(GRANTEES.len())) } else { event }
        },
    )
}

/// Services, and roles of services in an account: of some that launch instances, of another, of none.
const GRANTEES: [&str; 8] = [
    "ec2.eu-west-1.amazonaws.com",
    "ec2.eu-west-1.amazonaws.com",
    "arn:aws:iam::111122223333:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
    "arn:aws-cn:iam::111122223333:role/aws-service-role/spot.amazonaws.com.cn/AWSServiceRoleForEC2Spot",
    "arn:aws:iam::111122223333:role/aws-service-role/ec2fleet.amazonaws.com",
    "arn:aws:iam::111122223333:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS",
    "arn:aws:iam::111122223333:role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
    "arn:aws:iam::111122223333:role/x:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
];

/// Removes the constraints of a grant to a role, as a real one has none.
fn with_constraints(event: Event, grantee: usize) -> Event {
    let grantee = GRANTEES[grantee];
    let event = if grantee.starts_with("arn:") {
        Event {
            instance_ids: Vec::new(),
            volume_ids: Vec::new(),
            snapshot_ids: Vec::new(),
            encryption_context: BTreeMap::new(),
            ..event
        }
    } else {
        event
    };
    Event {
        grantee_principal: some(grantee),
        retiring_principal: some("ec2.eu-west-1.amazonaws.com"),
        operations: vec!["Decrypt".to_owned(), "RetireGrant".to_owned()],
        ..event
    }
}

fn kms_name() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => Just("Decrypt"),
        4 => Just("CreateGrant"),
        2 => Just("GenerateDataKeyWithoutPlaintext"),
        2 => Just("RetireGrant"),
        3 => select(vec!["GenerateDataKey", "RevokeGrant", "ReEncrypt", "DescribeKey"]),
    ]
}

fn context() -> impl Strategy<Value = BTreeMap<String, String>> {
    let key = prop_oneof![
        6 => Just(vec!["aws:ebs:id"]),
        6 => Just(vec![]),
        1 => select(vec![
            vec!["aws:ebs:id", "aws:rds:db-id"],
            vec!["aws:ebs:id", "aws:s3:arn"],
            vec!["aws:ebs:id", "aws:ebs:kind"],
            vec!["aws:ecs:clusterName"],
            vec!["aws:s3:arn"],
            vec!["aws:workspaces:sid-directoryid"],
        ]),
    ];
    key.prop_map(|keys| keys.into_iter().map(|key| (key.to_owned(), "value".to_owned())).collect())
}

/// The caller of KMS, in the columns that tell.
#[derive(Debug, Clone, Copy)]
enum Identity {
    User,
    Forwarded,
    Infrastructure,
    InfrastructureByIssuer,
    Service(&'static str),
    ServiceForPrincipal(&'static str),
    InstanceRole,
    InstanceRoleForwarded,
    Owner,
    UserAgent(&'static str),
    Address(&'static str),
    OwnerFrom(&'static str),
    Named(&'static str),
    Unknown,
}

const ADDRESSES: [&str; 7] = [
    "192.0.2.7",
    "AWS Internal",
    "ebs.amazonaws.com",
    "ec2-frontend-api.amazonaws.com",
    "ec2-frontend-api.amazonaws.com.cn",
    "ec2.eu-west-1.amazonaws.com.cn",
    "rds.amazonaws.com",
];

/// Names of EC2's own role, and some that hold its name elsewhere.
const NAMES: [&str; 6] = [
    "arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/i-0000000a",
    "arn:aws:iam::111122223333:role/aws:ec2-infrastructure",
    "arn:aws:iam::111122223333:role/x:role/aws:ec2-infrastructure",
    "arn:aws:iam::111122223333:user/assumed-role/aws:ec2-infrastructure/i-0000000a",
    "111122223333:aws:ec2-infrastructure:i-0000000a",
    "111122223333:x:aws:ec2-infrastructure:i-0000000a",
];

fn identity() -> impl Strategy<Value = Identity> {
    prop_oneof![
        4 => Just(Identity::Forwarded),
        4 => Just(Identity::Infrastructure),
        4 => select(vec!["ebs.amazonaws.com", "AWS Internal", "ec2.amazonaws.com.cn"]).prop_map(Identity::Service),
        4 => select(vec![
            Identity::User,
            Identity::InfrastructureByIssuer,
            Identity::InstanceRole,
            Identity::InstanceRoleForwarded,
            Identity::Owner,
            Identity::Unknown,
        ]),
        2 => select(vec!["fargate.amazonaws.com", "rds.amazonaws.com"]).prop_map(Identity::Service),
        3 => select(vec![
            "autoscaling.amazonaws.com",
            "ebs.amazonaws.com",
            "ec2.eu-west-1.amazonaws.com",
            "prod.kms-caller.ebs.eu-west-1.amazonaws.com",
            "dlm.amazonaws.com",
        ])
        .prop_map(Identity::ServiceForPrincipal),
        3 => Just(Identity::ServiceForPrincipal("backup.amazonaws.com")),
        2 => select(vec!["AWS Internal", "&AWS; Internal", "ec2-frontend-api.amazonaws.com.cn", "aws-cli"])
            .prop_map(Identity::UserAgent),
        2 => select(ADDRESSES.to_vec()).prop_map(Identity::Address),
        2 => select(ADDRESSES.to_vec()).prop_map(Identity::OwnerFrom),
        2 => select(NAMES.to_vec()).prop_map(Identity::Named),
    ]
}

impl Identity {
    fn of(self, event: Event) -> Event {
        let typed = |name: &str| Event { user_identity_type: some(name), ..event.clone() };
        let role = "arn:aws:sts::111122223333:assumed-role/builder/session";
        let infrastructure = "111122223333:aws:ec2-infrastructure:i-0000000a";
        match self {
            Self::User => typed("IAMUser"),
            Self::Forwarded => Event {
                principal_arn: some(role),
                invoked_by: some("ec2-frontend-api.amazonaws.com"),
                ..typed("AssumedRole")
            },
            Self::Infrastructure => {
                Event { principal_id: some(infrastructure), session_name: some("i-0000000a"), ..typed("AssumedRole") }
            }
            Self::InfrastructureByIssuer => Event {
                session_issuer_arn: some("arn:aws:iam::111122223333:role/aws:ec2-infrastructure"),
                session_name: some("i-0000000b"),
                invoked_by: some("AWS Internal"),
                ..typed("AssumedRole")
            },
            Self::Service(name) => Event { invoked_by: some(name), ..typed("AWSService") },
            Self::ServiceForPrincipal(name) => Event { invoked_by: some(name), ..typed("AssumedRole") },
            Self::InstanceRole => Event { session_name: some("I-0000000B"), ..typed("AssumedRole") },
            Self::InstanceRoleForwarded => Event {
                session_name: some("i-0000000a"),
                invoked_by: some("ec2-frontend-api.amazonaws.com"),
                ..typed("AssumedRole")
            },
            Self::Owner => typed("AWSAccount"),
            Self::UserAgent(agent) => Event { user_agent: some(agent), ..typed("IAMUser") },
            Self::Address(address) => Event { source_ip_address: some(address), ..typed("IAMUser") },
            Self::OwnerFrom(address) => Event { source_ip_address: some(address), ..typed("AWSAccount") },
            Self::Named(name) => Event {
                principal_id: some(name),
                principal_arn: some(name),
                session_issuer_arn: some(name),
                session_name: some("i-0000000a"),
                ..typed("AssumedRole")
            },
            Self::Unknown => event,
        }
    }
}

fn source(service: &str) -> impl Strategy<Value = Option<String>> + use<> {
    let (usual, china) = (format!("{service}.amazonaws.com"), format!("{service}.amazonaws.com.cn"));
    prop_oneof![9 => Just(Some(usual)), 1 => Just(Some(china))]
}

fn volumes() -> impl Strategy<Value = Vec<String>> {
    few(&VOLUMES)
}

fn snapshots() -> impl Strategy<Value = Vec<String>> {
    few(&SNAPSHOTS)
}

/// Gives mostly one, often none, rarely two.
fn few(pool: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let number = prop_oneof![6 => Just(1_usize), 4 => Just(0), 1 => Just(2)];
    let ids = number.prop_flat_map(move |number| subsequence(pool, number).prop_shuffle());
    ids.prop_map(|ids| ids.into_iter().map(str::to_owned).collect())
}

fn one_of(pool: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(pool).prop_map(str::to_owned)
}

#[expect(clippy::unnecessary_wraps, reason = "the columns are options")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}
