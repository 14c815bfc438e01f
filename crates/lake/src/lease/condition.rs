//! Puts of a lease that a server must refuse unless a condition holds.
//!
//! ```text
//!  probe    put, If-Match: an ETag of nothing  must be refused: there is no object
//!  begin    put, If-None-Match: *              my lease
//!  next     put, If-Match: its ETag            refused: is it gone (another took the lake), or does it stand?
//! ```

use object_store::Error;
use object_store::ObjectStore;
use object_store::ObjectStoreExt;
use object_store::PutMode;
use object_store::PutPayload;
use object_store::UpdateVersion;
use object_store::path::Path as Key;

use super::loss::Loss;

/// An `ETag` that no lease has.
const NO_ETAG: &str = "\"00000000000000000000000000000000\"";
/// The tries of a renewal that is refused though the lease stands: by the `ETag` that is known, by the one that it has,
/// and by another spelling of that.
const TRIES: u32 = 3;

/// The reason why a lease was not taken.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// Another run holds it.
    Locked,
    /// The server ignores a condition; what it does.
    Ignored(&'static str),
    Failed(Error),
}

/// The reason why a lease was not renewed.
#[derive(Debug)]
pub(super) enum NotRenewed {
    Lost(Loss),
    Failed(Error),
}

/// The renewals of a lease, each on the condition that the one before stands.
#[derive(Debug)]
pub(super) struct Renewals {
    n: u64,
    version: UpdateVersion,
    /// True where the server wants an `ETag` in another spelling than it gives it.
    is_respelled: bool,
}

impl From<Error> for NotTaken {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Refuses a server that ignores conditions.
pub(super) async fn probe(store: &dyn ObjectStore, mine: &Key) -> Result<(), NotTaken> {
    // The object is not there, as if another run had taken the lake from a run that slept and now renews its lease.
    if is_accepted(put(store, mine, 0, PutMode::Update(with_etag(NO_ETAG))).await)? {
        return Err(NotTaken::Ignored(
            "ignores If-Match, so a run that was stopped could go on writing beside the one that took over",
        ));
    }
    Ok(())
}

impl Renewals {
    /// Puts a lease that is not there, and makes sure that it cannot be put twice.
    pub(super) async fn begin(store: &dyn ObjectStore, mine: &Key) -> Result<Self, NotTaken> {
        let version = put(store, mine, 0, PutMode::Create).await?;
        if is_accepted(put(store, mine, 0, PutMode::Create).await)? {
            return Err(NotTaken::Ignored(
                "ignores If-None-Match, so two runs that begin at once could both make the lake",
            ));
        }
        Ok(Self { n: 0, version, is_respelled: false })
    }

    /// Renews the lease, unless it is gone. It may stand with an `ETag` that is not known, where an earlier renewal was
    /// carried out and its answer lost: nobody else writes an object of this name.
    pub(super) async fn next(&mut self, store: &dyn ObjectStore, key: &Key) -> Result<(), NotRenewed> {
        self.n += 1;
        for _ in 0..TRIES {
            let known = self.version.e_tag.clone().unwrap_or_default();
            match put(store, key, self.n, PutMode::Update(self.spelled(&known))).await {
                Ok(version) => {
                    self.version = version;
                    return Ok(());
                }
                Err(Error::NotFound { .. } | Error::Precondition { .. }) => {}
                Err(error) => return Err(NotRenewed::Failed(error)),
            }
            let found = match store.head(key).await {
                Ok(lease) => lease.e_tag.unwrap_or_default(),
                Err(Error::NotFound { .. }) => return Err(NotRenewed::Lost(Loss::Taken)),
                Err(error) => return Err(NotRenewed::Failed(error)),
            };
            if found == known {
                self.respell(store, key).await?;
            }
            self.version = with_etag(&found);
        }
        Err(NotRenewed::Lost(Loss::Refused))
    }

    /// Spells each `ETag` the other way, unless the server ignores one that is spelled so.
    async fn respell(&mut self, store: &dyn ObjectStore, key: &Key) -> Result<(), NotRenewed> {
        self.is_respelled = !self.is_respelled;
        let wrong = self.spelled(NO_ETAG);
        match is_accepted(put(store, key, self.n, PutMode::Update(wrong)).await) {
            Ok(false) => Ok(()),
            Ok(true) => Err(NotRenewed::Lost(Loss::Refused)),
            Err(error) => Err(NotRenewed::Failed(error)),
        }
    }

    /// Makes a condition of an `ETag` that the server gave. With quotes the server may want it without, and the
    /// reverse.
    fn spelled(&self, given: &str) -> UpdateVersion {
        match given.strip_prefix('"').and_then(|given| given.strip_suffix('"')) {
            _ if !self.is_respelled => with_etag(given),
            Some(bare) => with_etag(bare),
            None => with_etag(&format!("\"{given}\"")),
        }
    }
}

async fn put(
    store: &dyn ObjectStore,
    key: &Key,
    n_renewals: u64,
    mode: PutMode,
) -> object_store::Result<UpdateVersion> {
    let content = PutPayload::from(format!("{{\"renewals\": {n_renewals}}}\n"));
    Ok(store.put_opts(key, content, mode.into()).await?.into())
}

fn with_etag(etag: &str) -> UpdateVersion {
    UpdateVersion { e_tag: Some(etag.to_owned()), version: None }
}

/// Tells whether a put was carried out that must be refused. A server that hides which objects there are denies it
/// instead.
fn is_accepted(put: object_store::Result<UpdateVersion>) -> object_store::Result<bool> {
    match put {
        Ok(_) => Ok(true),
        Err(
            Error::AlreadyExists { .. }
            | Error::NotFound { .. }
            | Error::NotModified { .. }
            | Error::PermissionDenied { .. }
            | Error::Precondition { .. },
        ) => Ok(false),
        Err(error) => Err(error),
    }
}
