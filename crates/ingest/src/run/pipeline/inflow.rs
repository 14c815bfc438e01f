//! Objects on their way through the pipeline, and their decoders.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use trailweave_decode::DecodeError;
use trailweave_decode::DecodeOptions;
use trailweave_decode::Decoder;
use trailweave_decode::Piece;
use trailweave_decode::Read;

use crate::IngestOptions;
use crate::cpu::{Cpu, caught};
use crate::error::chain;
use crate::panicked::Panicked;
use crate::rows::chunk::DecodedRows;
use crate::run::budget::{Budget, Reservation, Shares};
use crate::run::plan::Batch;
use crate::source::fetch::{FetchError, NoRoom};
use crate::source::listing::ObjectRef;
use crate::source::s3::S3;

/// The memory that a request to S3 takes at least while it is under way.
const FETCH_BYTES: u64 = 256 << 10;
/// Decoding needs the text and the rows, which may be larger where records are small.
pub(super) const DECODE_FACTOR: u64 = 3;
/// The memory that columns cost even where they are empty.
pub(super) const MIN_DECODE_BYTES: u64 = 256 << 10;
/// Decoders that no job uses keep no more than this, and all of them together an eighth of the memory.
const KEPT_DECODER_BYTES: u64 = 64 << 20;

/// The means that fetching and decoding share.
#[derive(Debug)]
pub(crate) struct Inflow {
    pub(crate) cpu: Cpu,
    pub(crate) threads: NonZeroUsize,
    /// Objects of S3 that are fetched at once.
    pub(crate) fetches: NonZeroUsize,
    pub(super) shares: Shares,
    /// For bytes as stored.
    pub(crate) stored: Budget,
    /// For text and rows.
    pub(crate) inflated: Budget,
    /// For the pieces of large objects, text and rows.
    pub(crate) pieces: Budget,
    pub(crate) options: DecodeOptions,
    pub(crate) s3: Arc<S3>,
    /// Decoders that no job uses; never more than there are threads.
    idle: Mutex<Vec<Decoder>>,
}

/// The outcome of an object.
#[derive(Debug)]
pub(crate) enum ObjectOutcome {
    /// Its rows are there.
    Read(Read),
    /// Some of its rows are there, and others follow.
    Begun(Read),
    /// A piece of it is lost to a bug, and rows of it have gone their way already.
    Broken(Panicked),
    /// It was refused as a whole, and why.
    Quarantined(String),
    /// It could not be had.
    Left(FetchError),
}

/// Objects at the end of the pipeline, which are paid for until they are dropped.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) done: Done,
    _reservation: Reservation,
}

/// The outcomes of some objects, with their rows.
#[derive(Debug)]
pub(crate) struct Done {
    /// The batch that they are of.
    pub(crate) batch: Arc<Batch>,
    /// By the position in the batch.
    pub(crate) outcomes: Vec<(usize, ObjectOutcome)>,
    pub(crate) rows: DecodedRows,
}

/// Neighbours of a batch of the plan, which stays reachable from tasks that outlive their caller.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) batch: Arc<Batch>,
    pub(super) positions: Range<usize>,
}

/// A piece of a large object.
#[derive(Debug)]
pub(super) struct LargePiece {
    pub(super) planned: Planned,
    pub(super) piece: Piece,
    pub(super) is_last: bool,
}

/// Objects that were not decoded, by the position in the batch, because the first of them takes more memory than was
/// paid for.
#[derive(Default)]
pub(super) struct Unread {
    pub(super) why: Option<DecodeError>,
    pub(super) stored: Vec<(usize, Vec<u8>)>,
}

/// The result of decoding: rows, or a piece that rows are still to be made of.
pub(super) enum OpenedObject {
    Arrived(Arrived),
    Piece(Box<LargePiece>),
}

impl Inflow {
    pub(crate) fn new(cpu: Cpu, run: &IngestOptions, shares: Shares, options: DecodeOptions, s3: Arc<S3>) -> Self {
        let IngestOptions { threads, fetches, .. } = *run;
        let stored = Budget::new(shares.stored_bytes);
        let inflated = Budget::new(shares.inflated_bytes);
        let pieces = Budget::new(shares.pieces_bytes);
        Self { cpu, threads, fetches, shares, stored, inflated, pieces, options, s3, idle: Mutex::default() }
    }

    /// Pays for the stored bytes of objects; one may be too large for any payment.
    ///
    /// An object larger than their share takes the rest of the share of text and rows. By then it is alone: what comes
    /// before it is decoded, and waits for nothing but the writer.
    pub(super) async fn pay_stored(&self, planned: &Planned) -> Result<Vec<Reservation>, NoRoom> {
        let taken = |object: &ObjectRef| if object.is_in_s3() { object.bytes.max(FETCH_BYTES) } else { object.bytes };
        let bytes: u64 = planned.objects().iter().map(taken).sum();
        let own_bytes = self.stored.total_bytes();
        let spare_bytes = self.inflated.total_bytes() - self.shares.large_bytes;
        if bytes > own_bytes + spare_bytes {
            return Err(NoRoom { needed_bytes: bytes, memory_bytes: Shares::memory_for(bytes) });
        }
        let mut paid = vec![self.stored.reserve(bytes).await];
        if bytes > own_bytes {
            paid.push(self.inflated.reserve(bytes - own_bytes).await);
        }
        Ok(paid)
    }

    /// Decodes objects, as far as their text and rows fit into `room_bytes`.
    pub(super) async fn decode(
        self: Arc<Self>,
        planned: Planned,
        stored: Vec<Result<Vec<u8>, FetchError>>,
        room_bytes: u64,
    ) -> (Done, Unread) {
        let inflow = Arc::clone(&self);
        let Planned { batch, positions } = planned.clone();
        let decoded = self.cpu.run(move || {
            let mut done = Done::new(planned.batch);
            let mut read = Vec::new();
            for (position, stored) in planned.positions.zip(stored) {
                match stored {
                    Ok(stored) => read.push((position, stored)),
                    Err(FetchError::NoRoom(why)) => {
                        done.outcomes.push((position, ObjectOutcome::Quarantined(chain(&why))));
                    }
                    Err(error) => done.outcomes.push((position, ObjectOutcome::Left(error))),
                }
            }
            let (n_read, why) = inflow.decode_now(&read, room_bytes, &mut done);
            (done, Unread { why, stored: read.split_off(n_read) })
        });
        decoded.await.unwrap_or_else(|panicked| {
            let outcomes = positions.map(|position| (position, ObjectOutcome::Quarantined(chain(&panicked))));
            (Done { outcomes: outcomes.collect(), ..Done::new(batch) }, Unread::default())
        })
    }

    /// Decodes objects, given with their positions in the batch, and returns how many, and why no more. After a panic,
    /// which is a bug, it decodes each alone, so that only the faulty object is lost.
    fn decode_now(
        &self,
        stored: &[(usize, Vec<u8>)],
        room_bytes: u64,
        done: &mut Done,
    ) -> (usize, Option<DecodeError>) {
        match (caught(|| self.decode_together(&done.batch.objects, stored, room_bytes)), stored) {
            (Ok((outcomes, rows, why)), _) => {
                let n_read = outcomes.len();
                done.outcomes.extend(outcomes);
                done.rows.extend(rows);
                (n_read, why)
            }
            (Err(panicked), [(position, _)]) => {
                done.outcomes.push((*position, ObjectOutcome::Quarantined(chain(&panicked))));
                (1, None)
            }
            (Err(_), _) => {
                for (n_read, alone) in stored.chunks(1).enumerate() {
                    if let (0, why) = self.decode_now(alone, room_bytes, done) {
                        return (n_read, why);
                    }
                }
                (stored.len(), None)
            }
        }
    }

    fn decode_together(
        &self,
        objects: &[ObjectRef],
        stored: &[(usize, Vec<u8>)],
        room_bytes: u64,
    ) -> (Vec<(usize, ObjectOutcome)>, DecodedRows, Option<DecodeError>) {
        let mut decoder = self.decoder();
        let (mut outcomes, mut origins) = (Vec::with_capacity(stored.len()), Vec::new());
        let mut why = None;
        let room_bytes = usize::try_from(room_bytes).unwrap_or(usize::MAX);
        for (position, stored) in stored {
            let outcome = match decoder.read_within(&objects[*position].source_object, stored, room_bytes) {
                Ok(read) => {
                    origins.push((origin(*position), read));
                    ObjectOutcome::Read(read)
                }
                Err(error @ (DecodeError::NoRoom { .. } | DecodeError::TooMany { .. })) => {
                    why = Some(error);
                    break;
                }
                Err(error) => ObjectOutcome::Quarantined(chain(&error)),
            };
            outcomes.push((*position, outcome));
        }
        let taken = decoder.take();
        self.keep(decoder);
        (outcomes, DecodedRows::new(taken, &origins), why)
    }

    /// Lends a decoder that no job uses. One that panics is not given back.
    pub(super) fn decoder(&self) -> Decoder {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| Decoder::new(self.options))
    }

    /// Takes back a decoder, if its buffers did not grow too large.
    pub(super) fn keep(&self, decoder: Decoder) {
        let share = self.shares.memory_bytes / 8 / self.threads.get() as u64;
        if decoder.held_bytes() as u64 > share.min(KEPT_DECODER_BYTES) {
            return;
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
    }
}

pub(super) fn origin(position: usize) -> u32 {
    u32::try_from(position).expect("a batch holds few objects")
}

impl Planned {
    pub(super) fn objects(&self) -> &[ObjectRef] {
        &self.batch.objects[self.positions.clone()]
    }

    /// Returns one of them alone.
    pub(super) fn only(&self, position: usize) -> Self {
        Self { batch: Arc::clone(&self.batch), positions: position..position + 1 }
    }
}

impl Arrived {
    pub(super) fn new(done: Done, mut reservation: Reservation) -> Self {
        reservation.shrink_to(done.rows.memory_bytes());
        Self { done, _reservation: reservation }
    }
}

impl Done {
    pub(super) fn new(batch: Arc<Batch>) -> Self {
        Self { batch, outcomes: Vec::new(), rows: DecodedRows::default() }
    }

    /// Makes the outcome of one object. Needs: it alone is planned.
    pub(super) fn of_one(planned: &Planned, outcome: ObjectOutcome, rows: DecodedRows) -> Self {
        Self { batch: Arc::clone(&planned.batch), outcomes: vec![(planned.positions.start, outcome)], rows }
    }

    /// Counts the objects that this is the last of.
    pub(crate) fn n_finished(&self) -> usize {
        self.outcomes.iter().filter(|(_, outcome)| !matches!(outcome, ObjectOutcome::Begun(_))).count()
    }
}
