//! Counts the bytes that a program moves with read and write calls, as the operating system reports them.
//!
//! Linux counts them for each process. Other systems do not, and the results here are `None`. Bytes of a mapped file
//! are moved without calls and are not counted.

/// Bytes moved by read and write calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
}

impl Counted {
    /// The bytes that were moved between `earlier` and `self`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { read: self.read.saturating_sub(earlier.read), written: self.written.saturating_sub(earlier.written) }
    }
}

/// Runs `work`, and returns the bytes that all threads of this process moved meanwhile. Nothing else should run in it.
pub fn during<T>(work: impl FnOnce() -> T) -> (T, Option<Counted>) {
    let read = || imp::read("self");
    // Reading the counts is counted too: the difference of two readings in a row is the cost of one.
    let (first, before) = (read(), read());
    let result = work();
    let moved = (|| Some(read()?.since(before?).since(before?.since(first?))))();
    (result, moved)
}

/// The counts of a child process, which are available when it has ended.
#[derive(Debug)]
pub struct ChildCounts(imp::ChildCounts);

impl ChildCounts {
    /// For the child with this number, which must be running.
    #[must_use]
    pub fn new(pid: u32) -> Self {
        Self(imp::ChildCounts::new(pid))
    }

    /// Waits until the child has ended, and returns the bytes that it has moved. The child is not reaped: its parent
    /// still has to wait for it.
    #[must_use]
    pub fn when_ended(self) -> Option<Counted> {
        self.0.when_ended()
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use std::fs::File;
    use std::io;

    use super::Counted;
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

    pub(super) fn read(process: &str) -> Option<Counted> {
        parse(&std::fs::read_to_string(format!("/proc/{process}/io")).ok()?)
    }

    /// The file is opened while the child runs, because only root may open that of an ended process. Reading it is
    /// allowed even then.
    #[derive(Debug)]
    pub(super) struct ChildCounts(Option<(Pid, File)>);

    impl ChildCounts {
        pub(super) fn new(pid: u32) -> Self {
            let pid = pid.try_into().ok().and_then(Pid::from_raw);
            Self(pid.and_then(|pid| Some((pid, File::open(format!("/proc/{pid}/io")).ok()?))))
        }

        pub(super) fn when_ended(self) -> Option<Counted> {
            let (child, counts) = self.0?;
            // NOWAIT does not reap the child, because the system deletes the counts when it is reaped.
            while waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
                .is_err_and(|error| error == rustix::io::Errno::INTR)
            {}
            parse(&io::read_to_string(counts).ok()?)
        }
    }

    fn parse(text: &str) -> Option<Counted> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        Some(Counted { read: field("rchar:")?, written: field("wchar:")? })
    }

    #[cfg(test)]
    mod tests {
        use super::{Counted, parse};

        #[test]
        fn the_two_counts_are_parsed_by_name() {
            let text = "rchar: 3980\nwchar: 17\nsyscr: 9\nsyscw: 0\nread_bytes: 1\nwrite_bytes: 2\n";
            assert_eq!(parse(text), Some(Counted { read: 3980, written: 17 }));
            assert_eq!(parse("rchar: 1\n"), None);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::Counted;

    pub(super) fn read(_process: &str) -> Option<Counted> {
        None
    }

    #[derive(Debug)]
    pub(super) struct ChildCounts;

    impl ChildCounts {
        pub(super) fn new(_pid: u32) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "the signature is the same on every system")]
        pub(super) fn when_ended(self) -> Option<Counted> {
            None
        }
    }
}
