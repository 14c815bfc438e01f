//! Objects that are copied into a file, because they are large or not read from the beginning to the end.

use std::fs::File;
use std::io::Seek;
use std::io::Write;

use super::EndedEarly;
use super::GetError;
use super::S3;
use super::remedy;
use super::whole;
use crate::IngestError;
use crate::Location;

impl S3 {
    /// Copies an object into a file that has no name and vanishes when it is closed.
    pub(crate) async fn copy(&self, object: &Location) -> Result<File, IngestError> {
        let name = object.to_string();
        let cut = |source| IngestError::Aws {
            action: "read",
            name: name.clone(),
            remedy: "check the network".into(),
            source,
        };
        whole(&name, || self.try_copy(object), cut).await
    }

    async fn try_copy(&self, object: &Location) -> Result<File, GetError<IngestError>> {
        let request = self.client().await.get_object().bucket(&object.bucket).key(&object.key);
        let answer = request.set_request_payer(self.payer()).send().await.map_err(|error| {
            let (name, remedy) = (object.to_string(), remedy(&error));
            GetError::Failed(IngestError::Aws { action: "read", name, remedy, source: error.into() })
        })?;
        let scratch = |source| GetError::Failed(IngestError::Scratch { source });
        let bytes = answer.content_length().and_then(|bytes| u64::try_from(bytes).ok());
        let mut file = tempfile::tempfile().map_err(scratch)?;
        let mut body = answer.body;
        let mut got = 0;
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| GetError::Cut(error.into()))?;
            got += bytes.len() as u64;
            file.write_all(&bytes).map_err(scratch)?;
        }
        match bytes {
            Some(bytes) if got != bytes => Err(GetError::Cut(EndedEarly { got, bytes }.into())),
            _ => {
                file.rewind().map_err(scratch)?;
                Ok(file)
            }
        }
    }
}
