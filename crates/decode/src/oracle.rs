//! The slow, obvious decoder that the fast one is tested against; never used in production.
//!
//! It takes every decision on its own: inflates with another reader, splits by commas, builds a tree of every record
//! and a map of every row. It shares `normalise`, `is_relevant` and the
//! tables' columns, which are tested by themselves.

mod batch;
mod envelope;
mod row;
mod tree;

use std::io::Read;

use flate2::bufread::GzDecoder;
use trailweave_table::EVENTS;
use trailweave_table::REJECTS;
use trailweave_table::SESSIONS;
use trailweave_table::Tally;

use crate::decoder::Decoded;
use crate::error::DecodeError;
use crate::options::DecodeOptions;
use crate::options::Selection;
use crate::oracle::batch::{Cell, Row, batches};
use crate::oracle::envelope::Item;
use crate::oracle::row::Fault;

/// Does what [`Decoder::decode`](crate::Decoder::decode) does. It gives [`DecodeError::Gzip`] also for a wrong
/// checksum, all offsets as 0, and never more than one batch.
pub fn decode(options: DecodeOptions, source_object: &str, stored: &[u8]) -> Result<Decoded, DecodeError> {
    let mut inflated = inflate_or_vouch(stored, options.cap_bytes)?;
    if is_gzip(stored) && is_gzip(&inflated) {
        inflated = inflate_or_vouch(&inflated, options.cap_bytes)?;
    }
    let mut events = Vec::new();
    let mut sessions = Vec::new();
    let mut amendments = Vec::new();
    let mut rejects = Vec::new();
    let mut tally = Tally::default();
    for item in envelope::records(&inflated)? {
        let source_index = i64::try_from(tally.records).expect("fewer records than bytes");
        tally.records += 1;
        let row = match event(options.selection, &item) {
            Ok((Fate::Row, row)) => {
                tally.rows += 1;
                events.push(row);
                events.last_mut().expect("just pushed")
            }
            Ok((Fate::Session, row)) => {
                tally.rows += 1;
                sessions.push(row);
                sessions.last_mut().expect("just pushed")
            }
            Ok((Fate::Amendment, row)) => {
                tally.filtered += 1;
                amendments.push(row);
                amendments.last_mut().expect("just pushed")
            }
            Ok((Fate::Filtered, _)) => {
                tally.filtered += 1;
                continue;
            }
            Err(reason) => {
                tally.rejects += 1;
                rejects.push(reject(reason, &item));
                rejects.last_mut().expect("just pushed")
            }
        };
        row.insert("source_object", Cell::Text(source_object.to_owned()));
        row.insert("source_index", Cell::Integer(source_index));
    }
    Ok(Decoded {
        events: batches(&EVENTS, &events),
        sessions: batches(&SESSIONS, &sessions),
        amendments: batches(&EVENTS, &amendments),
        rejects: batches(&REJECTS, &rejects),
        tally,
        inflated_bytes: inflated.len() as u64,
    })
}

fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

fn inflate_or_vouch(stored: &[u8], cap_bytes: usize) -> Result<Vec<u8>, DecodeError> {
    match inflate(stored, cap_bytes) {
        Err(DecodeError::Gzip { .. }) => vouched(stored, cap_bytes),
        other => other,
    }
}

/// Inflates one member after the other, each read to its end and checked.
fn inflate(stored: &[u8], cap_bytes: usize) -> Result<Vec<u8>, DecodeError> {
    let mut inflated = Vec::new();
    if is_gzip(stored) {
        let mut rest = stored;
        while !rest.is_empty() {
            if !is_gzip(rest) {
                return Err(DecodeError::TrailingBytes { count: rest.len() });
            }
            let room = (cap_bytes - inflated.len()) as u64;
            let mut member = GzDecoder::new(rest).take(room.saturating_add(1));
            let read = member.read_to_end(&mut inflated);
            if inflated.len() > cap_bytes {
                return Err(DecodeError::TooLarge { cap_bytes });
            }
            read.map_err(|_| DecodeError::Gzip { offset: 0, fault: "damaged" })?;
            rest = member.into_inner().into_inner();
        }
        return Ok(inflated);
    }
    let text = stored.strip_prefix("\u{feff}".as_bytes()).unwrap_or(stored);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        Some(b'{' | b'[' | b'"') if stored.len() > cap_bytes => Err(DecodeError::TooLarge { cap_bytes }),
        Some(b'{' | b'[' | b'"') => Ok(stored.to_vec()),
        _ => Err(DecodeError::NotGzipNorJson),
    }
}

/// Inflates one member that zlib refuses, as libdeflate does. It reads the length codes 286 and 287, which no encoder
/// writes, as it reads 285; when the checksum vouches for the content, so does the decoder.
fn vouched(stored: &[u8], cap_bytes: usize) -> Result<Vec<u8>, DecodeError> {
    let damaged = DecodeError::Gzip { offset: 0, fault: "damaged" };
    let Some((_, [crc @ .., s0, s1, s2, s3])) = stored.split_last_chunk::<8>() else {
        return Err(damaged);
    };
    // The member ends where its trailer stands; another member of the same content may follow it.
    let trailer = &stored[stored.len() - 8..];
    if stored.windows(8).position(|bytes| bytes == trailer) != Some(stored.len() - 8) {
        return Err(damaged);
    }
    let size = u32::from_le_bytes([*s0, *s1, *s2, *s3]) as usize;
    if size > cap_bytes || size / 2000 > stored.len() {
        return Err(damaged);
    }
    let mut inflated = vec![0; size];
    match libdeflater::Decompressor::new().gzip_decompress(stored, &mut inflated) {
        Ok(n) if n == size && libdeflater::crc32(&inflated).to_le_bytes() == *crc => Ok(inflated),
        _ => Err(damaged),
    }
}

/// The fate of a sound record.
enum Fate {
    Row,
    /// A row of `sessions`.
    Session,
    /// No row, but it amends one.
    Amendment,
    Filtered,
}

fn event(selection: Selection, item: &Item) -> Result<(Fate, Row), Fault> {
    const INVALID_JSON: Fault = ("invalid_json", "the record is not valid JSON");
    if !item.is_intact {
        return Err(INVALID_JSON);
    }
    if item.raw[0] != b'{' {
        return Err(("not_an_object", "the record is not a JSON object"));
    }
    if envelope::depth(&item.raw) > 128 {
        return Err(("too_deep", "the record nests deeper than 128"));
    }
    let text = std::str::from_utf8(&item.raw).map_err(|_| INVALID_JSON)?;
    let record = row::RecordTree::parse(text, item.account.as_deref()).ok_or(INVALID_JSON)?;
    if record.is_of("Insight") || record.is_of("Aggregated") {
        return Ok((Fate::Filtered, Row::new()));
    }
    let event_time_ms = record.validate()?;
    let is_kept = record.is_relevant() && (!record.is_of("NetworkActivity") || record.is_refused());
    let fate = match record.amended_event_id() {
        _ if selection == Selection::All || is_kept && !record.is_sts() => Fate::Row,
        _ if is_kept && record.issues() => Fate::Session,
        Some(_) => Fate::Amendment,
        None => Fate::Filtered,
    };
    Ok((fate, record.row(event_time_ms)))
}

fn reject((reason, message): Fault, item: &Item) -> Row {
    let record = String::from_utf8_lossy(&item.raw).into_owned();
    Row::from([
        ("reason", Cell::Text(reason.to_owned())),
        ("message", Cell::Text(message.to_owned())),
        ("record", Cell::Text(record)),
    ])
}
