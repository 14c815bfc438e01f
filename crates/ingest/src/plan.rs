//! What a run will read, in batches, written down before anything is.
//!
//! New objects are put in the order of their day, account and region, so that a lake fills from the oldest day on
//! and one partition's parts come from few batches. An (account, region, day) is cut into batches of at most
//! `batch_bytes`; small ones that follow each other share a batch, because every batch costs a part per partition
//! and a ledger file: a quiet trail of 17 regions over a year would otherwise leave 6,000 tiny files. The batches
//! depend on the set of new objects and on `batch_bytes` alone.

use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;

use crate::fingerprint::short_hex;
use crate::list::ObjectRef;
use crate::shard::Shard;

/// Neighbours share a batch up to this size.
const SHARED_BATCH_BYTES: u64 = 8 << 20;
/// Objects in a batch, which bounds what a batch keeps in memory about each of them.
const BATCH_OBJECTS: usize = 20_000;

/// The batches of a run, in the order in which they are committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) run_id: String,
    /// The share of a job that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<Shard>,
    pub(crate) batches: Vec<Batch>,
}

/// Objects whose rows are committed together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) batch_id: String,
    pub(crate) objects: Vec<ObjectRef>,
}

impl Plan {
    /// Groups objects into batches.
    pub(crate) fn new(run_id: &str, mut objects: Vec<ObjectRef>, batch_bytes: u64) -> Self {
        objects.sort_unstable_by(|a, b| (&a.place, &a.source_object).cmp(&(&b.place, &b.source_object)));
        let mut batches = Vec::new();
        let mut batch = Pending::default();
        let mut rest = objects.into_iter().peekable();
        while let Some(first) = rest.next() {
            let mut group = vec![first];
            while let Some(next) = rest.next_if(|next| next.place == group[0].place) {
                group.push(next);
            }
            let group_bytes: u64 = group.iter().map(|object| object.bytes).sum();
            if batch.bytes + group_bytes > SHARED_BATCH_BYTES.min(batch_bytes) {
                batches.extend(batch.take());
            }
            for object in group {
                if batch.is_full_for(&object, batch_bytes) {
                    batches.extend(batch.take());
                }
                batch.push(object);
            }
        }
        batches.extend(batch.take());
        Self { run_id: run_id.to_owned(), shard: None, batches }
    }

    /// The plans that no run has finished, in the order of their runs.
    pub(crate) fn unfinished(lake: &Lake) -> Result<Vec<Self>, LakeError> {
        let files = lake.files(&lake.state_dir().join("runs"))?;
        let is_there = |path: &Path| files.binary_search_by(|file| file.path.as_path().cmp(path)).is_ok();
        let plans = files.iter().map(|file| &*file.path).filter(|path| path.ends_with("plan.json"));
        plans.filter(|path| !is_there(&path.with_file_name("done.json"))).map(|path| Self::read(lake, path)).collect()
    }

    fn read(lake: &Lake, path: &Path) -> Result<Self, LakeError> {
        let text = lake.read(path)?.unwrap_or_default();
        serde_json::from_slice(&text)
            .map_err(|source| LakeError::Damaged { path: path.to_owned(), source: source.into() })
    }

    /// Writes the plan down. From here on it will be finished, by this run or by the next.
    pub(crate) fn write(&self, lake: &Lake) -> Result<(), LakeError> {
        lake.remove(&self.file(lake, "done.json"))?;
        lake.write(&self.file(lake, "plan.json"), &json(self))
    }

    /// Notes that every batch is committed.
    pub(crate) fn finish(&self, lake: &Lake, summary: &impl Serialize) -> Result<(), LakeError> {
        lake.write(&self.file(lake, "done.json"), &json(summary))
    }

    fn file(&self, lake: &Lake, name: &str) -> PathBuf {
        lake.state_dir().join("runs").join(&self.run_id).join(name)
    }

    /// How many objects it names, and their size.
    pub(crate) fn extent(&self) -> (u64, u64) {
        let objects = self.batches.iter().flat_map(|batch| &batch.objects);
        objects.fold((0, 0), |(count, bytes), object| (count + 1, bytes + object.bytes))
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(value).expect("plans and summaries are plain data");
    text.push(b'\n');
    text
}

/// The batch that is being filled.
#[derive(Default)]
struct Pending {
    objects: Vec<ObjectRef>,
    bytes: u64,
}

impl Pending {
    fn is_full_for(&self, object: &ObjectRef, batch_bytes: u64) -> bool {
        self.objects.len() >= BATCH_OBJECTS || (!self.objects.is_empty() && self.bytes + object.bytes > batch_bytes)
    }

    fn push(&mut self, object: ObjectRef) {
        self.bytes += object.bytes;
        self.objects.push(object);
    }

    fn take(&mut self) -> Option<Batch> {
        self.bytes = 0;
        let objects = std::mem::take(&mut self.objects);
        (!objects.is_empty()).then(|| Batch { batch_id: id(&objects), objects })
    }
}

/// A hash of what the batch reads, whatever the order. A further attempt at the same objects is another batch.
fn id(objects: &[ObjectRef]) -> String {
    let mut read: Vec<_> =
        objects.iter().map(|it| (&*it.source_object, &*it.version, it.attempt.to_string())).collect();
    read.sort();
    short_hex(read.iter().flat_map(|(key, version, attempt)| [key.as_bytes(), version.as_bytes(), attempt.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::civil::Date;
    use jiff::civil::date;

    use super::*;
    use crate::key::Place;

    const MIB: u64 = 1 << 20;

    fn object(name: &str, day: Date, region: &str, bytes: u64) -> ObjectRef {
        let place = Some(Arc::new(Place { day, account: "210987654321".into(), region: region.into() }));
        ObjectRef { source_object: name.into(), path: None, version: "1".into(), bytes, attempt: 0, place }
    }

    fn shape(plan: &Plan) -> Vec<Vec<&str>> {
        plan.batches.iter().map(|batch| batch.objects.iter().map(|object| &*object.source_object).collect()).collect()
    }

    #[test]
    fn large_days_are_cut_and_small_ones_share() {
        let day = |day| date(2026, 9, day);
        let objects = vec![
            object("big-3", day(2), "eu-west-1", 90 * MIB),
            object("quiet-2", day(1), "eu-west-2", 2 * MIB),
            object("quiet-1", day(1), "eu-west-1", 3 * MIB),
            object("big-1", day(2), "eu-west-1", 100 * MIB),
            object("big-2", day(2), "eu-west-1", 100 * MIB),
            object("late", day(3), "eu-west-1", 9 * MIB),
            object("giant", day(4), "eu-west-1", 999 * MIB),
        ];
        let plan = Plan::new("run", objects.clone(), 256 * MIB);
        let expected = [vec!["quiet-1", "quiet-2"], vec!["big-1", "big-2"], vec!["big-3"], vec!["late"], vec!["giant"]];
        assert_eq!(shape(&plan), expected);
        let turned = objects.into_iter().rev().collect();
        assert_eq!(Plan::new("run", turned, 256 * MIB), plan);
    }

    #[test]
    fn a_batch_holds_a_bounded_number_of_objects() {
        let objects = (0..45_000).map(|n| object(&n.to_string(), date(2026, 9, 1), "eu-west-1", 1)).collect();
        let sizes: Vec<_> = Plan::new("run", objects, 256 * MIB).batches.iter().map(|it| it.objects.len()).collect();
        assert_eq!(sizes, [20_000, 20_000, 5_000]);
    }

    #[test]
    fn another_version_or_attempt_is_another_batch() {
        let first = object("a", date(2026, 9, 1), "eu-west-1", 1);
        let again = ObjectRef { attempt: 1, ..first.clone() };
        let changed = ObjectRef { version: "2".into(), ..first.clone() };
        let ids = [first, again, changed].map(|it| id(&[it]));
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[0].len() == 16, "{ids:?}");
    }

    #[test]
    fn a_plan_is_unfinished_until_it_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_or_create(folder.path(), None).unwrap();
        let mut plan = Plan::new("run-1", vec![object("a", date(2026, 9, 1), "eu-west-1", 1)], MIB);
        plan.write(&lake).unwrap();
        plan.batches[0].objects[0].place = None;
        assert_eq!(Plan::unfinished(&lake).unwrap(), std::slice::from_ref(&plan));
        plan.finish(&lake, &"summary").unwrap();
        assert!(Plan::unfinished(&lake).unwrap().is_empty());
    }
}
