//! Four vectors of 16 bytes make a block.

use std::arch::aarch64::{
    uint8x16_t, vandq_u8, vceqq_u8, vcltq_s8, vdupq_n_s8, vdupq_n_u8, vgetq_lane_u64, vld1q_u8, vorrq_u8, vpaddq_u8,
    vreinterpretq_s8_u8, vreinterpretq_u64_u8,
};

use crate::mask::{Block, Instructions, Masks, Portable, Work};

/// The bit of each byte within eight.
const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];

/// NEON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    pub(super) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }

    pub(super) fn run<W: Work>(self, work: W) -> W::Output {
        // SAFETY: `detect`, which alone makes this type, found the instructions.
        unsafe { run(self, work) }
    }
}

impl Instructions for Neon {
    #[inline]
    fn masks(self, block: &Block) -> Masks {
        // SAFETY: as above.
        unsafe { masks(block) }
    }

    #[inline]
    fn inside(self, quotes: u64) -> u64 {
        Portable.inside(quotes)
    }
}

#[target_feature(enable = "neon")]
fn run<W: Work>(instructions: Neon, work: W) -> W::Output {
    work.work(instructions)
}

#[inline]
#[target_feature(enable = "neon")]
fn masks(block: &Block) -> Masks {
    let (quarters, _) = block.as_chunks::<16>();
    let bytes = [load(&quarters[0]), load(&quarters[1]), load(&quarters[2]), load(&quarters[3])];
    // `[` and `]` differ from `{` and `}` by this bit only.
    let curled = bytes.map(|quarter| vorrq_u8(quarter, vdupq_n_u8(0x20)));
    let are = |bytes: [uint8x16_t; 4], byte: u8| word(bytes.map(|quarter| vceqq_u8(quarter, vdupq_n_u8(byte))));
    Masks {
        quote: are(bytes, b'"'),
        backslash: are(bytes, b'\\'),
        open: are(curled, b'{'),
        close: are(curled, b'}'),
        colon: are(bytes, b':'),
        // As signed numbers, bytes beyond ASCII are negative.
        unprintable: word(bytes.map(|quarter| vcltq_s8(vreinterpretq_s8_u8(quarter), vdupq_n_s8(0x20)))),
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn load(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: 16 bytes are readable at `bytes`, and the load needs no alignment.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

/// Returns one bit for every byte of four vectors that are all ones or all zeroes in each byte.
#[inline]
#[target_feature(enable = "neon")]
fn word(masks: [uint8x16_t; 4]) -> u64 {
    let bits = load(&BITS);
    let [a, b, c, d] = masks.map(|mask| vandq_u8(mask, bits));
    let pairs = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
    vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(pairs, pairs)))
}
