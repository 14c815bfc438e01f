//! The runs of a lake: those that did not end, what the last one left, and those that ended long ago.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Listed;

use crate::ledger::committed;
use crate::run::plan::Plan;
use crate::source::key::Place;
use crate::source::key::place_of;
use crate::source::shard::Shard;

/// So many runs that ended are remembered: each more costs every later run the listing of a file.
const REMEMBERED: usize = 1000;

/// A run that did not end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnfinishedRun {
    /// Its id.
    pub run_id: String,
    /// Objects of its plan that are not committed.
    pub objects: u64,
}

/// The runs of a lake.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    pub(crate) unfinished: Vec<UnfinishedRun>,
    /// Objects that the last run, or each shard of the last job, could not read.
    pub(crate) left: u64,
    plans: Vec<Plan>,
}

/// The part of a finished run's summary that counts here.
#[derive(Deserialize)]
struct Ended {
    #[serde(default)]
    objects_left: u64,
}

impl Runs {
    /// Reads the plans that no run has finished, and the newest summary.
    pub(crate) fn read(lake: &Lake) -> Result<Self, LakeError> {
        let files = files(lake)?;
        let mut runs = Self::default();
        for path in newest(summaries(&files)) {
            let text = lake.read(path)?.unwrap_or_default();
            // A summary of an earlier release may lack it.
            runs.left += serde_json::from_slice::<Ended>(&text).map_or(0, |ended| ended.objects_left);
        }
        runs.plans = Plan::unfinished_among(lake, &files)?;
        if !runs.plans.is_empty() {
            let batches = committed(lake)?;
            for plan in &runs.plans {
                let left = plan.batches.iter().filter(|batch| !batches.contains(&batch.batch_id));
                let objects = left.map(|batch| batch.objects).sum();
                runs.unfinished.push(UnfinishedRun { run_id: plan.run_id.clone(), objects });
            }
        }
        Ok(runs)
    }

    /// Visits the objects that unfinished plans name and nobody has read, by their places.
    pub(crate) fn each_unread(&self, lake: &Lake, mut visit: impl FnMut(Option<&Place>)) -> Result<(), LakeError> {
        if self.plans.is_empty() {
            return Ok(());
        }
        let batches = committed(lake)?;
        for plan in &self.plans {
            for batch in plan.batches(lake, &batches)? {
                for object in batch?.objects {
                    visit(place_of(&object.source_object).as_ref());
                }
            }
        }
        Ok(())
    }
}

/// Lists the plans and summaries of runs that ended, but for the last ones and those that `status` asks: of each run the
/// plan before the summary, without which it would count as unfinished.
pub(crate) fn ended_long_ago(lake: &Lake) -> Result<Vec<PathBuf>, LakeError> {
    let files = files(lake)?;
    let ended: Vec<&Path> = summaries(&files).collect();
    let asked = newest(ended.iter().copied());
    let old = &ended[..ended.len().saturating_sub(REMEMBERED)];
    let old = old.iter().filter(|path| !asked.contains(path));
    Ok(old.flat_map(|summary| [summary.with_file_name("plan.json"), summary.to_path_buf()]).collect())
}

/// Lists the files of all runs, in the order of their ids, which begin with the time.
fn files(lake: &Lake) -> Result<Vec<Listed>, LakeError> {
    lake.files(&lake.state_dir().join("runs"))
}

fn summaries(files: &[Listed]) -> impl Iterator<Item = &Path> {
    files.iter().map(|file| &*file.path).filter(|path| path.ends_with("done.json"))
}

/// Picks the summary of the last run; where it was a shard, that of each shard of its job that was the last of its kind.
fn newest<'p>(summaries: impl Iterator<Item = &'p Path>) -> Vec<&'p Path> {
    let mut by_share: BTreeMap<Option<Shard>, &Path> = BTreeMap::new();
    let mut last = None;
    for path in summaries {
        let run_id = path.parent().and_then(Path::file_name).and_then(OsStr::to_str).unwrap_or_default();
        let share = share(run_id);
        // Paths come in the order of their names, which begin with the time.
        by_share.insert(share, path);
        last = share;
    }
    let is_of_job = |share: Option<Shard>| share.map(Shard::count) == last.map(Shard::count);
    by_share.into_iter().filter(|(share, _)| is_of_job(*share)).map(|(_, path)| path).collect()
}

/// Returns the share that a run is of, whose name follows the time in its id.
fn share(run_id: &str) -> Option<Shard> {
    run_id.split_once('-').and_then(|(_, rest)| Shard::named(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_run_is_one_or_all_shards_of_a_job() {
        let newest = |runs: &[&str]| {
            let paths: Vec<_> = runs.iter().map(|run| Path::new("runs").join(run).join("done.json")).collect();
            let newest = newest(paths.iter().map(|path| &**path)).into_iter().map(Path::to_owned).collect::<Vec<_>>();
            let names = newest.iter().filter_map(|path| path.parent()?.file_name()?.to_str());
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(newest(&["1Z", "2Z-0-of-2", "2Z-1-of-2", "3Z"]), ["3Z"]);
        assert_eq!(newest(&["1Z", "2Z-0-of-4", "3Z-0-of-2", "3Z-1-of-2", "4Z-1-of-2"]), ["3Z-0-of-2", "4Z-1-of-2"]);
        assert_eq!(newest(&["1Z-1", "1Z-2"]), ["1Z-2"]);
        assert!(newest(&[]).is_empty());
    }
}
