//! `compact` and `gc`.

use std::io::Write;

use trailweave_ingest::Compact;

use super::Job;
use super::Outcome;
use crate::report;

/// Merges small parts.
pub(super) fn compact(job: &Job) -> anyhow::Result<Outcome> {
    let lake = job.lake()?;
    let _lock = lake.lock()?;
    let options = Compact { memory_bytes: job.config.memory.as_u64(), threads: job.config.threads };
    let compacted = trailweave_ingest::compact(&lake, &options)?;
    job.put(&compacted, |out, compacted| report::write_compacted(out, compacted))?;
    Ok(Outcome::Done)
}

/// Removes, or only names, what killed runs left behind.
pub(super) fn gc(job: &Job, is_dry: bool) -> anyhow::Result<Outcome> {
    let lake = job.lake()?;
    let _lock = lake.lock()?;
    let leftovers = trailweave_ingest::gc(&lake, is_dry)?;
    job.put(&leftovers, |out, leftovers| {
        for path in leftovers {
            writeln!(out, "{}", path.display())?;
        }
        writeln!(out, "{} files {}", leftovers.len(), if is_dry { "would be removed" } else { "removed" })
    })?;
    Ok(Outcome::Done)
}
