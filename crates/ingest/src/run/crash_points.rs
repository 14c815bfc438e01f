//! The borders between the steps of a run, at which a test ends it as a kill would: at once, cleaning up nothing.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use crate::IngestError;

/// How many borders may be crossed before the run ends.
#[derive(Debug, Default)]
pub(crate) struct Borders {
    /// `None`: as many as there are.
    left: Option<AtomicUsize>,
}

impl Borders {
    #[cfg(test)]
    pub(crate) fn end_after(crossings: usize) -> Self {
        Self { left: Some(AtomicUsize::new(crossings)) }
    }

    /// Goes on to the next step.
    pub(crate) fn cross(&self) -> Result<(), IngestError> {
        match &self.left {
            Some(left) if left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err() => {
                Err(IngestError::Stopped)
            }
            _ => Ok(()),
        }
    }
}
