//! Puts records into gzipped objects as `CloudTrail` delivers them: late, twice, and in no order.

use std::fs;
use std::path::Path;

use ring::digest::{SHA256, digest};

use crate::Error;
use crate::clock::{DAY_SECS, bucket, day_folders, day_of};
use crate::dice::Dice;
use crate::digests::Logged;
use crate::gzip::Compressor;
use crate::noise::{self, Slot};
use crate::options::CorpusOptions;
use crate::scene::Placed;
use crate::world::World;

/// Share of objects that are closed after one record.
const LONE: f64 = 0.02;

/// All records of a corpus.
pub(crate) struct Records<'r> {
    pub(crate) world: &'r World,
    pub(crate) placed: &'r [Placed],
    pub(crate) noise: &'r [Slot],
}

/// The objects that were written, in numbers.
#[derive(Default)]
pub(crate) struct Delivered {
    pub(crate) objects: usize,
    pub(crate) bytes: u64,
    pub(crate) records: usize,
    /// The log files that digests list; empty where there are none.
    pub(crate) logged: Vec<Logged>,
}

/// One record on its way: when it arrives, and its place among all records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    arrives: i64,
    index: usize,
}

/// Writes every record at least once.
pub(crate) fn deliver(records: &Records<'_>, options: &CorpusOptions, root: &Path) -> Result<Delivered, Error> {
    let mut scopes: Vec<Vec<usize>> = vec![Vec::new(); records.world.scopes()];
    for index in 0..records.len() {
        scopes[records.scope(index)].push(index);
    }
    let mut delivered = Delivered::default();
    let mut compressor = Compressor::new();
    for (scope, members) in scopes.iter().enumerate() {
        let stream = u64::try_from(scope).expect("a corpus has fewer trails than 64 bits count");
        let mut dice = Dice::new(options.seed ^ 0x5eed, stream);
        let folder = trail_folder(records.world, scope);
        let mut trail = Trail { records, options, root, folder, scope, delivered, compressor };
        trail.deliver(&mut dice, members)?;
        (delivered, compressor) = (trail.delivered, trail.compressor);
    }
    Ok(delivered)
}

impl Records<'_> {
    fn len(&self) -> usize {
        self.placed.len() + self.noise.len()
    }

    fn scope(&self, index: usize) -> usize {
        self.placed.get(index).map_or_else(|| self.noise[index - self.placed.len()].scope, |placed| placed.scope)
    }

    fn at(&self, index: usize) -> i64 {
        self.placed.get(index).map_or_else(|| self.noise[index - self.placed.len()].at, |placed| placed.at)
    }

    fn append(&self, index: usize, body: &mut Vec<u8>) {
        match self.placed.get(index) {
            Some(placed) => body.extend_from_slice(&placed.json),
            None => body.extend_from_slice(&noise::render(self.world, &self.noise[index - self.placed.len()])),
        }
    }
}

/// The trail of one account in one region.
struct Trail<'t> {
    records: &'t Records<'t>,
    options: &'t CorpusOptions,
    root: &'t Path,
    /// Below the root.
    folder: String,
    scope: usize,
    delivered: Delivered,
    compressor: Compressor,
}

impl Trail<'_> {
    fn deliver(&mut self, dice: &mut Dice, members: &[usize]) -> Result<(), Error> {
        let mut items = Vec::with_capacity(members.len());
        let mut again = Vec::new();
        for &index in members {
            let at = self.records.at(index);
            let arrives = if dice.chance(self.options.late) {
                day_of(at) + DAY_SECS * dice.between(1, 2) + dice.between(0, 18_000)
            } else {
                at + dice.between(60, 600)
            };
            items.push(Item { arrives, index });
            // Half of the doubles come one by one, half with a whole object.
            if dice.chance(self.options.doubled / 2.0) {
                again.push(Item { arrives: arrives + dice.between(300, 7_200), index });
            }
        }
        self.objects(dice, items, self.options.doubled / 2.0)?;
        self.objects(dice, again, 0.0)
    }

    /// Cuts a stream of arrivals into objects; `repeated` of them are written twice.
    fn objects(&mut self, dice: &mut Dice, mut items: Vec<Item>, repeated: f64) -> Result<(), Error> {
        items.sort_unstable();
        let mut rest = items.as_mut_slice();
        while let Some(first) = rest.first() {
            let most = if dice.chance(LONE) { 1 } else { self.options.records_per_object };
            let same_day = rest.partition_point(|item| day_of(item.arrives) == day_of(first.arrives));
            let (object, later) = rest.split_at_mut(most.min(same_day));
            let written = object.last().expect("an object has a first record").arrives;
            dice.shuffle(object);
            let body = self.body(object);
            let gz = self.compressor.gzip(&body);
            let sha256 = self.options.digests.then(|| sha256(&body));
            self.write(dice, (&gz, sha256), written, object.len())?;
            if dice.chance(repeated) {
                self.write(dice, (&gz, sha256), written + 600, object.len())?;
            }
            rest = later;
        }
        Ok(())
    }

    fn body(&self, object: &[Item]) -> Vec<u8> {
        let mut body = b"{\"Records\":[".to_vec();
        for (position, item) in object.iter().enumerate() {
            if position > 0 {
                body.push(b',');
            }
            self.records.append(item.index, &mut body);
        }
        body.extend_from_slice(b"]}");
        body
    }

    fn write(
        &mut self,
        dice: &mut Dice,
        (gz, sha256): (&[u8], Option<[u8; 32]>),
        at: i64,
        n_records: usize,
    ) -> Result<(), Error> {
        let (account, region) = self.records.world.of_scope(self.scope);
        let region = self.records.world.regions[region];
        let (below, id) = (format!("{}/{}", self.folder, day_folders(at)), &account.id);
        let name = format!("{id}_CloudTrail_{region}_{}_{}.json.gz", bucket(at), dice.alphanumeric(16));
        let folder = self.root.join(&below);
        let path = folder.join(&name);
        let logged = |sha256| Logged { scope: self.scope, at, key: format!("{below}/{name}"), sha256 };
        self.delivered.logged.extend(sha256.map(logged));
        fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder, source })?;
        fs::write(&path, gz).map_err(|source| Error::Write { path, source })?;
        self.delivered.objects += 1;
        self.delivered.bytes += u64::try_from(gz.len()).expect("an object's length fits 64 bits");
        self.delivered.records += n_records;
        Ok(())
    }
}

fn sha256(body: &[u8]) -> [u8; 32] {
    digest(&SHA256, body).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Returns the folder of a trail below the root.
fn trail_folder(world: &World, scope: usize) -> String {
    let (account, region) = world.of_scope(scope);
    let organization = if account.in_organization { format!("{}/", world.organization) } else { String::new() };
    format!("AWSLogs/{organization}{}/CloudTrail/{}", account.id, world.regions[region])
}
