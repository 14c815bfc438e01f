//! The stored bytes of an object.

use std::error::Error;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use crate::list::version;
use crate::listing::ObjectRef;

/// Why an object could not be had. It is left for the next run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("cannot read `{source_object}`")]
    Read {
        source_object: Box<str>,
        #[source]
        source: io::Error,
    },
    #[error("cannot fetch `{source_object}`; {remedy}")]
    S3 {
        source_object: Box<str>,
        remedy: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("`{source_object}` was deleted before it was read")]
    Gone { source_object: Box<str> },
    #[error("`{source_object}` changed after it was listed")]
    Changed { source_object: Box<str> },
}

/// Reads files whole, in the versions that were listed, on a thread that may wait: one crossing for all of them.
pub(crate) async fn read(objects: &[ObjectRef]) -> Vec<Result<Vec<u8>, FetchError>> {
    let listed: Vec<_> = objects.iter().map(|it| (it.path().to_owned(), it.version.clone(), it.bytes)).collect();
    #[expect(clippy::disallowed_methods, reason = "as tokio's own files do, but once for many objects")]
    let read = tokio::task::spawn_blocking(move || {
        let read = |(path, version, bytes): &(PathBuf, Box<str>, u64)| read_version(path, version, *bytes);
        listed.iter().map(read).collect::<Vec<_>>()
    });
    let stopped = |_| objects.iter().map(|_| Err(io::Error::other("the reading thread stopped"))).collect();
    let read = read.await.unwrap_or_else(stopped);
    let named = |(object, read): (&ObjectRef, io::Result<Option<Vec<u8>>>)| match read {
        Ok(Some(stored)) => Ok(stored),
        Ok(None) => Err(FetchError::Changed { source_object: object.source_object.clone() }),
        Err(source) => Err(FetchError::Read { source_object: object.source_object.clone(), source }),
    };
    objects.iter().zip(read).map(named).collect()
}

/// The content of a file, if it has this version after it was read; of one that has grown, no more than a byte is read
/// in vain.
fn read_version(path: &Path, listed: &str, bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    let mut stored = Vec::with_capacity(usize::try_from(bytes + 1).unwrap_or_default());
    // Taken from the file itself, it would be asked for its size and position again.
    (&file).take(bytes + 1).read_to_end(&mut stored)?;
    let is_same = stored.len() as u64 == bytes && *version(&file.metadata()?)? == *listed;
    Ok(is_same.then_some(stored))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_that_changed_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        std::fs::write(&path, "{}").unwrap();
        let objects: Vec<_> = crate::list::list(std::slice::from_ref(&path)).unwrap().iter().collect();
        let read = || async { read(&objects).await.remove(0) };
        assert_eq!(read().await.unwrap(), b"{}");
        std::fs::write(&path, "{} ").unwrap();
        assert!(matches!(read().await, Err(FetchError::Changed { .. })));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(read().await, Err(FetchError::Read { .. })));
    }
}
