//! A large object in pieces, which several threads can decode, and whose text is never held whole.
//!
//! It is inflated twice: once to learn where it can be cut, and that nothing refuses it, and once for its pieces, one
//! after the other. What a piece holds becomes rows, or rejects, whatever comes after it. So rows of the first piece may
//! go their way while the last one is still deflated, which is what keeps memory low.

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

/// A text in which a record is larger than so many pieces is not cut.
const PIECES_OF_A_RECORD: usize = 4;

/// Where an object can be cut, between records.
#[derive(Debug)]
pub struct Cuts(Vec<Cut>);

/// The pieces of an object, in order; its text is inflated as they are asked for.
pub struct Pieces {
    members: Members<Vec<u8>>,
    /// What is inflated, and where in the object's text that begins.
    text: Vec<u8>,
    at: usize,
    cuts: vec::IntoIter<Cut>,
}

/// Some records of an object.
pub struct Piece {
    text: Vec<u8>,
    cut: Cut,
}

#[derive(Debug)]
struct Cut {
    /// Where the piece stands in the text.
    bytes: Range<usize>,
    /// Which record of the object its first one is.
    first_record: u64,
    /// Its bytes with all up to the next piece; of the first and the last, with what is around all of them.
    share_bytes: u64,
}

/// Cuts a text where records end.
struct Cutter<'e> {
    piece_bytes: usize,
    cuts: Vec<Cut>,
    n_records: u64,
    envelope: &'e mut Envelope,
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").field("cuts", &self.cuts).finish_non_exhaustive()
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece").field("cut", &self.cut).finish_non_exhaustive()
    }
}

impl Cuts {
    /// The pieces of the object, which is given once more.
    pub fn pieces(self, stored: Vec<u8>) -> Pieces {
        Pieces { members: Members::new(stored, usize::MAX), text: Vec::new(), at: 0, cuts: self.0.into_iter() }
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let Self { members, text, at, cuts } = self;
        let cut = cuts.next()?;
        while *at + text.len() < cut.bytes.end {
            assert_eq!(members.more(text), Ok(true), "the object was inflated before");
        }
        let of_piece = text[cut.bytes.start - *at..cut.bytes.end - *at].to_vec();
        text.drain(..cut.bytes.end - *at);
        *at = cut.bytes.end;
        Some(Piece { text: of_piece, cut })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.cuts.size_hint()
    }
}

impl ExactSizeIterator for Pieces {}

impl<'e> Cutter<'e> {
    fn new(piece_bytes: usize, envelope: &'e mut Envelope) -> Self {
        Self { piece_bytes, cuts: Vec::new(), n_records: 0, envelope }
    }

    /// Takes the next record, whose bytes begin at `start` of the text.
    fn take(&mut self, start: usize, found: &ordinary::Found<'_>) {
        let end = start + found.raw.len();
        match self.cuts.last_mut() {
            Some(cut) if end - cut.bytes.start <= self.piece_bytes => cut.bytes.end = end,
            _ => self.cuts.push(Cut { bytes: start..end, first_record: self.n_records, share_bytes: 0 }),
        }
        // An element may wrap several records.
        match glance(found, Selection::All) {
            Glance::Parse if found.is_plain => self.n_records += 1,
            _ => self.envelope.record(found.raw, &mut |_| self.n_records += 1),
        }
    }

    /// The cuts of a text of this size; none where it holds no record.
    fn finish(mut self, inflated_bytes: usize) -> Option<Cuts> {
        let mut end = inflated_bytes;
        for cut in self.cuts.iter_mut().rev() {
            cut.share_bytes = (end - cut.bytes.start) as u64;
            end = cut.bytes.start;
        }
        self.cuts.first_mut()?.share_bytes += end as u64;
        Some(Cuts(self.cuts))
    }
}

impl Decoder {
    /// Finds out where an object can be cut into pieces of about `piece_bytes`; none where it is plain, no ordinary object,
    /// or has a record much larger than a piece, so that it must be [`Decoder::read`] as a whole. What is cut is not
    /// refused later.
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
                    return Ok(is_whole.then(|| cutter.finish(at + text.len())).flatten());
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
    pub fn read_piece(&mut self, source_object: &str, piece: &Piece) -> Read {
        let Self { ordinary, envelope, fields, records, .. } = self;
        let Piece { text, cut } = piece;
        records.begin(cut.first_record);
        let mut take = |found: ordinary::Found<'_>| records.take(source_object, &found, fields, envelope);
        let end = ordinary.records_from(0, text, &mut take);
        assert_eq!(end, Ok(text.len()), "a piece was found to hold whole records");
        Read { tally: records.tally, inflated_bytes: cut.share_bytes }
    }
}
