//! Two vectors of 32 bytes make a block.

use std::arch::x86_64::{
    __m256i, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
    _mm256_set1_epi8,
};

use crate::mask::{Block, Masks};

/// Needs: the processor has AVX2, which [`classify`](super::classify) asks it.
pub(super) fn classify(blocks: &[Block], masks: &mut [Masks]) {
    // SAFETY: this function is handed out only where AVX2 was detected.
    unsafe { classify_avx2(blocks, masks) }
}

#[target_feature(enable = "avx2")]
fn classify_avx2(blocks: &[Block], masks: &mut [Masks]) {
    for (block, masks) in blocks.iter().zip(masks) {
        let (low, high) = block.split_at(32);
        *masks = join(half(load(low)), half(load(high)));
    }
}

#[target_feature(enable = "avx2")]
fn load(bytes: &[u8]) -> __m256i {
    let bytes: &[u8; 32] = bytes.try_into().expect("half a block is 32 bytes");
    // SAFETY: 32 bytes are readable at `bytes`, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// The masks of one vector, in their low 32 bits.
#[target_feature(enable = "avx2")]
fn half(bytes: __m256i) -> [u32; 6] {
    let bits = |mask: __m256i| _mm256_movemask_epi8(mask).cast_unsigned();
    let are = |bytes: __m256i, byte: u8| bits(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte.cast_signed())));
    // `[` and `]` differ from `{` and `}` by this bit only.
    let curled = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
    [
        are(bytes, b'"'),
        are(bytes, b'\\'),
        are(curled, b'{'),
        are(curled, b'}'),
        are(bytes, b':'),
        // As signed numbers, bytes beyond ASCII are negative.
        bits(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes)),
    ]
}

fn join(low: [u32; 6], high: [u32; 6]) -> Masks {
    let word = |at: usize| u64::from(low[at]) | u64::from(high[at]) << 32;
    Masks { quote: word(0), backslash: word(1), open: word(2), close: word(3), colon: word(4), unprintable: word(5) }
}
