//! The stored bytes of objects that are files.

use std::fs::File;
use std::io;
use std::io::Read;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::openat;
use rustix::io::retry_on_intr;

use crate::run::plan::Batch;
use crate::source::fetch::FetchError;
use crate::source::listing::ObjectRef;
use crate::source::local::version;

/// Reads files of a batch whole, in the versions that were listed, on a thread that may wait: one crossing for all of
/// them.
pub(crate) async fn read(batch: &Arc<Batch>, positions: Range<usize>) -> Vec<Result<Vec<u8>, FetchError>> {
    let (of, listed) = (Arc::clone(batch), positions.clone());
    #[expect(clippy::disallowed_methods, reason = "as tokio's own files do, but once for many objects")]
    let read = tokio::task::spawn_blocking(move || {
        let mut folder = OpenFolder::default();
        of.objects[listed].iter().map(|object| read_version(&mut folder, object)).collect::<Vec<_>>()
    });
    let objects = &batch.objects[positions];
    let stopped = |_| objects.iter().map(|_| Err(io::Error::other("the reading thread stopped"))).collect();
    let read = read.await.unwrap_or_else(stopped);
    let named = |(object, read): (&ObjectRef, io::Result<Option<Vec<u8>>>)| match read {
        Ok(Some(stored)) => Ok(stored),
        Ok(None) => Err(FetchError::Changed { source_object: object.source_object.clone() }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            Err(FetchError::Gone { source_object: object.source_object.clone() })
        }
        Err(source) => Err(FetchError::Read { source_object: object.source_object.clone(), source }),
    };
    objects.iter().zip(read).map(named).collect()
}

/// Reads a file, if it has this version after it was read. Bytes by which it has grown are not read.
fn read_version(folder: &mut OpenFolder, object: &ObjectRef) -> io::Result<Option<Vec<u8>>> {
    let file = folder.open(object.path())?;
    let mut stored = Vec::with_capacity(usize::try_from(object.bytes).unwrap_or_default());
    // Taken from the file itself, it would be asked for its size and position again.
    (&file).take(object.bytes).read_to_end(&mut stored)?;
    let metadata = file.metadata()?;
    let is_same = stored.len() as u64 == object.bytes && version(&metadata).text(metadata.len()) == *object.version;
    Ok(is_same.then_some(stored))
}

/// The folder of the file before: neighbours are mostly of one, and the way there is half of opening a small file.
#[derive(Default)]
struct OpenFolder {
    opened: Option<(PathBuf, OwnedFd)>,
}

impl OpenFolder {
    fn open(&mut self, path: &Path) -> io::Result<File> {
        let (Some(folder), Some(name)) = (path.parent().filter(|it| !it.as_os_str().is_empty()), path.file_name())
        else {
            return File::open(path);
        };
        if self.opened.as_ref().is_none_or(|(opened, _)| opened != folder) {
            let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            // The right to pass through a folder does not include that to list it.
            let opened = retry_on_intr(|| openat(CWD, folder, how, Mode::empty()));
            let Ok(opened) = opened else { return File::open(path) };
            self.opened = Some((folder.to_owned(), opened));
        }
        let (_, folder) = self.opened.as_ref().expect("it was just opened");
        Ok(retry_on_intr(|| openat(folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()))?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_that_changed_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        std::fs::write(&path, "{}").unwrap();
        let objects = crate::source::local::list(std::slice::from_ref(&path), &[], crate::Names::OfTrails).unwrap();
        let batch = Arc::new(Batch::of(&objects, 0..1));
        let read = || async { read(&batch, 0..1).await.remove(0) };
        assert_eq!(read().await.unwrap(), b"{}");
        std::fs::write(&path, "{} ").unwrap();
        assert!(matches!(read().await, Err(FetchError::Changed { .. })));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(read().await, Err(FetchError::Gone { .. })));
    }
}
