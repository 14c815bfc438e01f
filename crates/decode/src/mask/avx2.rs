//! Two vectors of 32 bytes make a block.

use std::arch::x86_64::{
    __m256i, _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_set1_epi8, _mm256_cmpeq_epi8,
    _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
};

use crate::mask::{Block, Instructions, Masks, Work};

/// AVX2, and what every processor with it has besides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("pclmulqdq");
        has_all.then_some(Self(()))
    }

    pub(super) fn run<W: Work>(self, work: W) -> W::Output {
        // SAFETY: `detect`, which alone makes this type, found the instructions.
        unsafe { run(self, work) }
    }
}

impl Instructions for Avx2 {
    #[inline]
    fn masks(self, block: &Block) -> Masks {
        // SAFETY: as above.
        unsafe { masks(block) }
    }

    #[inline]
    fn inside(self, quotes: u64) -> u64 {
        // SAFETY: as above.
        unsafe { inside(quotes) }
    }
}

#[target_feature(enable = "avx2,bmi1,lzcnt,popcnt,pclmulqdq")]
fn run<W: Work>(instructions: Avx2, work: W) -> W::Output {
    work.work(instructions)
}

#[inline]
#[target_feature(enable = "avx2")]
fn masks(block: &Block) -> Masks {
    let (low, high) = block.split_at(32);
    join(half(load(low)), half(load(high)))
}

/// Multiplies without carries: a product with all ones is the sum of all lower bits.
#[inline]
#[target_feature(enable = "pclmulqdq")]
fn inside(quotes: u64) -> u64 {
    let product = _mm_clmulepi64_si128::<0>(_mm_cvtsi64_si128(quotes.cast_signed()), _mm_set1_epi8(-1));
    _mm_cvtsi128_si64(product).cast_unsigned()
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8]) -> __m256i {
    let bytes: &[u8; 32] = bytes.try_into().expect("half a block is 32 bytes");
    // SAFETY: 32 bytes are readable at `bytes`, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// Returns the masks of one vector, in their low 32 bits.
#[inline]
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

#[inline]
fn join(low: [u32; 6], high: [u32; 6]) -> Masks {
    let word = |at: usize| u64::from(low[at]) | u64::from(high[at]) << 32;
    Masks { quote: word(0), backslash: word(1), open: word(2), close: word(3), colon: word(4), unprintable: word(5) }
}
