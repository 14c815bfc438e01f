//! The one crossing from waiting (tokio) to computing (rayon).

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use rayon::ThreadPool;
use rayon::ThreadPoolBuilder;
use tokio::sync::oneshot;

use crate::IngestError;
use crate::panicked::Panicked;

/// The worker threads of a run.
#[derive(Debug, Clone)]
pub(crate) struct Cpu {
    pool: Arc<ThreadPool>,
}

impl Cpu {
    pub(crate) fn new(threads: NonZeroUsize) -> Result<Self, IngestError> {
        let threads = threads.get();
        // Without a handler, a panic outside of `catch_unwind` (in the drop of its own payload) aborts the process.
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|n| format!("ingest-{n}"))
            .panic_handler(|payload| tracing::error!(message = message(&*payload), "a worker thread panicked"))
            .build()
            .map_err(|source| IngestError::Threads { threads, source })?;
        Ok(Self { pool: Arc::new(pool) })
    }

    /// Does `work` on the worker threads, and waits for it: for steps beside which nothing else is to be done.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }

    /// Runs `work` on a worker thread. It begins at the first poll, and runs to its end even if nobody waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let (answer, answered) = oneshot::channel();
        self.pool.spawn(move || {
            // Nobody waits any more where the run has ended.
            let _ = answer.send(caught(work));
        });
        match answered.await {
            Ok(result) => result,
            Err(_) => Err(Panicked { message: "the worker gave no answer".to_owned() }),
        }
    }
}

/// Does `work`, which may panic.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| Panicked { message: message(&*payload) })
}

fn message(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(message), _) => (*message).to_owned(),
        (_, Some(message)) => message.clone(),
        _ => "a panic without a message".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_next_job_runs() {
        let cpu = Cpu::new(NonZeroUsize::MIN).unwrap();
        let lost: Result<(), _> = cpu.run(|| panic!("record {} of no shape", 7)).await;
        assert_eq!(lost.unwrap_err().message, "record 7 of no shape");
        assert_eq!(cpu.run(|| 6 * 7).await, Ok(42));
    }
}
