//! A lake in an object store.

use std::collections::BTreeMap;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Buf;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::GetOptions;
use object_store::GetRange;
use object_store::MultipartUpload;
use object_store::ObjectMeta;
use object_store::ObjectStore;
use object_store::ObjectStoreExt;
use object_store::PutMode;
use object_store::PutPayload;
use object_store::path::Path as Key;
use tokio::runtime::Handle;

use crate::LakeError;
use crate::lease::loss::Loss;
use crate::listed::Listed;
use crate::requests::RequestThread;

/// The bytes that one request of an upload carries, and those that one read asks for at least. S3 takes parts of 5 MiB
/// and more, at most 10,000 of them.
const PART_BYTES: usize = 16 << 20;
const BLOCK_BYTES: u64 = 1 << 20;

/// An object store as a lake uses it, with a thread of its own for its requests.
#[derive(Debug)]
pub(crate) struct Remote {
    store: Arc<dyn ObjectStore>,
    url: PathBuf,
    prefix: Key,
    thread: RequestThread,
    /// Set when the right to write is gone.
    loss: Mutex<Option<Loss>>,
}

impl Remote {
    /// Begins to use the store of the bucket in which `url`, `s3://bucket/prefix`, stands.
    pub(crate) fn start(url: &str, store: Arc<dyn ObjectStore>) -> Result<Arc<Self>, LakeError> {
        let url = url.trim_end_matches('/');
        let prefix = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, key)| key);
        // Its keys would be others than those that readers of the lake are told.
        if Key::from(prefix).as_ref() != prefix {
            return Err(LakeError::OddPrefix { root: url.into() });
        }
        let thread = RequestThread::start("lake").map_err(LakeError::file("start a thread for", url))?;
        let loss = Mutex::default();
        Ok(Arc::new(Self { store, url: url.into(), prefix: prefix.into(), thread, loss }))
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    pub(crate) fn thread(&self) -> &Handle {
        self.thread.handle()
    }

    pub(crate) fn key(&self, path: &Path) -> Key {
        let below = path.strip_prefix(&self.url).expect("a path in a lake begins with its URL");
        below.iter().fold(self.prefix.clone(), |key, part| key.join(&*part.to_string_lossy()))
    }

    /// Does something with the store, while the caller waits.
    pub(crate) fn wait<T, W>(&self, work: impl FnOnce(Arc<dyn ObjectStore>) -> W) -> T
    where
        T: Send + 'static,
        W: Future<Output = T> + Send + 'static,
    {
        self.thread.wait(work(Arc::clone(&self.store)))
    }
}

impl Remote {
    pub(crate) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, LakeError> {
        let key = self.key(path);
        let read = self.wait(|store| async move { store.get(&key).await?.bytes().await });
        Ok(found(read).map_err(failed("read", path))?.map(Vec::from))
    }

    /// Asks for the size of a file and its first block, which of a small file is all.
    pub(crate) fn open(self: &Arc<Self>, path: &Path) -> Result<Option<RemoteFile>, LakeError> {
        let key = self.key(path);
        let of_first = key.clone();
        let first = self.wait(|store| async move {
            let range = Some(GetRange::Bounded(0..BLOCK_BYTES));
            let answer = store.get_opts(&of_first, GetOptions { range, ..GetOptions::default() }).await?;
            Ok((answer.meta.size, answer.bytes().await?))
        });
        Ok(found(first).map_err(failed("open", path))?.map(|(bytes, first)| RemoteFile {
            remote: Arc::clone(self),
            key,
            bytes,
            held: Arc::new(Mutex::new(BTreeMap::from([(0, first)]))),
        }))
    }

    /// Opens a file of this size, of which nothing is read yet.
    pub(crate) fn listed(self: &Arc<Self>, path: &Path, bytes: u64) -> RemoteFile {
        RemoteFile { remote: Arc::clone(self), key: self.key(path), bytes, held: Arc::default() }
    }

    pub(crate) fn files(&self, folder: &Path) -> Result<Vec<Listed>, LakeError> {
        let key = self.key(folder);
        let listed = self.wait(|store| async move { store.list(Some(&key)).try_collect::<Vec<_>>().await });
        let listed = listed.map_err(failed("list", folder))?;
        let path = |key: &Key| {
            key.prefix_match(&self.prefix)
                .map(|below| below.fold(self.url.clone(), |path, part| path.join(part.as_ref())))
        };
        let file = |it: &ObjectMeta| {
            Some(Listed { path: path(&it.location)?, bytes: it.size, written: it.last_modified.into() })
        };
        Ok(listed.iter().filter_map(file).collect())
    }

    /// Writes a small file, unless it is there, and tells whether it was not.
    pub(crate) fn write_new(&self, path: &Path, content: &[u8]) -> Result<bool, LakeError> {
        self.check(path)?;
        let (key, content) = (self.key(path), PutPayload::from(content.to_vec()));
        match self.wait(|store| async move { store.put_opts(&key, content, PutMode::Create.into()).await }) {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(failed("write", path)(error)),
        }
    }

    pub(crate) fn remove(&self, path: &Path) -> Result<(), LakeError> {
        self.check(path)?;
        let key = self.key(path);
        found(self.wait(|store| async move { store.delete(&key).await })).map_err(failed("remove", path))?;
        Ok(())
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), LakeError> {
        self.check(to)?;
        let (source, target) = (self.key(from), self.key(to));
        let renamed = self.wait(|store| async move {
            let missing = match store.copy(&source, &target).await {
                Err(error @ object_store::Error::NotFound { .. }) => error,
                copied => {
                    copied?;
                    return store.delete(&source).await.map(|()| true);
                }
            };
            match store.head(&source).await {
                Ok(_) => Ok(false),
                // An earlier attempt may have renamed it, and been cut short then.
                Err(object_store::Error::NotFound { .. }) => store.head(&target).await.map(|_| true).or(Err(missing)),
                Err(error) => Err(error),
            }
        });
        if renamed.map_err(failed("rename to", to))? {
            return Ok(());
        }
        let fault =
            "answers that the source of the copy is not there, though it is; it may not decode x-amz-copy-source";
        Err(LakeError::Server { action: "rename to", path: to.to_owned(), fault })
    }

    /// Says whether the right to write is gone.
    pub(crate) fn set_loss(&self, loss: Option<Loss>) {
        *self.loss.lock().unwrap_or_else(PoisonError::into_inner) = loss;
    }

    /// Refuses to write once another run may.
    pub(crate) fn check(&self, path: &Path) -> Result<(), LakeError> {
        let path = path.to_owned();
        match *self.loss.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(Loss::Taken) => Err(LakeError::LeaseLost { path }),
            Some(Loss::Late) => Err(LakeError::LeaseLate { path }),
            Some(Loss::Refused) => {
                let fault =
                    "refuses to renew the lease of this run, though If-Match has the ETag that it gave the lease";
                Err(LakeError::Server { action: "write", path, fault })
            }
        }
    }
}

/// A file of a lake in an object store, which is read in blocks. It keeps what it has read.
#[derive(Debug, Clone)]
pub struct RemoteFile {
    remote: Arc<Remote>,
    key: Key,
    pub(crate) bytes: u64,
    held: Arc<Mutex<BTreeMap<u64, Bytes>>>,
}

impl RemoteFile {
    /// Returns some bytes, which must be in the file.
    pub(crate) fn get(&self, from: u64, n_bytes: usize) -> io::Result<Bytes> {
        let to = from + n_bytes as u64;
        if to > self.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let cut = |start: u64, block: &Bytes| {
            let at = usize::try_from(from - start).ok()?;
            (at + n_bytes <= block.len()).then(|| block.slice(at..at + n_bytes))
        };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = held.range(..=from).next_back().and_then(|(start, block)| cut(*start, block)) {
            return Ok(bytes);
        }
        let start = from / BLOCK_BYTES * BLOCK_BYTES;
        let end = to.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES).min(self.bytes);
        let key = self.key.clone();
        let block = self.remote.wait(|store| async move { store.get_range(&key, start..end).await })?;
        let bytes = cut(start, &block).ok_or(io::ErrorKind::UnexpectedEof)?;
        held.insert(start, block);
        Ok(bytes)
    }

    fn forget_before(&self, at: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|start, block| start + block.len() as u64 > at);
    }
}

/// Reads a file from a place on.
#[derive(Debug)]
pub struct RemoteRead {
    pub(crate) file: RemoteFile,
    pub(crate) at: u64,
    /// True if the file keeps what was read.
    pub(crate) is_kept: bool,
}

impl Read for RemoteRead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.file.bytes - self.at).unwrap_or(usize::MAX);
        let mut bytes = self.file.get(self.at, left.min(out.len()))?;
        let n_bytes = bytes.len();
        bytes.copy_to_slice(&mut out[..n_bytes]);
        self.at += n_bytes as u64;
        if !self.is_kept {
            self.file.forget_before(self.at);
        }
        Ok(n_bytes)
    }
}

/// A file on its way into the store: nobody sees it before it is whole.
#[derive(Debug)]
pub(crate) struct Upload {
    remote: Arc<Remote>,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Once there is more than one part.
    parts: Option<Box<dyn MultipartUpload>>,
}

impl Upload {
    pub(crate) fn new(remote: &Arc<Remote>, path: &Path) -> Self {
        Self { remote: Arc::clone(remote), path: path.to_owned(), buffer: Vec::new(), parts: None }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PART_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == PART_BYTES {
            self.send_part()?;
        }
        Ok(taken)
    }

    fn send_part(&mut self) -> io::Result<()> {
        if self.parts.is_none() {
            let key = self.remote.key(&self.path);
            self.parts = Some(self.remote.wait(|store| async move { store.put_multipart(&key).await })?);
        }
        let parts = self.parts.as_mut().expect("it was begun");
        let sent = parts.put_part(PutPayload::from(std::mem::take(&mut self.buffer)));
        Ok(self.remote.wait(|_| sent)?)
    }

    /// Makes the file appear.
    pub(crate) fn finish(&mut self) -> Result<(), LakeError> {
        let (remote, path) = (Arc::clone(&self.remote), self.path.clone());
        remote.check(&path)?;
        let written = LakeError::file("write", &path);
        if self.parts.is_none() {
            let (key, content) = (remote.key(&path), std::mem::take(&mut self.buffer));
            let put = remote.wait(|store| async move { store.put(&key, PutPayload::from(content)).await });
            return put.map(|_| ()).map_err(failed("write", &path));
        }
        if !self.buffer.is_empty()
            && let Err(error) = self.send_part()
        {
            return Err(written(error));
        }
        let mut parts = self.parts.take().expect("it was begun");
        let (parts, completed) = remote.wait(|_| async move {
            let completed = parts.complete().await;
            (parts, completed)
        });
        // Given back, so that it can be aborted.
        self.parts = completed.is_err().then_some(parts);
        completed.map(|_| ()).map_err(failed("write", &path))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(mut parts) = self.parts.take() {
            // A part that stays is invisible, and `gc` finds it.
            let _ = self.remote.wait(|_| async move { parts.abort().await });
        }
    }
}

/// Tells an object that is not there from a request that failed; it is `None`.
fn found<T>(outcome: object_store::Result<T>) -> object_store::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        // A bucket that is not there is not found either.
        Err(object_store::Error::NotFound { source, .. }) if !source.to_string().contains("NoSuchBucket") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Names what was tried on which object.
pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(object_store::Error) -> LakeError {
    let path = path.to_owned();
    move |source| LakeError::Store { action, path, source: Box::new(source) }
}
