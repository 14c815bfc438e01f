//! The gzip of objects.

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// A header without a name and a time, by an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Compresses one object after the other in the same memory: a new state for each, of hundreds of KiB, leaves holes that
/// nothing else fits into.
pub(crate) struct Compressor(Compress);

impl Compressor {
    pub(crate) fn new() -> Self {
        Self(Compress::new(Compression::new(6), false))
    }

    /// Returns a text as one member of gzip.
    pub(crate) fn gzip(&mut self, text: &[u8]) -> Vec<u8> {
        self.0.reset();
        let mut stored = Vec::with_capacity(64 + text.len() / 6);
        stored.extend(HEADER);
        loop {
            let read = usize::try_from(self.0.total_in()).expect("a text in memory");
            let end =
                self.0.compress_vec(&text[read..], &mut stored, FlushCompress::Finish).expect("any text compresses");
            if end == Status::StreamEnd {
                break;
            }
            stored.reserve(stored.capacity());
        }
        let mut crc = Crc::new();
        crc.update(text);
        stored.extend(crc.sum().to_le_bytes());
        stored.extend(crc.amount().to_le_bytes());
        stored
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[expect(clippy::disallowed_types, reason = "the text is small, and our own")]
    #[test]
    fn what_is_compressed_in_the_same_memory_inflates_to_what_it_was() {
        let mut compressor = Compressor::new();
        for text in [&b""[..], b"one", &b"a long text that repeats itself ".repeat(50_000)] {
            let stored = compressor.gzip(text);
            let mut inflated = Vec::new();
            flate2::read::MultiGzDecoder::new(&stored[..]).read_to_end(&mut inflated).unwrap();
            assert_eq!(inflated, text);
        }
    }
}
