//! The peak memory of this process.

/// The peak resident memory of this process in bytes, including pages of mapped files; `None` if the system does not
/// report it. The memory of a guest is measured by its host.
#[must_use]
pub fn peak_memory() -> Option<u64> {
    own_status("VmHWM")
}

/// A number of bytes that Linux reports for this process; `None` elsewhere.
pub(crate) fn own_status(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}
