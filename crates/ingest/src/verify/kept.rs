//! Digests that an earlier verification proved, which are not read again.
//!
//! One counts as it is in the lake if its object has the version that it had, and every log file that it lists is in the
//! source and in the lake, valid, in the version that it had. Otherwise it is read.

use std::collections::HashSet;

use trailweave_digest::{Digest, DigestName, Metadata, Missing};
use trailweave_lake::LakeError;
use trailweave_table::DIGESTS;

use super::copies::Copies;
use super::had::HadLogs;
use super::known::Known;
use super::list::DigestRef;
use super::listed::KnownLog;
use super::rows::{BROKEN, DIGEST_MISSING, DigestRow, VALID, read_rows};
use super::verification::Verification;
use crate::Source;
use crate::source::split;

/// The digits of a fingerprint in the column `listed`.
pub(super) const FINGERPRINT_DIGITS: usize = 32;

/// Digests by what is to be done about them.
pub(super) struct Parted {
    /// Those that must be read.
    pub(super) unread: Vec<DigestRef>,
    pub(super) kept: Vec<Kept>,
    /// Those that the lake knows, and that their source does not hold any more.
    pub(super) lost: Vec<Missing>,
}

/// A digest that was proven, with the log files that it lists.
pub(super) struct Kept {
    pub(super) found: DigestRef,
    pub(super) digest: Digest,
    pub(super) logs: Box<[KnownLog]>,
}

impl Verification<'_> {
    /// Parts digests by what is to be done about them.
    pub(super) fn part(
        &self,
        refs: Vec<DigestRef>,
        metadata: &Metadata,
        had: &HadLogs,
        known: &Known,
    ) -> Result<Parted, LakeError> {
        let mut proven: Vec<Option<(Digest, Box<[KnownLog]>)>> = refs.iter().map(|_| None).collect();
        let mut lost = Vec::new();
        for part in self.lake.parts(&DIGESTS)? {
            read_rows(self.lake, &part.path, |row| {
                let Some((bucket, key)) = split(&row.digest) else { return };
                match refs.binary_search_by(|it| it.url().cmp(&(bucket, key))) {
                    Ok(at) if !self.verify.is_reread && self.has_metadata(&refs[at], metadata) => {
                        proven[at] = kept(&refs[at], &row, (&self.copies, had, known));
                    }
                    Ok(_) => {}
                    Err(_) => lost.extend(self.lost(&row, bucket, key)),
                }
            })?;
        }
        let (mut unread, mut kept) = (Vec::new(), Vec::with_capacity(proven.iter().flatten().count()));
        for (found, proven) in refs.into_iter().zip(proven) {
            match proven {
                Some((digest, logs)) => kept.push(Kept { found, digest, logs }),
                None => unread.push(found),
            }
        }
        Ok(Parted { unread, kept, lost })
    }

    /// Returns a digest that the lake knows to be one, and that its source does not hold any more.
    fn lost(&self, row: &DigestRow, bucket: &str, key: &str) -> Option<Missing> {
        let is_held = |source: &Source| match source {
            Source::S3(location) => location.bucket == bucket && key.starts_with(&location.key),
            Source::Local(_) => false,
        };
        let is_known = row.verdict == VALID || row.verdict == DIGEST_MISSING;
        let is_held = self.copies.hold(bucket, key) || self.options.sources.iter().any(is_held);
        (is_known && is_held && self.is_asked(row)).then(|| Missing {
            uri: row.digest.clone(),
            name: DigestName::of(key),
            from: row.digest_start_time,
            to: row.digest_end_time,
        })
    }

    /// Tells whether the file of metadata, if there is to be one, knows a digest of S3 already.
    fn has_metadata(&self, DigestRef { bucket, name, path, .. }: &DigestRef, metadata: &Metadata) -> bool {
        path.is_some() || self.verify.digest_metadata.is_none() || metadata.get(bucket, name.key()).is_some()
    }
}

/// Makes a digest, with the log files that it lists, from what the lake says of it, if all of that still holds.
fn kept(
    found: &DigestRef,
    row: &DigestRow,
    (copies, had, known): (&Copies, &HadLogs, &Known),
) -> Option<(Digest, Box<[KnownLog]>)> {
    if !row.is_proven() || row.chain == BROKEN || row.version.is_empty() || *row.version != *found.version {
        return None;
    }
    let log = |digits: &[u8]| {
        let url = u128::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        let had_at = had.position(url)?;
        let object = had.object(had_at);
        let identity = copies.identity(&object.source_object, &object.version);
        let at = known.position(url, |it| it.identity == identity && it.is_valid)?;
        let sha256 = known.at(at).sha256?;
        (!known.has_other_rows(url, sha256)).then_some(KnownLog { known: at, had: had_at })
    };
    let logs = row.listed.as_bytes().chunks(FINGERPRINT_DIGITS).map(log).collect::<Option<_>>()?;
    let window = (row.digest_start_time, row.digest_end_time);
    Some((Digest::kept(&found.bucket, found.name.clone(), window, split(&row.previous_digest)), logs))
}

/// Takes those that must be read after all: the predecessors of digests that were read, whose links are compared, and
/// the successors of those without a signature, which may name it.
pub(super) fn needed(mut kept: Vec<Kept>, read: &[Digest]) -> (Vec<DigestRef>, Vec<Kept>) {
    let named: HashSet<(&str, &str)> =
        read.iter().filter_map(|it| it.previous.as_ref()).map(|it| (&*it.bucket, &*it.key)).collect();
    let unsigned: HashSet<(&str, &str)> =
        read.iter().filter(|it| !it.is_signed()).map(|it| (&*it.bucket, it.name.key())).collect();
    let is_needed = |Kept { found, digest, .. }: &Kept| {
        let previous = digest.previous.as_ref().map(|it| (&*it.bucket, &*it.key));
        named.contains(&found.url()) || previous.is_some_and(|previous| unsigned.contains(&previous))
    };
    let needed = kept.extract_if(.., |it| is_needed(it)).map(|it| it.found).collect();
    (needed, kept)
}
