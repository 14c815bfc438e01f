//! Digest files, fetched and read.

use std::collections::HashMap;
use std::fs;
use std::mem;

use futures::StreamExt;
use futures::stream;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};
use trailweave_decode::{MemberError, inflate_member};
use trailweave_digest::{
    Digest, Judged, Kind, LogFile, Metadata, ObjectMetadata, PublicKeys, Unreadable, check, judge,
};

use super::copies::url_fingerprint;
use super::had::HadLogs;
use super::kept;
use super::kept::Kept;
use super::known::Known;
use super::list::DigestRef;
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
        let mut gathered = Gathered::default();
        let (unread, kept) = self.part(refs, metadata, had, known)?;
        self.read(unread, metadata, had, &mut gathered).await?;
        let (unread, kept) = kept::needed(kept, &gathered.digests);
        self.read(unread, metadata, had, &mut gathered).await?;
        gathered.digests.reserve_exact(kept.len());
        gathered.versions.reserve_exact(kept.len());
        gathered.listed.reserve_exact(kept.iter().map(|it| it.logs.len()).sum());
        for Kept { found, digest, logs } in kept {
            gathered.push(digest, found.version, logs.iter().map(|log| log.listed(known)));
        }
        Ok(gathered)
    }

    /// Fetches and reads digests. What S3 tells of them is noted for the file of metadata; of folders, the file's
    /// metadata is used up.
    async fn read(
        &self,
        mut refs: Vec<DigestRef>,
        metadata: &mut Metadata,
        had: &HadLogs,
        gathered: &mut Gathered,
    ) -> Result<(), IngestError> {
        if !refs.is_empty() && !self.copies.has_s3() {
            *metadata = self.read_metadata(&refs)?;
        }
        while !refs.is_empty() {
            let rest = refs.split_off(refs.len().min(TOGETHER));
            let stored = self.fetch(&refs).await;
            let told: Vec<Option<ObjectMetadata>> = refs
                .iter()
                .zip(&stored)
                .map(|(digest, stored)| self.metadata_of(digest, stored.as_ref(), metadata))
                .collect();
            let versions: Vec<_> = refs.iter().map(|digest| digest.version.clone()).collect();
            let all = mem::replace(&mut refs, rest).into_par_iter().zip(stored).zip(&told);
            let read = all.map(|((digest, stored), told)| read_one(digest, stored, told.as_ref()));
            let read: Vec<_> = self.cpu.install(|| read.collect());
            for (outcome, version) in read.into_iter().zip(versions) {
                match outcome {
                    Ok((digest, log_files)) => gathered.add(digest, version, log_files, had),
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

    fn metadata_of(
        &self,
        DigestRef { bucket, name, .. }: &DigestRef,
        fetched: Option<&Fetched>,
        metadata: &mut Metadata,
    ) -> Option<ObjectMetadata> {
        match fetched {
            Some(Ok((_, named))) => {
                let told = ObjectMetadata::new(named.clone());
                if self.verify.digest_metadata.is_some() {
                    metadata.insert(bucket, name.key().to_owned(), told.clone());
                }
                Some(told)
            }
            _ if self.copies.has_s3() => metadata.get(bucket, name.key()).cloned(),
            _ => metadata.take(bucket, name.key()),
        }
    }

    /// Judges the digests.
    pub(super) fn judge(&self, digests: &[Digest], unreadable: &[Unreadable], keys: &PublicKeys) -> Judged {
        let own = self.cpu.install(|| digests.par_iter().map(|digest| check(digest, keys)).collect());
        judge(digests, own, unreadable, keys, self.verify.range)
    }
}

impl Gathered {
    fn add(&mut self, digest: Digest, version: Box<str>, log_files: Vec<LogFile>, had: &HadLogs) {
        // One whose signature its successor names is read again, so that this is said again.
        let version = if digest.is_signed() { version } else { Box::default() };
        self.push(
            digest,
            version,
            log_files.into_iter().map(|LogFile { bucket, key, sha256 }| {
                let url = url_fingerprint(&bucket, &key);
                let had = had.position(url);
                let uri = had.is_none().then(|| format!("s3://{bucket}/{key}").into());
                Log::new(url, sha256, had, uri)
            }),
        );
    }

    fn push(&mut self, digest: Digest, version: Box<str>, logs: impl IntoIterator<Item = Log>) {
        let digest_at = u32::try_from(self.digests.len()).expect("a trail has fewer digests");
        self.digests.push(digest);
        self.versions.push(version);
        self.listed.extend(logs.into_iter().map(|log| Log { digest: digest_at, ..log }));
    }
}

fn read_one(
    DigestRef { bucket, name, path, .. }: DigestRef,
    fetched: Option<Fetched>,
    metadata: Option<&ObjectMetadata>,
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
