//! The right to write a lake: locks of files, or a lease in an object store.

use std::fs::File;
use std::fs::TryLockError;
use std::sync::Arc;

use crate::Choices;
use crate::GlueTables;
use crate::Lake;
use crate::LakeError;
use crate::PublishOptions;
use crate::change;
use crate::lease::Claim;
use crate::lease::Lease;
use crate::remote::Remote;
use crate::store::Store;

/// The right to write a lake, held until dropped. When the process dies, the operating system releases it; that of a
/// lake in an object store expires.
#[derive(Debug)]
pub struct LakeLock {
    _held: Held,
}

#[derive(Debug)]
enum Held {
    Files { _files: Vec<File> },
    Lease { _lease: Lease },
}

impl Lake {
    /// Takes the right to write, or says that another run has it. A change that a killed run left unfinished is
    /// finished.
    pub fn lock(&self) -> Result<LakeLock, LakeError> {
        self.lock_and(|_| Ok(()))
    }

    /// Takes the right to write as [`Self::lock`] does, and says which catalogue knows the tables before it finishes a
    /// change, which one may be in the way of. How long files are kept is said afterwards: this handle does not know that
    /// the files are kept that such a change replaces.
    pub fn lock_to_publish(&self, glue: &GlueTables) -> Result<LakeLock, LakeError> {
        self.lock_and(|lake| match glue {
            GlueTables::AsBefore => Ok(()),
            _ => lake.begin_publishing(&PublishOptions { keep_secs: None, glue: glue.clone() }),
        })
    }

    fn lock_and(&self, first: impl FnOnce(&Self) -> Result<(), LakeError>) -> Result<LakeLock, LakeError> {
        let held = match self.store() {
            Store::Local => Held::Files { _files: vec![self.lock_file("lock", File::try_lock)?] },
            Store::Remote(remote) => self.lease(remote, &Claim::Whole)?,
        };
        let lock = self.locked(held)?;
        first(self)?;
        change::finish_all(self)?;
        Ok(lock)
    }

    /// Makes a lock, unless the lake is of other choices by now. Needs: the lake is held. Until it was, another run may
    /// have made them.
    fn locked(&self, held: Held) -> Result<LakeLock, LakeError> {
        let now = Self::open_at(&self.place())?;
        let ours = Choices { events: Some(&self.format().events), omit: Some(&self.format().omit) };
        if !ours.are_those_of(now.format()) {
            return Err(now.other_choices(ours));
        }
        if now.keeps_snapshots() && !self.keeps_snapshots() {
            return Err(LakeError::KeepsNow { root: self.root().to_owned() });
        }
        Ok(LakeLock { _held: held })
    }

    /// Takes the right to write a share of a job that is done in `count` shares, or says that another run has the lake,
    /// or this share. Shares are told apart by `name`, such as `0-of-8`, and only those of the same count write together.
    pub fn lock_shard(&self, name: &str, count: u32) -> Result<LakeLock, LakeError> {
        if let Store::Remote(remote) = self.store() {
            return self.locked_share(self.lease(remote, &Claim::Share { name: name.to_owned(), count })?);
        }
        let whole = self.lock_file("lock", File::try_lock_shared)?;
        let ours = format!("lock-shards-of-{count}");
        let counted = self.lock_file(&ours, File::try_lock_shared)?;
        for other in self.files(&self.state_dir())? {
            let other = other.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if other.starts_with("lock-shards-of-") && other != ours {
                drop(self.lock_file(&other, File::try_lock)?);
            }
        }
        let share = self.lock_file(&format!("lock-shard-{name}"), File::try_lock)?;
        self.locked_share(Held::Files { _files: vec![share, counted, whole] })
    }

    /// Does the same for a share, which finishes no change of the whole lake, and must not miss one.
    fn locked_share(&self, held: Held) -> Result<LakeLock, LakeError> {
        let lock = self.locked(held)?;
        if change::is_changing(self)? {
            return Err(LakeError::Unfinished { root: self.root().to_owned() });
        }
        Ok(lock)
    }

    fn lease(&self, remote: &Arc<Remote>, claim: &Claim) -> Result<Held, LakeError> {
        Ok(Held::Lease { _lease: Lease::take(remote, &self.state_dir(), claim, self.lease_times())? })
    }

    fn lock_file(&self, name: &str, lock: impl Fn(&File) -> Result<(), TryLockError>) -> Result<File, LakeError> {
        let path = self.state_dir().join(name);
        let file = File::options().create(true).append(true).open(&path).map_err(LakeError::file("open", &path))?;
        match lock(&file) {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(LakeError::Locked { root: self.root().to_owned() }),
            Err(TryLockError::Error(source)) => Err(LakeError::file("lock", path)(source)),
        }
    }
}
