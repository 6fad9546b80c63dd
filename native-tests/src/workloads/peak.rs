//! The most memory that this process has had.

/// The most memory that this process has had in the machine's, in bytes, the pages of mapped files among them; nothing
/// where the system does not tell. Of a guest its host knows.
#[must_use]
pub fn peak_memory() -> Option<u64> {
    own_status("VmHWM")
}

/// A number of bytes that Linux tells of this process; nothing elsewhere.
pub(crate) fn own_status(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}
