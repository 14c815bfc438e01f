//! Objects become rows, many at once, and arrive in the order of the plan.
//!
//! ```text
//!  plan --reserve stored--> fetch (tokio) --reserve inflated--> decode (rayon) ----------------> Arrived, in plan order
//!                                                         '-> large: survey, pieces --reserve--> decode ->'
//! ```
//!
//! Small objects travel together, because for them a change of threads, and columns of their own, cost more than the
//! work. Large ones are decoded in pieces, so that every thread has a part in them and rows are written before all are
//! decoded. Their text is inflated twice, the second time piece by piece, and so never held whole.
//!
//! All reservations are asked for in plan order, and given back in plan order or at once, and a piece never waits for
//! what a text behind it has. So the object that the writer waits for never waits for one behind it, and a full budget
//! cannot lock up.

use std::iter;
use std::mem;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use futures::Stream;
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
use trailweave_decode::Pieces;
use trailweave_decode::Read;
use trailweave_decode::inflated_estimate_bytes;
use trailweave_lake::LakeError;

use crate::Ingest;
use crate::IngestError;
use crate::budget::Budget;
use crate::budget::Reservation;
use crate::chunk::Rows;
use crate::cpu::Cpu;
use crate::cpu::Panicked;
use crate::cpu::caught;
use crate::error::chain;
use crate::fetch::FetchError;
use crate::fetch::read;
use crate::listing::ObjectRef;
use crate::plan::Batch;
use crate::s3::S3;

/// Files that are read at once; more do not make a disk faster.
const READS: usize = 16;
/// What a request to S3 takes at least while it is under way.
const FETCH_BYTES: u64 = 256 << 10;
/// Objects that are decoded together, and files that are read together, at most, and their bytes.
const TOGETHER: usize = 256;
const TOGETHER_BYTES: u64 = 256 << 10;
/// Objects that are decoded and wait for the writer.
const ARRIVALS: usize = 16;
/// Decoding needs the text and, at most about as large, the rows.
const DECODE_FACTOR: u64 = 2;
/// What columns cost even where they are empty.
const MIN_DECODE_BYTES: u64 = 256 << 10;
/// An object that inflates to this is decoded in pieces.
const LARGE_BYTES: u64 = 32 << 20;
/// Text of such a piece.
const PIECE_BYTES: u64 = 4 << 20;
/// A decoder whose buffers grew past this is not kept.
const KEPT_DECODER_BYTES: u64 = 64 << 20;

/// What fetching and decoding share.
#[derive(Debug)]
pub(crate) struct Inflow {
    pub(crate) cpu: Cpu,
    pub(crate) threads: NonZeroUsize,
    /// Objects of S3 that are fetched at once.
    pub(crate) fetches: NonZeroUsize,
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

/// What becomes of a large object.
enum Cut {
    Pieces(Box<Pieces>),
    /// It must be decoded as a whole.
    Whole(Vec<u8>),
    Refused(DecodeError),
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
}

impl Inflow {
    /// Gives `memory_bytes` away: a quarter to stored bytes, half to text and rows, a quarter to rows of large objects.
    pub(crate) fn new(cpu: Cpu, run: &Ingest, memory_bytes: u64, options: Options, s3: Arc<S3>) -> Self {
        let Ingest { threads, fetches, .. } = *run;
        let stored = Budget::new(memory_bytes / 4);
        let inflated = Budget::new(memory_bytes / 2);
        let pieces = Budget::new(memory_bytes / 4);
        Self { cpu, threads, fetches, stored, inflated, pieces, options, s3, idle: Mutex::default() }
    }

    async fn decode(self: Arc<Self>, planned: Planned, stored: Vec<Result<Vec<u8>, FetchError>>) -> Done {
        let inflow = Arc::clone(&self);
        let Planned { batch, positions } = planned.clone();
        let decoded = self.cpu.run(move || {
            let mut done = Done::new(planned.batch);
            let mut read = Vec::new();
            for (position, stored) in planned.positions.zip(stored) {
                match stored {
                    Ok(stored) => read.push((position, stored)),
                    Err(error) => done.outcomes.push((position, Outcome::Left(error))),
                }
            }
            inflow.decode_now(&read, &mut done);
            done
        });
        decoded.await.unwrap_or_else(|panicked| {
            let outcomes = positions.map(|position| (position, Outcome::Quarantined(chain(&panicked))));
            Done { outcomes: outcomes.collect(), ..Done::new(batch) }
        })
    }

    /// Decodes objects, given with their positions in the batch. Where that panics, which is a bug, each alone, so that
    /// only the object that is to blame is lost.
    fn decode_now(&self, stored: &[(usize, Vec<u8>)], done: &mut Done) {
        match (caught(|| self.decode_together(&done.batch.objects, stored)), stored) {
            (Ok((outcomes, rows)), _) => {
                done.outcomes.extend(outcomes);
                done.rows.extend(rows);
            }
            (Err(panicked), [(position, _)]) => {
                done.outcomes.push((*position, Outcome::Quarantined(chain(&panicked))));
            }
            (Err(_), _) => stored.chunks(1).for_each(|alone| self.decode_now(alone, done)),
        }
    }

    fn decode_together(&self, objects: &[ObjectRef], stored: &[(usize, Vec<u8>)]) -> (Vec<(usize, Outcome)>, Rows) {
        let mut decoder = self.decoder();
        let (mut outcomes, mut origins) = (Vec::with_capacity(stored.len()), Vec::new());
        let mut largest_bytes = 0;
        for (position, stored) in stored {
            let outcome = match decoder.read(&objects[*position].source_object, stored) {
                Ok(read) => {
                    origins.push((origin(*position), read.tally.rows));
                    largest_bytes = largest_bytes.max(read.inflated_bytes);
                    Outcome::Read(read)
                }
                Err(error) => {
                    largest_bytes = u64::MAX;
                    Outcome::Quarantined(chain(&error))
                }
            };
            outcomes.push((*position, outcome));
        }
        let taken = decoder.take();
        if largest_bytes <= KEPT_DECODER_BYTES {
            self.keep(decoder);
        } else {
            drop(decoder);
        }
        (outcomes, Rows::new(taken, &origins))
    }

    /// Cuts a large object.
    async fn cut(self: Arc<Self>, stored: Vec<u8>) -> Result<Cut, Panicked> {
        let inflow = Arc::clone(&self);
        let piece_bytes = usize::try_from(PIECE_BYTES).expect("a piece is small");
        let cut = move || match inflow.decoder().survey(&stored, piece_bytes) {
            Ok(Some(cuts)) => Cut::Pieces(Box::new(cuts.pieces(stored))),
            Ok(None) => Cut::Whole(stored),
            Err(error) => Cut::Refused(error),
        };
        self.cpu.run(cut).await
    }

    /// Decodes a piece of a large object.
    async fn decode_piece(self: Arc<Self>, piece: LargePiece, reservation: Reservation) -> Arrived {
        let LargePiece { planned, piece, is_last } = piece;
        let (inflow, of) = (Arc::clone(&self), planned.clone());
        let decoded = self.cpu.run(move || {
            let mut decoder = inflow.decoder();
            let read = decoder.read_piece(&of.objects()[0].source_object, &piece);
            let rows = Rows::new(decoder.take(), &[(origin(of.positions.start), read.tally.rows)]);
            inflow.keep(decoder);
            (read, rows)
        });
        let (outcome, rows) = match decoded.await {
            Ok((read, rows)) if is_last => (Outcome::Read(read), rows),
            Ok((read, rows)) => (Outcome::Begun(read), rows),
            Err(panicked) => (Outcome::Broken(panicked), Rows::default()),
        };
        Arrived::new(Done::of_one(&planned, outcome, rows), reservation)
    }

    /// One that no job uses. A decoder that panics is not given back.
    fn decoder(&self) -> Decoder {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| Decoder::new(self.options))
    }

    fn keep(&self, decoder: Decoder) {
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
        let stored = inflow.stored.clone();
        async move {
            let taken =
                |object: &ObjectRef| if object.is_in_s3() { object.bytes.max(FETCH_BYTES) } else { object.bytes };
            let reservation = stored.reserve(planned.objects().iter().map(taken).sum()).await;
            (planned, reservation)
        }
    };
    let pay_inflated = |fetched: Fetched| {
        let inflow = Arc::clone(&inflow);
        async move {
            let stored = fetched.stored.iter().flatten();
            let bytes: u64 = stored.map(|stored| decode_bytes(stored, &inflow.options)).sum();
            let is_large = bytes >= LARGE_BYTES * DECODE_FACTOR;
            let reservation = inflow.inflated.reserve(bytes.max(MIN_DECODE_BYTES)).await;
            (inflow, fetched, reservation, is_large)
        }
    };
    let pay_piece = |opened: Opened| {
        let inflow = Arc::clone(&inflow);
        async move {
            match opened {
                Opened::Arrived(arrived) => Either::Left(arrived),
                Opened::Piece(piece) => {
                    let reservation = inflow.pieces.reserve(PIECE_BYTES * DECODE_FACTOR).await;
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
        .map(|(planned, reservation)| fetch_into(&inflow.s3, planned, reservation))
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
}

async fn fetch_into(s3: &S3, planned: Planned, mut reservation: Reservation) -> Fetched {
    let stored = match planned.objects() {
        [object] if object.is_in_s3() => vec![s3.get(object).await],
        _ => read(&planned.batch, planned.positions.clone()).await,
    };
    reservation.shrink_to(planned.objects().iter().map(|object| object.bytes).sum());
    Fetched { planned, stored, reservations: vec![reservation] }
}

fn decode_bytes(stored: &[u8], options: &Options) -> u64 {
    (inflated_estimate_bytes(stored, options.cap_bytes) as u64).saturating_mul(DECODE_FACTOR)
}

/// The objects, decoded, or a large one in pieces. Their rows, or what they are inflated from, are paid for until they
/// are dropped.
async fn open(
    inflow: Arc<Inflow>,
    mut fetched: Fetched,
    reservation: Reservation,
    is_large: bool,
) -> BoxStream<'static, Opened> {
    let Fetched { planned, reservations, .. } = fetched;
    if is_large && let [Ok(stored)] = &mut fetched.stored[..] {
        let refused = match Arc::clone(&inflow).cut(mem::take(stored)).await {
            Ok(Cut::Pieces(pieces)) => return opened(inflow, planned, *pieces, reservations).boxed(),
            Ok(Cut::Whole(stored)) => {
                fetched.stored = vec![Ok(stored)];
                None
            }
            Ok(Cut::Refused(error)) => Some(chain(&error)),
            Err(panicked) => Some(chain(&panicked)),
        };
        if let Some(why) = refused {
            let done = Done::of_one(&planned, Outcome::Quarantined(why), Rows::default());
            return stream::iter([Opened::Arrived(Arrived::new(done, reservation))]).boxed();
        }
    }
    let done = inflow.decode(planned, fetched.stored).await;
    drop(reservations);
    stream::iter([Opened::Arrived(Arrived::new(done, reservation))]).boxed()
}

/// The pieces of a large object, inflated as they are asked for. `paid` is for what they are inflated from.
fn opened(inflow: Arc<Inflow>, planned: Planned, pieces: Pieces, paid: Vec<Reservation>) -> impl Stream<Item = Opened> {
    stream::unfold(Some((pieces, paid)), move |rest| {
        let (inflow, planned) = (Arc::clone(&inflow), planned.clone());
        async move {
            let (mut pieces, paid) = rest?;
            match inflow.cpu.run(move || (pieces.next(), pieces)).await {
                Ok((piece, pieces)) => {
                    let piece = LargePiece { planned, piece: piece?, is_last: pieces.len() == 0 };
                    Some((Opened::Piece(Box::new(piece)), Some((pieces, paid))))
                }
                Err(panicked) => {
                    let done = Done::of_one(&planned, Outcome::Broken(panicked), Rows::default());
                    let reservation = inflow.pieces.reserve(0).await;
                    Some((Opened::Arrived(Arrived::new(done, reservation)), None))
                }
            }
        }
    })
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
