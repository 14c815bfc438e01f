//! Parses one record in bounded memory, whatever it holds.

use std::sync::Mutex;
use std::sync::PoisonError;

use simd_json::Buffers;
use simd_json::INPUT_PADDING;
use simd_json::Node;
use simd_json::Tape;

use crate::reject::Reason;

/// How deep a record may nest; the record itself is the first level.
pub(crate) const MAX_DEPTH: usize = 128;
/// The largest record that is parsed. CloudTrail's own limit is 256 KB, and 1 MB for a channel of CloudTrail Lake.
pub(crate) const MAX_RECORD_BYTES: usize = 4 << 20;
/// The most values and keys of such a record: each takes some thirty bytes on the tape.
const MAX_VALUES: usize = 1 << 17;
/// A larger record is parsed with buffers of its own, one at a time in the whole process.
pub(crate) const USUAL_RECORD_BYTES: usize = 256 << 10;

static LARGE_RECORD: Mutex<()> = Mutex::new(());

/// Parses records, and keeps its buffers between them.
#[derive(Default)]
pub(crate) struct Parser {
    usual: Scratch,
}

struct Scratch {
    text: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { text: Vec::new(), buffers: Buffers::default(), tape: Tape::null() }
    }
}

impl Parser {
    /// Gives the tape of `raw` to `each`.
    ///
    /// Needs: it is not oversized.
    pub(crate) fn parse<T>(
        &mut self,
        raw: &[u8],
        each: impl FnOnce(&[Node<'_>]) -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        if raw.len() <= USUAL_RECORD_BYTES {
            return self.usual.parse(raw, each);
        }
        let _alone = LARGE_RECORD.lock().unwrap_or_else(PoisonError::into_inner);
        Scratch::default().parse(raw, each)
    }
}

impl Scratch {
    fn parse<T>(&mut self, raw: &[u8], each: impl FnOnce(&[Node<'_>]) -> Result<T, Reason>) -> Result<T, Reason> {
        self.text.clear();
        self.text.extend_from_slice(raw);
        self.text.resize(raw.len() + INPUT_PADDING, 0);
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new()));
        let parsed = simd_json::fill_tape_padded(&mut self.text, raw.len(), &mut self.buffers, &mut tape);
        let outcome = parsed.map_err(|_| Reason::InvalidJson).and_then(|()| each(&tape.0));
        self.tape = tape.reset();
        outcome
    }
}

/// Tells whether a record takes more memory to parse than any that CloudTrail logs.
pub(crate) fn is_oversized(raw: &[u8]) -> bool {
    let begins_value = |byte: &&u8| matches!(byte, b'{' | b'[' | b',' | b':');
    raw.len() > MAX_RECORD_BYTES
        || raw.len() > USUAL_RECORD_BYTES && raw.iter().filter(begins_value).count() > MAX_VALUES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_oversized_by_its_bytes_or_by_its_values() {
        let text = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8)).into_bytes();
        let list = |values: usize| format!("[{}]", vec!["1"; values].join(",")).into_bytes();
        assert!(!is_oversized(&text(MAX_RECORD_BYTES)));
        assert!(is_oversized(&text(MAX_RECORD_BYTES + 1)));
        assert!(!is_oversized(&list(MAX_VALUES)));
        assert!(is_oversized(&list(MAX_VALUES + 1)));
    }
}
