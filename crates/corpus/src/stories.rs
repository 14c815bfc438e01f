//! The stories of which a corpus is made: which flows follow each other, and when.

use crate::dice::Dice;
use crate::flows::launch::{Lives, Plan};
use crate::flows::volume::Snapshot;
use crate::flows::{
    Attached, Instance, Volume, attach, calls, decoy, external, launch, legacy, lifecycle, role, session, snapshot,
    volume,
};
use crate::options::Generations;
use crate::record::Version;
use crate::scene::{Scene, Stage};
use crate::world::Key;

type Story = fn(&mut Scene<'_, '_>, Clock);

/// How often a story is told beside the others, and in which years' shape.
const STORIES: [(Story, usize, Generations); 18] = [
    (life, 24, Generations::Modern),
    (crowd, 8, Generations::Modern),
    (scaled, 14, Generations::Modern),
    (volume_moves, 8, Generations::Modern),
    (volumes, 6, Generations::Modern),
    (snapshots, 5, Generations::Modern),
    (disabled_key, 3, Generations::Modern),
    (direct_apis, 5, Generations::Modern),
    (services, 4, Generations::Modern),
    (software, 6, Generations::Modern),
    (denials, 4, Generations::Modern),
    (decoys, 8, Generations::Modern),
    (older_instance, 5, Generations::Modern),
    (foreign_key, 4, Generations::Modern),
    (shared_snapshot, 3, Generations::Modern),
    (controller, 5, Generations::Modern),
    (legacy_life, 10, Generations::Legacy),
    (legacy_volume, 5, Generations::Legacy),
];

/// Tells every story once in full, then stories by weight until they have made `n_records`.
pub(crate) fn tell(stage: &mut Stage<'_>, n_records: usize) {
    let wanted = stage.world.generations;
    let told: Vec<_> =
        STORIES.into_iter().filter(|(_, _, shape)| wanted == Generations::Both || wanted == *shape).collect();
    let weights: Vec<_> = told.iter().enumerate().map(|(index, &(_, weight, _))| (index, weight)).collect();
    let mut dice = Dice::new(stage.world.seed, 1);
    let mut n_told = 0;
    while n_told < told.len() || stage.records.len() < n_records {
        let full = n_told < told.len();
        let (story, _, shape) = told[if full { n_told } else { dice.weighted(&weights) }];
        let stream = 1_000 + u64::try_from(n_told).expect("a corpus has fewer stories than 64 bits count");
        let (mut scene, clock) = open(stage, stream, full, shape);
        story(&mut scene, clock);
        n_told += 1;
    }
}

fn open<'s, 'w>(stage: &'s mut Stage<'w>, stream: u64, full: bool, shape: Generations) -> (Scene<'s, 'w>, Clock) {
    let world = stage.world;
    let mut dice = Dice::new(world.seed, stream);
    let account = dice.below(world.accounts.len());
    let region = dice.below(world.regions.len());
    let caller = dice.pick(&world.accounts[account].people).clone();
    let modern = [(Version::LATEST, 7), (Version(10), 1), (Version(9), 1), (Version(8), 1)];
    let version = if shape == Generations::Legacy { Version::LEGACY } else { dice.weighted(&modern) };
    let span = world.end - world.start;
    let first = if full { dice.between(600, span / 8) } else { dice.between(60, span - 1_200) };
    let clock = Clock { at: world.start + first, longest: if full { span / 20 } else { 36_000 }, full };
    let mut scene = Scene { stage, world, dice, account, region, caller, version };
    session::begin(&mut scene, clock.at);
    (scene, clock)
}

/// The time of a story.
#[derive(Clone, Copy)]
struct Clock {
    at: i64,
    longest: i64,
    /// True if everything that may happen does.
    full: bool,
}

impl Clock {
    /// Returns a later time, or none when the window ends before a flow could.
    fn later(&mut self, scene: &mut Scene<'_, '_>) -> Option<i64> {
        self.at += scene.dice.between(900, self.longest.max(901));
        scene.lasts_after(self.at).then_some(self.at)
    }

    /// Does the same, but only in `percent` of the cases.
    fn perhaps(&mut self, scene: &mut Scene<'_, '_>, percent: usize) -> Option<i64> {
        let happens = scene.dice.below(100) < percent || self.full;
        if happens { self.later(scene) } else { None }
    }
}

fn some_key(scene: &mut Scene<'_, '_>) -> Key {
    let keys = &scene.world.accounts[scene.account].keys[scene.region];
    if scene.dice.chance(0.3) { keys.ebs.clone() } else { scene.dice.pick(&keys.own).clone() }
}

fn own_key(scene: &Scene<'_, '_>, index: usize) -> Key {
    scene.world.accounts[scene.account].keys[scene.region].own[index].clone()
}

fn launch_one(scene: &mut Scene<'_, '_>, at: i64, volumes: usize) -> Instance {
    let key = some_key(scene);
    let plan = Plan { flow: "B", instances: 1, volumes, key: &key, lives: Lives::On };
    launch::launch(scene, at, &plan).pop().expect("one was launched")
}

/// Stops and starts an instance; gives whether there was time for both.
fn rest(scene: &mut Scene<'_, '_>, clock: &mut Clock, instance: &mut Instance) -> bool {
    let Some(at) = clock.later(scene) else { return false };
    lifecycle::stop(scene, at, instance);
    let Some(at) = clock.later(scene) else { return false };
    lifecycle::start(scene, at, instance);
    true
}

fn life(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let n_volumes = if clock.full { 2 } else { 1 + scene.dice.below(3) };
    let mut instance = launch_one(scene, clock.at, n_volumes);
    let cycles = if clock.full { 2 } else { scene.dice.below(4) };
    for _ in 0..cycles {
        if !rest(scene, &mut clock, &mut instance) {
            return;
        }
        scene.stage.first_instance.get_or_insert_with(|| instance.id.clone());
        if let Some(at) = clock.perhaps(scene, 15) {
            lifecycle::reboot(scene, at, &instance);
            lifecycle::start_refused(scene, at + 30, &instance);
        }
        if let Some(at) = clock.perhaps(scene, 10) {
            lifecycle::maintain(scene, at, &instance);
        }
    }
    if let Some(at) = clock.perhaps(scene, 10)
        && let Some(grant) = instance.volumes[0].grant.take()
    {
        calls::revoke(scene, at, &grant);
    }
    if let Some(at) = clock.perhaps(scene, 60) {
        lifecycle::terminate(scene, at, instance);
    }
}

fn crowd(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let key = some_key(scene);
    let lives = if scene.dice.chance(0.3) && !clock.full { Lives::Shortly } else { Lives::On };
    let (instances, n_volumes) = (2 + scene.dice.below(3), 1 + scene.dice.below(2));
    let plan = Plan { flow: "B", instances, volumes: n_volumes, key: &key, lives };
    let crowd = launch::launch(scene, clock.at, &plan);
    let end = if lives == Lives::Shortly { Some(clock.at + 60) } else { clock.perhaps(scene, 70) };
    for instance in end.map_or_else(Vec::new, |_| crowd) {
        let at = end.unwrap_or(clock.at);
        lifecycle::terminate(scene, at, instance);
    }
}

fn scaled(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    scene.caller = scene.account().scaling.clone();
    let key = some_key(scene);
    let lives = if clock.full { Lives::Shortly } else { Lives::On };
    let instances = 1 + scene.dice.below(3);
    let plan = Plan { flow: "M", instances, volumes: 1, key: &key, lives };
    for instance in launch::launch(scene, clock.at, &plan) {
        if clock.full {
            lifecycle::terminate(scene, clock.at + 62, instance);
        } else if let Some(at) = clock.perhaps(scene, 70) {
            lifecycle::terminate(scene, at, instance);
        }
    }
}

fn volume_moves(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let mut first = launch_one(scene, clock.at, 1);
    let mut second = launch_one(scene, clock.at + 300, 1);
    let key = own_key(scene, 0);
    let Some(at) = clock.later(scene) else { return };
    let moving =
        if scene.dice.chance(0.5) { volume::blank(scene, at, &key) } else { volume::from_plain(scene, at, &key) };
    let Some(at) = clock.later(scene) else { return };
    attach::attach_refused(scene, at, &moving, &first);
    attach::attach(scene, at + 120, moving, &mut first);
    if scene.dice.chance(0.5) && !rest(scene, &mut clock, &mut first) {
        return;
    }
    let Some(at) = clock.later(scene) else { return };
    let moving = attach::detach(scene, at, &mut first);
    decoy::dry_attach(scene, at + 4, &moving.id, &second.id);
    attach::attach(scene, at + 7, moving, &mut second);
    if !rest(scene, &mut clock, &mut second) {
        return;
    }
    let Some(at) = clock.later(scene) else { return };
    let moving = attach::detach(scene, at, &mut second);
    volume::delete(scene, at + 60, &moving);
    lifecycle::terminate(scene, at + 120, first);
}

fn volumes(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let key = some_key(scene);
    volume::blank(scene, clock.at, &key);
    let Some(at) = clock.perhaps(scene, 60) else { return };
    volume::from_plain(scene, at, &key);
    let Some(at) = clock.perhaps(scene, 30) else { return };
    let mut instance = launch_one(scene, at, 1);
    let Some(at) = clock.later(scene) else { return };
    let data = volume::from_plain(scene, at, &key);
    attach::attach(scene, at + 20, data, &mut instance);
}

fn snapshots(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let (key, other) = (own_key(scene, 0), own_key(scene, 1));
    let source = volume::blank(scene, clock.at, &key);
    let Some(at) = clock.later(scene) else { return };
    let taken = snapshot::take(scene, at, &source);
    let Some(at) = clock.later(scene) else { return };
    let copied = snapshot::copy(scene, at, &taken, &other, scene.region);
    let Some(at) = clock.later(scene) else { return };
    volume::from_encrypted(scene, at, &copied);
    let Some(at) = clock.later(scene) else { return };
    volume::re_keyed(scene, at, &taken, &other);
    if let Some(at) = clock.perhaps(scene, 40) {
        snapshot::share(scene, at, &taken, "210987654321");
        external::read_snapshot_of(scene, at + 400, &taken.id, (&source.id, &key));
    }
    if let Some(at) = clock.perhaps(scene, 30) {
        snapshot::copy_image(scene, at, &copied, &key);
    }
    if let Some(at) = clock.perhaps(scene, 30) {
        copy_to_next_region(scene, at, &taken);
    }
    if let Some(at) = clock.perhaps(scene, 30) {
        let instance = launch_one(scene, at, 2);
        snapshot::take_all(scene, at + 300, &instance);
    }
}

fn copy_to_next_region(scene: &mut Scene<'_, '_>, at: i64, taken: &Snapshot) {
    let from = scene.region;
    scene.region = (from + 1) % scene.world.regions.len();
    let key = own_key(scene, 2);
    snapshot::copy(scene, at, taken, &key, from);
    scene.region = from;
}

fn disabled_key(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let keys = &scene.account().keys[scene.region];
    let (disabled, pending_deletion) = (keys.disabled.clone(), keys.pending_deletion.clone());
    lifecycle::change_key(scene, clock.at, "DisableKey", &disabled);
    volume::with_refusing_key(scene, clock.at + 300, &disabled, volume::DISABLED);
    // A key is scheduled for deletion once.
    if !clock.full {
        return;
    }
    if let Some(at) = clock.later(scene) {
        lifecycle::change_key(scene, at, "ScheduleKeyDeletion", &pending_deletion);
        volume::with_refusing_key(scene, at + 300, &pending_deletion, volume::PENDING_DELETION);
    }
}

fn direct_apis(scene: &mut Scene<'_, '_>, clock: Clock) {
    let key = own_key(scene, 0);
    external::direct(scene, clock.at, &key);
}

fn services(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let key = own_key(scene, 1);
    external::database(scene, clock.at, &key);
    if let Some(at) = clock.perhaps(scene, 60)
        && scene.lasts_after(at + 2_400)
    {
        external::fargate(scene, at, &key);
    }
}

fn software(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let key = own_key(scene, 0);
    let host = if scene.dice.chance(0.5) || clock.full {
        decoy::plain_launch(scene, clock.at, &key)
    } else {
        launch_one(scene, clock.at, 1).id
    };
    let account = scene.account_id();
    scene.caller = role::caller(&mut scene.dice, &account, "billing-app", &host);
    for _ in 0..2 {
        let Some(at) = clock.later(scene) else { return };
        role::use_keys(scene, at, &key);
    }
}

fn denials(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let key = own_key(scene, 1);
    decoy::launch_denied(scene, clock.at, &key);
    let Some(at) = clock.later(scene) else { return };
    volume::denied(scene, at, &key);
    decoy::denied_alone(scene, at + 500);
    let Some(at) = clock.perhaps(scene, 40) else { return };
    let mut instance = launch_one(scene, at, 1);
    let Some(at) = clock.later(scene) else { return };
    lifecycle::stop(scene, at, &mut instance);
    let Some(at) = clock.later(scene) else { return };
    lifecycle::start_denied(scene, at, &instance);
}

fn decoys(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let key = some_key(scene);
    decoy::launch_refused(scene, clock.at);
    if let Some(at) = clock.later(scene) {
        decoy::plain_launch(scene, at, &key);
    }
}

/// Returns an instance that was launched before the corpus begins.
fn older_instance(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let (id, key) = (scene.id("i"), some_key(scene));
    let volume = Volume { id: scene.id("vol"), key };
    let attached = Attached { volume, device: launch::device(0), grant: None };
    let mut instance = Instance { volumes: vec![attached], started_here: false, ..Instance::launched(id) };
    lifecycle::maintain(scene, clock.at, &instance);
    let Some(at) = clock.perhaps(scene, 50) else { return };
    lifecycle::start(scene, at, &mut instance);
    let Some(at) = clock.later(scene) else { return };
    lifecycle::terminate(scene, at, instance);
}

/// Returns another account than the scene's, when there is one.
fn neighbour(scene: &Scene<'_, '_>) -> Option<usize> {
    let n_accounts = scene.world.accounts.len();
    (n_accounts > 1).then_some((scene.account + 1) % n_accounts)
}

fn foreign_key(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let Some(owner) = neighbour(scene) else { return };
    let key = scene.world.accounts[owner].keys[scene.region].own[0].clone();
    let plan = Plan { flow: "B", instances: 1, volumes: 1, key: &key, lives: Lives::On };
    let mut instance = launch::launch(scene, clock.at, &plan).pop().expect("one was launched");
    if !rest(scene, &mut clock, &mut instance) {
        return;
    }
    let Some(at) = clock.later(scene) else { return };
    let data = volume::from_plain(scene, at, &key);
    attach::attach(scene, at + 300, data, &mut instance);
}

fn shared_snapshot(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let Some(owner) = neighbour(scene) else { return };
    let (account, caller) = (scene.account, scene.caller.clone());
    scene.account = owner;
    scene.caller = scene.world.accounts[owner].people[0].clone();
    let key = own_key(scene, 0);
    let source = volume::blank(scene, clock.at, &key);
    let taken = snapshot::take(scene, clock.at + 400, &source);
    let with = scene.world.accounts[account].id.clone();
    snapshot::share(scene, clock.at + 500, &taken, &with);
    (scene.account, scene.caller) = (account, caller);
    let Some(at) = clock.later(scene) else { return };
    volume::from_encrypted(scene, at, &taken);
    snapshot::notify_owner(scene, at, &taken);
    let Some(at) = clock.later(scene) else { return };
    let other = own_key(scene, 1);
    volume::re_keyed(scene, at, &taken, &other);
    snapshot::notify_owner(scene, at, &taken);
}

/// Lets software on one instance make volumes for another.
fn controller(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let key = own_key(scene, 0);
    let host = decoy::plain_launch(scene, clock.at, &key);
    let mut worker = launch_one(scene, clock.at + 60, 1);
    let account = scene.account_id();
    scene.caller = role::caller(&mut scene.dice, &account, "storage-controller", &host);
    let Some(at) = clock.later(scene) else { return };
    let data = volume::blank(scene, at, &key);
    attach::attach(scene, at + 9, data, &mut worker);
    let Some(at) = clock.later(scene) else { return };
    let data = attach::detach(scene, at, &mut worker);
    volume::delete(scene, at + 30, &data);
}

fn legacy_life(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let key = scene.account().keys[scene.region].ebs.clone();
    let n_volumes = 1 + scene.dice.below(2);
    let mut instance = legacy::launch(scene, clock.at, &key, n_volumes);
    for _ in 0..scene.dice.below(3) {
        if !rest(scene, &mut clock, &mut instance) {
            return;
        }
    }
    if let Some(at) = clock.perhaps(scene, 60) {
        lifecycle::terminate(scene, at, instance);
    }
}

fn legacy_volume(scene: &mut Scene<'_, '_>, mut clock: Clock) {
    let key = scene.account().keys[scene.region].ebs.clone();
    let mut instance = legacy::launch(scene, clock.at, &key, 1);
    let Some(at) = clock.later(scene) else { return };
    let data = legacy::create_volume(scene, at, &key);
    let Some(at) = clock.later(scene) else { return };
    attach::attach(scene, at, data, &mut instance);
    let _ = rest(scene, &mut clock, &mut instance);
}
