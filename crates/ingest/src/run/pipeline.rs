//! Objects become rows, many at once, and arrive in the order of the plan.
//!
//! ```text
//!  plan --reserve stored--> fetch (tokio) --reserve inflated--> decode (rayon) ----------------> Arrived, in plan order
//!                                                         '-> large: survey, pieces --reserve--> decode ->'
//! ```
//!
//! Small objects travel together, because for them a change of threads, and columns of their own, cost more than the
//! work. Large ones are decoded in pieces, so that every thread has a part in them and rows are written before all are
//! decoded. Their text is inflated twice, the second time piece by piece, and so never held whole. An object turns out
//! to be large where its text or its rows take more than was paid for. One that can only be decoded as a whole is
//! refused if it takes more than its share of memory.
//!
//! All reservations are asked for in plan order, and given back in plan order or at once, and a piece never waits for
//! what a text behind it has. So the object that the writer waits for never waits for one behind it, and a full budget
//! cannot lock up.

mod files;
pub(crate) mod inflow;
mod large;

use std::iter;
use std::mem;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::Either;
use futures::stream;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use trailweave_decode::DecodeOptions;
use trailweave_decode::inflated_estimate_bytes;
use trailweave_lake::LakeError;

use crate::IngestError;
use crate::cpu::Cpu;
use crate::run::budget::Reservation;
use crate::run::pipeline::inflow::{
    Arrived, DECODE_FACTOR, Inflow, LargePiece, MIN_DECODE_BYTES, OpenedObject, Planned,
};
use crate::run::pipeline::large::open_large;
use crate::run::plan::Batch;
use crate::source::fetch::{FetchError, NoRoom};
use crate::source::listing::ObjectRef;
use crate::source::s3::S3;

/// Files that are read at once; more do not make a disk faster.
const READS: usize = 16;
/// Objects that are decoded together, and files that are read together, at most, and their bytes.
const TOGETHER: usize = 256;
const TOGETHER_BYTES: u64 = 256 << 10;
/// Objects that are decoded and wait for the writer.
const ARRIVALS: usize = 16;

/// Neighbours after their fetch.
struct Fetched {
    planned: Planned,
    /// One for each object.
    stored: Vec<Result<Vec<u8>, FetchError>>,
    reservations: Vec<Reservation>,
    /// The bytes that the reservations take of the share of text and rows.
    borrowed_bytes: u64,
}

/// Fetched objects whose text and rows are paid for.
struct Paid {
    fetched: Fetched,
    reservation: Reservation,
    /// True if they are one object that is decoded in pieces.
    is_large: bool,
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

/// Sends the objects of batches through the pipeline.
async fn drive(
    inflow: Arc<Inflow>,
    batches: mpsc::Receiver<Arc<Batch>>,
    is_in_s3: bool,
    out: mpsc::Sender<Result<Arrived, IngestError>>,
) {
    let fetches = if is_in_s3 { inflow.fetches.get() } else { READS };
    let n_open = inflow.threads.get() * 2;
    let batches = stream::unfold(batches, |mut batches| async move { Some((batches.recv().await?, batches)) });
    // `then` pays for one after the other, `buffered` does the work side by side.
    let arrivals = batches
        .flat_map(|batch| stream::iter(in_order(batch)))
        .then(|planned| pay_stored(Arc::clone(&inflow), planned))
        .map(|(planned, paid)| fetch_into(&inflow.s3, planned, paid))
        .buffered(fetches)
        .ready_chunks(TOGETHER)
        .flat_map(|fetched| stream::iter(neighbours(fetched)))
        .then(|fetched| pay_inflated(Arc::clone(&inflow), fetched))
        .map(|paid| open(Arc::clone(&inflow), paid))
        .buffered(n_open)
        .flatten()
        .then(|opened| pay_piece(Arc::clone(&inflow), opened))
        .map(|paid| finish(Arc::clone(&inflow), paid))
        .buffered(n_open);
    let mut arrivals = std::pin::pin!(arrivals);
    while let Some(arrived) = arrivals.next().await {
        if out.send(Ok(arrived)).await.is_err() {
            return;
        }
    }
}

/// Pays for the stored bytes of objects, which may be more than can be had.
async fn pay_stored(inflow: Arc<Inflow>, planned: Planned) -> (Planned, Result<Vec<Reservation>, NoRoom>) {
    let paid = inflow.pay_stored(&planned).await;
    (planned, paid)
}

/// Pays for the text and the rows of objects, by what their gzip says.
async fn pay_inflated(inflow: Arc<Inflow>, fetched: Fetched) -> Paid {
    let stored = fetched.stored.iter().flatten();
    let bytes: u64 = stored.map(|stored| decode_bytes(stored, &inflow.options)).sum();
    let is_large = bytes >= inflow.shares.large_bytes * DECODE_FACTOR;
    let most_bytes = inflow.inflated.total_bytes() - fetched.borrowed_bytes;
    let reservation = inflow.inflated.reserve(bytes.max(MIN_DECODE_BYTES).min(most_bytes)).await;
    Paid { fetched, reservation, is_large }
}

/// Pays for a piece of a large object; rows are paid for.
async fn pay_piece(inflow: Arc<Inflow>, opened: OpenedObject) -> Either<Arrived, (LargePiece, Reservation)> {
    match opened {
        OpenedObject::Arrived(arrived) => Either::Left(arrived),
        OpenedObject::Piece(piece) => {
            let reservation = inflow.pieces.reserve(piece.piece.room_bytes()).await;
            Either::Right((*piece, reservation))
        }
    }
}

/// Decodes what is a piece.
async fn finish(inflow: Arc<Inflow>, paid: Either<Arrived, (LargePiece, Reservation)>) -> Arrived {
    match paid {
        Either::Left(arrived) => arrived,
        Either::Right((piece, reservation)) => inflow.decode_piece(piece, reservation).await,
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

/// Returns every object of a batch, in the order of the plan; small files with their neighbours.
fn in_order(batch: Arc<Batch>) -> impl Iterator<Item = Planned> {
    let mut start = 0;
    iter::from_fn(move || {
        let rest = &batch.objects[start..];
        let positions = start..start + if rest.is_empty() { return None } else { together(rest) };
        start = positions.end;
        Some(Planned { batch: Arc::clone(&batch), positions })
    })
}

/// Counts the `objects`, from the first on, that travel together; at least one.
fn together(objects: &[ObjectRef]) -> usize {
    let mut bytes = 0;
    let fits = |object: &&ObjectRef| {
        bytes += object.bytes;
        bytes <= TOGETHER_BYTES && !object.is_in_s3()
    };
    objects.iter().take(TOGETHER).take_while(fits).count().max(1)
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
        _ => files::read(&planned.batch, planned.positions.clone()).await,
    };
    reservations[0].shrink_to(planned.objects().iter().map(|object| object.bytes).sum());
    let borrowed_bytes = reservations[1..].iter().map(Reservation::bytes).sum();
    Fetched { planned, stored, reservations, borrowed_bytes }
}

fn decode_bytes(stored: &[u8], options: &DecodeOptions) -> u64 {
    (inflated_estimate_bytes(stored, options.cap_bytes) as u64).saturating_mul(DECODE_FACTOR)
}

/// Decodes objects, or opens a large one in pieces. Their rows, or what they are inflated from, are paid for until they
/// are dropped.
async fn open(inflow: Arc<Inflow>, paid: Paid) -> BoxStream<'static, OpenedObject> {
    let Paid { fetched: Fetched { planned, mut stored, reservations, .. }, reservation, is_large } = paid;
    let paid = Arc::new(reservations);
    if is_large && let [Ok(stored)] = &mut stored[..] {
        return open_large(inflow, planned, mem::take(stored), paid, reservation).await;
    }
    let (done, unread) = Arc::clone(&inflow).decode(planned.clone(), stored, reservation.bytes()).await;
    let arrived = stream::iter([OpenedObject::Arrived(Arrived::new(done, reservation))]);
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
