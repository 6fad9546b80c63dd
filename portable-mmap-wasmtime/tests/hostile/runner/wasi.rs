//! Operations of a guest on files through WASI, also with mapped memory, and changes of the files by others.

use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use super::{NAMES, Runner};
use crate::common::host::read;
use crate::common::{PAGE, READ, WRITE};
use crate::model::{Bytes, Open, Place, Truncated, overlaps_itself, pages_of};
use crate::steps::{FIXED, MOST_BYTES};

/// The addresses of arguments and results, in the first page.
const ARGUMENTS: usize = 1024;
const RESULT: usize = 512;

/// A descriptor that no guest has.
const NO_FD: i64 = 999;

impl Runner<'_> {
    pub(super) fn open(&mut self, slot: usize, file: usize, reads: bool, writes: bool) {
        let rights = if reads { READ } else { 0 } | if writes { WRITE } else { 0 };
        let guest = self.guest(slot);
        guest.write(ARGUMENTS, NAMES[file].as_bytes());
        let len = NAMES[file].len() as i64;
        let errno = guest.call("path_open", &[3, 0, ARGUMENTS as i64, len, 0, rights, rights, 0, RESULT as i64]);
        let fd = i64::from(self.result(slot));
        let store = self.model.store_mut(slot);
        if writes && store.kind.is_read_only {
            assert_ne!(errno, 0, "a file of a read-only directory cannot be opened for writing");
        } else {
            assert_eq!(errno, 0, "the guest opens file {file}");
            store.opened.push(Open { fd: Some(fd), file, reads, writes });
        }
    }

    fn result(&mut self, slot: usize) -> u32 {
        u32::from_le_bytes(self.guest(slot).bytes(RESULT..RESULT + 4).try_into().unwrap())
    }

    /// The `nth` of the files that the guest has opened.
    fn opened(&self, slot: usize, nth: usize) -> Option<(i64, Open)> {
        let opened: Vec<_> = self.model.store(slot).opened.iter().filter_map(|open| Some((open.fd?, *open))).collect();
        opened.get(nth % opened.len().max(1)).copied()
    }

    pub(super) fn close(&mut self, slot: usize, nth: usize) {
        let opened = self.opened(slot, nth);
        let errno = self.guest(slot).call("fd_close", &[opened.map_or(NO_FD, |(fd, _)| fd)]);
        assert_eq!(errno == 0, opened.is_some(), "only an open file can be closed: {errno}");
        if let Some((fd, _)) = opened {
            self.model.store_mut(slot).opened.retain(|open| open.fd != Some(fd));
        }
    }

    pub(super) fn set_len(&mut self, slot: usize, nth: usize, len: usize) {
        let opened = self.opened(slot, nth);
        let fd = opened.map_or(NO_FD, |(fd, _)| fd);
        let errno = self.guest(slot).call("fd_filestat_set_size", &[fd, len as i64]);
        let writable = opened.filter(|(_, open)| open.writes);
        assert_eq!(
            errno == 0,
            writable.is_some(),
            "only the length of a file that is open for writing can be set: {errno}"
        );
        if let Some((_, open)) = writable {
            self.model.set_len(open.file, len);
        }
    }

    /// Calls a function that moves bytes between the file of a descriptor and memory. Returns how many bytes it has
    /// moved, or 0 if it fails.
    fn moved(&mut self, slot: usize, name: &str, fd: i64, range: &Range<usize>, offset: usize) -> usize {
        let iovec = [range.start, range.len()].map(|number| (number as u32).to_le_bytes()).concat();
        self.guest(slot).write(ARGUMENTS, &iovec);
        let arguments = [fd, ARGUMENTS as i64, 1, offset as i64, RESULT as i64];
        match self.guest(slot).try_call(name, &arguments) {
            Ok(0) => self.result(slot) as usize,
            _ => 0,
        }
    }

    /// Handles the truncated pages of a call of WASI. Two results are correct: wasmtime's own code accesses the memory,
    /// and it is lost; or it passes the memory to the system, which moves no more bytes and sends no signal.
    fn after_wasi(&mut self, slot: usize, truncated: Vec<Truncated>) -> bool {
        let all = truncated.len();
        let is_lost = |runner: &mut Self, truncated: &Truncated| {
            runner.guest(slot).lost(truncated.handle, truncated.pages[0] * PAGE) == 1
        };
        let accessed: Vec<Truncated> = truncated.into_iter().filter(|truncated| is_lost(self, truncated)).collect();
        let are_all_accessed = accessed.len() == all;
        self.after_access(slot, accessed);
        are_all_accessed
    }

    pub(super) fn read(&mut self, slot: usize, nth: usize, offset: usize, at: usize, len: usize) {
        let opened = self.opened(slot, nth);
        self.read_opened(slot, opened, offset, at..at + len);
    }

    /// Reads bytes of the file that does not change. Whether they are mapped makes no difference in the memory.
    pub(super) fn read_fixed(&mut self, slot: usize, offset: usize, at: usize, len: usize) {
        let mut opened = self.model.store(slot).opened.iter();
        let Some(open) = opened.find(|open| open.file == FIXED).copied() else { return };
        let before = self.usage(slot).0.mappings;
        self.read_opened(slot, open.fd.map(|fd| (fd, open)), offset, at..at + len);
        self.counts.reads_mapped += u64::from(self.usage(slot).0.mappings > before);
    }

    fn read_opened(&mut self, slot: usize, opened: Option<(i64, Open)>, offset: usize, range: Range<usize>) {
        let (at, len) = (range.start, range.len());
        let from = opened.map_or(0..0, |(_, open)| {
            let end = self.model.files[open.file].len();
            offset.min(end)..(offset + len).min(end)
        });
        let read = opened.map(|(_, open)| place(open.file, &from)).filter(|_| !from.is_empty());
        if !self.is_clear(slot, &range, read.as_slice()) {
            return;
        }
        // The call accesses no more bytes than the file has. If a buffer extends beyond the memory, the call may fail,
        // or move the bytes that fit.
        let size = self.model.store(slot).size();
        let accessed = at..(at + from.len()).min(size.max(at));
        let may = at <= size && opened.is_some_and(|(_, open)| open.reads);
        let most = accessed.len();
        let truncated = if may { self.before_access(slot, &[accessed]) } else { Vec::new() };
        let moved = self.moved(slot, "fd_pread", opened.map_or(NO_FD, |(fd, _)| fd), &range, offset);
        let Some((_, open)) = opened.filter(|_| may) else {
            assert_eq!(moved, 0, "a read outside the memory, or of a file that is not open for reading");
            return;
        };
        let is_whole = self.after_wasi(slot, truncated) && self.is_inside(slot, &range);
        assert!(moved <= most, "{moved} bytes are read, and there are only {most}");
        assert!(moved > 0 || most == 0 || !is_whole, "nothing is read of {most} bytes");
        let bytes = self.model.files[open.file].show(from.start..from.start + moved);
        self.model.put(slot, at, &bytes);
        if open.file == FIXED {
            self.model.store_mut(slot).read(at..at + moved);
        }
    }

    pub(super) fn write(&mut self, slot: usize, nth: usize, offset: usize, at: usize, len: usize) {
        let (range, opened) = (at..at + len, self.opened(slot, nth));
        if opened.is_some_and(|(_, open)| self.is_unclear(slot, open.file, offset, &range)) {
            self.counts.left_out += 1;
            return;
        }
        let is_inside = self.is_inside(slot, &range);
        // A call may read the bytes to write before it checks that the file is open for writing.
        let truncated = if is_inside { self.before_access(slot, std::slice::from_ref(&range)) } else { Vec::new() };
        let moved = self.moved(slot, "fd_pwrite", opened.map_or(NO_FD, |(fd, _)| fd), &range, offset);
        let first_truncated = truncated
            .iter()
            .map(|truncated| self.model.store(slot).mappings[&truncated.handle].start + truncated.pages[0] * PAGE);
        let first_truncated = first_truncated.min().unwrap_or(range.end).max(at);
        let is_whole = self.after_wasi(slot, truncated);
        let Some((_, open)) = opened.filter(|(_, open)| is_inside && open.writes) else {
            assert_eq!(moved, 0, "a write from outside the memory, or to a file that is not open for writing");
            return;
        };
        let most = if is_whole { len } else { first_truncated - at };
        assert!(moved <= most && (moved == len || !is_whole), "{moved} bytes of {len} are written, and {most} can be");
        let bytes = self.model.show(slot, at..at + moved);
        self.model.files[open.file].write(offset, &bytes);
    }

    /// Whether a write of memory to a file has more than one correct result.
    fn is_unclear(&self, slot: usize, file: usize, offset: usize, range: &Range<usize>) -> bool {
        // The call changes only these bytes of the file.
        let changed = Place { is_shared: true, ..place(file, &(offset..offset + range.len())) };
        // The system may extend a file before it finds that it cannot read the bytes to write behind its end.
        let is_behind = offset > self.model.files[file].len();
        overlaps_itself(&[changed], &self.model.store(slot).places(range))
            || is_behind && !self.model.truncated(slot, std::slice::from_ref(range)).is_empty()
    }

    pub(super) fn host_set_len(&mut self, file: usize, len: usize) {
        self.files[file].set_len(len as u64).unwrap();
        self.model.set_len(file, len);
        self.compare_end(file);
    }

    pub(super) fn host_write(&mut self, file: usize, offset: usize, len: usize, byte: u8) {
        let len = len.min(MOST_BYTES - offset);
        self.files[file].write_all_at(&vec![byte; len], offset as u64).unwrap();
        self.model.files[file].write(offset, &Bytes::from(vec![byte; len]));
    }

    /// Checks the last page of a file that was extended: it has zeros, or bytes that were stored behind the former end.
    fn compare_end(&self, file: usize) {
        let model = &self.model.files[file];
        let last = model.len() / PAGE * PAGE;
        let is = read(&self.files[file], last, model.len() - last);
        let mismatch = model.show(last..model.len()).mismatch(&is);
        assert_eq!(mismatch, None, "the last page of file {file} has the expected bytes");
    }
}

/// The pages of a file that a call reads or writes.
fn place(file: usize, bytes: &Range<usize>) -> Place {
    let pages = pages_of(bytes);
    Place { handle: None, file, bytes: pages.start * PAGE..pages.end * PAGE, is_shared: false }
}
