//! Holds the decoder and its oracle together.

use std::collections::HashSet;
use std::mem::discriminant;

use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use trailweave_decode::DecodeError;
use trailweave_decode::DecodeOptions;
use trailweave_decode::Decoded;
use trailweave_decode::Decoder;
use trailweave_decode::Pieces;
use trailweave_decode::Selection;
use trailweave_decode::Survey;
use trailweave_decode::oracle;
use trailweave_decode::plain;
use trailweave_table::Tally;

/// Decodes `stored` under both selections, twice over; says how decoder and oracle differ, or what does not balance.
pub(crate) fn check(cap_bytes: usize, stored: &[u8]) -> Result<(), String> {
    for selection in [Selection::Relevant, Selection::All] {
        let options = DecodeOptions { cap_bytes, selection, ..DecodeOptions::default() };
        let fast = Decoder::new(options).decode("an/object.json.gz", stored);
        let slow = oracle::decode(options, "an/object.json.gz", stored);
        match (fast, slow) {
            (Ok(fast), Ok(slow)) => same(&fast, slow)?,
            (Err(fast), Err(slow)) if kind(fast.clone()) == kind(slow.clone()) => {}
            (fast, slow) => return Err(format!("decoder: {fast:?}\noracle: {slow:?}")),
        }
    }
    Ok(())
}

/// Reads `objects` one after the other with one decoder, and compares the rows with those of each alone.
pub(crate) fn check_together(cap_bytes: usize, objects: &[Vec<u8>]) -> Result<(), String> {
    let options = DecodeOptions { cap_bytes, selection: Selection::All, ..DecodeOptions::default() };
    let mut decoder = Decoder::new(options);
    let (mut events, mut rejects) = (Vec::new(), Vec::new());
    for stored in objects {
        match (decoder.read("an/object.json.gz", stored), Decoder::new(options).decode("an/object.json.gz", stored)) {
            (Ok(read), Ok(alone)) if (read.tally, read.inflated_bytes) == (alone.tally, alone.inflated_bytes) => {
                events.extend(alone.events);
                rejects.extend(alone.rejects);
            }
            (Err(_), Err(_)) => {}
            (read, alone) => return Err(format!("together: {read:?}\nalone: {alone:?}")),
        }
    }
    let taken = decoder.take();
    let events_together: Vec<RecordBatch> = taken.events.iter().map(plain).collect();
    let whole = |batches: &[RecordBatch]| match batches {
        [] => Ok(Vec::new()),
        [first, ..] => concat_batches(&first.schema(), batches).map(|it| vec![it]).map_err(|error| error.to_string()),
    };
    same_rows(&taken.rejects, &whole(&rejects)?)?;
    same_rows(&events_together, &whole(&events)?)
}

/// Decodes `stored` in pieces, each with a decoder of its own, and compares them with the whole. Says whether it was cut.
pub(crate) fn check_pieces(cap_bytes: usize, stored: &[u8], piece_bytes: usize) -> Result<bool, String> {
    let mut is_cut = false;
    for selection in [Selection::Relevant, Selection::All] {
        let options = DecodeOptions { cap_bytes, selection, ..DecodeOptions::default() };
        let whole = Decoder::new(options).decode("an/object.json.gz", stored);
        match (Decoder::new(options).survey(stored, piece_bytes), whole) {
            (Ok(Survey::Cut(cuts)), Ok(whole)) => {
                is_cut = true;
                same_in_pieces(options, cuts.pieces(stored.to_vec()), &whole)?;
            }
            (Ok(Survey::Cut(_)), Err(error)) => return Err(format!("it was cut, but {error}")),
            (Err(error), whole) if whole.as_ref().err() != Some(&error) => {
                return Err(format!("cutting: {error}\nwhole: {whole:?}"));
            }
            (Ok(Survey::Whole { inflated_bytes }), Ok(whole)) if inflated_bytes as u64 != whole.inflated_bytes => {
                return Err(format!("{inflated_bytes} bytes were found in {whole:?}"));
            }
            (Ok(Survey::Whole { .. }) | Err(_), _) => {}
        }
    }
    Ok(is_cut)
}

fn same_in_pieces(options: DecodeOptions, pieces: Pieces, whole: &Decoded) -> Result<(), String> {
    let (mut events, mut sessions, mut rejects) = (Vec::new(), Vec::new(), Vec::new());
    let (mut tally, mut inflated_bytes) = (Tally::default(), 0);
    for piece in pieces {
        let mut decoder = Decoder::new(options);
        let read = decoder.read_piece("an/object.json.gz", &piece);
        let taken = decoder.take();
        assert_eq!(read.n_sessions, taken.sessions.iter().map(|rows| rows.num_rows() as u64).sum::<u64>());
        events.extend(taken.events.iter().map(plain));
        sessions.extend(taken.sessions.iter().map(plain));
        rejects.extend(taken.rejects);
        tally += read.tally;
        inflated_bytes += read.inflated_bytes;
    }
    if (tally, inflated_bytes) != (whole.tally, whole.inflated_bytes) {
        return Err(format!("pieces: {tally:?}, {inflated_bytes} bytes\nwhole: {whole:?}"));
    }
    same_rows(&rejects, &whole.rejects)?;
    same_rows(&sessions, &whole.sessions)?;
    same_rows(&events, &whole.events)
}

fn same(fast: &Decoded, mut slow: Decoded) -> Result<(), String> {
    let sessions = without_unread(fast, &mut slow)?;
    leave_unread(fast, &mut slow)?;
    if !fast.tally.balances() || fast.tally != slow.tally {
        return Err(format!("tally {:?}, oracle {:?}", fast.tally, slow.tally));
    }
    if fast.inflated_bytes != slow.inflated_bytes {
        return Err(format!("{} bytes inflated, oracle {}", fast.inflated_bytes, slow.inflated_bytes));
    }
    same_rows(&fast.rejects, &slow.rejects)?;
    same_rows(&sessions, &slow.sessions)?;
    same_rows(&fast.amendments, &slow.amendments)?;
    same_rows(&fast.events, &slow.events)
}

/// A record of STS is not parsed either where its own fields tell enough, so the decoder may make a session of what the
/// oracle rejects as invalid JSON. Makes the oracle's answer the same for such records, and returns the other sessions.
fn without_unread(fast: &Decoded, slow: &mut Decoded) -> Result<Vec<RecordBatch>, String> {
    let index = |batch: &RecordBatch| batch["source_index"].as_primitive::<Int64Type>().values().to_vec();
    let read: HashSet<i64> = fast.sessions.iter().flat_map(index).collect();
    let mut unread = HashSet::new();
    for batch in &mut slow.rejects {
        let reasons = batch["reason"].as_string::<i32>().iter();
        let keep = |(index, reason): (&i64, Option<&str>)| !read.contains(index) || reason != Some("invalid_json");
        let keep: Vec<bool> = index(batch).iter().zip(reasons).map(keep).collect();
        unread.extend(index(batch).into_iter().zip(&keep).filter(|(_, keep)| !**keep).map(|(index, _)| index));
        *batch = filter_record_batch(batch, &keep.into()).map_err(|error| error.to_string())?;
    }
    slow.tally.rejects -= unread.len() as u64;
    slow.tally.rows += unread.len() as u64;
    let others = |batch: &RecordBatch| {
        let keep: Vec<bool> = index(batch).iter().map(|index| !unread.contains(index)).collect();
        filter_record_batch(batch, &keep.into()).map_err(|error| error.to_string())
    };
    let mut sessions = fast.sessions.iter().map(others).collect::<Result<Vec<_>, _>>()?;
    sessions.retain(|batch| batch.num_rows() > 0);
    Ok(sessions)
}

/// A record that is no row is not parsed, so the decoder may count as filtered what the oracle rejects as invalid JSON,
/// and nothing else (docs/adr/0006). Makes the oracle's answer the same for such records.
fn leave_unread(fast: &Decoded, slow: &mut Decoded) -> Result<(), String> {
    let index = |batch: &RecordBatch| batch["source_index"].as_primitive::<Int64Type>().values().to_vec();
    let rejected: HashSet<i64> = fast.rejects.iter().flat_map(index).collect();
    for batch in &mut slow.rejects {
        let keep: Vec<bool> = index(batch).iter().map(|index| rejected.contains(index)).collect();
        let reasons = batch["reason"].as_string::<i32>();
        let unread: Vec<_> = reasons.iter().zip(&keep).filter(|(_, keep)| !**keep).map(|(reason, _)| reason).collect();
        if fast.tally.filtered == 0 && !unread.is_empty() || unread.iter().any(|reason| *reason != Some("invalid_json"))
        {
            return Err(format!("the oracle alone rejects {unread:?}"));
        }
        slow.tally.rejects -= unread.len() as u64;
        slow.tally.filtered += unread.len() as u64;
        *batch = filter_record_batch(batch, &keep.into()).map_err(|error| error.to_string())?;
    }
    slow.rejects.retain(|batch| batch.num_rows() > 0);
    Ok(())
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
