//! A large object in pieces, which several threads can decode.
//!
//! Where an object can be cut is known when its last record is found, and so is that nothing refuses it: what a piece
//! holds becomes rows, or rejects, whatever comes after it. So rows of the first piece may go their way while the last
//! one waits, which is what keeps memory low.

use std::fmt;
use std::ops::Range;

use crate::DecodeError;
use crate::Decoder;
use crate::Read;
use crate::Selection;
use crate::glance::{Glance, glance};
use crate::gunzip;
use crate::ordinary;

/// An inflated object that is cut between records.
pub struct Pieces {
    inflated: Vec<u8>,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    bytes: Range<usize>,
    /// Which record of the object its first one is.
    first_record: u64,
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").field("pieces", &self.pieces).finish_non_exhaustive()
    }
}

impl Pieces {
    /// How many there are.
    pub fn n(&self) -> usize {
        self.pieces.len()
    }

    /// The size of the object when inflated.
    pub fn inflated_bytes(&self) -> u64 {
        self.inflated.len() as u64
    }

    /// The bytes of a piece, with all up to the next, and what is around all of them.
    fn share_bytes(&self, piece: usize) -> u64 {
        let start = if piece == 0 { 0 } else { self.pieces[piece].bytes.start };
        let end = self.pieces.get(piece + 1).map_or(self.inflated.len(), |next| next.bytes.start);
        (end - start) as u64
    }
}

impl Decoder {
    /// Inflates an object and cuts it into pieces of about `piece_bytes`; none where it is plain or no ordinary
    /// object, which must be [`Decoder::read`] as a whole. What is cut is not refused later.
    pub fn cut(&mut self, stored: &[u8], piece_bytes: usize) -> Result<Option<Pieces>, DecodeError> {
        if !gunzip::is_gzip(stored) {
            return Ok(None);
        }
        let Self { options, gunzip, ordinary, envelope, .. } = self;
        let inflated = gunzip.inflate(stored, options.cap_bytes)?;
        let mut pieces: Vec<Piece> = Vec::new();
        let mut n_records = 0;
        let outcome = ordinary.records(inflated, &mut |found| {
            let end = found.at + found.raw.len();
            match pieces.last_mut() {
                Some(piece) if end - piece.bytes.start <= piece_bytes => piece.bytes.end = end,
                _ => pieces.push(Piece { bytes: found.at..end, first_record: n_records }),
            }
            // An element may wrap several records.
            match glance(&found, Selection::All) {
                Glance::Parse if found.is_plain => n_records += 1,
                _ => envelope.record(found.raw, &mut |_| n_records += 1),
            }
        });
        let inflated = gunzip.take();
        Ok((outcome.is_ok() && !pieces.is_empty()).then_some(Pieces { inflated, pieces }))
    }

    /// Decodes a piece, and puts its rows behind those of what was read before. What is said of all pieces adds up to
    /// what is said of the object.
    pub fn read_piece(&mut self, source_object: &str, pieces: &Pieces, piece: usize) -> Read {
        let Self { ordinary, envelope, fields, records, .. } = self;
        let Piece { bytes, first_record } = &pieces.pieces[piece];
        records.begin(*first_record);
        let mut take = |found: ordinary::Found<'_>| records.take(source_object, &found, fields, envelope);
        let end = ordinary.records_from(bytes.start, &pieces.inflated[..bytes.end], &mut take);
        assert_eq!(end, Ok(bytes.end), "a piece was found to hold whole records");
        Read { tally: records.tally, inflated_bytes: pieces.share_bytes(piece) }
    }
}
