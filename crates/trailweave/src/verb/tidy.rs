//! `compact` and `gc`.

use std::io::Write;
use std::path::PathBuf;

use trailweave_ingest::CompactOptions;
use trailweave_ingest::Source;

use super::publish::publish_locked;
use super::spark;
use crate::job::Job;
use crate::outcome::Outcome;
use crate::report;
use crate::report::counted;

/// Merges small parts.
pub(super) fn compact(job: &Job) -> anyhow::Result<Outcome> {
    let lake = job.lake()?;
    let _lock = job.lock(&lake)?;
    let options = CompactOptions { memory_bytes: job.config.memory.as_u64(), threads: job.config.threads };
    let compacted = trailweave_ingest::compact(&lake, &options)?;
    publish_locked(job, &lake)?;
    job.put(&compacted, |out, compacted| report::write_compacted(out, compacted))?;
    Ok(Outcome::Done)
}

/// Removes, or only names, what killed runs left behind and nobody needs any longer.
pub(super) fn gc(job: &Job, is_dry: bool, with_orphans: bool) -> anyhow::Result<Outcome> {
    let lake = job.lake()?;
    let _lock = job.lock(&lake)?;
    let mut leftovers = trailweave_ingest::gc(&lake, is_dry, with_orphans)?;
    if let Source::S3(folder) = &job.config.lake {
        let uploads = job.runtime.block_on(trailweave_ingest::cut_uploads(folder, &job.config.s3, is_dry))?;
        leftovers.extend(uploads.into_iter().map(PathBuf::from));
    }
    leftovers.extend(spark::dead(job, &lake, is_dry)?);
    job.put(&leftovers, |out, leftovers| {
        for path in leftovers {
            writeln!(out, "{}", path.display())?;
        }
        let files = counted(leftovers.len() as u64, "file", "files");
        writeln!(out, "{files} {}", if is_dry { "would be removed" } else { "removed" })
    })?;
    Ok(Outcome::Done)
}
