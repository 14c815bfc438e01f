//! The first 64 bits of a SHA-256, by which files and runs are named.

/// Returns the first 64 bits of a SHA-256 in hexadecimal.
pub fn short_digest(sha256: &[u8; 32]) -> String {
    let first = sha256.first_chunk::<8>().expect("a SHA-256 has 32 bytes");
    format!("{:016x}", u64::from_be_bytes(*first))
}

/// Tells whether a word is what [`short_digest`] gives.
pub fn is_short_digest(word: &str) -> bool {
    word.len() == 16 && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_digest_is_known_again_and_nothing_else_is_one() {
        let digest = short_digest(&std::array::from_fn(|n| if n < 8 { 0xa0 } else { 0xff }));
        assert_eq!(digest, "a0a0a0a0a0a0a0a0");
        assert!(is_short_digest(&digest));
        for word in ["", "a0a0a0a0a0a0a0a", "A0A0A0A0A0A0A0A0", "a0a0a0a0a0a0a0ag", "../../../../../.."] {
            assert!(!is_short_digest(word), "{word}");
        }
    }
}
