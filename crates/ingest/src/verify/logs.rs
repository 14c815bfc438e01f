//! The verdicts about log files.

use std::collections::{BTreeMap, BTreeSet};

use trailweave_decode::Sha256;
use trailweave_digest::{Digest, Finding, Judged, Kind, LogName, Place, Severity, SpanKind};

use super::found::Found;
use super::had::HadLogs;
use super::known::{Known, KnownObject};
use super::verdict::LogVerdict;
use super::verification::Verification;
use crate::IngestError;
use crate::ledger::identity;

/// The name of a log file says a time that lies up to so long after its delivery, and up to so long before.
const NAMED_AFTER_SECS: i64 = 5 * 60;
const NAMED_BEFORE_SECS: i64 = 11 * 60;

/// A log file that a digest lists.
pub(super) struct Log {
    /// The fingerprint of its URL.
    pub(super) url: u128,
    pub(super) sha256: Sha256,
    /// The position of the digest.
    pub(super) digest: u32,
    /// Its position among those that the sources hold.
    pub(super) had: Option<u32>,
    /// Its URL, where no source holds it.
    pub(super) uri: Option<Box<str>>,
    /// True if that digest can be trusted, and is asked for.
    pub(super) is_judged: bool,
    pub(super) verdict: LogVerdict,
}

/// All log files of a verification.
#[derive(Default)]
pub(super) struct Logs {
    pub(super) listed: Vec<Log>,
    /// The digests that list log files which others list, too, and which count there.
    pub(super) repeating: BTreeSet<u32>,
    /// The others that the sources hold, by their positions.
    pub(super) others: Vec<(u32, LogVerdict)>,
}

impl Log {
    /// Makes one that is not judged yet, of a digest that is told later.
    pub(super) fn new(url: u128, sha256: Sha256, had: Option<u32>, uri: Option<Box<str>>) -> Self {
        Self { url, sha256, digest: 0, had, uri, is_judged: false, verdict: LogVerdict::Unproven }
    }
}

impl Logs {
    /// Takes each listed log file once: as a digest lists it that can be trusted and is asked for, if one does.
    pub(super) fn new(mut listed: Vec<Log>, judged: &Judged, digests: &[Digest]) -> Self {
        debug_assert_eq!(digests.len(), judged.verdicts.len());
        let trust = |log: &Log| {
            let verdict = &judged.verdicts[log.digest as usize];
            (!verdict.state.is_trusted(), !verdict.is_asked)
        };
        listed.sort_unstable_by_key(|log| (log.url, trust(log), log.digest));
        let mut repeating = BTreeSet::new();
        listed.dedup_by(|log, before| {
            let is_same = log.url == before.url;
            if is_same && log.digest != before.digest {
                repeating.insert(log.digest);
            }
            is_same
        });
        for log in &mut listed {
            log.is_judged = trust(log) == (false, false);
            log.verdict = if trust(log).0 { LogVerdict::Unproven } else { LogVerdict::Valid };
        }
        Self { listed, repeating, others: Vec::new() }
    }

    /// Iterates over those that a digest lists that is asked for, whether it can be trusted or not.
    pub(super) fn asked<'l>(&'l self, judged: &'l Judged) -> impl Iterator<Item = &'l Log> {
        self.listed.iter().filter(|log| judged.verdicts[log.digest as usize].is_asked)
    }
}

impl Verification<'_> {
    /// Judges the log files that are listed, and those that are had and listed nowhere.
    pub(super) async fn judge_logs(
        &self,
        mut logs: Logs,
        had: &HadLogs,
        known: &Known,
        judged: &mut Judged,
    ) -> Result<Logs, IngestError> {
        let mut unread = Vec::new();
        for (at, log) in logs.listed.iter_mut().enumerate().filter(|(_, log)| log.is_judged) {
            match self.by_ledger(log, had, known) {
                Some(verdict) => log.verdict = verdict,
                None => unread.push(at),
            }
        }
        let mut details = Vec::new();
        for (at, found) in self.read_again(&logs.listed, unread, had).await? {
            let log = &mut logs.listed[at];
            log.verdict = by_text(log, &found, known.of(log.url));
            if let Found::Gone(why) = found {
                details.push((at, why));
            }
        }
        let mut why = details.into_iter().peekable();
        for (at, log) in logs.listed.iter().enumerate() {
            let detail = why.next_if(|(other, _)| *other == at).map(|(_, why)| why);
            if let Some(kind) = log.verdict.kind() {
                judged.findings.push(Finding { detail, ..kind.fail(self.uri(log, had)) });
            }
        }
        logs.others = self.others(&logs, had, judged);
        judged.findings.sort();
        Ok(logs)
    }

    /// Tells what the ledger knows of an object in the version that the source has, if that is enough.
    fn by_ledger(&self, listed: &Log, had: &HadLogs, known: &Known) -> Option<LogVerdict> {
        let Some(position) = listed.had else {
            // A bucket may be asked for what is no part of the listing.
            return (!self.copies.has_s3()).then_some(LogVerdict::Missing);
        };
        if self.verify.is_reread {
            return None;
        }
        let object = had.listing.get(position as usize);
        let identity = identity(&object.source_object, &object.version);
        let sha256 = known.of(listed.url).iter().find(|it| it.identity == identity)?.sha256?;
        Some(if sha256 == listed.sha256 { LogVerdict::Valid } else { LogVerdict::Changed })
    }

    /// Judges the log files that the sources hold and no digest lists.
    fn others(&self, logs: &Logs, had: &HadLogs, judged: &mut Judged) -> Vec<(u32, LogVerdict)> {
        let mut is_listed = vec![false; had.listing.len()];
        for position in logs.listed.iter().filter_map(|log| log.had) {
            is_listed[position as usize] = true;
        }
        let range = self.verify.range;
        let mut others = Vec::new();
        let mut uncovered: BTreeMap<Place, (i64, i64)> = BTreeMap::new();
        for (position, object) in (0..).zip(had.listing.iter()).filter(|(position, _)| !is_listed[*position as usize]) {
            let Some((bucket, key)) = self.copies.location(&object.source_object) else { continue };
            let Some(name) = LogName::of(&key).filter(|name| range.overlaps(name.time, name.time)) else { continue };
            let place = Place { bucket: bucket.into(), area: name.area.into(), region: name.region.into() };
            let (from, to) = (name.time - NAMED_AFTER_SECS, name.time + NAMED_BEFORE_SECS);
            let verdict = match judged.span(&place, from, to) {
                Some(SpanKind::Proven | SpanKind::Gap) => LogVerdict::Unlisted,
                Some(SpanKind::Broken) => LogVerdict::Unproven,
                None => {
                    let hole = uncovered.entry(place.clone()).or_insert((name.time, name.time));
                    *hole = (hole.0.min(name.time), hole.1.max(name.time));
                    LogVerdict::Unproven
                }
            };
            if verdict == LogVerdict::Unlisted {
                judged.findings.push(Kind::LogUnlisted.fail(format!("s3://{}/{key}", place.bucket)));
            }
            others.push((position, verdict));
        }
        for (place, (from, to)) in uncovered {
            let kind = if judged.spans.contains_key(&place) { Kind::NotCovered } else { Kind::NoDigests };
            let uri = format!("s3://{}/{}/CloudTrail-Digest/{}/", place.bucket, place.area, place.region);
            let is_said = |it: &Finding| it.kind == kind && it.uri == uri && it.severity == Severity::Fail;
            if !judged.findings.iter().any(is_said) {
                judged.findings.push(kind.fail(uri).within(from, to));
            }
        }
        others
    }

    /// Returns the URL of a listed log file.
    pub(super) fn uri(&self, listed: &Log, had: &HadLogs) -> String {
        let of_had = |position: u32| self.copies.uri(&had.listing.get(position as usize).source_object);
        listed.had.and_then(of_had).unwrap_or_else(|| listed.uri.as_deref().unwrap_or_default().to_owned())
    }
}

/// Judges a log file by its text, and by what the lake has read of it.
fn by_text(listed: &Log, found: &Found, known: &[KnownObject]) -> LogVerdict {
    match found {
        Found::Gone(_) => LogVerdict::Missing,
        Found::BadGzip => LogVerdict::BadGzip,
        Found::TrailingBytes => LogVerdict::TrailingBytes,
        Found::Text(sha256) if *sha256 != listed.sha256 => LogVerdict::Changed,
        // An earlier release noted no hash; what it read under this name was one whole object.
        Found::Text(_) if known.iter().any(|it| it.sha256.is_none_or(|sha256| sha256 == listed.sha256)) => {
            LogVerdict::Valid
        }
        Found::Text(_) => LogVerdict::NotIngested,
    }
}

#[cfg(test)]
mod tests {
    use trailweave_digest::{DigestName, DigestVerdict, State};

    use super::*;

    #[test]
    fn a_log_file_that_two_digests_list_counts_at_the_first_and_the_other_is_noted() {
        let key = "AWSLogs/210987654321/CloudTrail-Digest/eu-west-1/2026/09/01/\
                   210987654321_CloudTrail-Digest_eu-west-1_main_us-east-1_20260901T060000Z.json.gz";
        let digest = |_| Digest::kept("trail", DigestName::of(key).unwrap(), (0, 3_600), None);
        let verdict = |_| DigestVerdict { state: State::Trusted, began: false, is_asked: true, broken: None };
        let judged = Judged { verdicts: (0..3).map(verdict).collect(), ..Judged::default() };
        let log = |(url, digest)| Log { digest, ..Log::new(url, Sha256::default(), None, None) };
        let listed = [(7, 2), (8, 1), (7, 0), (9, 2), (9, 2)].map(log).into();
        let logs = Logs::new(listed, &judged, &(0..3).map(digest).collect::<Vec<_>>());
        let counted: Vec<_> = logs.listed.iter().map(|log| (log.url, log.digest)).collect();
        assert_eq!((counted, logs.repeating), (vec![(7, 0), (8, 1), (9, 2)], BTreeSet::from([2])));
    }
}
