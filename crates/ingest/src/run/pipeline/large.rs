//! Large objects: in pieces, where they can be cut, and else as a whole, if there is room.

use std::sync::Arc;

use futures::Stream;
use futures::StreamExt;
use futures::stream;
use futures::stream::BoxStream;
use trailweave_decode::DecodeError;
use trailweave_decode::Pieces;
use trailweave_decode::Survey;

use super::inflow::{Arrived, DECODE_FACTOR, Done, Inflow, LargePiece, ObjectOutcome, OpenedObject, Planned, origin};
use crate::error::chain;
use crate::panicked::Panicked;
use crate::rows::chunk::DecodedRows;
use crate::run::budget::{Reservation, Shares};
use crate::source::fetch::NoRoom;

/// A large object after the survey.
enum Cut {
    Pieces(Box<Pieces>),
    /// It must be decoded as a whole.
    Whole {
        stored: Vec<u8>,
        inflated_bytes: u64,
    },
    Refused(DecodeError),
}

impl Inflow {
    /// Cuts a large object.
    async fn cut(self: Arc<Self>, stored: Vec<u8>) -> Result<Cut, Panicked> {
        let inflow = Arc::clone(&self);
        let piece_bytes = usize::try_from(self.shares.piece_bytes).expect("a piece is small");
        let cut = move || {
            let mut decoder = inflow.decoder();
            let survey = decoder.survey(&stored, piece_bytes);
            inflow.keep(decoder);
            match survey {
                Ok(Survey::Cut(cuts)) => Cut::Pieces(Box::new(cuts.pieces(stored))),
                Ok(Survey::Whole { inflated_bytes }) => Cut::Whole { stored, inflated_bytes: inflated_bytes as u64 },
                Err(error) => Cut::Refused(error),
            }
        };
        self.cpu.run(cut).await
    }

    /// Decodes a large object as a whole, if its text and its rows fit into `room_bytes`.
    async fn decode_whole(
        self: Arc<Self>,
        planned: Planned,
        stored: Vec<u8>,
        inflated_bytes: u64,
        room_bytes: u64,
    ) -> Done {
        let more_bytes = 2 * self.shares.memory_bytes;
        let (done, unread) = self.decode(planned.clone(), vec![Ok(stored)], room_bytes).await;
        let why = match unread.why {
            None => return done,
            Some(DecodeError::NoRoom { .. }) => {
                let needed_bytes = (inflated_bytes * DECODE_FACTOR).max(room_bytes * 2);
                let memory_bytes = Shares::memory_for(needed_bytes).max(more_bytes);
                chain(&NoRoom { needed_bytes, memory_bytes })
            }
            Some(other) => chain(&other),
        };
        Done::of_one(&planned, ObjectOutcome::Quarantined(why), DecodedRows::default())
    }

    /// Decodes a piece of a large object.
    pub(super) async fn decode_piece(self: Arc<Self>, piece: LargePiece, reservation: Reservation) -> Arrived {
        let LargePiece { planned, piece, is_last } = piece;
        let (inflow, of) = (Arc::clone(&self), planned.clone());
        let decoded = self.cpu.run(move || {
            let mut decoder = inflow.decoder();
            let read = decoder.read_piece(&of.objects()[0].source_object, &piece);
            let rows = DecodedRows::new(decoder.take(), &[(origin(of.positions.start), read)]);
            inflow.keep(decoder);
            (read, rows)
        });
        let (outcome, rows) = match decoded.await {
            Ok((read, rows)) if is_last => (ObjectOutcome::Read(read), rows),
            Ok((read, rows)) => (ObjectOutcome::Begun(read), rows),
            Err(panicked) => (ObjectOutcome::Broken(panicked), DecodedRows::default()),
        };
        Arrived::new(Done::of_one(&planned, outcome, rows), reservation)
    }
}

/// Opens a large object in pieces, or as a whole, or refuses it. `paid` is for the stored bytes.
pub(super) async fn open_large(
    inflow: Arc<Inflow>,
    planned: Planned,
    stored: Vec<u8>,
    paid: Arc<Vec<Reservation>>,
    reservation: Reservation,
) -> BoxStream<'static, OpenedObject> {
    let refused = |why| Done::of_one(&planned, ObjectOutcome::Quarantined(why), DecodedRows::default());
    let done = match Arc::clone(&inflow).cut(stored).await {
        Ok(Cut::Pieces(pieces)) => return opened(inflow, planned, *pieces, paid).boxed(),
        Ok(Cut::Whole { stored, inflated_bytes }) => {
            inflow.decode_whole(planned, stored, inflated_bytes, reservation.bytes()).await
        }
        Ok(Cut::Refused(error)) => refused(chain(&error)),
        Err(panicked) => refused(chain(&panicked)),
    };
    stream::iter([OpenedObject::Arrived(Arrived::new(done, reservation))]).boxed()
}

/// Inflates the pieces of a large object as they are asked for. `paid` is for the stored bytes.
fn opened(
    inflow: Arc<Inflow>,
    planned: Planned,
    pieces: Pieces,
    paid: Arc<Vec<Reservation>>,
) -> impl Stream<Item = OpenedObject> {
    stream::unfold(Some((pieces, paid)), move |rest| {
        let (inflow, planned) = (Arc::clone(&inflow), planned.clone());
        async move {
            let (mut pieces, paid) = rest?;
            match inflow.cpu.run(move || (pieces.next(), pieces)).await {
                Ok((piece, pieces)) => {
                    let piece = LargePiece { planned, piece: piece?, is_last: pieces.len() == 0 };
                    Some((OpenedObject::Piece(Box::new(piece)), Some((pieces, paid))))
                }
                Err(panicked) => {
                    let done = Done::of_one(&planned, ObjectOutcome::Broken(panicked), DecodedRows::default());
                    let reservation = inflow.pieces.reserve(0).await;
                    Some((OpenedObject::Arrived(Arrived::new(done, reservation)), None))
                }
            }
        }
    })
}
