//! Shares of the memory budget, from which work in flight takes and to which it gives back.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

/// Permits are counted in KiB, because a semaphore hands out at most `u32::MAX` at once.
const PERMIT_BYTES: u64 = 1024;

/// The memory of the program itself, with its listing and its threads.
const PROGRAM_BYTES: u64 = 32 << 20;
/// Text of a piece of a large object, at most.
const PIECE_BYTES: u64 = 4 << 20;
/// An object that inflates to this is always decoded in pieces.
const LARGE_BYTES: u64 = 32 << 20;

/// The shares of a run's memory.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "the unit")]
pub(crate) struct Shares {
    /// All that a run may take.
    pub(crate) memory_bytes: u64,
    /// For bytes as stored.
    pub(crate) stored_bytes: u64,
    /// For text and rows.
    pub(crate) inflated_bytes: u64,
    /// For the pieces of large objects, text and rows.
    pub(crate) pieces_bytes: u64,
    /// For rows that wait for their part.
    pub(crate) buffer_bytes: u64,
    /// For parts that are being written.
    pub(crate) writing_bytes: u64,
    /// Text of a piece.
    pub(crate) piece_bytes: u64,
    /// An object that inflates to this is decoded in pieces.
    pub(crate) large_bytes: u64,
}

/// Bytes that may be in flight.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    total_permits: u32,
}

/// Bytes taken from a budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    permit: OwnedSemaphorePermit,
}

impl Shares {
    /// Shares out the memory of a run.
    pub(crate) fn new(memory_bytes: u64) -> Self {
        let free_bytes = memory_bytes - PROGRAM_BYTES;
        Self {
            memory_bytes,
            stored_bytes: free_bytes / 8,
            inflated_bytes: free_bytes / 4,
            pieces_bytes: free_bytes / 8,
            buffer_bytes: free_bytes / 4,
            writing_bytes: free_bytes / 4,
            piece_bytes: (memory_bytes / 256).min(PIECE_BYTES),
            large_bytes: (memory_bytes / 32).min(LARGE_BYTES),
        }
    }

    /// Returns the memory that a run needs for an object that takes so much of the share of text and rows.
    pub(crate) fn memory_for(inflated_bytes: u64) -> u64 {
        inflated_bytes * 4 + PROGRAM_BYTES
    }
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        let total_permits = u32::try_from(bytes / PERMIT_BYTES).unwrap_or(u32::MAX).max(1);
        Self { free: Arc::new(Semaphore::new(total_permits as usize)), total_permits }
    }

    /// Returns the size of the whole budget.
    pub(crate) fn total_bytes(&self) -> u64 {
        u64::from(self.total_permits) * PERMIT_BYTES
    }

    /// Waits until `bytes` are free. A request larger than the whole budget waits until it is alone.
    ///
    /// Cannot lock up if reservations are asked for in the order in which they are given back.
    pub(crate) async fn reserve(&self, bytes: u64) -> Reservation {
        let wanted = permits(bytes).clamp(1, self.total_permits);
        let permit = Arc::clone(&self.free).acquire_many_owned(wanted).await;
        Reservation { permit: permit.expect("a budget is never closed") }
    }
}

impl Reservation {
    /// Returns its size.
    pub(crate) fn bytes(&self) -> u64 {
        self.permit.num_permits() as u64 * PERMIT_BYTES
    }

    /// Gives back all but `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: u64) {
        let spare = self.permit.num_permits().saturating_sub(permits(bytes).max(1) as usize);
        drop(self.permit.split(spare));
    }
}

fn permits(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_does_not_fit_waits() {
        let budget = Budget::new(10 * 1024);
        let mut first = budget.reserve(8 * 1024).await;
        assert!(budget.reserve(4 * 1024).now_or_never().is_none());
        first.shrink_to(6 * 1024);
        let second = budget.reserve(4 * 1024).now_or_never().unwrap();
        assert!(budget.reserve(1).now_or_never().is_none());
        drop((first, second));
        assert_eq!(budget.free.available_permits(), 10);
    }

    #[tokio::test]
    async fn what_is_larger_than_the_budget_goes_alone() {
        let budget = Budget::new(10 * 1024);
        let small = budget.reserve(1).await;
        assert!(budget.reserve(1 << 40).now_or_never().is_none());
        drop(small);
        let giant = budget.reserve(1 << 40).now_or_never().unwrap();
        assert!(budget.reserve(1).now_or_never().is_none());
        drop(giant);
    }

    #[tokio::test]
    async fn a_reservation_never_grows() {
        let budget = Budget::new(10 * 1024);
        let mut one = budget.reserve(2 * 1024).await;
        one.shrink_to(5 * 1024);
        assert_eq!(budget.free.available_permits(), 8);
    }
}
