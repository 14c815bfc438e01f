use proptest::prelude::*;

use crate::mask::{BLOCK_BYTES, Block, Masks, classify, portable};

#[test]
fn a_bit_for_every_byte_that_matters() {
    let mut block: Block = [b' '; BLOCK_BYTES];
    block[..9].copy_from_slice(b"{[]}\"\\:\n\xc3");
    let mut masks = [Masks::default()];
    portable(&[block], &mut masks);
    let expected =
        Masks { open: 0b11, close: 0b1100, quote: 1 << 4, backslash: 1 << 5, colon: 1 << 6, unprintable: 0b11 << 7 };
    assert_eq!(masks[0], expected);
}

#[test]
fn vectors_equal_words_for_every_byte() {
    let blocks: Vec<Block> = (0..=255).map(|byte| [byte; BLOCK_BYTES]).collect();
    check(&blocks);
}

proptest! {
    #[test]
    fn vectors_equal_words(bytes in prop::collection::vec(any::<u8>(), BLOCK_BYTES * 3)) {
        check(bytes.as_chunks().0);
    }
}

fn check(blocks: &[Block]) {
    let mut fast = vec![Masks::default(); blocks.len()];
    let mut slow = fast.clone();
    classify()(blocks, &mut fast);
    portable(blocks, &mut slow);
    assert_eq!(fast, slow);
}
