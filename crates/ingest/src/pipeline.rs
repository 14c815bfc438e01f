//! Objects become rows, many at once, and arrive in the order of the plan.
//!
//! ```text
//!  plan --reserve stored--> fetch (tokio) --reserve inflated--> decode (rayon) --> Arrived, in plan order
//! ```
//!
//! Small objects travel together, because for them a change of threads, and columns of their own, cost more than the
//! work.
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
use trailweave_decode::Read;

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
/// Objects that are decoded together, and files that are read together, at most, and their bytes.
const TOGETHER: usize = 64;
const TOGETHER_BYTES: u64 = 256 << 10;
/// Objects that are decoded and wait for the writer.
const ARRIVALS: usize = 16;
/// Decoding needs the text and, at most about as large, the rows.
const DECODE_FACTOR: u64 = 2;
/// What columns cost even where they are empty.
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
    /// Its rows are there.
    Read(Read),
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
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// By the position in the batch.
    pub(crate) outcomes: Vec<(usize, Outcome)>,
    pub(crate) rows: Split,
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
    reservations: Vec<Reservation>,
}

impl Inflow {
    /// Gives `memory_bytes` away: a quarter to stored bytes, three quarters to text and rows.
    pub(crate) fn new(cpu: Cpu, threads: NonZeroUsize, memory_bytes: u64, options: Options, s3: Arc<S3>) -> Self {
        let stored = Budget::new(memory_bytes / 4);
        let inflated = Budget::new(memory_bytes / 4 * 3);
        Self { cpu, threads, stored, inflated, options, s3, idle: Mutex::default() }
    }

    async fn decode(self: Arc<Self>, planned: Planned, stored: Vec<Result<Vec<u8>, FetchError>>) -> Done {
        let inflow = Arc::clone(&self);
        let positions = planned.positions.clone();
        let decoded = self.cpu.run(move || {
            let mut done = Done::default();
            let mut read = Vec::new();
            for (position, stored) in planned.positions.clone().zip(stored) {
                match stored {
                    Ok(stored) => read.push((position, stored)),
                    Err(error) => done.outcomes.push((position, Outcome::Left(error))),
                }
            }
            inflow.decode_now(&planned.batches[planned.batch].objects, &read, &mut done);
            done
        });
        decoded.await.unwrap_or_else(|panicked| {
            let outcomes = positions.map(|position| (position, Outcome::Quarantined(chain(&panicked))));
            Done { outcomes: outcomes.collect(), rows: Split::default() }
        })
    }

    /// Decodes objects, given with their positions among `objects`. Where that panics, which is a bug, each alone, so
    /// that only the object that is to blame is lost.
    fn decode_now(&self, objects: &[ObjectRef], stored: &[(usize, Vec<u8>)], done: &mut Done) {
        match (caught(|| self.decode_together(objects, stored)), stored) {
            (Ok(decoded), _) => {
                done.outcomes.extend(decoded.outcomes);
                done.rows.extend(decoded.rows);
            }
            (Err(panicked), [(position, _)]) => {
                done.outcomes.push((*position, Outcome::Quarantined(chain(&panicked))));
            }
            (Err(_), _) => stored.chunks(1).for_each(|alone| self.decode_now(objects, alone, done)),
        }
    }

    fn decode_together(&self, objects: &[ObjectRef], stored: &[(usize, Vec<u8>)]) -> Done {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // A decoder that panics is not given back.
        let mut decoder = idle.unwrap_or_else(|| Decoder::new(self.options));
        let (mut outcomes, mut origins) = (Vec::with_capacity(stored.len()), Vec::new());
        let mut largest_bytes = 0;
        for (position, stored) in stored {
            let outcome = match decoder.read(&objects[*position].source_object, stored) {
                Ok(read) => {
                    let origin = u32::try_from(*position).expect("a batch holds few objects");
                    origins.push((origin, read.tally.rows));
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
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
        } else {
            drop(decoder);
        }
        Done { outcomes, rows: Split::new(taken, &origins) }
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
            let bytes: u64 = stored.map(|stored| decode_bytes(stored, &inflow.options)).sum();
            let reservation = inflow.inflated.reserve(bytes.max(MIN_DECODE_BYTES)).await;
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
        .ready_chunks(TOGETHER)
        .flat_map(|fetched| stream::iter(neighbours(fetched)))
        .then(pay_inflated)
        .map(|(inflow, fetched, reservation)| arrive(inflow, fetched, reservation))
        .buffered(inflow.threads.get() * 2);
    let mut arrivals = std::pin::pin!(arrivals);
    while let Some(arrived) = arrivals.next().await {
        if out.send(arrived).await.is_err() {
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
        self.planned.batch == next.planned.batch
            && self.stored.len() + next.stored.len() <= TOGETHER
            && bytes <= TOGETHER_BYTES
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
    Fetched { planned, stored, reservations: vec![reservation] }
}

fn decode_bytes(stored: &[u8], options: &Options) -> u64 {
    let inflated = inflated_estimate_bytes(stored, options.cap_bytes as u64);
    inflated.saturating_mul(DECODE_FACTOR)
}

/// The objects, decoded. Their rows are paid for until they are dropped.
async fn arrive(inflow: Arc<Inflow>, fetched: Fetched, mut reservation: Reservation) -> Arrived {
    let done = inflow.decode(fetched.planned, fetched.stored).await;
    drop(fetched.reservations);
    reservation.shrink_to(done.rows.memory_bytes());
    Arrived { done, _reservation: reservation }
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
