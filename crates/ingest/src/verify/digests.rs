//! Digest files, fetched and read.

use std::fs;

use futures::StreamExt;
use futures::stream;
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use trailweave_decode::{MemberError, Sha256, inflate_member};
use trailweave_digest::{
    Digest, Judged, Kind, LogFile, Metadata, ObjectMetadata, PublicKeys, Unreadable, check, judge,
};

use super::copies::url_fingerprint;
use super::had::HadLogs;
use super::list::DigestRef;
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
    pub(super) unreadable: Vec<Unreadable>,
    pub(super) listed: Vec<Listed>,
}

/// A log file that a digest lists.
pub(super) struct Listed {
    /// The fingerprint of its URL.
    pub(super) url: u128,
    pub(super) sha256: Sha256,
    /// The position of the digest.
    pub(super) digest: u32,
    /// Its position among those that the sources hold.
    pub(super) had: Option<u32>,
    /// Its URL, where no source holds it.
    pub(super) uri: Option<Box<str>>,
}

/// A digest as it was fetched.
type Stored = Result<(Vec<u8>, Option<ObjectMetadata>), String>;

impl Verification<'_> {
    /// Fetches and reads digests, and notes the metadata that S3 tells of them.
    pub(super) async fn gather(
        &self,
        refs: &[DigestRef],
        metadata: &mut Metadata,
        had: &HadLogs,
    ) -> Result<Gathered, IngestError> {
        let mut gathered = Gathered::default();
        for refs in refs.chunks(TOGETHER) {
            let stored = self.fetch(refs).await;
            let stored: Vec<Stored> = refs
                .iter()
                .zip(stored)
                .map(|(digest, stored)| {
                    let (stored, told) = stored?;
                    if let Some(told) = &told {
                        metadata.insert(&digest.bucket, &digest.key, told.clone());
                    }
                    let told = told.or_else(|| metadata.get(&digest.bucket, &digest.key).cloned());
                    Ok((stored, told))
                })
                .collect();
            let read = |(digest, stored)| read_one(digest, stored);
            let read: Vec<_> = self.cpu.install(|| refs.par_iter().zip(stored).map(read).collect());
            for outcome in read {
                match outcome {
                    Ok((digest, log_files)) => gathered.add(digest, log_files, had),
                    Err(unreadable) => gathered.unreadable.push(*unreadable),
                }
            }
        }
        Ok(gathered)
    }

    async fn fetch(&self, refs: &[DigestRef]) -> Vec<Stored> {
        let fetch = |digest: &DigestRef| {
            let (bucket, key, path) = (digest.bucket.clone(), digest.key.clone(), digest.path.clone());
            async move {
                match path {
                    Some(path) => fs::read(&path).map(|stored| (stored, None)).map_err(|error| chain(&error)),
                    None => self
                        .s3
                        .get_object(&bucket, &key)
                        .await
                        .map_err(|error| chain(&error))
                        .map(|(stored, named)| (stored, Some(ObjectMetadata::new(named)))),
                }
            }
        };
        stream::iter(refs.iter().map(fetch)).buffered(self.options.fetches.get()).collect().await
    }

    /// Judges the digests.
    pub(super) fn judge(&self, digests: &[Digest], unreadable: &[Unreadable], keys: &PublicKeys) -> Judged {
        let own = self.cpu.install(|| digests.par_iter().map(|digest| check(digest, keys)).collect());
        judge(digests, own, unreadable, keys, self.verify.range)
    }
}

impl Gathered {
    fn add(&mut self, digest: Digest, log_files: Vec<LogFile>, had: &HadLogs) {
        let at = u32::try_from(self.digests.len()).expect("a trail has fewer digests");
        self.digests.push(digest);
        self.listed.extend(log_files.into_iter().map(|LogFile { bucket, key, sha256 }| {
            let url = url_fingerprint(&bucket, &key);
            let had = had.position(url);
            let uri = had.is_none().then(|| format!("s3://{bucket}/{key}").into());
            Listed { url, sha256, digest: at, had, uri }
        }));
    }
}

fn read_one(found: &DigestRef, stored: Stored) -> Result<(Digest, Vec<LogFile>), Box<Unreadable>> {
    let DigestRef { bucket, key, name, .. } = found;
    let refuse = |kind: Kind, detail: String| {
        let finding = kind.fail(format!("s3://{bucket}/{key}")).saying(detail);
        Box::new(Unreadable { bucket: bucket.clone(), key: key.clone(), name: name.clone(), finding })
    };
    let (stored, metadata) = stored.map_err(|why| refuse(Kind::DigestMissing, why))?;
    let text = inflate_member(&stored, CAP_BYTES).map_err(|error| match error {
        MemberError::TrailingBytes => refuse(Kind::DigestTrailingBytes, error.to_string()),
        _ => refuse(Kind::DigestFormat, error.to_string()),
    })?;
    Digest::read((bucket, key), name.clone(), &text, metadata.as_ref())
        .map_err(|error| refuse(Kind::DigestFormat, error.to_string()))
}
