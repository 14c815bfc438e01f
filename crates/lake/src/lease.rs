//! The right to write a lake in an object store, where no operating system keeps locks.
//!
//! ```text
//!  put   _trailweave/leases/<whom>.<id>.json        my own, and nobody else's; refuse a server that ignores conditions
//!  list  _trailweave/leases/                        does another one stand that was renewed lately?
//!    yes: remove mine; wait: once renewed again, its owner lives: refuse; once it has expired, its owner is dead: go on
//!    no:  it is mine; renew it until it is dropped
//! ```
//!
//! Each writes its own object first and lists then, so of two who come at once at least one sees the other. A run that
//! waits measures on its own steady clock how long a lease stands as it is; a renewal changes its content. So no time
//! of day takes part, neither a machine's nor the store's, and none can jump. A renewal is conditional: an owner who
//! slept for so long that another took the lake learns it there, and writes no more. So a lease protects nothing on a
//! server that ignores conditions, which [`condition`] finds out.

mod condition;
pub(crate) mod loss;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use futures::TryStreamExt;
use object_store::ObjectMeta;
use object_store::ObjectStore;
use object_store::ObjectStoreExt;
use object_store::path::Path as Key;
use tokio::task::AbortHandle;

use self::condition::NotRenewed;
use self::condition::NotTaken;
use self::condition::Renewals;
use crate::LakeError;
use crate::lease::loss::Loss;
use crate::random::random;
use crate::remote::Remote;
use crate::remote::failed;

/// The times of a lease.
#[derive(Debug, Clone, Copy)]
pub struct LeaseTimes {
    /// The time after which a lease that was not renewed has no owner any more.
    pub expiry: Duration,
    /// The time between two renewals; a small part of `expiry`.
    pub renewal: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self { expiry: Duration::from_mins(1), renewal: Duration::from_secs(10) }
    }
}

/// The part of a lake that a lease is for: the whole, or a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    Whole,
    Share { name: String, count: u32 },
}

/// A lease that is held and renewed until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    remote: Arc<Remote>,
    key: Key,
    renewing: AbortHandle,
}

impl Claim {
    /// Returns the name of a lease's object before its id.
    fn name(&self) -> String {
        match self {
            Self::Whole => "whole".to_owned(),
            Self::Share { name, count } => format!("share-of-{count}-{name}"),
        }
    }

    /// Tells whether the owner of the object `other` stands in the way.
    fn collides(&self, other: &Key) -> bool {
        let other = other.filename().unwrap_or_default().split('.').next().unwrap_or_default();
        match self {
            Self::Whole => true,
            Self::Share { count, .. } => other == self.name() || !other.starts_with(&format!("share-of-{count}-")),
        }
    }
}

impl Lease {
    /// Takes the lake, or says that another run has it.
    pub(crate) fn take(
        remote: &Arc<Remote>,
        state: &Path,
        claim: &Claim,
        times: LeaseTimes,
    ) -> Result<Self, LakeError> {
        let folder = state.join("leases");
        let id = random();
        let path = folder.join(format!("{}.{id:016x}.json", claim.name()));
        let (folder, key) = (remote.key(&folder), remote.key(&path));
        let (claim, mine) = (claim.clone(), key.clone());
        let taken = remote.wait(|store| async move {
            let taken = take(&*store, &folder, &mine, &claim, times).await;
            if taken.is_err() {
                // Else it expires.
                let _ = store.delete(&mine).await;
            }
            taken
        });
        let renewals = taken.map_err(|why| match why {
            NotTaken::Locked => LakeError::Locked { root: state.parent().unwrap_or(state).to_owned() },
            NotTaken::Ignored(fault) => LakeError::Server { action: "take the lease", path: path.clone(), fault },
            NotTaken::Failed(error) => failed("take the lease", &path)(error),
        })?;
        remote.set_loss(None);
        let renewing = remote.thread().spawn(renew(Arc::downgrade(remote), key.clone(), renewals, times));
        Ok(Self { remote: Arc::clone(remote), key, renewing: renewing.abort_handle() })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
        let key = self.key.clone();
        // Else it expires.
        let _ = self.remote.wait(|store| async move { store.delete(&key).await });
    }
}

/// Puts and keeps an object, unless another owner lives.
async fn take(
    store: &dyn ObjectStore,
    folder: &Key,
    mine: &Key,
    claim: &Claim,
    times: LeaseTimes,
) -> Result<Renewals, NotTaken> {
    condition::probe(store, mine).await?;
    // The leases of others, as they were seen first, and when that was.
    let mut seen: Option<(Vec<ObjectMeta>, Instant)> = None;
    loop {
        let renewals = Renewals::begin(store, mine).await?;
        let leases: Vec<ObjectMeta> = store.list(Some(folder)).try_collect().await?;
        let others = leases.into_iter().filter(|lease| lease.location != *mine && claim.collides(&lease.location));
        let others: Vec<_> = others.collect();
        // One that is new, or was renewed, has an owner who lives.
        let lives = |lease| seen.as_ref().is_some_and(|(seen, _)| !seen.contains(lease));
        let waited = seen.as_ref().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        if others.iter().any(lives) {
            return Err(NotTaken::Locked);
        }
        if others.is_empty() || seen.is_some() && waited >= times.expiry {
            for dead in others {
                store.delete(&dead.location).await?;
            }
            return Ok(renewals);
        }
        store.delete(mine).await?;
        if seen.is_none() {
            tracing::info!("the lake has a lease; waiting to see whether its owner still renews it");
            seen = Some((others, Instant::now()));
        }
        tokio::time::sleep(times.renewal.min(times.expiry.saturating_sub(waited))).await;
    }
}

/// Renews a lease for as long as the lake is used.
async fn renew(remote: std::sync::Weak<Remote>, key: Key, mut renewals: Renewals, times: LeaseTimes) {
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(times.renewal).await;
        let Some(remote) = remote.upgrade() else { return };
        // Half the expiry, so that a run that lost its lease without knowing stops in time.
        let left = (times.expiry / 2).saturating_sub(renewed.elapsed());
        match tokio::time::timeout(left, renewals.next(&**remote.store(), &key)).await {
            Ok(Ok(())) => renewed = Instant::now(),
            Ok(Err(NotRenewed::Lost(loss))) => return remote.set_loss(Some(loss)),
            // It may pass; until then the lease still holds.
            Ok(Err(NotRenewed::Failed(error))) => tracing::warn!(%error, "the lease of the lake could not be renewed"),
            Err(_) => return remote.set_loss(Some(Loss::Late)),
        }
    }
}
