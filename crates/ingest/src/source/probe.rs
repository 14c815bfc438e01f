//! One look at each place that a run would read from: is it there, and may an object of it be read.

use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::Location;
use super::Source;
use super::local::is_hidden;
use super::local::leads_nowhere;
use super::queue::Queue;
use super::s3::S3;
use super::s3::remedy_or;
use crate::IngestError;
use crate::IngestOptions;

/// A place that was looked at.
#[derive(Debug)]
pub struct Probed {
    /// The place, as it was named.
    pub place: String,
    /// An object of it that could be read; none where it holds none, or is a queue.
    pub found: Result<Option<String>, ProbeError>,
}

/// A place that cannot be read from.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A server refused.
    #[error(transparent)]
    Server(#[from] IngestError),
    /// A file or folder cannot be read.
    #[error("cannot read `{}`; make it readable for this user, or name another --source", path.display())]
    File {
        /// The source.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Looks at the sources and the queue of a run: lists a little, and reads the first byte of an object that is found.
pub async fn probe(options: &IngestOptions) -> Vec<Probed> {
    let s3 = S3::new(options.s3.clone());
    let mut probed = Vec::new();
    for source in &options.sources {
        let found = match source {
            Source::Local(path) => match first_file(path, is_other_than_digest) {
                Ok(None) => first_file(path, |_| true),
                found => found,
            },
            Source::S3(location) => s3.first_object(location).await.map_err(ProbeError::from),
        };
        probed.push(Probed { place: source.to_string(), found });
    }
    if let Some(url) = &options.queue_url {
        let opened = Queue::open(url, &options.s3).await;
        probed.push(Probed { place: url.clone(), found: opened.map(|_| None).map_err(ProbeError::from) });
    }
    probed
}

/// Tells whether a name is not that of digests, which runs do not read.
fn is_other_than_digest(name: &str) -> bool {
    !name.contains("CloudTrail-Digest")
}

/// Opens the first file in a folder and those below whose names `takes` takes, and reads no more than it takes to find it. What
/// a listing passes over is passed over: hidden files, and links that lead nowhere or to a folder above.
fn first_file(path: &Path, takes: fn(&str) -> bool) -> Result<Option<String>, ProbeError> {
    let failed = |source| ProbeError::File { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        File::open(path).map_err(failed)?;
        return Ok(Some(path.display().to_string()));
    }
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if is_hidden(&entry.file_name()) || !takes(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_symlink() {
            match fs::canonicalize(entry.path()) {
                Ok(target) if fs::canonicalize(path).is_ok_and(|folder| folder.starts_with(&target)) => continue,
                Err(error) if leads_nowhere(kind, &error) => continue,
                _ => {}
            }
        }
        if let Some(found) = first_file(&entry.path(), takes)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

impl S3 {
    async fn first_object(&self, source: &Location) -> Result<Option<String>, IngestError> {
        let page = self.page(&source.bucket, &source.key, None, None, None).await?;
        let keys = || page.contents().iter().filter_map(|object| object.key());
        let Some(key) = keys().find(|key| is_other_than_digest(key)).or_else(|| keys().next()) else { return Ok(None) };
        let object = Location { bucket: source.bucket.clone(), key: key.to_owned() };
        let request = self.client().await.get_object().bucket(&object.bucket).key(&object.key).range("bytes=0-0");
        Box::pin(request.set_request_payer(self.payer()).send()).await.map_err(|error| IngestError::Aws {
            action: "read",
            name: object.to_string(),
            remedy: remedy_or(&error, "allow s3:GetObject on it, and kms:Decrypt on the key that encrypts it"),
            source: error.into(),
        })?;
        Ok(Some(object.to_string()))
    }
}
