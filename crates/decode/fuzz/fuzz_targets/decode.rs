//! Whatever the bytes: no panic, nothing past the cap, every record accounted for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trailweave_decode::Decoder;
use trailweave_decode::Options;
use trailweave_decode::Selection;

const CAP_BYTES: usize = 1 << 20;

fuzz_target!(|stored: &[u8]| {
    for selection in [Selection::Relevant, Selection::All] {
        if let Ok(decoded) = Decoder::new(Options { cap_bytes: CAP_BYTES, selection }).decode("object", stored) {
            assert!(decoded.tally.balances());
            assert!(decoded.inflated_bytes <= CAP_BYTES as u64);
            assert_eq!(decoded.tally.rows, decoded.events.iter().map(|batch| batch.num_rows() as u64).sum::<u64>());
            assert_eq!(decoded.tally.rejects, decoded.rejects.iter().map(|batch| batch.num_rows() as u64).sum::<u64>());
        }
    }
});
