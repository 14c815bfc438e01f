//! The URLs of what local folders hold, which are copies of buckets.

use std::fs;
use std::path::{Component, Path, PathBuf, absolute};

use crate::IngestError;
use crate::Source;
use crate::fingerprint::fingerprint;
use crate::ledger::identity;
use crate::source::split;

/// The folder in which every trail stands.
const LOGS: &str = "AWSLogs";

/// The sources of a verification.
pub(crate) struct Copies {
    folders: Vec<Copy>,
    has_s3: bool,
}

/// A local folder.
struct Copy {
    folder: PathBuf,
    /// The same from the root: the lake may have read it by another path.
    absolute: PathBuf,
    bucket: String,
    /// The beginning of keys, before a path below the folder; empty, or with a slash at its end.
    prefix: String,
}

impl Copy {
    /// Returns the part of a path below the folder.
    fn below(&self, path: &Path) -> Option<PathBuf> {
        let named = path.strip_prefix(&self.folder).map(Path::to_path_buf);
        named.ok().or_else(|| Some(absolute(path).ok()?.strip_prefix(&self.absolute).ok()?.to_path_buf()))
    }
}

impl Copies {
    pub(crate) fn new(sources: &[Source], buckets: &[String]) -> Result<Self, IngestError> {
        let folders: Vec<&PathBuf> = sources
            .iter()
            .filter_map(|source| match source {
                Source::Local(folder) => Some(folder),
                Source::S3(_) => None,
            })
            .collect();
        let bucket = |at: usize| match buckets {
            [all] => Some(all),
            each if each.len() == folders.len() => each.get(at),
            _ => None,
        };
        let copy = |(at, folder): (usize, &&PathBuf)| {
            let said = bucket(at).ok_or_else(|| IngestError::NoBucket { path: (*folder).clone() })?;
            let said = said.strip_prefix("s3://").unwrap_or(said);
            let (bucket, prefix) = said.split_once('/').unwrap_or((said, ""));
            let folder: PathBuf = folder.components().filter(|part| *part != Component::CurDir).collect();
            let absolute = fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone());
            let prefix =
                if prefix.is_empty() { prefix_of(&absolute) } else { format!("{}/", prefix.trim_end_matches('/')) };
            Ok::<_, IngestError>(Copy { folder, absolute, bucket: bucket.to_owned(), prefix })
        };
        let copies = folders.iter().enumerate().map(copy).collect::<Result<_, IngestError>>()?;
        Ok(Self { folders: copies, has_s3: folders.len() < sources.len() })
    }

    /// Tells whether a source is in S3.
    pub(crate) fn has_s3(&self) -> bool {
        self.has_s3
    }

    /// Returns the bucket and the key of an object, or of a file that stands for one.
    pub(crate) fn location(&self, source_object: &str) -> Option<(String, String)> {
        if let Some((bucket, key)) = split(source_object) {
            return Some((bucket.to_owned(), key.to_owned()));
        }
        let path = Path::new(source_object);
        if let Some((copy, below)) = self.folders.iter().find_map(|copy| Some((copy, copy.below(path)?))) {
            return Some((copy.bucket.clone(), format!("{}{}", copy.prefix, below.to_str()?)));
        }
        // The lake may have read it by a path that leads here no more, or from another copy.
        let below = below_logs(path)?;
        self.folders.iter().find_map(|copy| {
            let root = copy.prefix.split_once(LOGS).map_or(&*copy.prefix, |(root, _)| root);
            let key = format!("{root}{LOGS}/{below}");
            key.starts_with(&copy.prefix).then(|| (copy.bucket.clone(), key))
        })
    }

    /// Tells whether an object of a bucket is below a folder that stands for a part of it.
    pub(crate) fn hold(&self, bucket: &str, key: &str) -> bool {
        self.folders.iter().any(|copy| copy.bucket == bucket && key.starts_with(&copy.prefix))
    }

    /// Returns the fingerprint of an object in a version, whatever path leads to its folder.
    pub(crate) fn identity(&self, source_object: &str, version: &str) -> u128 {
        let path = Path::new(source_object);
        let whole = self.folders.iter().find_map(|copy| Some(copy.absolute.join(copy.below(path)?)));
        match whole.as_deref().and_then(Path::to_str) {
            Some(path) => identity(path, version),
            None => identity(source_object, version),
        }
    }

    /// Returns the URL of an object.
    pub(crate) fn uri(&self, source_object: &str) -> Option<String> {
        self.location(source_object).map(|(bucket, key)| format!("s3://{bucket}/{key}"))
    }

    /// Returns the fingerprint of the URL of an object.
    pub(crate) fn fingerprint(&self, source_object: &str) -> Option<u128> {
        self.location(source_object).map(|(bucket, key)| url_fingerprint(&bucket, &key))
    }
}

/// Returns the fingerprint of a URL.
pub(crate) fn url_fingerprint(bucket: &str, key: &str) -> u128 {
    fingerprint(&[bucket.as_bytes(), key.as_bytes()])
}

/// Returns where in a bucket a folder stands that is, or is below, `AWSLogs`; else it is the bucket's root.
fn prefix_of(folder: &Path) -> String {
    if folder.file_name().is_some_and(|name| name == LOGS) {
        return format!("{LOGS}/");
    }
    below_logs(folder).map_or_else(String::new, |below| format!("{LOGS}/{below}/"))
}

/// Returns the part of a path below its last folder `AWSLogs`.
fn below_logs(path: &Path) -> Option<String> {
    let parts: Vec<_> = path.components().filter_map(|part| part.as_os_str().to_str()).collect();
    let at = parts.iter().rposition(|part| *part == LOGS)?;
    (at + 1 < parts.len()).then(|| parts[at + 1..].join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_bucket_and_its_place_below_the_root() {
        for (folder, bucket, path, key) in [
            ("copy", "b", "copy/p/AWSLogs/1.gz", "p/AWSLogs/1.gz"),
            ("./copy", "s3://b", "copy/p/AWSLogs/1.gz", "p/AWSLogs/1.gz"),
            ("copy/AWSLogs/2", "b", "copy/AWSLogs/2/1.gz", "AWSLogs/2/1.gz"),
            ("/copy", "b/p/q/", "/copy/AWSLogs/1.gz", "p/q/AWSLogs/1.gz"),
        ] {
            let copies = Copies::new(&[Source::Local(folder.into())], &[bucket.to_owned()]).unwrap();
            assert_eq!(copies.uri(path), Some(format!("s3://b/{key}")), "{folder}");
        }
    }

    #[test]
    fn a_file_is_the_same_by_any_path_and_another_in_another_copy() {
        let folder = tempfile::tempdir().unwrap();
        let [one, link, other] = ["one", "link", "other"].map(|name| folder.path().join(name));
        fs::create_dir(&one).unwrap();
        fs::create_dir(&other).unwrap();
        std::os::unix::fs::symlink(&one, &link).unwrap();
        let sources = [link.clone(), other.clone()].map(Source::Local);
        let copies = Copies::new(&sources, &["b".to_owned()]).unwrap();
        let [one, link, other] = [one, link, other].map(|folder| folder.join("AWSLogs/1.gz"));
        let [one, link, other] = [one, link, other].map(|path| copies.identity(path.to_str().unwrap(), "7-8"));
        assert!(one == link && one != other);
    }

    #[test]
    fn a_folder_without_a_bucket_is_refused() {
        let local = |path: &str| Source::Local(path.into());
        let two = [local("a"), local("b")];
        assert!(Copies::new(&two, &[]).is_err() && Copies::new(&[two[0].clone()], &[]).is_err());
        let copies = Copies::new(&two, &["x".to_owned(), "y".to_owned()]).unwrap();
        assert_eq!(copies.uri("b/1.gz").as_deref(), Some("s3://y/1.gz"));
        assert_eq!(Copies::new(&two, &["x".to_owned()]).unwrap().uri("b/1.gz").as_deref(), Some("s3://x/1.gz"));
    }
}
