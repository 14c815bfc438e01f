//! Uploads that were begun and never ended: their parts are paid for, and no listing shows them.

use super::S3;
use super::S3Options;
use super::remedy;
use super::remedy_or;
use crate::IngestError;
use crate::Location;
use crate::error::chain;

/// An upload to an object, by its id.
type Upload = (Location, String);

/// Finds the uploads below `folder` that were begun and not ended, and aborts them unless `is_dry`. Returns the URLs of
/// what they would have become. Where they may not be listed, or the server cannot, a warning says so, and there are none.
///
/// Needs: nobody is uploading, as while the caller holds the lock of the lake in `folder`.
pub async fn cut_uploads(folder: &Location, options: &S3Options, is_dry: bool) -> Result<Vec<String>, IngestError> {
    let s3 = S3::new(options.clone());
    let uploads = match s3.uploads(folder).await {
        Ok(uploads) => uploads,
        Err(error) => {
            tracing::warn!(error = chain(&error), "uploads that were cut short are not looked for");
            return Ok(Vec::new());
        }
    };
    for (object, id) in uploads.iter().filter(|_| !is_dry) {
        let request = s3.client().await.abort_multipart_upload().bucket(&object.bucket).key(&object.key).upload_id(id);
        Box::pin(request.set_request_payer(s3.payer()).send()).await.map_err(|error| {
            let (name, remedy) = (object.to_string(), remedy(&error));
            IngestError::Aws { action: "abort the upload of", name, remedy, source: error.into() }
        })?;
    }
    Ok(uploads.iter().map(|(object, _)| object.to_string()).collect())
}

impl S3 {
    async fn uploads(&self, folder: &Location) -> Result<Vec<Upload>, IngestError> {
        let prefix = match folder.key.trim_end_matches('/') {
            "" => String::new(),
            key => format!("{key}/"),
        };
        let mut uploads = Vec::new();
        let (mut key, mut id) = (None, None);
        loop {
            let request = self.client().await.list_multipart_uploads().bucket(&folder.bucket).prefix(&prefix);
            let request = request.set_key_marker(key).set_upload_id_marker(id).set_request_payer(self.payer());
            let page = Box::pin(request.send()).await.map_err(|error| IngestError::Aws {
                action: "list the uploads below",
                name: folder.to_string(),
                remedy: remedy_or(&error, "allow s3:ListBucketMultipartUploads on the bucket"),
                source: error.into(),
            })?;
            for upload in page.uploads() {
                let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
                uploads.push((Location { bucket: folder.bucket.clone(), key: key.to_owned() }, id.to_owned()));
            }
            if page.is_truncated() != Some(true) {
                return Ok(uploads);
            }
            (key, id) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }
}
