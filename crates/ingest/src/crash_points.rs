//! The crash points between the steps of a run, at which a test ends it as a kill would: at once, cleaning up nothing.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use crate::IngestError;

/// The number of crash points that may be passed before the run ends.
#[derive(Debug, Default)]
pub(crate) struct CrashPoints {
    /// `None`: as many as there are.
    left: Option<AtomicUsize>,
}

impl CrashPoints {
    #[cfg(test)]
    pub(crate) fn end_after(n_points: usize) -> Self {
        Self { left: Some(AtomicUsize::new(n_points)) }
    }

    /// Goes on to the next step.
    pub(crate) fn pass(&self) -> Result<(), IngestError> {
        match &self.left {
            Some(left) if left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err() => {
                Err(IngestError::Stopped)
            }
            _ => Ok(()),
        }
    }
}
