//! Objects become rows, many at once, and arrive in the order of the plan.
//!
//! ```text
//!  plan --reserve stored--> fetch (tokio) --reserve inflated--> decode (rayon) --> Arrived, in plan order
//! ```
//!
//! Small files travel together, because for them a change of threads costs more than the work.
//!
//! Both reservations are asked for in plan order, and given back in plan order or at once. So the object that the
//! writer waits for never waits for one behind it, and a full budget cannot lock up.

use std::iter;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use futures::StreamExt;
use futures::stream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use trailweave_decode::Decoder;
use trailweave_decode::Options;

use crate::budget::Budget;
use crate::budget::Reservation;
use crate::cpu::Cpu;
use crate::cpu::caught;
use crate::error::chain;
use crate::fetch::FetchError;
use crate::fetch::inflated_estimate_bytes;
use crate::fetch::read;
use crate::list::ObjectRef;
use crate::part::Split;
use crate::plan::Batch;
use crate::s3::S3;

/// Files that are read at once; more do not make a disk faster.
const READS: usize = 16;
/// Objects of S3 that are fetched at once, which hides the time that each answer takes.
const FETCHES: usize = 256;
/// Files that are read and decoded together, at most, and their bytes.
const TOGETHER: usize = 64;
const TOGETHER_BYTES: u64 = 256 << 10;
/// Objects that are decoded and wait for the writer.
const ARRIVALS: usize = 16;
/// Decoding needs the text and, at most about as large, the rows.
const DECODE_FACTOR: u64 = 2;
/// What a row's columns cost even where they are empty.
const MIN_DECODE_BYTES: u64 = 256 << 10;
/// A decoder whose buffers grew past this is not kept.
const KEPT_DECODER_BYTES: u64 = 64 << 20;

/// What fetching and decoding share.
#[derive(Debug)]
pub(crate) struct Inflow {
    pub(crate) cpu: Cpu,
    pub(crate) threads: NonZeroUsize,
    /// For bytes as stored.
    pub(crate) stored: Budget,
    /// For text and rows.
    pub(crate) inflated: Budget,
    pub(crate) options: Options,
    pub(crate) s3: Arc<S3>,
    /// Decoders that no job uses; never more than there are threads.
    idle: Mutex<Vec<Decoder>>,
}

/// What became of an object.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Its rows.
    Read(Split),
    /// It was refused as a whole, and why.
    Quarantined(String),
    /// It could not be had.
    Left(FetchError),
}

/// An object at the end of the pipeline. What travelled with it is paid for until it is dropped.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// Its position in its batch.
    pub(crate) position: usize,
    pub(crate) outcome: Outcome,
    pub(crate) reservation: Option<Reservation>,
}

/// Neighbours of a batch of the plan, which stays reachable from tasks that outlive their caller.
#[derive(Debug, Clone)]
struct Planned {
    batches: Arc<[Batch]>,
    batch: usize,
    positions: Range<usize>,
}

struct Fetched {
    planned: Planned,
    /// One for each object.
    stored: Vec<Result<Vec<u8>, FetchError>>,
    reservation: Reservation,
}

impl Inflow {
    /// Gives `memory_bytes` away: a quarter to stored bytes, three quarters to text and rows.
    pub(crate) fn new(cpu: Cpu, threads: NonZeroUsize, memory_bytes: u64, options: Options, s3: Arc<S3>) -> Self {
        let stored = Budget::new(memory_bytes / 4);
        let inflated = Budget::new(memory_bytes / 4 * 3);
        Self { cpu, threads, stored, inflated, options, s3, idle: Mutex::default() }
    }

    async fn decode(self: Arc<Self>, planned: Planned, stored: Vec<Result<Vec<u8>, FetchError>>) -> Vec<Outcome> {
        let inflow = Arc::clone(&self);
        let n_objects = stored.len();
        let decoded = self.cpu.run(move || {
            let decode = |(object, stored): (&ObjectRef, Result<Vec<u8>, FetchError>)| match stored {
                Ok(stored) => match caught(|| inflow.decode_now(&object.source_object, &stored)) {
                    Ok(Ok(split)) => Outcome::Read(split),
                    Ok(Err(error)) => Outcome::Quarantined(error),
                    Err(panicked) => Outcome::Quarantined(chain(&panicked)),
                },
                Err(error) => Outcome::Left(error),
            };
            planned.objects().iter().zip(stored).map(decode).collect()
        });
        decoded
            .await
            .unwrap_or_else(|panicked| (0..n_objects).map(|_| Outcome::Quarantined(chain(&panicked))).collect())
    }

    fn decode_now(&self, object: &str, stored: &[u8]) -> Result<Split, String> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut decoder = idle.unwrap_or_else(|| Decoder::new(self.options));
        // A decoder that panics is not given back.
        let outcome = decoder.decode(object, stored);
        if outcome.as_ref().is_ok_and(|decoded| decoded.inflated_bytes <= KEPT_DECODER_BYTES) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
        }
        outcome.map(Split::new).map_err(|error| chain(&error))
    }
}

/// Begins to read `batches`. The task ends with the last object, or when the receiver is dropped.
pub(crate) fn start(inflow: &Arc<Inflow>, batches: &Arc<[Batch]>) -> (JoinSet<()>, mpsc::Receiver<Arrived>) {
    let (sender, receiver) = mpsc::channel(ARRIVALS);
    let mut tasks = JoinSet::new();
    tasks.spawn(drive(Arc::clone(inflow), Arc::clone(batches), sender));
    (tasks, receiver)
}

async fn drive(inflow: Arc<Inflow>, batches: Arc<[Batch]>, out: mpsc::Sender<Arrived>) {
    let pay_stored = |planned: Planned| {
        let stored = inflow.stored.clone();
        async move {
            let bytes = planned.objects().iter().map(|object| object.bytes).sum();
            let reservation = stored.reserve(bytes).await;
            (planned, reservation)
        }
    };
    let pay_inflated = |fetched: Fetched| {
        let inflow = Arc::clone(&inflow);
        async move {
            let stored = fetched.stored.iter().flatten();
            let bytes = stored.map(|stored| decode_bytes(stored, &inflow.options)).sum();
            let reservation = inflow.inflated.reserve(bytes).await;
            (inflow, fetched, reservation)
        }
    };
    let is_in_s3 = batches.iter().flat_map(|batch| &batch.objects).any(ObjectRef::is_in_s3);
    let fetches = if is_in_s3 { FETCHES } else { READS };
    // `then` pays for one after the other, `buffered` does the work side by side.
    let arrivals = stream::iter(in_order(batches))
        .then(pay_stored)
        .map(|(planned, reservation)| fetch_into(&inflow.s3, planned, reservation))
        .buffered(fetches)
        .then(pay_inflated)
        .map(|(inflow, fetched, reservation)| arrive(inflow, fetched, reservation))
        .buffered(inflow.threads.get() * 2);
    let mut arrivals = std::pin::pin!(arrivals);
    while let Some(together) = arrivals.next().await {
        for arrived in together {
            if out.send(arrived).await.is_err() {
                return;
            }
        }
    }
}

/// Every object, in the order of the plan; small files with their neighbours.
fn in_order(batches: Arc<[Batch]>) -> impl Iterator<Item = Planned> {
    let (mut batch, mut next) = (0, 0);
    iter::from_fn(move || {
        while batches.get(batch)?.objects.len() == next {
            (batch, next) = (batch + 1, 0);
        }
        let start = next;
        next += together(&batches[batch].objects[start..]);
        Some(Planned { batches: Arc::clone(&batches), batch, positions: start..next })
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
        &self.batches[self.batch].objects[self.positions.clone()]
    }
}

async fn fetch_into(s3: &S3, planned: Planned, reservation: Reservation) -> Fetched {
    let stored = match planned.objects() {
        [object] if object.is_in_s3() => vec![s3.get(object).await],
        objects => read(objects).await,
    };
    Fetched { planned, stored, reservation }
}

fn decode_bytes(stored: &[u8], options: &Options) -> u64 {
    let inflated = inflated_estimate_bytes(stored, options.cap_bytes as u64);
    inflated.saturating_mul(DECODE_FACTOR).max(MIN_DECODE_BYTES)
}

/// The objects, decoded. Their rows are paid for until the last of them is dropped.
async fn arrive(inflow: Arc<Inflow>, fetched: Fetched, mut reservation: Reservation) -> Vec<Arrived> {
    let positions = fetched.planned.positions.clone();
    let outcomes = inflow.decode(fetched.planned, fetched.stored).await;
    drop(fetched.reservation);
    let rows = outcomes.iter().map(|outcome| match outcome {
        Outcome::Read(split) => split.memory_bytes(),
        _ => 0,
    });
    reservation.shrink_to(rows.sum());
    let arrived = |(position, outcome)| Arrived { position, outcome, reservation: None };
    let mut arrived: Vec<Arrived> = positions.zip(outcomes).map(arrived).collect();
    if let Some(last) = arrived.last_mut() {
        last.reservation = Some(reservation);
    }
    arrived
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, bytes: u64) -> ObjectRef {
        ObjectRef { source_object: name.into(), path: None, version: "1".into(), bytes, attempt: 0, place: None }
    }

    #[test]
    fn small_files_travel_together_and_every_object_once() {
        let batch = |objects: Vec<ObjectRef>| Batch { batch_id: String::new(), objects };
        let small = (0..100).map(|_| object("small", 1)).collect();
        let mixed = vec![object("a", 1), object("b", TOGETHER_BYTES), object("c", 1), object("s3://d", 1)];
        let batches = [batch(small), batch(Vec::new()), batch(mixed)].into();
        let ranges: Vec<_> = in_order(batches).map(|planned| (planned.batch, planned.positions)).collect();
        assert_eq!(ranges, [(0, 0..64), (0, 64..100), (2, 0..1), (2, 1..2), (2, 2..3), (2, 3..4)]);
    }
}
