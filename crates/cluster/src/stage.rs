//! A stage: the folder where runs hand over what Spark reads and what it makes.
//!
//! ```text
//!  STAGE/<run>/job.json join.py          by `plan`; the lake notes the run in _trailweave/stages/<run>.json
//!  STAGE/<run>/steps/<name>/ products/<table>/event_date=../   by Spark, each with _SUCCESS when it is whole
//!  STAGE/<run>/done.json                 by Spark at the end: the files of the products with their bytes and rows
//! ```

use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use trailweave_correlate::RULES;
use trailweave_lake::Folder;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Listed;
use trailweave_lake::is_short_digest;

use crate::ClusterError;
use crate::JOIN;
use crate::Job;

/// The end marks of a run, and of a statement.
pub(crate) const DONE: &str = "done.json";
const SUCCESS: &str = "_SUCCESS";

/// The files in the folder of a run, with the sums that Hadoop keeps of local files.
const OWN: [&str; 8] =
    ["job.json", "join.py", "steps", "products", DONE, "done.json.tmp", ".done.json.crc", ".done.json.tmp.crc"];

/// A folder where runs of lakes are staged.
#[derive(Debug, Clone)]
pub struct Stage {
    folder: Folder,
}

/// A run that a lake has staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedRun {
    /// Its name.
    pub run: String,
    /// The stage.
    pub stage: String,
}

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "progress")]
pub enum Progress {
    /// Spark is at work, or is to be.
    Running {
        /// Statements that are done.
        done: usize,
        /// All statements.
        of: usize,
    },
    /// It waits to be adopted.
    Done,
    /// Nobody needs it any more: the products know its events already, or it is of other rules, or its files are gone.
    Dead,
}

impl Stage {
    /// Takes a folder as a stage.
    pub fn new(folder: Folder) -> Self {
        Self { folder }
    }

    /// Returns its path, or its URL.
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Returns the folder of a run.
    pub fn of(&self, run: &str) -> PathBuf {
        self.folder.root().join(run)
    }

    /// Stages the run of a job, and has the lake note it. The same job again changes nothing.
    ///
    /// Needs: the lake's lock, held by the caller since the job was made.
    pub fn plan(&self, lake: &Lake, job: &Job) -> Result<(), ClusterError> {
        let run = &job.run;
        let note = StagedRun { run: run.clone(), stage: self.folder.root().to_string_lossy().into_owned() };
        lake.write(&note_of(lake, run), &serde_json::to_vec(&note).expect("a note is plain data"))?;
        self.folder.write(&format!("{run}/join.py"), JOIN.as_bytes())?;
        Ok(self.folder.write(&format!("{run}/job.json"), &job.text())?)
    }

    /// Reads the job of a run.
    pub fn job(&self, run: &str) -> Result<Job, ClusterError> {
        let text = self.folder.read(&format!("{run}/job.json"))?;
        let job = text.and_then(|text| serde_json::from_slice::<Job>(&text).ok()).filter(|job| job.run == run);
        job.ok_or_else(|| ClusterError::NoJob { path: self.of(run) })
    }

    /// Tells how far a run of a lake has come.
    pub fn progress(&self, lake: &Lake, run: &str) -> Result<Progress, ClusterError> {
        let job = match self.job(run) {
            Err(ClusterError::NoJob { .. }) => return Ok(Progress::Dead),
            job => job?,
        };
        if job.rules != RULES || job.gone(lake)?.is_some() || job.is_known(lake)? {
            return Ok(Progress::Dead);
        }
        let files = self.folder.files(run)?;
        let is = |file: &&Listed, name: &str| file.path.file_name().is_some_and(|it| it == name);
        if files.iter().any(|file| is(&file, DONE)) {
            return Ok(Progress::Done);
        }
        let done = files.iter().filter(|file| is(file, SUCCESS)).count();
        Ok(Progress::Running { done, of: job.steps.len() + job.products.len() })
    }

    /// Lists the files of a run, and the note of it in the lake.
    pub fn files(&self, lake: &Lake, run: &str) -> Result<Vec<PathBuf>, LakeError> {
        Ok(self.own_files(run)?.into_iter().chain([note_of(lake, run)]).collect())
    }

    /// Removes the files of a run, then the note of it.
    ///
    /// Needs: the lake's lock, held by the caller.
    pub fn remove(&self, lake: &Lake, run: &str) -> Result<(), LakeError> {
        for path in self.own_files(run)? {
            self.folder.remove(&path)?;
        }
        self.forget(lake, run)
    }

    /// Removes the note of a run alone.
    ///
    /// Needs: the lake's lock, held by the caller.
    pub fn forget(&self, lake: &Lake, run: &str) -> Result<(), LakeError> {
        lake.remove(&note_of(lake, run))
    }

    /// Lists the files of a run. A note that names a folder of something else leads to none.
    fn own_files(&self, run: &str) -> Result<Vec<PathBuf>, LakeError> {
        let folder = self.of(run);
        let is_own = |path: &PathBuf| {
            let first = path.strip_prefix(&folder).ok().and_then(|below| below.iter().next()?.to_str());
            first.is_some_and(|first| OWN.contains(&first))
        };
        Ok(self.folder.files(run)?.into_iter().map(|file| file.path).filter(is_own).collect())
    }
}

/// Lists the runs that a lake has staged and that it has not been told to forget.
pub fn staged_runs(lake: &Lake) -> Result<Vec<StagedRun>, LakeError> {
    let mut runs = Vec::new();
    for file in lake.files(&notes(lake))? {
        let Some(run) = file.path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")) else { continue };
        let Some(text) = lake.read(&file.path)? else { continue };
        // The name becomes that of a folder, all of which may be removed.
        if let Ok(note) = serde_json::from_slice::<StagedRun>(&text)
            && is_short_digest(run)
            && note.run == run
        {
            runs.push(note);
        }
    }
    Ok(runs)
}

fn notes(lake: &Lake) -> PathBuf {
    lake.state_dir().join("stages")
}

fn note_of(lake: &Lake, run: &str) -> PathBuf {
    notes(lake).join(format!("{run}.json"))
}
