//! The instructions of the processor that runs the program.

#[cfg(target_arch = "x86_64")]
use crate::mask::avx2::Avx2;
#[cfg(target_arch = "aarch64")]
use crate::mask::neon::Neon;
use crate::mask::{Portable, Work};

/// The instructions that this processor has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Processor {
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    Portable,
}

impl Processor {
    /// Asks the processor.
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = Avx2::detect() {
            return Self::Avx2(avx2);
        }
        #[cfg(target_arch = "aarch64")]
        if let Some(neon) = Neon::detect() {
            return Self::Neon(neon);
        }
        Self::Portable
    }

    /// Does the work.
    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => avx2.run(work),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(neon) => neon.run(work),
            Self::Portable => work.work(Portable),
        }
    }
}
