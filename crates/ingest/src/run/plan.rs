//! The objects that a run will read, in batches, written down before anything is.
//!
//! New objects are put in the order of their day, account and region, so that a lake fills from the oldest day on
//! and one partition's parts come from few batches. An (account, region, day) is cut into batches of at most
//! `batch_bytes`; small ones that follow each other share a batch, because every batch costs a part per partition
//! and a ledger file: a quiet trail of 17 regions over a year would otherwise leave 6,000 tiny files. The batches
//! depend on the set of new objects and on `batch_bytes` alone.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::BufRead;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;

use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use serde::Deserialize;
use serde::Serialize;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Listed;

use crate::fingerprint::short_hex;
use crate::source::listing::Listing;
use crate::source::listing::ObjectRef;
use crate::source::shard::Shard;

/// Neighbours share a batch up to this size. Every batch costs files, and every column of a file a codec: with half of it
/// `run` takes a tenth more CPU on a busy account, with twice as much a quarter more memory.
const SHARED_BATCH_BYTES: u64 = 16 << 20;
/// Objects in a batch, which bounds what a batch keeps in memory about each of them.
const BATCH_OBJECTS: usize = 8192;

/// The plan of a run. The objects of its batches are in its file, `_trailweave/runs/<run_id>/plan.json`: a line that
/// says which run it is and how many objects it reads, then a line for each batch in the order in which they are
/// committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) run_id: String,
    /// The share of a job that it is.
    pub(crate) shard: Option<Shard>,
    /// The batches, in their order.
    pub(crate) batches: Vec<Extent>,
}

/// The size of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) batch_id: String,
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
    /// Objects of S3 among them.
    pub(crate) objects_in_s3: u64,
}

/// The first line of a plan's file.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    run_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shard: Option<Shard>,
    /// How many objects the lines below name; plans of earlier releases lack it.
    #[serde(default)]
    objects: u64,
    /// The batches in a plan that an earlier version wrote, which has no other line.
    #[serde(default, skip_serializing)]
    batches: Vec<Batch>,
}

/// Objects whose rows are committed together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) batch_id: String,
    pub(crate) objects: Vec<ObjectRef>,
}

impl Plan {
    /// Writes down what a run will read. From here on it will be read, by this run or by the next.
    pub(crate) fn write(
        lake: &Lake,
        run_id: &str,
        shard: Option<Shard>,
        objects: &Listing,
        batch_bytes: u64,
    ) -> Result<Self, LakeError> {
        let mut plan = Self { run_id: run_id.to_owned(), shard, batches: Vec::new() };
        lake.remove(&plan.file(lake, "done.json"))?;
        let path = plan.file(lake, "plan.json");
        let mut file = lake.create_file(&path)?;
        let head = Head { run_id: run_id.to_owned(), shard, objects: objects.len() as u64, batches: Vec::new() };
        let mut write = |line: &[u8]| file.write_all(line).map_err(LakeError::file("write", &path));
        write(&json(&head))?;
        let line = |positions: &Range<usize>| {
            let batch = Batch::of(objects, positions.clone());
            (json(&batch), Extent::of(&batch))
        };
        // As many at once as there are threads, since they take a lot more memory than the listing.
        for next in batches(objects, batch_bytes).chunks(rayon::current_num_threads()) {
            let lines: Vec<_> = next.par_iter().map(line).collect();
            for (line, extent) in lines {
                write(&line)?;
                plan.batches.push(extent);
            }
        }
        file.commit()?;
        Ok(plan)
    }

    /// Returns the plans that no run has finished, in the order of their runs.
    pub(crate) fn unfinished(lake: &Lake) -> Result<Vec<Self>, LakeError> {
        Self::unfinished_among(lake, &lake.files(&lake.state_dir().join("runs"))?)
    }

    /// Does the same with the files of all runs, in the order of their paths.
    pub(crate) fn unfinished_among(lake: &Lake, files: &[Listed]) -> Result<Vec<Self>, LakeError> {
        let is_there = |path: &Path| files.binary_search_by(|file| file.path.as_path().cmp(path)).is_ok();
        let plans = files.iter().map(|file| &*file.path).filter(|path| path.ends_with("plan.json"));
        plans.filter(|path| !is_there(&path.with_file_name("done.json"))).map(|path| Self::read(lake, path)).collect()
    }

    fn read(lake: &Lake, path: &Path) -> Result<Self, LakeError> {
        let (Head { run_id, shard, objects, .. }, batches) = open(lake, path)?;
        // Its other file is written below this name.
        if path.parent().and_then(Path::file_name) != Some(OsStr::new(&run_id)) {
            let source = format!("it belongs to the run `{run_id}`, but stands in the folder of another").into();
            return Err(LakeError::Damaged { path: path.to_owned(), source });
        }
        let batches = batches.map(|batch| Ok(Extent::of(&batch?))).collect::<Result<Vec<_>, LakeError>>()?;
        let found = batches.iter().map(|batch| batch.objects).sum::<u64>();
        if found < objects {
            let source = format!("it names {found} of {objects} objects").into();
            return Err(LakeError::Damaged { path: path.to_owned(), source });
        }
        Ok(Self { run_id, shard, batches })
    }

    /// Returns the batches but for those that are `committed`, read one by one.
    pub(crate) fn batches(
        &self,
        lake: &Lake,
        committed: &HashSet<String>,
    ) -> Result<impl Iterator<Item = Result<Batch, LakeError>> + Send + use<>, LakeError> {
        let (_, batches) = open(lake, &self.file(lake, "plan.json"))?;
        let ours = self.batches.iter().map(|batch| batch.batch_id.clone());
        let committed: HashSet<String> = ours.filter(|batch| committed.contains(batch)).collect();
        Ok(batches.filter(move |batch| batch.as_ref().map_or(true, |batch| !committed.contains(&batch.batch_id))))
    }

    /// Notes that every batch is committed.
    pub(crate) fn finish(&self, lake: &Lake, summary: &impl Serialize) -> Result<(), LakeError> {
        lake.write(&self.file(lake, "done.json"), &json(summary))
    }

    fn file(&self, lake: &Lake, name: &str) -> PathBuf {
        lake.state_dir().join("runs").join(&self.run_id).join(name)
    }
}

impl Extent {
    pub(crate) fn of(batch: &Batch) -> Self {
        Self {
            batch_id: batch.batch_id.clone(),
            objects: batch.objects.len() as u64,
            bytes: batch.objects.iter().map(|object| object.bytes).sum(),
            objects_in_s3: batch.objects.iter().filter(|object| object.is_in_s3()).count() as u64,
        }
    }
}

/// Reads what the first line of a plan's file says, and the batches.
fn open(
    lake: &Lake,
    path: &Path,
) -> Result<(Head, impl Iterator<Item = Result<Batch, LakeError>> + Send + use<>), LakeError> {
    let of_plan = path.to_owned();
    let damaged = move |source| LakeError::Damaged { path: of_plan.clone(), source };
    let mut file = lake.open_lines(path)?;
    let mut line = String::new();
    file.read_line(&mut line).map_err(LakeError::file("read", path))?;
    let mut head: Head = serde_json::from_str(&line).map_err(|source| damaged(source.into()))?;
    let of_head = std::mem::take(&mut head.batches);
    let batch = move |line: std::io::Result<String>| {
        let line = line.map_err(|source| damaged(source.into()))?;
        serde_json::from_str(&line).map_err(|source| damaged(source.into()))
    };
    Ok((head, of_head.into_iter().map(Ok).chain(file.lines().map(batch))))
}

/// Returns the objects of each batch, by their positions. Needs: they are sorted.
pub(crate) fn batches(objects: &Listing, batch_bytes: u64) -> Vec<Range<usize>> {
    let (mut batches, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (place, place_bytes) in objects.places() {
        // Decided once for the place: its first object brings all the others along.
        let is_apart = bytes + place_bytes > SHARED_BATCH_BYTES.min(batch_bytes);
        for position in place.clone() {
            let more = objects.bytes(position);
            let is_full = position - start == BATCH_OBJECTS || bytes + more > batch_bytes;
            if position > start && (is_full || is_apart && position == place.start) {
                batches.push(start..position);
                (start, bytes) = (position, 0);
            }
            bytes += more;
        }
    }
    if start < objects.len() {
        batches.push(start..objects.len());
    }
    batches
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(value).expect("plans and summaries are plain data");
    text.push(b'\n');
    text
}

impl Batch {
    /// Makes a batch of the objects at these positions.
    pub(crate) fn of(objects: &Listing, positions: Range<usize>) -> Self {
        let objects: Vec<_> = positions.map(|position| objects.get(position)).collect();
        Self { batch_id: id(&objects), objects }
    }
}

/// Hashes what the batch reads, whatever the order. A further attempt at the same objects is another batch.
fn id(objects: &[ObjectRef]) -> String {
    let mut read: Vec<_> =
        objects.iter().map(|it| (&*it.source_object, &*it.version, it.attempt.to_string())).collect();
    read.sort();
    short_hex(read.iter().flat_map(|(key, version, attempt)| [key.as_bytes(), version.as_bytes(), attempt.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::listing::Version;

    const MIB: u64 = 1 << 20;

    fn listing(objects: &[(&str, u64)]) -> Listing {
        let mut listing = Listing::default();
        for (name, bytes) in objects {
            listing.push(&format!("s3://b/AWSLogs/210987654321/CloudTrail/{name}"), None, Version::Text("1"), *bytes);
        }
        listing.sort();
        listing
    }

    fn shape(listing: &Listing) -> Vec<Vec<String>> {
        let name = |object: &ObjectRef| object.source_object.rsplit('/').next().unwrap().to_owned();
        let batches = batches(listing, 256 * MIB).into_iter().map(|positions| Batch::of(listing, positions));
        batches.map(|batch| batch.objects.iter().map(name).collect()).collect()
    }

    #[test]
    fn large_days_are_cut_and_small_ones_share() {
        let mut objects = vec![
            ("eu-west-1/2026/09/02/big-3", 90 * MIB),
            ("eu-west-2/2026/09/01/quiet-2", 2 * MIB),
            ("eu-west-1/2026/09/01/quiet-1", 3 * MIB),
            ("eu-west-1/2026/09/02/big-1", 100 * MIB),
            ("eu-west-1/2026/09/02/big-2", 100 * MIB),
            ("eu-west-1/2026/09/03/late", 9 * MIB),
            ("eu-west-1/2026/09/04/giant", 999 * MIB),
        ];
        let expected = [vec!["quiet-1", "quiet-2"], vec!["big-1", "big-2"], vec!["big-3"], vec!["late"], vec!["giant"]];
        assert_eq!(shape(&listing(&objects)), expected);
        objects.reverse();
        assert_eq!(shape(&listing(&objects)), expected);
    }

    #[test]
    fn a_batch_holds_a_bounded_number_of_objects() {
        let names: Vec<_> = (0..45_000).map(|n| format!("eu-west-1/2026/09/01/{n}")).collect();
        let objects: Vec<_> = names.iter().map(|name| (&**name, 1)).collect();
        assert_eq!(
            shape(&listing(&objects)).iter().map(Vec::len).collect::<Vec<_>>(),
            [8192, 8192, 8192, 8192, 8192, 4040]
        );
    }

    #[test]
    fn another_version_or_attempt_is_another_batch() {
        let first = listing(&[("eu-west-1/2026/09/01/a", 1)]).get(0);
        let again = ObjectRef { attempt: 1, ..first.clone() };
        let changed = ObjectRef { version: "2".into(), ..first.clone() };
        let ids = [first, again, changed].map(|it| id(&[it]));
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[0].len() == 16, "{ids:?}");
    }

    #[test]
    fn a_plan_is_unfinished_until_it_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_or_create(folder.path(), None).unwrap();
        let objects = listing(&[("eu-west-1/2026/09/01/a", 300 * MIB), ("eu-west-1/2026/09/01/b", 1)]);
        let plan = Plan::write(&lake, "run-1", None, &objects, MIB).unwrap();
        assert_eq!(plan.batches.iter().map(|it| (it.objects, it.objects_in_s3)).collect::<Vec<_>>(), [(1, 1), (1, 1)]);
        assert_eq!(Plan::unfinished(&lake).unwrap(), std::slice::from_ref(&plan));
        let committed = HashSet::from([plan.batches[0].batch_id.clone()]);
        let left: Vec<Batch> = plan.batches(&lake, &committed).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(left.iter().map(Extent::of).collect::<Vec<_>>(), plan.batches[1..]);
        plan.finish(&lake, &"summary").unwrap();
        assert!(Plan::unfinished(&lake).unwrap().is_empty());
    }

    #[test]
    fn a_plan_that_names_another_run_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_or_create(folder.path(), None).unwrap();
        let path = lake.state_dir().join("runs").join("run-1").join("plan.json");
        for named in ["run-2", "../../..", "/tmp"] {
            let head = serde_json::json!({"run_id": named, "objects": 0}).to_string();
            lake.write(&path, head.as_bytes()).unwrap();
            assert!(matches!(Plan::unfinished(&lake), Err(LakeError::Damaged { .. })), "{named}");
        }
    }

    #[test]
    fn a_plan_that_lacks_a_batch_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_or_create(folder.path(), None).unwrap();
        let objects = listing(&[("eu-west-1/2026/09/01/a", 300 * MIB), ("eu-west-1/2026/09/01/b", 1)]);
        let path = Plan::write(&lake, "run-1", None, &objects, MIB).unwrap().file(&lake, "plan.json");
        let text = lake.read(&path).unwrap().unwrap();
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        assert_eq!(lines.len(), 3);
        lake.write(&path, &lines[..2].concat()).unwrap();
        assert!(matches!(Plan::unfinished(&lake), Err(LakeError::Damaged { .. })));
    }
}
