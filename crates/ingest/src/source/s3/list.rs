//! The objects below a prefix, listed side by side.

use std::sync::atomic::Ordering::Relaxed;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::Object;
use futures::StreamExt;
use futures::stream;
use futures::stream::FuturesUnordered;

use super::S3;
use super::remedy;
use super::version;
use super::visit::Visit;
use super::visit::visit;
use crate::Filter;
use crate::IngestError;
use crate::Names;
use crate::error::chain;
use crate::source::Location;
use crate::source::key::below_trail;
use crate::source::listing::Listing;
use crate::source::listing::Version;
use crate::source::skipped::SkipReason;

/// LIST requests under way at once.
const LISTS: usize = 32;
/// HEAD requests under way at once.
const HEADS: usize = 64;

/// The content of a folder of a bucket.
#[derive(Debug, Default)]
struct ListedFolder {
    objects: Listing,
    folders: Vec<String>,
}

/// An object that was named and cannot be looked at.
#[derive(Debug)]
pub(crate) struct Unseen {
    pub(crate) name: Box<str>,
    /// True if it is not there; else it may not be looked at.
    pub(crate) is_gone: bool,
    pub(crate) why: IngestError,
}

impl S3 {
    /// Adds to `listing` the objects at and below `source`, but for folders in which `filter` takes nothing: those are
    /// not even listed.
    pub(crate) async fn list(
        &self,
        source: &Location,
        filter: &Filter,
        listing: &mut Listing,
    ) -> Result<(), IngestError> {
        let first = if source.key.is_empty() || source.key.ends_with('/') {
            visit(&source.key, filter)
        } else {
            Visit::Folders
        };
        let mut waiting = vec![(source.key.clone(), first)];
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < LISTS
                && let Some((prefix, visit)) = waiting.pop()
            {
                running.push(Box::pin(self.folder(source, prefix, visit, filter.names)));
            }
            let Some(found) = running.next().await else {
                return Ok(());
            };
            let found = found?;
            listing.extend(found.objects);
            for folder in found.folders.into_iter().filter(|folder| is_below(&source.key, folder)) {
                if is_hidden(&source.key, &folder) {
                    listing.skipped.add_folder(SkipReason::Hidden, named(source, &folder));
                } else {
                    let visit = visit(&folder, filter);
                    waiting.push((folder, visit));
                }
            }
        }
    }

    /// Adds to `listing` objects that are named, each by a request of its own, and returns those that it could not add,
    /// which are counted there.
    pub(crate) async fn look_at(
        &self,
        objects: &[Location],
        listing: &mut Listing,
    ) -> Result<Vec<Unseen>, IngestError> {
        let mut unseen = Vec::new();
        let mut found = stream::iter(objects).map(|object| Box::pin(self.head(object))).buffered(HEADS);
        while let Some((name, looked)) = found.next().await {
            let error = match looked {
                Ok((version, bytes)) => {
                    listing.push(&name, None, Version::Text(&version), bytes);
                    continue;
                }
                Err(error) => error,
            };
            let (status, remedy) = (error.raw_response().map(|answer| answer.status().as_u16()), remedy(&error));
            let why = IngestError::Aws { action: "look at", name: name.clone(), remedy, source: error.into() };
            if !matches!(status, Some(403 | 404)) {
                return Err(why);
            }
            tracing::warn!(error = chain(&why), "passed over");
            let is_gone = status == Some(404);
            let counted = if is_gone { &mut listing.gone } else { &mut listing.left };
            *counted += 1;
            unseen.push(Unseen { name: name.into(), is_gone, why });
        }
        Ok(unseen)
    }

    /// Returns the name of an object, and its version and size.
    async fn head(
        &self,
        object: &Location,
    ) -> (String, Result<(Box<str>, u64), SdkError<HeadObjectError, HttpResponse>>) {
        let request = self.client().await.head_object().bucket(&object.bucket).key(&object.key);
        let answer = request.set_request_payer(self.payer()).send().await;
        let looked = answer.map(|answer| {
            let bytes = answer.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default();
            (version(answer.e_tag(), bytes, answer.last_modified()), bytes)
        });
        (object.to_string(), looked)
    }

    async fn folder(
        &self,
        source: &Location,
        prefix: String,
        visit: Visit,
        names: Names,
    ) -> Result<ListedFolder, IngestError> {
        let mut folder = ListedFolder::default();
        match visit {
            Visit::Filtered => {
                folder.objects.beyond.note_folder(below_trail(&prefix).unwrap_or_default().as_slice());
                return Ok(folder);
            }
            Visit::Other(reason) => {
                folder.objects.skipped.add_folder(reason, named(source, &prefix));
                return Ok(folder);
            }
            Visit::Folders | Visit::All => {}
        }
        let delimiter = (visit == Visit::Folders).then(|| "/".to_owned());
        let mut token = None;
        loop {
            let page = self.page(&source.bucket, &prefix, delimiter.clone(), token, None).await?;
            token = page.next_continuation_token;
            for object in page.contents.unwrap_or_default() {
                push(source, &object, names, &mut folder.objects);
            }
            folder.folders.extend(page.common_prefixes.unwrap_or_default().into_iter().filter_map(|it| it.prefix));
            if token.is_none() {
                return Ok(folder);
            }
        }
    }

    /// Lists a page of what is below a prefix, from behind the key `after` on.
    pub(crate) async fn page(
        &self,
        bucket: &str,
        prefix: &str,
        delimiter: Option<String>,
        token: Option<String>,
        after: Option<String>,
    ) -> Result<ListObjectsV2Output, IngestError> {
        let request = self.client().await.list_objects_v2().bucket(bucket).prefix(prefix).set_start_after(after);
        let request = request.set_delimiter(delimiter).set_continuation_token(token).set_request_payer(self.payer());
        let page = request.send().await.map_err(|error| IngestError::Aws {
            action: "list",
            name: Location { bucket: bucket.to_owned(), key: prefix.to_owned() }.to_string(),
            remedy: remedy(&error),
            source: error.into(),
        })?;
        self.lists.fetch_add(1, Relaxed);
        Ok(page)
    }
}

/// Tells whether `key` is what the source names, or stands below it. S3 itself compares letters only, and takes
/// `logs-old/` for a folder below `logs`.
fn is_below(source: &str, key: &str) -> bool {
    let Some(rest) = key.strip_prefix(source) else {
        return false;
    };
    source.is_empty() || source.ends_with('/') || rest.is_empty() || rest.starts_with('/')
}

/// Tells whether the name of `key`, or of a folder in which it stands below the source, begins with `.` or `_`.
fn is_hidden(source: &str, key: &str) -> bool {
    key.strip_prefix(source).unwrap_or(key).split('/').any(|part| part.starts_with(['.', '_']))
}

/// Returns the URL of a key in the bucket of the source.
fn named(source: &Location, key: &str) -> String {
    Location { bucket: source.bucket.clone(), key: key.to_owned() }.to_string()
}

fn push(source: &Location, object: &Object, names: Names, listing: &mut Listing) {
    // A key that ends so stands for a folder, and holds nothing.
    let is_object = |key: &&str| is_below(&source.key, key) && !key.ends_with('/');
    let Some(key) = object.key().filter(is_object) else {
        return;
    };
    let name = named(source, key);
    if is_hidden(&source.key, key) {
        return listing.skipped.add_object(SkipReason::Hidden, name);
    }
    // An object that is a source itself is read whatever it is called.
    if !names.takes(key.as_ref()) && key != source.key {
        return listing.skipped.add_object(SkipReason::OtherName, name);
    }
    let bytes = object.size().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default();
    let version = version(object.e_tag(), bytes, object.last_modified());
    listing.push(&name, None, Version::Text(&version), bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_folder_and_no_mere_beginning_of_a_name() {
        for (source, key, expected) in [
            ("", "a.gz", true),
            ("logs", "logs/a.gz", true),
            ("logs/", "logs/b/a.gz", true),
            ("logs", "logs-old/a.gz", false),
            ("logs/a.gz", "logs/a.gz", true),
        ] {
            assert_eq!(is_below(source, key), expected, "{source} {key}");
        }
    }

    #[test]
    fn what_is_hidden_below_a_source_is_hidden() {
        for (source, key, expected) in [
            ("logs", "logs/_tmp/a.gz", true),
            ("logs", "logs/.a.gz", true),
            ("logs", "logs/a_b.gz", false),
            ("_hidden/but/asked/", "_hidden/but/asked/a.gz", false),
        ] {
            assert_eq!(is_hidden(source, key), expected, "{source} {key}");
        }
    }
}
