//! What glibc keeps of memory that was given back. By its defaults it keeps whatever was once asked for in blocks of up
//! to 32 MiB, and has up to eight arenas a core, each with leftovers of its own: `ingest` was a third larger for it. The
//! join, which lets go of little before its end, is a tenth slower without.

use std::ffi::c_int;
use std::num::NonZeroUsize;

/// Blocks of this size are given back at once.
const RETURNED_BYTES: c_int = 1 << 20;
/// The most that glibc takes for either.
const KEPT_BYTES: c_int = 32 << 20;

/// Does `work` on so many threads, giving memory back that it lets go of.
pub(crate) fn returning<T>(threads: NonZeroUsize, work: impl FnOnce() -> T) -> T {
    set(Setting::Arenas, c_int::try_from(threads.get()).unwrap_or(c_int::MAX).max(2));
    set(Setting::MappedFrom, RETURNED_BYTES);
    let done = work();
    set(Setting::MappedFrom, KEPT_BYTES);
    set(Setting::TrimmedFrom, 2 * KEPT_BYTES);
    done
}

#[derive(Debug, Clone, Copy)]
enum Setting {
    Arenas,
    MappedFrom,
    TrimmedFrom,
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "nothing safe reaches the allocator's settings")]
fn set(setting: Setting, value: c_int) {
    let setting = match setting {
        Setting::Arenas => libc::M_ARENA_MAX,
        Setting::MappedFrom => libc::M_MMAP_THRESHOLD,
        Setting::TrimmedFrom => libc::M_TRIM_THRESHOLD,
    };
    // SAFETY: it takes two numbers and no pointer. Threads that allocate meanwhile read either value of a word, and both
    // are right. One that it does not like it leaves as it is, which is no error here.
    unsafe { libc::mallopt(setting, value) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn set(_: Setting, _: c_int) {}
