//! The memory that glibc keeps after it was given back.
//!
//! By its defaults it keeps whatever was once asked for in blocks of up to 32 MiB, and has eight arenas for each core,
//! each with leftovers of its own: `ingest` was up to a third larger for it. Where it keeps less than is chosen here,
//! it asks the system for the same memory again and again: a large object took a fifth more CPU.

use std::num::NonZeroUsize;

/// Blocks of so many bytes are mapped alone, and so given back at once; fewer where memory is little.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM_BYTES: u64 = 8 << 20;
/// So many free bytes at the end of an arena are given back; fewer where memory is little.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TRIMMED_FROM_BYTES: u64 = 16 << 20;

/// Has at most an arena for each of so many threads, and keeps little beside `memory_bytes`. It outweighs what the
/// environment says of these settings.
///
/// Needs: no other thread runs yet.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "nothing safe reaches the allocator's settings")]
pub(crate) fn keep_little(threads: NonZeroUsize, memory_bytes: u64) {
    let least = |most: u64, share: u64| libc::c_int::try_from(most.min(share)).unwrap_or(libc::c_int::MAX);
    let arenas = libc::c_int::try_from(threads.get()).unwrap_or(libc::c_int::MAX).max(2);
    let settings = [
        (libc::M_ARENA_MAX, arenas),
        (libc::M_MMAP_THRESHOLD, least(MAPPED_FROM_BYTES, memory_bytes / 128)),
        (libc::M_TRIM_THRESHOLD, least(TRIMMED_FROM_BYTES, memory_bytes / 64)),
    ];
    for (setting, value) in settings {
        // SAFETY: it takes two numbers and no pointer, and no other thread allocates meanwhile. A value that it does
        // not like changes nothing.
        unsafe { libc::mallopt(setting, value) };
    }
}

/// Gives the memory that is free back to the system, also that between what is in use.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "nothing safe reaches the allocator")]
pub(crate) fn give_back() {
    // SAFETY: it takes a number and no pointer, and locks what it looks at.
    unsafe { libc::malloc_trim(0) };
}

/// Leaves other allocators as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn keep_little(_: NonZeroUsize, _: u64) {}

/// Leaves other allocators as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}
