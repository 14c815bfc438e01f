//! Holds the decoder and its oracle together.

use std::mem::discriminant;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use trailweave_decode::DecodeError;
use trailweave_decode::Decoded;
use trailweave_decode::Decoder;
use trailweave_decode::Options;
use trailweave_decode::Selection;
use trailweave_decode::oracle;

/// Decodes `stored` under both selections, twice over; says how decoder and oracle differ, or what does not balance.
pub(crate) fn check(cap_bytes: usize, stored: &[u8]) -> Result<(), String> {
    for selection in [Selection::Relevant, Selection::All] {
        let options = Options { cap_bytes, selection };
        let fast = Decoder::new(options).decode("an/object.json.gz", stored);
        let slow = oracle::decode(options, "an/object.json.gz", stored);
        match (fast, slow) {
            (Ok(fast), Ok(slow)) => same(&fast, &slow)?,
            (Err(fast), Err(slow)) if kind(fast.clone()) == kind(slow.clone()) => {}
            (fast, slow) => return Err(format!("decoder: {fast:?}\noracle: {slow:?}")),
        }
    }
    Ok(())
}

fn same(fast: &Decoded, slow: &Decoded) -> Result<(), String> {
    if !fast.tally.balances() || fast.tally != slow.tally {
        return Err(format!("tally {:?}, oracle {:?}", fast.tally, slow.tally));
    }
    let spans = |decoded: &Decoded| (decoded.min_event_time_ms, decoded.max_event_time_ms, decoded.inflated_bytes);
    if spans(fast) != spans(slow) {
        return Err(format!("spans {:?}, oracle {:?}", spans(fast), spans(slow)));
    }
    same_rows(&fast.rejects, &slow.rejects)?;
    same_rows(&fast.events, &slow.events)
}

fn same_rows(fast: &[RecordBatch], slow: &[RecordBatch]) -> Result<(), String> {
    let (fast, slow) = match (fast, slow) {
        ([], []) => return Ok(()),
        ([first, ..], [only]) => (concat_batches(&first.schema(), fast).map_err(|error| error.to_string())?, only),
        _ => return Err(format!("{} batches, oracle {}", fast.len(), slow.len())),
    };
    for (at, field) in slow.schema().fields().iter().enumerate() {
        if fast.column(at) != slow.column(at) {
            let name = field.name();
            return Err(format!("column {name}\ndecoder: {:?}\noracle: {:?}", fast.column(at), slow.column(at)));
        }
    }
    Ok(())
}

/// The oracle does not tell a wrong checksum from other damage, nor where it is.
fn kind(error: DecodeError) -> std::mem::Discriminant<DecodeError> {
    match error {
        DecodeError::ChecksumMismatch { offset } => discriminant(&DecodeError::Gzip { offset, fault: "" }),
        other => discriminant(&other),
    }
}
