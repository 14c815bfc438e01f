//! The digest files of the sources.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use trailweave_digest::{DigestMetadata, DigestName, Range};

use super::verification::Verification;
use crate::Filter;
use crate::IngestError;
use crate::Location;
use crate::Source;
use crate::source::key::{below_trail, is_account, skips_folder};
use crate::source::local::version;
use crate::source::s3;
use crate::source::s3::S3;
use crate::source::skipped::SkipReason;

/// LIST requests under way at once.
const LISTS: usize = 32;
/// Digests are looked at that end so long before the time that is asked for, or begin so long after it: they list log
/// files whose names are of that time, and the last of them names the signature of one before it.
const AROUND_SECS: i64 = 26 * 3_600;

/// The folder of digests.
const FOLDER: &str = "CloudTrail-Digest";

/// A digest file that is listed.
pub(super) struct DigestRef {
    pub(super) bucket: String,
    pub(super) name: DigestName,
    /// Its version, as the ledger names versions.
    pub(super) version: Box<str>,
    /// None: it is in S3.
    pub(super) path: Option<PathBuf>,
    /// Empty until it is told.
    pub(super) metadata: DigestMetadata,
}

impl DigestRef {
    /// Returns its bucket and its key.
    pub(super) fn url(&self) -> (&str, &str) {
        (&self.bucket, self.name.key())
    }
}

/// Returns a filter that also takes the days around a time.
pub(super) fn around(filter: &Filter, range: Range) -> Filter {
    let day = |secs: i64| Timestamp::from_second(secs).ok().map(|time| TimeZone::UTC.to_datetime(time).date());
    Filter {
        from: range.from.and_then(|from| day(from - AROUND_SECS)),
        to: range.to.and_then(|to| day(to + AROUND_SECS)),
        ..filter.clone()
    }
}

impl Verification<'_> {
    /// Lists the digests of the time that is asked for, and around it.
    pub(super) async fn list_digests(&self) -> Result<Vec<DigestRef>, IngestError> {
        let mut found = Vec::new();
        for source in &self.options.sources {
            match source {
                Source::Local(folder) => {
                    let paths = local(folder).map_err(IngestError::source("list", folder))?;
                    let located = paths.into_iter().filter_map(|path| {
                        let (bucket, key) = self.copies.location(path.to_str()?)?;
                        // One that cannot be looked at cannot be read either, which is said later.
                        let version =
                            fs::metadata(&path).map_or_else(|_| String::new(), |it| version(&it).text(it.len()));
                        Some((bucket, key, version.into(), Some(path)))
                    });
                    found.extend(located);
                }
                Source::S3(location) => {
                    let keys = remote(&self.s3, location, &self.options.filter, self.verify.range).await?;
                    found.extend(keys.into_iter().map(|(key, version)| (location.bucket.clone(), key, version, None)));
                }
            }
        }
        let named = found.into_iter().filter_map(|(bucket, key, version, path)| {
            let name = DigestName::of(&key).filter(|name| self.takes(name))?;
            Some(DigestRef { bucket, name, version, path, metadata: DigestMetadata::default() })
        });
        let mut refs: Vec<_> = named.collect();
        // Sources may hold the same digest; that of the first counts.
        refs.sort_by(|a, b| a.url().cmp(&b.url()));
        refs.dedup_by(|a, b| a.url() == b.url());
        Ok(refs)
    }

    fn takes(&self, name: &DigestName) -> bool {
        let filter = &self.options.filter;
        let Range { from, to } = self.verify.range;
        filter.takes_account(name.account())
            && filter.takes_region(name.region())
            && from.is_none_or(|from| from - AROUND_SECS <= name.end)
            && to.is_none_or(|to| name.end <= to + AROUND_SECS)
    }
}

/// Lists the digests below a folder. Folders of other objects are passed over.
fn local(source: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let root: PathBuf = source.components().filter(|part| *part != std::path::Component::CurDir).collect();
    let mut waiting = vec![root];
    while let Some(folder) = waiting.pop() {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        if !here.is_dir() {
            found.push(folder);
            continue;
        }
        // Links may lead in a circle.
        if !seen.insert(fs::canonicalize(here)?) {
            continue;
        }
        for entry in fs::read_dir(here)? {
            let entry = entry?;
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            let is_other = name.to_str().is_some_and(is_other_folder);
            if kind.is_dir() && !is_other || kind.is_symlink() && entry.path().is_dir() {
                waiting.push(folder.join(name));
            } else if !kind.is_dir() && name.as_encoded_bytes().ends_with(b".json.gz") {
                found.push(folder.join(name));
            }
        }
    }
    Ok(found)
}

/// Tells whether a folder is one of a trail that holds no digests.
fn is_other_folder(name: &str) -> bool {
    name.starts_with("CloudTrail") && skips_folder(name) != Some(SkipReason::Digest)
}

/// The key of an object, and its version.
type Key = (String, Box<str>);

/// Lists the keys of digests at and below a prefix: the folders down to those of regions, and of each of these the days
/// that are asked for.
async fn remote(s3: &S3, source: &Location, filter: &Filter, range: Range) -> Result<Vec<Key>, IngestError> {
    let (bucket, key) = (&source.bucket, &source.key);
    let first = if key.is_empty() || key.ends_with('/') { key.clone() } else { format!("{key}/") };
    let (mut waiting, mut found) = (vec![first], Vec::new());
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < LISTS
            && let Some(prefix) = waiting.pop()
        {
            running.push(Box::pin(folder(s3, bucket, prefix, filter, range)));
        }
        let Some(listed) = running.next().await else { return Ok(found) };
        let (keys, folders) = listed?;
        found.extend(keys);
        waiting.extend(folders);
    }
}

/// Lists one folder: its keys, and the folders in it that may hold digests.
async fn folder(
    s3: &S3,
    bucket: &str,
    prefix: String,
    filter: &Filter,
    range: Range,
) -> Result<(Vec<Key>, Vec<String>), IngestError> {
    let is_region = is_below_region(&prefix);
    let delimiter = (!is_region).then(|| "/".to_owned());
    let day = |secs: i64| Timestamp::from_second(secs).ok().map(|time| time.strftime("%Y/%m/%d").to_string());
    let is_root = prefix.rsplit('/').nth(2) == Some(FOLDER);
    let begin = range.from.filter(|_| is_root).and_then(|from| day(from - AROUND_SECS));
    let end = range.to.filter(|_| is_root).and_then(|to| day(to + AROUND_SECS)).map(|day| format!("{prefix}{day}~"));
    let mut after = begin.map(|day| format!("{prefix}{day}"));
    let (mut keys, mut folders, mut token) = (Vec::new(), Vec::new(), None);
    loop {
        let page = s3.page(bucket, &prefix, delimiter.clone(), token, after.take()).await?;
        token = page.next_continuation_token;
        let named = page.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let version =
                s3::version(object.e_tag(), object.size().unwrap_or_default().unsigned_abs(), object.last_modified());
            Some((object.key?, version))
        });
        let is_at_end = |(key, _): &Key| end.as_ref().is_some_and(|end| key > end);
        let before = keys.len();
        keys.extend(named);
        let is_past = keys[before..].iter().any(is_at_end);
        let common = page.common_prefixes.unwrap_or_default().into_iter().filter_map(|it| it.prefix);
        folders.extend(common.filter(|folder| may_hold_digests(folder, filter)));
        if token.is_none() || is_past {
            return Ok((keys, folders));
        }
    }
}

/// Tells whether a folder is of a region's digests, or below that.
fn is_below_region(prefix: &str) -> bool {
    let mut folders = prefix.split_terminator('/');
    folders.by_ref().any(|folder| folder == FOLDER) && folders.next().is_some()
}

fn may_hold_digests(prefix: &str, filter: &Filter) -> bool {
    let Some(folders) = below_trail(prefix) else { return true };
    match &folders[..] {
        [] => true,
        [account] => is_account(account) && filter.takes_account(account),
        [_, folder] => *folder == FOLDER,
        [_, folder, region, ..] => *folder == FOLDER && filter.takes_region(region),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_that_lead_to_digests_are_listed() {
        let filter = Filter { regions: ["eu-west-1".to_owned()].into(), ..Filter::default() };
        for (prefix, expected) in [
            ("p/", true),
            ("p/AWSLogs/", true),
            ("p/AWSLogs/o-abcdefghij/", true),
            ("p/AWSLogs/210987654321/", true),
            ("p/AWSLogs/o-abcdefghij/210987654321/CloudTrail-Digest/", true),
            ("p/AWSLogs/210987654321/CloudTrail/", false),
            ("p/AWSLogs/210987654321/vpcflowlogs/", false),
            ("p/AWSLogs/aws-waf/", false),
            ("p/AWSLogs/210987654321/CloudTrail-Digest/eu-west-1/", true),
            ("p/AWSLogs/210987654321/CloudTrail-Digest/eu-west-2/", false),
        ] {
            assert_eq!(may_hold_digests(prefix, &filter), expected, "{prefix}");
        }
        assert!(
            is_below_region("AWSLogs/1/CloudTrail-Digest/eu-west-1/")
                && !is_below_region("AWSLogs/1/CloudTrail-Digest/")
        );
    }
}
