//! Identity of long keys in 16 bytes, so that sets of them stay small.

use sha2::Digest;
use sha2::Sha256;

/// The first 128 bits of SHA-256 over `parts` and their lengths; never 0.
pub(crate) fn fingerprint(parts: &[&[u8]]) -> u128 {
    let digest = digest(parts);
    let first = digest.first_chunk::<16>().expect("a SHA-256 has 32 bytes");
    u128::from_be_bytes(*first).max(1)
}

/// The first 64 bits of SHA-256 over `parts` and their lengths, in hexadecimal.
pub(crate) fn short_hex<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        update(&mut hash, part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let first = digest.first_chunk::<8>().expect("a SHA-256 has 32 bytes");
    format!("{:016x}", u64::from_be_bytes(*first))
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        update(&mut hash, part);
    }
    hash.finalize().into()
}

/// The length keeps `("ab", "c")` apart from `("a", "bc")`.
fn update(hash: &mut Sha256, part: &[u8]) {
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part);
}
