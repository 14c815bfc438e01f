//! A digest by itself: its place, its key, its signature.

use std::borrow::Cow;

use crate::file::Digest;
use crate::finding::{Finding, Kind};
use crate::hex::to_hex;
use crate::public_keys::{PublicKey, PublicKeys};
use crate::signature::Signature;
use crate::time::rfc3339;

/// The verdict about a digest by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnVerdict {
    /// It is authentic, and lies where it says that it does.
    Authentic,
    /// It has no signature of its own; that which its successor names may stand in.
    Unsigned,
    /// It cannot be trusted.
    Refused(Box<Finding>),
}

/// Checks a digest by itself.
pub fn check(digest: &Digest, keys: &PublicKeys) -> OwnVerdict {
    if digest.is_kept {
        return OwnVerdict::Authentic;
    }
    let refused = |finding: Finding| OwnVerdict::Refused(Box::new(finding));
    let key = match key_of(digest, keys) {
        Ok(key) => key,
        Err(finding) => return refused(finding),
    };
    match &digest.signature {
        None => OwnVerdict::Unsigned,
        Some(signature) if is_signed_by(digest, key, signature) => OwnVerdict::Authentic,
        Some(_) => refused(Kind::DigestSignature.fail(digest.uri())),
    }
}

/// Tells whether a digest without a signature is authentic by the one that its successor names.
pub(crate) fn stands(digest: &Digest, keys: &PublicKeys, signature: &Signature) -> bool {
    key_of(digest, keys).is_ok_and(|key| is_signed_by(digest, key, signature))
}

fn key_of<'k>(digest: &Digest, keys: &'k PublicKeys) -> Result<&'k PublicKey, Finding> {
    let uri = digest.uri();
    if !digest.is_at_its_place {
        return Err(Kind::DigestMoved.fail(uri));
    }
    let fingerprint = &digest.fingerprint;
    let Some(key) = keys.get(fingerprint) else {
        return Err(Kind::DigestUnknownKey
            .fail(uri)
            .saying(format!("no public key has the fingerprint {fingerprint}")));
    };
    // A backfill digest is signed long after its window.
    let signed = digest.generated.filter(|_| digest.name.is_backfill).unwrap_or(digest.end);
    if !key.is_valid_at(signed) {
        let detail = format!("the key {fingerprint} was not valid at {}", rfc3339(signed));
        return Err(Kind::DigestKeyExpired.fail(uri).saying(detail));
    }
    Ok(key)
}

/// Tells whether a signature is that of a digest.
fn is_signed_by(digest: &Digest, key: &PublicKey, signature: &Signature) -> bool {
    signature.bytes().is_some_and(|signature| key.verifies(signed_text(digest).as_bytes(), &signature))
}

/// Returns the text that is signed of a digest. Needs: it is at its place.
fn signed_text(digest: &Digest) -> String {
    let Digest { end_text, bucket, name, sha256, previous_signature, .. } = digest;
    let previous = previous_signature.as_ref().map_or(Cow::Borrowed("null"), Signature::text);
    format!("{end_text}\n{bucket}/{}\n{}\n{previous}", name.key(), to_hex(sha256))
}
