//! Digest files, fetched and read.

use std::collections::HashMap;
use std::fs;
use std::fs::File;
use std::mem;

use futures::StreamExt;
use futures::stream;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};
use trailweave_decode::{MemberError, inflate_member};
use trailweave_digest::{
    Digest, Judged, Kind, LogFile, Metadata, Missing, ObjectMetadata, PublicKeys, Unreadable, check, each_metadata,
    judge,
};

use super::had::HadLogs;
use super::kept;
use super::kept::{Kept, Parted};
use super::known::Known;
use super::list::DigestRef;
use super::listed::Listed;
use super::logs::Log;
use super::verification::Verification;
use crate::IngestError;
use crate::error::chain;

/// Digests that are held as they were fetched.
const TOGETHER: usize = 4_096;
/// A digest that inflates past this is not one.
const CAP_BYTES: usize = 256 << 20;

/// All that the digests say.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) digests: Vec<Digest>,
    /// The version of each, as the lake keeps it.
    pub(super) versions: Vec<Box<str>>,
    pub(super) unreadable: Vec<Unreadable>,
    pub(super) listed: Vec<Log>,
    /// Those that the lake knows, and that their source does not hold any more.
    pub(super) lost: Vec<Missing>,
}

/// A digest as it was fetched, with its user metadata.
type Fetched = Result<(Vec<u8>, HashMap<String, String>), String>;

impl Verification<'_> {
    /// Gathers what digests say. Those that the lake keeps are not read, but for the ones next to others that are.
    pub(super) async fn gather(
        &self,
        refs: Vec<DigestRef>,
        metadata: &mut Metadata,
        had: &HadLogs,
        known: &Known,
    ) -> Result<Gathered, IngestError> {
        let mut gathered = Gathered { listed: Vec::with_capacity(had.len()), ..Gathered::default() };
        let Parted { unread, kept, lost } = self.part(refs, metadata, had, known)?;
        gathered.lost = lost;
        self.read(unread, metadata, (had, known), &mut gathered).await?;
        let (unread, kept) = kept::needed(kept, &gathered.digests);
        self.read(unread, metadata, (had, known), &mut gathered).await?;
        gathered.digests.reserve_exact(kept.len());
        gathered.versions.reserve_exact(kept.len());
        for Kept { found, digest, logs } in kept {
            gathered.push(digest, found.version, logs.into_iter().map(Listed::Known));
        }
        Ok(gathered)
    }

    /// Fetches and reads digests. What S3 tells of them is noted for the file of metadata, which tells of those in folders.
    async fn read(
        &self,
        mut refs: Vec<DigestRef>,
        metadata: &mut Metadata,
        (had, known): (&HadLogs, &Known),
        gathered: &mut Gathered,
    ) -> Result<(), IngestError> {
        self.tell(&mut refs, metadata)?;
        while !refs.is_empty() {
            let rest = refs.split_off(refs.len().min(TOGETHER));
            let stored = self.fetch(&refs).await;
            for (digest, stored) in refs.iter_mut().zip(&stored) {
                if let Some(Ok((_, named))) = stored {
                    self.note(digest, named, metadata);
                }
            }
            let versions: Vec<_> = refs.iter().map(|digest| digest.version.clone()).collect();
            let all = mem::replace(&mut refs, rest).into_par_iter().zip(stored);
            let read: Vec<_> = self.cpu.install(|| all.map(|(digest, stored)| read_one(digest, stored)).collect());
            for (outcome, version) in read.into_iter().zip(versions) {
                match outcome {
                    Ok((digest, log_files)) => gathered.add(digest, version, log_files, (had, known)),
                    Err(unreadable) => gathered.unreadable.push(*unreadable),
                }
            }
        }
        Ok(())
    }

    /// Fetches those that are in S3.
    async fn fetch(&self, refs: &[DigestRef]) -> Vec<Option<Fetched>> {
        let fetch = |digest: &DigestRef| {
            let remote = digest.path.is_none().then(|| (digest.bucket.clone(), digest.name.key().to_owned()));
            async move {
                let (bucket, key) = remote?;
                Some(self.s3.get_object(&bucket, &key).await.map_err(|error| chain(&error)))
            }
        };
        stream::iter(refs.iter().map(fetch)).buffered(self.options.fetches.get()).collect().await
    }

    /// Tells digests in folders their metadata. Needs: they are in the order of their URLs.
    fn tell(&self, refs: &mut [DigestRef], metadata: &Metadata) -> Result<(), IngestError> {
        if self.copies.has_s3() {
            for digest in refs {
                let DigestRef { bucket, name, .. } = digest;
                digest.metadata = metadata.get(bucket, name.key()).map(ObjectMetadata::of_digest).unwrap_or_default();
            }
            return Ok(());
        }
        let Some(path) = self.verify.digest_metadata.as_ref().filter(|_| !refs.is_empty()) else { return Ok(()) };
        let file = File::open(path).map_err(IngestError::source("read", path))?;
        let tell = |bucket: &str, key: String, metadata: ObjectMetadata| {
            if let Ok(at) = refs.binary_search_by(|it| it.url().cmp(&(bucket, &key))) {
                refs[at].metadata = metadata.of_digest();
            }
        };
        each_metadata(file, tell).map_err(IngestError::proof(path))
    }

    /// Notes what S3 told of a digest.
    fn note(&self, digest: &mut DigestRef, named: &HashMap<String, String>, metadata: &mut Metadata) {
        let told = ObjectMetadata::new(named.clone());
        digest.metadata = told.of_digest();
        if self.verify.digest_metadata.is_some() {
            metadata.insert(&digest.bucket, digest.name.key().to_owned(), told);
        }
    }

    /// Judges the digests.
    pub(super) fn judge(&self, digests: &[Digest], unreadable: &[Unreadable], keys: &PublicKeys) -> Judged {
        let own = self.cpu.install(|| digests.par_iter().map(|digest| check(digest, keys)).collect());
        judge(digests, own, unreadable, keys, self.verify.range)
    }
}

impl Gathered {
    fn add(&mut self, digest: Digest, version: Box<str>, log_files: Vec<LogFile>, (had, known): (&HadLogs, &Known)) {
        // One whose signature its successor names is read again, so that this is said again.
        let version = if digest.is_signed() { version } else { Box::default() };
        self.push(digest, version, log_files.into_iter().map(|log_file| Listed::new(log_file, had, known)));
    }

    fn push(&mut self, digest: Digest, version: Box<str>, logs: impl IntoIterator<Item = Listed>) {
        let digest_at = u32::try_from(self.digests.len()).expect("a trail has fewer digests");
        self.digests.push(digest);
        self.versions.push(version);
        self.listed.extend(logs.into_iter().map(|listed| Log::new(listed, digest_at)));
    }
}

fn read_one(
    DigestRef { bucket, name, path, metadata, .. }: DigestRef,
    fetched: Option<Fetched>,
) -> Result<(Digest, Vec<LogFile>), Box<Unreadable>> {
    let refuse = |kind: Kind, detail: String| {
        let finding = kind.fail(format!("s3://{bucket}/{}", name.key())).saying(detail);
        Box::new(Unreadable { bucket: bucket.clone(), name: name.clone(), finding })
    };
    let stored = match (fetched, &path) {
        (Some(fetched), _) => fetched.map(|(stored, _)| stored),
        (None, Some(path)) => fs::read(path).map_err(|error| chain(&error)),
        (None, None) => unreachable!("what is in no folder was fetched"),
    };
    let stored = stored.map_err(|why| refuse(Kind::DigestMissing, why))?;
    let text = inflate_member(&stored, CAP_BYTES).map_err(|error| match error {
        MemberError::TrailingBytes => refuse(Kind::DigestTrailingBytes, error.to_string()),
        _ => refuse(Kind::DigestFormat, error.to_string()),
    })?;
    Digest::read(&bucket, name.clone(), &text, metadata).map_err(|error| refuse(Kind::DigestFormat, error.to_string()))
}
