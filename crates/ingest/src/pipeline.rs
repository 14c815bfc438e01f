//! Objects become rows, many at once, and arrive in the order of the plan.
//!
//! ```text
//!  plan --reserve stored--> fetch (tokio) --reserve inflated--> decode (rayon) --> Arrived, in plan order
//! ```
//!
//! Both reservations are asked for in plan order, and given back in plan order or at once. So the object that the
//! writer waits for never waits for one behind it, and a full budget cannot lock up.

use std::num::NonZeroUsize;
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
use crate::error::chain;
use crate::fetch::FetchError;
use crate::fetch::fetch;
use crate::fetch::inflated_estimate_bytes;
use crate::list::ObjectRef;
use crate::part::Split;
use crate::plan::Batch;
use crate::s3::S3;

/// Files that are read at once; more do not make a disk faster.
const READS: usize = 16;
/// Objects of S3 that are fetched at once, which hides the time that each answer takes.
const FETCHES: usize = 256;
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

/// An object at the end of the pipeline. Its rows are paid for until it is dropped.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// Its position in its batch.
    pub(crate) position: usize,
    pub(crate) outcome: Outcome,
    pub(crate) reservation: Option<Reservation>,
}

/// An object of the plan, which stays reachable from tasks that outlive their caller.
#[derive(Debug, Clone)]
struct Planned {
    batches: Arc<[Batch]>,
    batch: usize,
    position: usize,
}

struct Fetched {
    planned: Planned,
    stored: Result<(Vec<u8>, Reservation), FetchError>,
}

impl Inflow {
    /// Gives `memory_bytes` away: a quarter to stored bytes, three quarters to text and rows.
    pub(crate) fn new(cpu: Cpu, threads: NonZeroUsize, memory_bytes: u64, options: Options, s3: Arc<S3>) -> Self {
        let stored = Budget::new(memory_bytes / 4);
        let inflated = Budget::new(memory_bytes / 4 * 3);
        Self { cpu, threads, stored, inflated, options, s3, idle: Mutex::default() }
    }

    async fn decode(self: Arc<Self>, object: Box<str>, stored: Vec<u8>) -> Outcome {
        let inflow = Arc::clone(&self);
        let decoded = self.cpu.run(move || inflow.decode_now(&object, &stored)).await;
        match decoded {
            Ok(Ok(split)) => Outcome::Read(split),
            Ok(Err(error)) => Outcome::Quarantined(error),
            Err(panicked) => Outcome::Quarantined(chain(&panicked)),
        }
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
            let reservation = stored.reserve(planned.object().bytes).await;
            (planned, reservation)
        }
    };
    let pay_inflated = |fetched: Fetched| {
        let inflow = Arc::clone(&inflow);
        async move {
            let bytes = fetched.stored.as_ref().map_or(0, |(stored, _)| decode_bytes(stored, &inflow.options));
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
    while let Some(arrived) = arrivals.next().await {
        if out.send(arrived).await.is_err() {
            return;
        }
    }
}

/// Every object, in the order of the plan.
fn in_order(batches: Arc<[Batch]>) -> impl Iterator<Item = Planned> {
    (0..batches.len()).flat_map(move |batch| {
        let batches = Arc::clone(&batches);
        let positions = 0..batches[batch].objects.len();
        positions.map(move |position| Planned { batches: Arc::clone(&batches), batch, position })
    })
}

impl Planned {
    fn object(&self) -> &ObjectRef {
        &self.batches[self.batch].objects[self.position]
    }
}

async fn fetch_into(s3: &S3, planned: Planned, reservation: Reservation) -> Fetched {
    let stored = fetch(planned.object(), s3).await.map(|stored| (stored, reservation));
    Fetched { planned, stored }
}

fn decode_bytes(stored: &[u8], options: &Options) -> u64 {
    let inflated = inflated_estimate_bytes(stored, options.cap_bytes as u64);
    inflated.saturating_mul(DECODE_FACTOR).max(MIN_DECODE_BYTES)
}

async fn arrive(inflow: Arc<Inflow>, fetched: Fetched, mut reservation: Reservation) -> Arrived {
    let position = fetched.planned.position;
    match fetched.stored {
        Err(error) => Arrived { position, outcome: Outcome::Left(error), reservation: None },
        Ok((stored, stored_reservation)) => {
            let name = fetched.planned.object().source_object.clone();
            let outcome = inflow.decode(name, stored).await;
            drop(stored_reservation);
            if let Outcome::Read(split) = &outcome {
                reservation.shrink_to(split.memory_bytes());
            }
            Arrived { position, outcome, reservation: Some(reservation) }
        }
    }
}
