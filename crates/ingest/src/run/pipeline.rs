//! Objects become rows, many at once, and arrive in the order of the plan.
//!
//! ```text
//!  plan --reserve stored--> fetch (tokio) --reserve inflated--> decode (rayon) ----------------> Arrived, in plan order
//!                                                         '-> large: survey, pieces --reserve--> decode ->'
//! ```
//!
//! Small objects travel together, because for them a change of threads, and columns of their own, cost more than the
//! work. Large ones are decoded in pieces, so that every thread has a part in them and rows are written before all are
//! decoded. Their text is inflated twice, the second time piece by piece, and so never held whole. An object turns out to be
//! large where its text or its rows take more than was paid for. One that can only be decoded as a whole is refused if it
//! takes more than its share of memory.
//!
//! All reservations are asked for in plan order, and given back in plan order or at once, and a piece never waits for
//! what a text behind it has. So the object that the writer waits for never waits for one behind it, and a full budget
//! cannot lock up.

mod large;

use std::iter;
use std::mem;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use futures::StreamExt;
use futures::future;
use futures::future::Either;
use futures::stream;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use trailweave_decode::DecodeError;
use trailweave_decode::Decoder;
use trailweave_decode::Options;
use trailweave_decode::Piece;
use trailweave_decode::Read;
use trailweave_decode::inflated_estimate_bytes;
use trailweave_lake::LakeError;

use crate::IngestError;
use crate::IngestOptions;
use crate::cpu::Cpu;
use crate::cpu::Panicked;
use crate::cpu::caught;
use crate::error::chain;
use crate::run::budget::Budget;
use crate::run::budget::Reservation;
use crate::run::budget::Shares;
use crate::run::chunk::Rows;
use crate::run::pipeline::large::open_large;
use crate::run::plan::Batch;
use crate::source::fetch::FetchError;
use crate::source::fetch::NoRoom;
use crate::source::fetch::read;
use crate::source::listing::ObjectRef;
use crate::source::s3::S3;

/// Files that are read at once; more do not make a disk faster.
const READS: usize = 16;
/// What a request to S3 takes at least while it is under way.
const FETCH_BYTES: u64 = 256 << 10;
/// Objects that are decoded together, and files that are read together, at most, and their bytes.
const TOGETHER: usize = 256;
const TOGETHER_BYTES: u64 = 256 << 10;
/// Objects that are decoded and wait for the writer.
const ARRIVALS: usize = 16;
/// Decoding needs the text and the rows, which may be larger where records are small.
const DECODE_FACTOR: u64 = 3;
/// What columns cost even where they are empty.
const MIN_DECODE_BYTES: u64 = 256 << 10;
/// Decoders that no job uses keep no more than this, and all of them together an eighth of the memory.
const KEPT_DECODER_BYTES: u64 = 64 << 20;

/// What fetching and decoding share.
#[derive(Debug)]
pub(crate) struct Inflow {
    pub(crate) cpu: Cpu,
    pub(crate) threads: NonZeroUsize,
    /// Objects of S3 that are fetched at once.
    pub(crate) fetches: NonZeroUsize,
    shares: Shares,
    /// For bytes as stored.
    pub(crate) stored: Budget,
    /// For text and rows.
    pub(crate) inflated: Budget,
    /// For the pieces of large objects, text and rows.
    pub(crate) pieces: Budget,
    pub(crate) options: Options,
    pub(crate) s3: Arc<S3>,
    /// Decoders that no job uses; never more than there are threads.
    idle: Mutex<Vec<Decoder>>,
}

/// What became of an object.
#[derive(Debug)]
pub(crate) enum Outcome {
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

/// What became of some objects.
#[derive(Debug)]
pub(crate) struct Done {
    /// The batch that they are of.
    pub(crate) batch: Arc<Batch>,
    /// By the position in the batch.
    pub(crate) outcomes: Vec<(usize, Outcome)>,
    pub(crate) rows: Rows,
}

/// Neighbours of a batch of the plan, which stays reachable from tasks that outlive their caller.
#[derive(Debug, Clone)]
struct Planned {
    batch: Arc<Batch>,
    positions: Range<usize>,
}

/// A piece of a large object.
#[derive(Debug)]
struct LargePiece {
    planned: Planned,
    piece: Piece,
    is_last: bool,
}

/// Objects that were not decoded, by the position in the batch, because the first of them takes more memory than was paid
/// for.
#[derive(Default)]
struct Unread {
    why: Option<DecodeError>,
    stored: Vec<(usize, Vec<u8>)>,
}

/// What decoding gives: rows, or a piece that rows are still to be made of.
enum Opened {
    Arrived(Arrived),
    Piece(Box<LargePiece>),
}

struct Fetched {
    planned: Planned,
    /// One for each object.
    stored: Vec<Result<Vec<u8>, FetchError>>,
    reservations: Vec<Reservation>,
    /// The bytes that the reservations take of the share of text and rows.
    borrowed_bytes: u64,
}

impl Inflow {
    pub(crate) fn new(cpu: Cpu, run: &IngestOptions, shares: Shares, options: Options, s3: Arc<S3>) -> Self {
        let IngestOptions { threads, fetches, .. } = *run;
        let stored = Budget::new(shares.stored_bytes);
        let inflated = Budget::new(shares.inflated_bytes);
        let pieces = Budget::new(shares.pieces_bytes);
        Self { cpu, threads, fetches, shares, stored, inflated, pieces, options, s3, idle: Mutex::default() }
    }

    /// Decodes objects, as far as their text and rows fit into `room_bytes`.
    async fn decode(
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
                        done.outcomes.push((position, Outcome::Quarantined(chain(&why))));
                    }
                    Err(error) => done.outcomes.push((position, Outcome::Left(error))),
                }
            }
            let (n_read, why) = inflow.decode_now(&read, room_bytes, &mut done);
            (done, Unread { why, stored: read.split_off(n_read) })
        });
        decoded.await.unwrap_or_else(|panicked| {
            let outcomes = positions.map(|position| (position, Outcome::Quarantined(chain(&panicked))));
            (Done { outcomes: outcomes.collect(), ..Done::new(batch) }, Unread::default())
        })
    }

    /// Decodes objects, given with their positions in the batch, and returns how many, and why no more. After a panic, which
    /// is a bug, it decodes each alone, so that only the faulty object is lost.
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
                done.outcomes.push((*position, Outcome::Quarantined(chain(&panicked))));
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
    ) -> (Vec<(usize, Outcome)>, Rows, Option<DecodeError>) {
        let mut decoder = self.decoder();
        let (mut outcomes, mut origins) = (Vec::with_capacity(stored.len()), Vec::new());
        let mut why = None;
        let room_bytes = usize::try_from(room_bytes).unwrap_or(usize::MAX);
        for (position, stored) in stored {
            let outcome = match decoder.read_within(&objects[*position].source_object, stored, room_bytes) {
                Ok(read) => {
                    origins.push((origin(*position), read.tally.rows));
                    Outcome::Read(read)
                }
                Err(error @ (DecodeError::NoRoom { .. } | DecodeError::TooMany { .. })) => {
                    why = Some(error);
                    break;
                }
                Err(error) => Outcome::Quarantined(chain(&error)),
            };
            outcomes.push((*position, outcome));
        }
        let taken = decoder.take();
        self.keep(decoder);
        (outcomes, Rows::new(taken, &origins), why)
    }

    /// One that no job uses. A decoder that panics is not given back.
    fn decoder(&self) -> Decoder {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| Decoder::new(self.options))
    }

    /// Takes back a decoder, if its buffers did not grow too large.
    fn keep(&self, decoder: Decoder) {
        let share = self.shares.memory_bytes / 8 / self.threads.get() as u64;
        if decoder.held_bytes() as u64 > share.min(KEPT_DECODER_BYTES) {
            return;
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
    }
}

fn origin(position: usize) -> u32 {
    u32::try_from(position).expect("a batch holds few objects")
}

/// Begins to read `batches`, some of whose objects may be in S3. The task ends with the last object, with an error, or
/// when the receiver is dropped.
pub(crate) fn start(
    inflow: &Arc<Inflow>,
    batches: impl Iterator<Item = Result<Batch, LakeError>> + Send + 'static,
    is_in_s3: bool,
) -> (JoinSet<()>, mpsc::Receiver<Result<Arrived, IngestError>>) {
    let (arrived, arrivals) = mpsc::channel(ARRIVALS);
    let (planned, planned_batches) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(read_plan(inflow.cpu.clone(), batches, planned, arrived.clone()));
    tasks.spawn(drive(Arc::clone(inflow), planned_batches, is_in_s3, arrived));
    (tasks, arrivals)
}

/// Reads the batches of a plan as they are asked for.
async fn read_plan(
    cpu: Cpu,
    mut batches: impl Iterator<Item = Result<Batch, LakeError>> + Send + 'static,
    planned: mpsc::Sender<Arc<Batch>>,
    out: mpsc::Sender<Result<Arrived, IngestError>>,
) {
    loop {
        let read = cpu.run(move || batches.next().map(|next| next.map(|batch| (batch, batches)))).await;
        let read = read.map_err(IngestError::worker("read the plan"));
        match read.and_then(|next| Ok(next.transpose()?)) {
            Ok(Some((batch, rest))) => {
                batches = rest;
                if planned.send(Arc::new(batch)).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => {
                let _ = out.send(Err(error)).await;
                return;
            }
        }
    }
}

async fn drive(
    inflow: Arc<Inflow>,
    batches: mpsc::Receiver<Arc<Batch>>,
    is_in_s3: bool,
    out: mpsc::Sender<Result<Arrived, IngestError>>,
) {
    let pay_stored = |planned: Planned| {
        let inflow = Arc::clone(&inflow);
        async move {
            let paid = inflow.pay_stored(&planned).await;
            (planned, paid)
        }
    };
    let pay_inflated = |fetched: Fetched| {
        let inflow = Arc::clone(&inflow);
        async move {
            let stored = fetched.stored.iter().flatten();
            let bytes: u64 = stored.map(|stored| decode_bytes(stored, &inflow.options)).sum();
            let is_large = bytes >= inflow.shares.large_bytes * DECODE_FACTOR;
            let most_bytes = inflow.inflated.total_bytes() - fetched.borrowed_bytes;
            let reservation = inflow.inflated.reserve(bytes.max(MIN_DECODE_BYTES).min(most_bytes)).await;
            (inflow, fetched, reservation, is_large)
        }
    };
    let pay_piece = |opened: Opened| {
        let inflow = Arc::clone(&inflow);
        async move {
            match opened {
                Opened::Arrived(arrived) => Either::Left(arrived),
                Opened::Piece(piece) => {
                    let reservation = inflow.pieces.reserve(piece.piece.room_bytes()).await;
                    Either::Right((inflow, piece, reservation))
                }
            }
        }
    };
    let fetches = if is_in_s3 { inflow.fetches.get() } else { READS };
    let batches = stream::unfold(batches, |mut batches| async move { Some((batches.recv().await?, batches)) });
    // `then` pays for one after the other, `buffered` does the work side by side.
    let arrivals = batches
        .flat_map(|batch| stream::iter(in_order(batch)))
        .then(pay_stored)
        .map(|(planned, paid)| fetch_into(&inflow.s3, planned, paid))
        .buffered(fetches)
        .ready_chunks(TOGETHER)
        .flat_map(|fetched| stream::iter(neighbours(fetched)))
        .then(pay_inflated)
        .map(|(inflow, fetched, reservation, is_large)| open(inflow, fetched, reservation, is_large))
        .buffered(inflow.threads.get() * 2)
        .flatten()
        .then(pay_piece)
        .map(|paid| match paid {
            Either::Left(arrived) => Either::Left(future::ready(arrived)),
            Either::Right((inflow, piece, reservation)) => Either::Right(inflow.decode_piece(*piece, reservation)),
        })
        .buffered(inflow.threads.get() * 2);
    let mut arrivals = std::pin::pin!(arrivals);
    while let Some(arrived) = arrivals.next().await {
        if out.send(Ok(arrived)).await.is_err() {
            return;
        }
    }
}

/// Puts neighbours together that are small, of what was fetched in the order of the plan.
fn neighbours(fetched: Vec<Fetched>) -> Vec<Fetched> {
    let mut groups: Vec<Fetched> = Vec::new();
    for next in fetched {
        match groups.last_mut() {
            Some(last) if last.goes_with(&next) => {
                last.planned.positions.end = next.planned.positions.end;
                last.stored.extend(next.stored);
                last.reservations.extend(next.reservations);
            }
            _ => groups.push(next),
        }
    }
    groups
}

impl Fetched {
    fn goes_with(&self, next: &Self) -> bool {
        let bytes: u64 = self.planned.objects().iter().chain(next.planned.objects()).map(|object| object.bytes).sum();
        Arc::ptr_eq(&self.planned.batch, &next.planned.batch)
            && self.stored.len() + next.stored.len() <= TOGETHER
            && bytes <= TOGETHER_BYTES
    }
}

/// Every object of a batch, in the order of the plan; small files with their neighbours.
fn in_order(batch: Arc<Batch>) -> impl Iterator<Item = Planned> {
    let mut start = 0;
    iter::from_fn(move || {
        let rest = &batch.objects[start..];
        let positions = start..start + if rest.is_empty() { return None } else { together(rest) };
        start = positions.end;
        Some(Planned { batch: Arc::clone(&batch), positions })
    })
}

/// How many of the `objects`, from the first on, travel together; at least one.
fn together(objects: &[ObjectRef]) -> usize {
    let mut bytes = 0;
    let fits = |object: &&ObjectRef| {
        bytes += object.bytes;
        bytes <= TOGETHER_BYTES && !object.is_in_s3()
    };
    objects.iter().take(TOGETHER).take_while(fits).count().max(1)
}

impl Planned {
    fn objects(&self) -> &[ObjectRef] {
        &self.batch.objects[self.positions.clone()]
    }

    /// Returns one of them alone.
    fn only(&self, position: usize) -> Self {
        Self { batch: Arc::clone(&self.batch), positions: position..position + 1 }
    }
}

impl Inflow {
    /// Pays for the stored bytes of objects; one may be too large for any payment.
    ///
    /// An object larger than their share takes the rest of the share of text and rows. By then it is alone: what comes
    /// before it is decoded, and waits for nothing but the writer.
    async fn pay_stored(&self, planned: &Planned) -> Result<Vec<Reservation>, NoRoom> {
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
}

async fn fetch_into(s3: &S3, planned: Planned, paid: Result<Vec<Reservation>, NoRoom>) -> Fetched {
    let mut reservations = match paid {
        Ok(paid) => paid,
        Err(why) => {
            let stored = vec![Err(FetchError::NoRoom(why))];
            return Fetched { planned, stored, reservations: Vec::new(), borrowed_bytes: 0 };
        }
    };
    let stored = match planned.objects() {
        [object] if object.is_in_s3() => vec![s3.get(object).await],
        _ => read(&planned.batch, planned.positions.clone()).await,
    };
    reservations[0].shrink_to(planned.objects().iter().map(|object| object.bytes).sum());
    let borrowed_bytes = reservations[1..].iter().map(Reservation::bytes).sum();
    Fetched { planned, stored, reservations, borrowed_bytes }
}

fn decode_bytes(stored: &[u8], options: &Options) -> u64 {
    (inflated_estimate_bytes(stored, options.cap_bytes) as u64).saturating_mul(DECODE_FACTOR)
}

/// The objects, decoded, or a large one in pieces. Their rows, or what they are inflated from, are paid for until they
/// are dropped.
async fn open(
    inflow: Arc<Inflow>,
    fetched: Fetched,
    reservation: Reservation,
    is_large: bool,
) -> BoxStream<'static, Opened> {
    let Fetched { planned, mut stored, reservations, .. } = fetched;
    let paid = Arc::new(reservations);
    if is_large && let [Ok(stored)] = &mut stored[..] {
        return open_large(inflow, planned, mem::take(stored), paid, reservation).await;
    }
    let (done, unread) = Arc::clone(&inflow).decode(planned.clone(), stored, reservation.bytes()).await;
    let arrived = stream::iter([Opened::Arrived(Arrived::new(done, reservation))]);
    if unread.stored.is_empty() {
        return arrived.boxed();
    }
    // The next is begun when those before it have gone their way, so that it may wait for the memory of pieces.
    let large = stream::iter(unread.stored).then(move |(position, stored)| {
        let (inflow, paid, planned) = (Arc::clone(&inflow), Arc::clone(&paid), planned.only(position));
        async move {
            let reservation = inflow.pieces.reserve(u64::MAX).await;
            open_large(inflow, planned, stored, paid, reservation).await
        }
    });
    arrived.chain(large.flatten()).boxed()
}

impl Arrived {
    fn new(done: Done, mut reservation: Reservation) -> Self {
        reservation.shrink_to(done.rows.memory_bytes());
        Self { done, _reservation: reservation }
    }
}

impl Done {
    fn new(batch: Arc<Batch>) -> Self {
        Self { batch, outcomes: Vec::new(), rows: Rows::default() }
    }

    /// Needs: one object is planned.
    fn of_one(planned: &Planned, outcome: Outcome, rows: Rows) -> Self {
        Self { batch: Arc::clone(&planned.batch), outcomes: vec![(planned.positions.start, outcome)], rows }
    }

    /// How many objects this is the last of.
    pub(crate) fn n_finished(&self) -> usize {
        self.outcomes.iter().filter(|(_, outcome)| !matches!(outcome, Outcome::Begun(_))).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, bytes: u64) -> ObjectRef {
        ObjectRef { source_object: name.into(), path: None, version: "1".into(), bytes, attempt: 0, place: None }
    }

    #[test]
    fn small_files_travel_together_and_every_object_once() {
        let batch = |objects: Vec<ObjectRef>| Arc::new(Batch { batch_id: String::new(), objects });
        let small = (0..300).map(|_| object("small", 1)).collect();
        let mixed = vec![object("a", 1), object("b", TOGETHER_BYTES), object("c", 1), object("s3://d", 1)];
        let ranges = |objects| in_order(batch(objects)).map(|planned| planned.positions).collect::<Vec<_>>();
        assert_eq!(ranges(small), [0..256, 256..300]);
        assert_eq!(ranges(mixed), [0..1, 1..2, 2..3, 3..4]);
    }
}
