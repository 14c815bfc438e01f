//! The machine under a job: its memory, its open files, the room on a disk.

use std::fs;
use std::path::Path;

/// Returns the bytes of memory that processes here may take together: what the machine has, or less where a control
/// group says so, as in a container. None where the system does not tell.
pub(crate) fn memory_bytes() -> Option<u64> {
    let machine = kib_of(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")?;
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit = limits.iter().find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    Some(limit.unwrap_or(u64::MAX).min(machine))
}

/// Returns how many bytes of memory are free or can be freed at once.
pub(crate) fn free_memory_bytes() -> Option<u64> {
    kib_of(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// Returns how many files this process may hold open, once it has raised its limit as far as that goes.
pub(crate) fn open_files() -> Option<u64> {
    rlimit::Resource::NOFILE.get_hard().ok()
}

/// Returns the bytes that are free for this user on the disk of a folder that may not exist yet.
pub(crate) fn free_disk_bytes(folder: &Path) -> Option<u64> {
    let there = std::path::absolute(folder).ok()?;
    let there = there.ancestors().find(|folder| folder.exists())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Reads a line of `/proc/meminfo`, in bytes.
fn kib_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        let memory = "MemTotal:       24615552 kB\nMemFree:         100 kB\nMemAvailable:   19922944 kB\n";
        assert_eq!(kib_of(memory, "MemAvailable:"), Some(19_922_944 << 10));
    }
}
