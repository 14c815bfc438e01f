//! The public keys that digests are signed with.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;
use spki::SubjectPublicKeyInfoRef;

use crate::hex::to_hex;
use crate::time;

/// Public keys by their fingerprints.
#[derive(Debug, Clone, Default)]
pub struct PublicKeys(BTreeMap<String, PublicKey>);

/// A public key, with the time in which it signed.
#[derive(Debug, Clone)]
pub struct PublicKey {
    /// Its `RSAPublicKey` of PKCS#1.
    der: Vec<u8>,
    /// The first second in which it is valid.
    pub valid_from: Option<i64>,
    /// The last second in which it is valid.
    pub valid_to: Option<i64>,
}

/// The reason why a list of public keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PublicKeysError {
    /// It is not JSON of this form.
    #[error("expected the JSON that `aws cloudtrail list-public-keys` prints")]
    Json(#[from] serde_json::Error),
    /// A key is not base64.
    #[error("the value of key `{0}` is not base64")]
    Base64(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum List {
    Named {
        #[serde(rename = "PublicKeyList", alias = "publicKeyList")]
        keys: Vec<Entry>,
    },
    Bare(Vec<Entry>),
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "Value", alias = "value")]
    value: String,
    #[serde(rename = "Fingerprint", alias = "fingerprint", default)]
    fingerprint: String,
    #[serde(rename = "ValidityStartTime", alias = "validityStartTime")]
    start: Option<Time>,
    #[serde(rename = "ValidityEndTime", alias = "validityEndTime")]
    end: Option<Time>,
}

/// A time, as a number of seconds, as a text of one, or in RFC 3339.
#[derive(Deserialize)]
#[serde(untagged)]
enum Time {
    Number(f64),
    Text(String),
}

impl PublicKeys {
    /// Reads a list as `ListPublicKeys` gives it: with times as numbers, as the wire and awscli 1 have them, in RFC 3339,
    /// as awscli 2 has them, or as texts of numbers below names in lower case, as the user guide shows them.
    pub fn parse(text: &[u8]) -> Result<Self, PublicKeysError> {
        let (List::Named { keys: entries } | List::Bare(entries)) = serde_json::from_slice(text)?;
        let mut keys = Self::default();
        for Entry { value, fingerprint, start, end } in entries {
            let der = STANDARD.decode(value.trim()).map_err(|_| PublicKeysError::Base64(fingerprint))?;
            keys.insert(&der, start.and_then(Time::seconds), end.and_then(Time::seconds));
        }
        Ok(keys)
    }

    /// Adds a key, given as `RSAPublicKey` of PKCS#1 or as `SubjectPublicKeyInfo`. Its fingerprint is computed, whatever
    /// a list says.
    pub fn insert(&mut self, der: &[u8], valid_from: Option<i64>, valid_to: Option<i64>) {
        let fingerprint = to_hex(&Md5::digest(der));
        let info = SubjectPublicKeyInfoRef::try_from(der).ok();
        let inner = info.as_ref().and_then(|info| info.subject_public_key.as_bytes()).unwrap_or(der);
        let key = PublicKey { der: inner.to_vec(), valid_from, valid_to };
        self.0.insert(fingerprint, key);
    }

    /// Returns the key with this fingerprint.
    pub fn get(&self, fingerprint: &str) -> Option<&PublicKey> {
        self.0.get(fingerprint)
    }

    /// Returns the fingerprints of all.
    pub fn fingerprints(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Adds the keys of another list.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PublicKey {
    /// Tells whether `signature` is that of `text`, by RSASSA-PKCS1-v1_5 with SHA-256.
    pub(crate) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.der).verify(text, signature).is_ok()
    }

    /// Tells whether it was valid at a time.
    pub(crate) fn is_valid_at(&self, time: i64) -> bool {
        self.valid_from.is_none_or(|from| from <= time) && self.valid_to.is_none_or(|to| time <= to)
    }
}

impl Time {
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds are meant")]
    fn seconds(self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(number as i64),
            Self::Text(text) => text.parse::<f64>().ok().map(|number| number as i64).or_else(|| time::seconds(&text)),
        }
    }
}
