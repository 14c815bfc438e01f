use proptest::prelude::*;

use crate::mask::processor::Processor;
use crate::mask::{BLOCK_BYTES, Block, Instructions, Masks, Portable, Work};

#[test]
fn a_bit_for_every_byte_that_matters() {
    let mut block: Block = [b' '; BLOCK_BYTES];
    block[..9].copy_from_slice(b"{[]}\"\\:\n\xc3");
    let expected =
        Masks { open: 0b11, close: 0b1100, quote: 1 << 4, backslash: 1 << 5, colon: 1 << 6, unprintable: 0b11 << 7 };
    assert_eq!(Portable.masks(&block), expected);
}

#[test]
fn what_is_inside_begins_with_its_quote() {
    assert_eq!(Portable.inside(0b0001_0010), 0b0000_1110);
    assert_eq!(Portable.inside(1 << 62), 0b11 << 62);
}

#[test]
fn vectors_equal_words_for_every_byte() {
    for byte in 0..=255 {
        check(&[byte; BLOCK_BYTES]);
    }
}

proptest! {
    #[test]
    fn vectors_equal_words(bytes in prop::collection::vec(any::<u8>(), BLOCK_BYTES)) {
        check(bytes.as_chunks().0.first().unwrap());
    }
}

fn check(block: &Block) {
    assert_eq!(Processor::detect().run(Ask(block)), Processor::Portable.run(Ask(block)));
}

struct Ask<'a>(&'a Block);

impl Work for Ask<'_> {
    type Output = (Masks, u64);

    fn work(self, instructions: impl Instructions) -> Self::Output {
        let masks = instructions.masks(self.0);
        (masks, instructions.inside(masks.quote))
    }
}
