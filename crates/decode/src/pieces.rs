//! A large object in pieces, which several threads can decode.
//!
//! Where an object can be cut is known when its last record is found, and so is that nothing refuses it: what a piece
//! holds becomes rows, or rejects, whatever comes after it. So rows of the first piece may go their way while the last
//! one waits, which is what keeps memory low.
//!
//! A text that does not fit into memory is inflated twice: once to learn where it can be cut, and that nothing refuses
//! it, and once for its pieces, one after the other.

use std::fmt;
use std::ops::Range;
use std::vec;

use crate::DecodeError;
use crate::Decoder;
use crate::Read;
use crate::Selection;
use crate::envelope::Envelope;
use crate::glance::{Glance, glance};
use crate::gunzip;
use crate::gunzip::Members;
use crate::ordinary;
use crate::ordinary::Next;

/// A text in which a record is larger than so many pieces is only cut as a whole.
const PIECES_OF_A_RECORD: usize = 4;

/// An inflated object, or some of it, that is cut between records.
pub struct Pieces {
    inflated: Vec<u8>,
    pieces: Vec<Piece>,
}

/// Where an object whose text is not held can be cut.
#[derive(Debug)]
pub struct Cuts {
    pieces: Vec<Piece>,
}

/// The pieces of an object, each by itself, in order; its text is inflated as they are asked for.
pub struct PieceReader {
    members: Members<Vec<u8>>,
    text: Vec<u8>,
    /// Where in the object's text that begins.
    at: usize,
    pieces: vec::IntoIter<Piece>,
}

#[derive(Debug, Clone)]
struct Piece {
    /// Where it stands in the text.
    bytes: Range<usize>,
    /// Which record of the object its first one is.
    first_record: u64,
    /// Its bytes with all up to the next piece; of the first and the last, with what is around all of them.
    share_bytes: u64,
}

/// Cuts a text where records end.
#[derive(Debug)]
struct Cutter<'e> {
    piece_bytes: usize,
    pieces: Vec<Piece>,
    n_records: u64,
    envelope: &'e mut Envelope,
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").field("pieces", &self.pieces).finish_non_exhaustive()
    }
}

impl fmt::Debug for PieceReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PieceReader").field("pieces", &self.pieces).finish_non_exhaustive()
    }
}

impl Pieces {
    /// How many there are.
    pub fn n(&self) -> usize {
        self.pieces.len()
    }

    /// The size of the text that they are cut from.
    pub fn inflated_bytes(&self) -> u64 {
        self.inflated.len() as u64
    }
}

impl Cuts {
    /// The pieces of the object, which is given once more.
    pub fn pieces(self, stored: Vec<u8>) -> PieceReader {
        PieceReader {
            members: Members::new(stored, usize::MAX),
            text: Vec::new(),
            at: 0,
            pieces: self.pieces.into_iter(),
        }
    }
}

impl Iterator for PieceReader {
    type Item = Pieces;

    fn next(&mut self) -> Option<Pieces> {
        let Self { members, text, at, pieces } = self;
        let piece = pieces.next()?;
        while *at + text.len() < piece.bytes.end {
            assert_eq!(members.more(text), Ok(true), "the object was inflated before");
        }
        let inflated = text[piece.bytes.start - *at..piece.bytes.end - *at].to_vec();
        text.drain(..piece.bytes.end - *at);
        *at = piece.bytes.end;
        Some(Pieces { pieces: vec![Piece { bytes: 0..inflated.len(), ..piece }], inflated })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.pieces.size_hint()
    }
}

impl ExactSizeIterator for PieceReader {}

impl<'e> Cutter<'e> {
    fn new(piece_bytes: usize, envelope: &'e mut Envelope) -> Self {
        Self { piece_bytes, pieces: Vec::new(), n_records: 0, envelope }
    }

    /// Takes the next record, whose bytes begin at `start` of the text.
    fn take(&mut self, start: usize, found: &ordinary::Found<'_>) {
        let end = start + found.raw.len();
        match self.pieces.last_mut() {
            Some(piece) if end - piece.bytes.start <= self.piece_bytes => piece.bytes.end = end,
            _ => self.pieces.push(Piece { bytes: start..end, first_record: self.n_records, share_bytes: 0 }),
        }
        // An element may wrap several records.
        match glance(found, Selection::All) {
            Glance::Parse if found.is_plain => self.n_records += 1,
            _ => self.envelope.record(found.raw, &mut |_| self.n_records += 1),
        }
    }

    /// The pieces of a text of this size; none where it holds no record.
    fn finish(self, inflated_bytes: usize) -> Option<Vec<Piece>> {
        let mut pieces = self.pieces;
        let mut end = inflated_bytes;
        for piece in pieces.iter_mut().rev() {
            piece.share_bytes = (end - piece.bytes.start) as u64;
            end = piece.bytes.start;
        }
        let first = pieces.first_mut()?;
        first.share_bytes += first.bytes.start as u64;
        Some(pieces)
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
        let mut cutter = Cutter::new(piece_bytes, envelope);
        let outcome = ordinary.records(inflated, &mut |found| cutter.take(found.at, &found));
        let pieces = outcome.ok().and_then(|()| cutter.finish(inflated.len()));
        let inflated = gunzip.take();
        Ok(pieces.map(|pieces| Pieces { inflated, pieces }))
    }

    /// Finds out where an object can be cut into such pieces, without ever holding its text; none also where a record
    /// is much larger than a piece. For objects whose text does not fit into memory, as it inflates them twice, and more
    /// slowly.
    pub fn survey(&mut self, stored: &[u8], piece_bytes: usize) -> Result<Option<Cuts>, DecodeError> {
        if !gunzip::is_gzip(stored) {
            return Ok(None);
        }
        let Self { options, ordinary, envelope, .. } = self;
        let mut cutter = Cutter::new(piece_bytes, envelope);
        let mut members = Members::new(stored, options.cap_bytes);
        // What follows the last record so far, and where in the object's text that is.
        let (mut text, mut at) = (Vec::new(), 0);
        loop {
            let enough = text.len() + piece_bytes;
            while text.len() < enough && members.more(&mut text)? {}
            let next = if at == 0 { ordinary::head(&text) } else { ordinary::separator(&text, 0) };
            let mut end = 0;
            let is_at_end = match next {
                // That the text ends inside a record is nothing odd, as long as it goes on.
                Ok(Next::Element(first)) => {
                    let _ = ordinary.records_from(first, &text, &mut |found| {
                        end = found.at + found.raw.len();
                        cutter.take(at + found.at, &found);
                    });
                    text.len() < enough
                }
                Ok(Next::End(_)) if members.more(&mut text)? => false,
                Ok(Next::End(array)) => {
                    let is_whole = ordinary::tail(&text, array).is_ok();
                    let pieces = is_whole.then(|| cutter.finish(at + text.len())).flatten();
                    return Ok(pieces.map(|pieces| Cuts { pieces }));
                }
                Err(ordinary::Odd) => return Ok(None),
            };
            if end == 0 && (is_at_end || text.len() > PIECES_OF_A_RECORD * piece_bytes) {
                return Ok(None);
            }
            text.drain(..end);
            at += end;
        }
    }

    /// Decodes a piece, and puts its rows behind those of what was read before. What is said of all pieces adds up to
    /// what is said of the object.
    pub fn read_piece(&mut self, source_object: &str, pieces: &Pieces, piece: usize) -> Read {
        let Self { ordinary, envelope, fields, records, .. } = self;
        let Piece { bytes, first_record, share_bytes } = &pieces.pieces[piece];
        records.begin(*first_record);
        let mut take = |found: ordinary::Found<'_>| records.take(source_object, &found, fields, envelope);
        let end = ordinary.records_from(bytes.start, &pieces.inflated[..bytes.end], &mut take);
        assert_eq!(end, Ok(bytes.end), "a piece was found to hold whole records");
        Read { tally: records.tally, inflated_bytes: *share_bytes }
    }
}
