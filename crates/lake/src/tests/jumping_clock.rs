//! An object store whose clock has jumped before the object that was made last.

use std::fmt;
use std::sync::Mutex;

use async_trait::async_trait;
use futures::StreamExt;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use object_store::CopyOptions;
use object_store::GetOptions;
use object_store::GetResult;
use object_store::ListResult;
use object_store::MultipartUpload;
use object_store::ObjectMeta;
use object_store::ObjectStore;
use object_store::PutMode;
use object_store::PutMultipartOptions;
use object_store::PutOptions;
use object_store::PutPayload;
use object_store::PutResult;
use object_store::Result;
use object_store::memory::InMemory;
use object_store::path::Path;

/// Memory that gives every object but the last one made the time `others_at`.
#[derive(Debug)]
pub(super) struct JumpingClock {
    memory: InMemory,
    others_at: &'static str,
    last_made: Mutex<Path>,
}

impl JumpingClock {
    pub(super) fn new(others_at: &'static str) -> Self {
        Self { memory: InMemory::new(), others_at, last_made: Mutex::default() }
    }
}

impl fmt::Display for JumpingClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.memory.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for JumpingClock {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if opts.mode == PutMode::Create {
            *self.last_made.lock().unwrap() = location.clone();
        }
        self.memory.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, at: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.memory.put_multipart_opts(at, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.memory.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.memory.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (last_made, others_at) = (self.last_made.lock().unwrap().clone(), self.others_at);
        let seen = self.memory.list(prefix).map_ok(move |mut object| {
            if object.location != last_made {
                object.last_modified = others_at.parse().unwrap();
            }
            object
        });
        seen.boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}
