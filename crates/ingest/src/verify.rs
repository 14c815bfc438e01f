//! Proves by CloudTrail's digest files that every delivered log file is in the lake, unchanged.
//!
//! ```text
//!  sources --list--> digests --fetch, inflate--> read, check, judge (trailweave-digest) --> listed log files
//!                                                                                                  |
//!          --list--> log files, by URL ------------------------------------------------------------+
//!  ledger  --hashes by URL ------------------------------------------------------------------------+--> verdicts
//!                                            read again where the ledger cannot tell <-------------'
//! ```
//!
//! A digest that the lake keeps as proven, and of which nothing changed since, takes its log files from there, unread.
//! The ledger has the hash of each object that was ingested, in the version that it had; so an object is read again only
//! where its version is another now, where an earlier release ingested it, or where that is asked for.

mod copies;
mod digests;
mod found;
mod had;
pub(crate) mod hours;
mod kept;
mod keys;
mod known;
mod list;
mod listed;
mod logs;
mod options;
mod reread;
pub(crate) mod rows;
mod store;
mod verdict;
mod verification;
mod verified;

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use trailweave_digest::{Digest, Judged, Kind, Metadata, PublicKeys, Unreadable};
use trailweave_lake::Lake;

use crate::Filter;
use crate::IngestError;
use crate::IngestOptions;
use crate::cpu::Cpu;
use crate::crash_points::CrashPoints;
use crate::source::list::list;
use crate::source::s3::S3;
use crate::verify::copies::Copies;
use crate::verify::digests::Gathered;
use crate::verify::had::HadLogs;
use crate::verify::known::Known;
use crate::verify::logs::Logs;
use crate::verify::verification::Verification;

pub use crate::verify::hours::{HoursProven, proven};
pub use crate::verify::options::VerifyOptions;
pub use crate::verify::verified::{CoveredTime, LogFileCounts, Verified};

/// Verifies what the sources hold and the lake has read, and keeps the verdicts in the lake. Run again, it gives the same.
///
/// Needs: the caller holds the lake's lock.
pub async fn verify(lake: &Lake, options: &IngestOptions, verify: &VerifyOptions) -> Result<Verified, IngestError> {
    verify_until(&CrashPoints::default(), lake, options, verify).await
}

/// Does the same, and may be made to end at a crash point between two steps.
async fn verify_until(
    crash_points: &CrashPoints,
    lake: &Lake,
    options: &IngestOptions,
    verify: &VerifyOptions,
) -> Result<Verified, IngestError> {
    let verification = Verification {
        lake,
        cpu: Cpu::new(options.threads)?,
        s3: Arc::new(S3::new(options.s3.clone())),
        options,
        verify,
        copies: Copies::new(&options.sources, &verify.buckets)?,
    };
    verification.run(crash_points).await
}

impl Verification<'_> {
    async fn run(self, crash_points: &CrashPoints) -> Result<Verified, IngestError> {
        let (refs, listing) = futures::try_join!(self.list_digests(), self.list_logs())?;
        // For copies in folders it is read where digests are.
        let mut metadata = if self.copies.has_s3() { self.read_metadata()? } else { Metadata::default() };
        let known = Known::read(self.lake, &self.copies)?;
        let gathered = self.gather(refs, &mut metadata, &listing, &known).await?;
        self.write_metadata(&metadata)?;
        let is_read = gathered.digests.iter().any(|digest| !digest.is_kept);
        let keys = if is_read { self.public_keys(&gathered).await? } else { PublicKeys::default() };
        let Gathered { digests, versions, listed, unreadable, lost } = gathered;
        let mut judged = self.judge(&digests, &unreadable, &keys);
        judged.miss(lost);
        if digests.is_empty() && unreadable.is_empty() {
            let source = self.options.sources.first().map(ToString::to_string);
            judged.findings.push(Kind::NoDigests.fail(source.unwrap_or_default()));
        } else if is_read && keys.is_empty() {
            judged.findings.push(Kind::NoKeys.fail(digests.first().map(Digest::uri).unwrap_or_default()));
        }
        self.miss_places(&digests, &unreadable, &mut judged);
        let logs = Logs::new(listed, &listing, &judged);
        let logs = self.judge_logs(logs, &listing, &known, &mut judged).await?;
        let mut verified = self.verified(&digests, &judged, &logs, &listing);
        let change = self.change((digests, versions), &unreadable, &judged, &logs, (&listing, &known))?;
        verified.findings = judged.findings;
        crash_points.pass()?;
        let held = change.hold()?;
        crash_points.pass()?;
        held.carry_out()?;
        Ok(verified)
    }

    /// Notes the accounts and regions that were asked for by name, and of which there is no digest, beside others.
    fn miss_places(&self, digests: &[Digest], unreadable: &[Unreadable], judged: &mut Judged) {
        let Filter { accounts, regions, .. } = &self.options.filter;
        let names = || digests.iter().map(|it| &it.name).chain(unreadable.iter().map(|it| &it.name));
        let found: BTreeSet<&str> = names().flat_map(|name| [name.account(), name.region()]).collect();
        let source = self.options.sources.first().map(ToString::to_string).unwrap_or_default();
        for place in accounts.iter().chain(regions).filter(|it| !found.is_empty() && !found.contains(&***it)) {
            judged.findings.push(Kind::NoDigests.fail(source.clone()).saying(format!("of {place}")));
        }
    }

    /// Lists the log files that may be of the time that is asked for.
    async fn list_logs(&self) -> Result<HadLogs, IngestError> {
        let filter = list::around(&self.options.filter, self.verify.range);
        let options = IngestOptions { filter: filter.clone(), ..self.options.clone() };
        let mut listing = list(&self.cpu, &self.s3, &options).await?;
        listing.retain(|object| object.place.as_deref().is_some_and(|place| filter.takes(Some(place))));
        Ok(HadLogs::new(listing, &self.copies))
    }

    /// Reads the file of metadata, to which S3 may add.
    fn read_metadata(&self) -> Result<Metadata, IngestError> {
        let Some(path) = &self.verify.digest_metadata else { return Ok(Metadata::default()) };
        match File::open(path) {
            Ok(file) => Metadata::read(file).map_err(IngestError::proof(path)),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(Metadata::default()),
            Err(source) => Err(IngestError::source("read", path)(source)),
        }
    }

    /// Keeps the metadata that S3 told of, so that a copy can be proven without it.
    fn write_metadata(&self, metadata: &Metadata) -> Result<(), IngestError> {
        let Some(path) = self.verify.digest_metadata.as_ref().filter(|_| self.copies.has_s3()) else { return Ok(()) };
        let text = serde_json::to_vec(metadata).expect("metadata is plain text");
        Ok(trailweave_lake::WholeFile::write_all_at(path, &text)?)
    }
}

#[cfg(test)]
mod tests;
