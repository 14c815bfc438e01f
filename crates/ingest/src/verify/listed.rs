//! Log files as digests list them.

use std::cmp::Ordering;

use trailweave_decode::Sha256;
use trailweave_digest::LogFile;

use super::copies::url_fingerprint;
use super::had::HadLogs;
use super::known::Known;

/// A log file as a digest lists it. All of years are held at once, so what is as expected is held by positions.
pub(super) enum Listed {
    /// A source has it, and the ledger has the hash that the digest says.
    Known(KnownLog),
    /// Any other.
    Other(Box<OtherLog>),
}

/// A log file by where the ledger and the sources have it.
pub(super) struct KnownLog {
    /// Its position among what the ledger knows, which has a hash.
    pub(super) known: u32,
    /// Its position among those that the sources hold.
    pub(super) had: u32,
}

/// A log file that is not as the ledger has it, or that no source has.
pub(super) struct OtherLog {
    /// The fingerprint of its URL.
    pub(super) url: u128,
    pub(super) sha256: Sha256,
    pub(super) had: Option<u32>,
    /// Its URL, where no source holds it.
    pub(super) uri: Option<Box<str>>,
}

impl Listed {
    pub(super) fn new(LogFile { bucket, key, sha256 }: LogFile, had: &HadLogs, known: &Known) -> Self {
        let url = url_fingerprint(&bucket, &key);
        let had = had.position(url);
        if let (Some(known), Some(had)) = (known.position(url, |it| it.sha256 == Some(sha256)), had) {
            return Self::Known(KnownLog { known, had });
        }
        let uri = had.is_none().then(|| format!("s3://{bucket}/{key}").into());
        Self::Other(Box::new(OtherLog { url, sha256, had, uri }))
    }

    /// Returns the fingerprint of its URL.
    pub(super) fn url(&self, had: &HadLogs) -> u128 {
        match self {
            Self::Known(log) => had.url(log.had),
            Self::Other(log) => log.url,
        }
    }

    /// Compares the fingerprints of two URLs. The positions of what the sources hold are in their order.
    pub(super) fn cmp(&self, other: &Self, had: &HadLogs) -> Ordering {
        match (self.had(), other.had()) {
            (Some(one), Some(another)) => one.cmp(&another),
            _ => self.url(had).cmp(&other.url(had)),
        }
    }

    /// Returns the hash that the digest says.
    pub(super) fn sha256(&self, known: &Known) -> Sha256 {
        match self {
            Self::Known(log) => known.at(log.known).sha256.expect("it is known for its hash"),
            Self::Other(log) => log.sha256,
        }
    }

    /// Returns its position among those that the sources hold.
    pub(super) fn had(&self) -> Option<u32> {
        match self {
            Self::Known(log) => Some(log.had),
            Self::Other(log) => log.had,
        }
    }

    /// Returns its URL, where no source holds it.
    pub(super) fn uri(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Other(log) => log.uri.as_deref(),
        }
    }
}
