//! Whatever the bytes: no panic, nothing past the cap, every record accounted for, and what the oracle says; in pieces,
//! too.
#![no_main]

use libfuzzer_sys::fuzz_target;

// Shared with the tests and the other fuzzer, `examples/fuzz.rs`.
#[path = "../../tests/it/same.rs"]
mod same;

const CAP_BYTES: usize = 1 << 20;
/// Small, so that nearly every record is a piece.
const PIECE_BYTES: usize = 300;

fuzz_target!(|stored: &[u8]| {
    same::check(CAP_BYTES, stored).unwrap();
    same::check_pieces(CAP_BYTES, stored, PIECE_BYTES).unwrap();
});
