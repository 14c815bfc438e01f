//! The bytes among 64 that JSON's structure is made of: one bit a byte, the first byte lowest.
//!
//! The processor is asked for its instructions when the program runs; the portable code is what the others must equal.

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector instructions; the file holds nothing else")]
mod avx2;
#[cfg(target_arch = "aarch64")]
#[expect(unsafe_code, reason = "vector instructions; the file holds nothing else")]
mod neon;
pub(crate) mod processor;

/// Bytes that are looked at together.
pub(crate) const BLOCK_BYTES: usize = 64;

/// So many bytes of JSON.
pub(crate) type Block = [u8; BLOCK_BYTES];

/// The structure of a block, a mask for each kind of byte.
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

/// Instructions of a processor. A value is the proof that this one has them.
pub(crate) trait Instructions: Copy {
    fn masks(self, block: &Block) -> Masks;

    /// All ones from every odd bit of `quotes` up to the next.
    fn inside(self, quotes: u64) -> u64;
}

/// Something to do with the best instructions. It is compiled for them as far as it is inlined.
pub(crate) trait Work {
    type Output;

    fn work(self, instructions: impl Instructions) -> Self::Output;
}

/// Words of any machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

impl Instructions for Portable {
    fn masks(self, block: &Block) -> Masks {
        let mut masks = Masks::default();
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
        masks
    }

    fn inside(self, quotes: u64) -> u64 {
        let mut inside = quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            inside ^= inside << shift;
        }
        inside
    }
}

#[cfg(test)]
mod tests;
