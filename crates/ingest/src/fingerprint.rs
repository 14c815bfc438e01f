//! Identity of long keys in 16 bytes, so that sets of them stay small.

use sha2::Digest;
use sha2::Sha256;
use trailweave_lake::short_digest;

/// Returns the first 128 bits of SHA-256 over `parts` and their lengths; never 0.
pub(crate) fn fingerprint(parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        update(&mut hash, part);
    }
    first_128(hash.finalize().into())
}

/// Returns the first 64 bits of SHA-256 over `parts` and their lengths, in hexadecimal.
pub(crate) fn short_hex<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        update(&mut hash, part);
    }
    short_digest(&hash.finalize().into())
}

fn first_128(digest: [u8; 32]) -> u128 {
    let first = digest.first_chunk::<16>().expect("a SHA-256 has 32 bytes");
    u128::from_be_bytes(*first).max(1)
}

/// Adds a part and its length, which keeps `("ab", "c")` apart from `("a", "bc")`.
fn update(hash: &mut Sha256, part: &[u8]) {
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part);
}
