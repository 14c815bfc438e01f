//! The objects below a prefix, listed side by side.

use std::sync::atomic::Ordering::Relaxed;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::Object;
use futures::StreamExt;
use futures::TryStreamExt;
use futures::stream;
use futures::stream::FuturesUnordered;

use super::S3;
use super::remedy;
use super::version;
use super::visit::Visit;
use super::visit::visit;
use crate::Filter;
use crate::IngestError;
use crate::list::Listing;
use crate::list::is_object_name;
use crate::source::Location;

/// LIST requests under way at once.
const LISTS: usize = 32;
/// HEAD requests under way at once.
const HEADS: usize = 64;

/// What a folder of a bucket holds.
#[derive(Debug, Default)]
struct Folder {
    objects: Vec<Object>,
    folders: Vec<String>,
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
                running.push(Box::pin(self.folder(&source.bucket, prefix, visit)));
            }
            let Some(found) = running.next().await else {
                return Ok(());
            };
            let found = found?;
            for object in found.objects.iter().filter(|object| is_below(&source.key, object.key().unwrap_or_default()))
            {
                push(&source.bucket, object, listing);
            }
            let folders = found.folders.into_iter().filter(|folder| is_below(&source.key, folder));
            waiting.extend(folders.map(|folder| (folder.clone(), visit(&folder, filter))));
        }
    }

    /// Adds to `listing` objects that are named, each by a request of its own.
    pub(crate) async fn look_at(&self, objects: &[Location], listing: &mut Listing) -> Result<(), IngestError> {
        let mut found = stream::iter(objects).map(|object| Box::pin(self.head(object))).buffered(HEADS);
        while let Some((name, version, bytes)) = found.try_next().await? {
            listing.push(name, None, version, bytes);
        }
        Ok(())
    }

    async fn head(&self, object: &Location) -> Result<(Box<str>, Box<str>, u64), IngestError> {
        let request = self.client().await.head_object().bucket(&object.bucket).key(&object.key);
        let answer = request.set_request_payer(self.payer()).send().await.map_err(|error| IngestError::Aws {
            action: "look at",
            name: object.to_string(),
            remedy: remedy(&error),
            source: error.into(),
        })?;
        let bytes = answer.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default();
        Ok((object.to_string().into(), version(answer.e_tag(), bytes, answer.last_modified()), bytes))
    }

    async fn folder(&self, bucket: &str, prefix: String, visit: Visit) -> Result<Folder, IngestError> {
        let mut folder = Folder::default();
        if visit == Visit::Skip {
            return Ok(folder);
        }
        let delimiter = (visit == Visit::Folders).then(|| "/".to_owned());
        let mut token = None;
        loop {
            let page = self.page(bucket, &prefix, delimiter.clone(), token).await?;
            token = page.next_continuation_token;
            folder.objects.extend(page.contents.unwrap_or_default());
            folder.folders.extend(page.common_prefixes.unwrap_or_default().into_iter().filter_map(|it| it.prefix));
            if token.is_none() {
                return Ok(folder);
            }
        }
    }

    async fn page(
        &self,
        bucket: &str,
        prefix: &str,
        delimiter: Option<String>,
        token: Option<String>,
    ) -> Result<ListObjectsV2Output, IngestError> {
        let request = self.client().await.list_objects_v2().bucket(bucket).prefix(prefix);
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

/// Whether `key` is what the source names, or stands below it and is not hidden. S3 itself compares letters only, and
/// takes `logs-old/` for a folder below `logs`.
fn is_below(source: &str, key: &str) -> bool {
    let Some(rest) = key.strip_prefix(source) else {
        return false;
    };
    let is_inside = source.is_empty() || source.ends_with('/') || rest.is_empty() || rest.starts_with('/');
    is_inside && !rest.split('/').any(|part| part.starts_with(['.', '_']))
}

fn push(bucket: &str, object: &Object, listing: &mut Listing) {
    let Some(key) = object.key().filter(|key| is_object_name(key.as_ref())) else {
        return;
    };
    let bytes = object.size().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default();
    let name = Location { bucket: bucket.to_owned(), key: key.to_owned() }.to_string();
    listing.push(name.into(), None, version(object.e_tag(), bytes, object.last_modified()), bytes);
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
            ("logs", "logs/_tmp/a.gz", false),
            ("logs", "logs/.a.gz", false),
            ("_hidden/but/asked/", "_hidden/but/asked/a.gz", true),
        ] {
            assert_eq!(is_below(source, key), expected, "{source} {key}");
        }
    }
}
