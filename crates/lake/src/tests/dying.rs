//! An object store of a process that is killed: after so many writes, removals and copies none succeeds. Or one whose answer
//! to one write is lost, though it was carried out.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream;
use futures::stream::BoxStream;
use object_store::CopyOptions;
use object_store::Error;
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
use object_store::path::Path;

/// A view of a store that lives for `left` more changes.
#[derive(Debug)]
pub(crate) struct Dying {
    store: Arc<dyn ObjectStore>,
    left: AtomicUsize,
    /// True if it lives on, and loses the answer to the next write.
    pub(crate) loses_answer: bool,
}

impl Dying {
    pub(crate) fn new(store: &Arc<dyn ObjectStore>, left: usize) -> Self {
        Self { store: Arc::clone(store), left: AtomicUsize::new(left), loses_answer: false }
    }

    /// Tells of a write whether its answer is lost. The number wraps, so no other's is.
    fn is_answer_lost(&self) -> bool {
        self.loses_answer && self.left.fetch_sub(1, Ordering::SeqCst) == 0
    }

    fn live(&self) -> Result<()> {
        if self.loses_answer {
            return Ok(());
        }
        let less = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Generic { store: "dying", source: "killed".into() }),
        }
    }
}

impl fmt::Display for Dying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Dying {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.live()?;
        let is_lost = self.is_answer_lost();
        let is_new = matches!(opts.mode, PutMode::Create);
        let answer = self.store.put_opts(location, payload, opts).await?;
        match is_lost {
            false => Ok(answer),
            // The client asks again, and is told what it has made itself.
            true if is_new => Err(Error::AlreadyExists { path: location.to_string(), source: "made before".into() }),
            true => Err(Error::Generic { store: "dying", source: "no answer".into() }),
        }
    }

    async fn put_multipart_opts(&self, at: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.live()?;
        self.store.put_multipart_opts(at, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.store.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.live() {
            Ok(()) => self.store.delete_stream(locations),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.live()?;
        self.store.copy_opts(from, to, options).await
    }
}
