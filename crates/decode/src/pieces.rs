//! A large object in pieces, which several threads can decode, and whose text is never held whole.
//!
//! It is inflated twice: once to learn where it can be cut, and that nothing refuses it, and once for its pieces, one
//! after the other. The records of a piece become rows, or rejects, whatever comes after it. So rows of the first piece
//! may go their way while the last one is still deflated, which is what keeps memory low.
//!
//! ```text
//!  {"Records":[ r r | r r | r ]}     records      pieces: r r   r r   r
//!  {"Events":[ e e | e e ],"n":1}    an array     pieces: {"Events":[ e e ],"n":1}   {"Events":[ e e ],"n":1}
//!  {..} {..} | {..} {..}             documents    pieces: {..} {..}   {..} {..}
//! ```
//!
//! A piece of an array that is not an ordinary object's is framed by what stands around the array, and so is an object
//! of the same kind: what its elements are is decided in one place, the envelope.

pub(crate) mod survey;
mod text;

use std::fmt;
use std::ops::Range;
use std::vec;

use crate::decoder::{Decoder, Read};
use crate::envelope::Envelope;
use crate::gunzip::Sha256;
use crate::ordinary;
use crate::pieces::text::Text;
use crate::records::ROW_OVERHEAD_BYTES;
use crate::reject::KEEP_BYTES;
use crate::reject::Reason;
use crate::split;

/// A piece has no more records, so that however small they are, their rows are few.
const RECORDS_OF_A_PIECE: u64 = 1 << 12;

/// The places where an object can be cut, between records.
#[derive(Debug)]
pub struct Cuts {
    places: Vec<Cut>,
    kind: Around,
    piece_bytes: usize,
    sha256: Option<Sha256>,
}

/// The pieces of an object, in order; its text is inflated as they are asked for.
pub struct Pieces {
    text: Text<Vec<u8>>,
    cuts: vec::IntoIter<Cut>,
    kind: Around,
    sha256: Option<Sha256>,
}

/// Some records of an object.
pub struct Piece {
    text: Vec<u8>,
    cut: Cut,
    way: Way,
    /// That of the object.
    sha256: Option<Sha256>,
}

/// The text around the records.
#[derive(Debug)]
enum Around {
    /// An ordinary object.
    Records,
    /// Another array, between these.
    Array { head: Vec<u8>, tail: Vec<u8> },
    /// Nothing: each is a document.
    Documents,
}

/// The way to read a piece.
#[derive(Debug, Clone, Copy)]
enum Way {
    Records,
    Object,
    Documents,
    /// The beginning of a record that is passed over because it is larger than any that is parsed.
    Giant,
}

#[derive(Debug)]
struct Cut {
    /// Where the piece stands in the text.
    bytes: Range<usize>,
    /// The position in the object of its first record.
    first_record: u64,
    /// The number of records and empty elements that it holds.
    weight: u64,
    is_giant: bool,
    /// Its bytes with all up to the next piece; of the first and the last, with what is around all of them.
    share_bytes: u64,
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
    /// Cuts the object, which is given once more, into its pieces.
    pub fn pieces(self, stored: Vec<u8>) -> Pieces {
        let text = Text::new(stored, usize::MAX, self.piece_bytes).expect("the object was inflated before");
        Pieces { text, cuts: self.places.into_iter(), kind: self.kind, sha256: self.sha256 }
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let Self { text, cuts, kind, sha256 } = self;
        let cut = cuts.next()?;
        let inflated = "the object was inflated before";
        let n_bytes = if cut.is_giant { cut.bytes.len().min(KEEP_BYTES) } else { cut.bytes.len() };
        text.pass_to(cut.bytes.start).expect(inflated);
        text.fill(n_bytes).expect(inflated);
        let bytes = &text.rest()[..n_bytes];
        let (way, piece) = match kind {
            _ if cut.is_giant => (Way::Giant, bytes.to_vec()),
            Around::Records => (Way::Records, bytes.to_vec()),
            Around::Array { head, tail } => (Way::Object, [head, bytes, tail].concat()),
            Around::Documents => (Way::Documents, bytes.to_vec()),
        };
        text.pass(n_bytes);
        Some(Piece { text: piece, cut, way, sha256: *sha256 })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.cuts.size_hint()
    }
}

impl ExactSizeIterator for Pieces {}

impl Piece {
    /// Estimates the bytes that its text and its rows take, at most.
    pub fn room_bytes(&self) -> u64 {
        2 * self.text.len() as u64 + self.cut.weight * 2 * ROW_OVERHEAD_BYTES as u64
    }
}

impl Decoder {
    /// Decodes a piece, and puts its rows behind those of what was read before. The counts of all pieces add up to
    /// those of the object.
    pub fn read_piece(&mut self, source_object: &str, piece: &Piece) -> Read {
        let Self { ordinary, envelope, fields, records, .. } = self;
        let Piece { text, cut, way, sha256 } = piece;
        records.begin(cut.first_record, usize::MAX);
        match way {
            Way::Records => {
                let mut take =
                    |found: ordinary::OrdinaryRecord<'_>| records.take(source_object, &found, fields, envelope);
                let end = ordinary.records_from(0, text, &mut take);
                assert_eq!(end, Ok(text.len()), "a piece was found to hold whole records");
            }
            Way::Object => {
                let read = envelope.records(text, &mut |found| records.push(source_object, &found));
                assert_eq!(read, Ok(()), "a piece was found to be an object");
            }
            Way::Documents => {
                documents(envelope, text, &mut |found| records.push(source_object, &found));
            }
            Way::Giant => {
                records.tally.records += 1;
                records.reject(source_object, cut.first_record, Reason::TooLarge, text, cut.bytes.len());
            }
        }
        let (tally, n_sessions) = (records.tally, records.n_sessions);
        Read { tally, n_sessions, inflated_bytes: cut.share_bytes, sha256: *sha256 }
    }
}

/// Calls `each` for every record of documents that stand one after the other.
fn documents(envelope: &mut Envelope, text: &[u8], each: &mut impl FnMut(crate::envelope::RawRecord<'_>)) {
    let found = split::documents(text).expect("a piece was found to hold whole documents");
    for document in found {
        envelope.document(document.of(text), document.depth, each);
    }
}
