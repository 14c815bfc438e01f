//! Which of 64 bytes are what JSON's structure is made of: one bit a byte, the first byte lowest.
//!
//! The vector code is chosen when the program runs; the portable code is what it must equal.

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector loads; the file holds nothing else")]
mod avx2;
#[cfg(target_arch = "aarch64")]
#[expect(unsafe_code, reason = "vector loads; the file holds nothing else")]
mod neon;

/// Bytes that are looked at together.
pub(crate) const BLOCK_BYTES: usize = 64;

/// So many bytes of JSON.
pub(crate) type Block = [u8; BLOCK_BYTES];

/// What stands where in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Masks {
    /// `"`
    pub(crate) quote: u64,
    /// `\`
    pub(crate) backslash: u64,
    /// `{` or `[`
    pub(crate) open: u64,
    /// `}` or `]`
    pub(crate) close: u64,
    /// `:`
    pub(crate) colon: u64,
    /// Control characters, and bytes beyond ASCII.
    pub(crate) unprintable: u64,
}

/// Fills `masks` with those of as many `blocks`.
pub(crate) type Classify = fn(blocks: &[Block], masks: &mut [Masks]);

/// The fastest that this machine can do.
pub(crate) fn classify() -> Classify {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if std::arch::is_x86_feature_detected!("avx2") {
        return avx2::classify;
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    if std::arch::is_aarch64_feature_detected!("neon") {
        return neon::classify;
    }
    portable
}

/// The same, in words of any machine.
fn portable(blocks: &[Block], masks: &mut [Masks]) {
    for (block, masks) in blocks.iter().zip(masks) {
        *masks = Masks::default();
        for (at, byte) in block.iter().enumerate() {
            let bit = 1 << at;
            match byte {
                b'"' => masks.quote |= bit,
                b'\\' => masks.backslash |= bit,
                b'{' | b'[' => masks.open |= bit,
                b'}' | b']' => masks.close |= bit,
                b':' => masks.colon |= bit,
                ..0x20 | 0x80.. => masks.unprintable |= bit,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
