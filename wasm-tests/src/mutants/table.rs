//! The mutants. Each has a text of the library, the text that replaces it, and the contract that this breaks.

/// A library that is broken in one place.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// The flaw.
    pub name: &'static str,
    /// The contract that it breaks, as a sentence after "that".
    pub contract: &'static str,
    /// The changed file of the library.
    pub file: &'static str,
    /// A text that occurs exactly once in the file.
    pub old: &'static str,
    /// The text that replaces it.
    pub new: &'static str,
    /// The place where it runs.
    pub place: Place,
    /// Only cases or tests whose names contain this are run. At least one must fail.
    pub subject: &'static str,
}

/// The place where a mutant runs: a column, or the tests of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The OS mapping.
    Mapped,
    /// The emulation, natively.
    Buffered,
    /// The emulation in wasmtime.
    Wasip1,
    /// The tests of the host that places mappings, see `host.rs`.
    Host,
}

impl Place {
    /// The name of the column in the ledger.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Mapped => "native Mapped",
            Self::Buffered => "native Buffered",
            Self::Wasip1 => "wasip1",
            Self::Host => "host",
        }
    }

    /// The target to build for, if it is not this machine.
    pub(super) fn target(self) -> Option<&'static str> {
        (self == Self::Wasip1).then_some("wasm32-wasip1")
    }
}

const WRITE_BACK: &str = "src/backend/buffered/write_back.rs";
const LOAD: &str = "src/backend/buffered/load.rs";
const BUFFERED: &str = "src/backend/buffered/mod.rs";
const REFRESH: &str = "src/backend/buffered/refresh.rs";
const MAPPED: &str = "src/backend/mapped.rs";
const PAGES: &str = "src/page_set.rs";
const LINES: &str = "src/mapping/lines.rs";
const REGION: &str = "src/region/os/mod.rs";
const LOST: &str = "src/guard/lost.rs";

/// All mutants of the library and of its host.
pub(super) fn all() -> impl Iterator<Item = &'static Mutant> {
    MUTANTS.iter().chain(super::host_table::MUTANTS)
}

/// The mutants of the library.
pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "loses the last run",
        contract: "a flush writes every byte that was changed",
        file: WRITE_BACK,
        old: ".and_then(|()| writer.write_pending());",
        new: ".and_then(|()| Ok(()));",
        place: Place::Wasip1,
        subject: "write_back/",
    },
    Mutant {
        name: "writes the next page",
        contract: "a changed byte is written to its own place in the file",
        file: WRITE_BACK,
        old: "let offset = self.span.file_offset(start);",
        new: "let offset = self.span.file_offset(start) + PAGE as u64;",
        place: Place::Wasip1,
        subject: "write_back/",
    },
    Mutant {
        name: "joins runs over a gap",
        contract: "a flush writes no byte that was not changed",
        file: WRITE_BACK,
        old: "self.pending.is_empty() || self.pending.end != run.start",
        new: "self.pending.is_empty() || self.pending.end + 1 < run.start",
        place: Place::Buffered,
        subject: "write_back/",
    },
    Mutant {
        name: "extends the file",
        contract: "a flush never makes the file longer",
        file: WRITE_BACK,
        old: "let (end, size) = self.end()?;",
        new: "let (end, size) = (usize::MAX, self.end()?.1);",
        place: Place::Wasip1,
        subject: "flush/",
    },
    Mutant {
        name: "forgets changes after an error",
        contract: "after an error, bytes that were not written still count as changed",
        file: WRITE_BACK,
        old: "mark_clean(copies, pages.start..reached / PAGE, &self.region, self.tracks_all);",
        new: "mark_clean(copies, pages, &self.region, self.tracks_all);",
        place: Place::Buffered,
        subject: "faults/",
    },
    Mutant {
        name: "writes bytes twice after an error",
        contract: "bytes that were written before an error no longer count as changed",
        file: WRITE_BACK,
        old: "copy[..written.len()].copy_from_slice(written);",
        new: "let _ = (copy, written);",
        place: Place::Buffered,
        subject: "write_back/",
    },
    Mutant {
        name: "treats short writes as complete",
        contract: "a short write of the storage is completed",
        file: WRITE_BACK,
        old: "self.pending.start += written;",
        new: "self.pending.start += written.max(bytes.len());",
        place: Place::Buffered,
        subject: "storages/",
    },
    Mutant {
        name: "hides a failed sync",
        contract: "a flush succeeds only when its bytes are on the disk",
        file: WRITE_BACK,
        old: "let synced = storage.sync();
        let has_another_failed = self.unsynced.adopt(storage.failed_syncs());",
        new: "let _ = storage.sync();
        let (synced, has_another_failed) = (std::io::Result::Ok(()), false);",
        place: Place::Wasip1,
        subject: "faults/",
    },
    Mutant {
        name: "forgets a failed sync",
        contract: "a sync that failed is tried again by the next flush",
        file: WRITE_BACK,
        old: "let had_failed = self.unsynced.begin_sync();",
        new: "let had_failed = std::mem::take(&mut self.unsynced).begin_sync();",
        place: Place::Buffered,
        subject: "write_back/",
    },
    Mutant {
        name: "forgets that an earlier sync failed",
        contract: "after a sync that failed, no call succeeds before the bytes were written again and synced",
        file: "src/backend/buffered/unsynced.rs",
        old: "std::mem::replace(&mut self.has_failed, true)",
        new: "std::mem::replace(&mut self.has_failed, false)",
        place: Place::Buffered,
        subject: "durable/",
    },
    Mutant {
        name: "writes private changes back",
        contract: "the changes of a private mapping stay in memory",
        file: WRITE_BACK,
        old: "if !self.plan.reaches_file() {",
        new: "if self.plan.access == crate::Access::Read {",
        place: Place::Wasip1,
        subject: "modes/",
    },
    Mutant {
        name: "reads from the next byte",
        contract: "a page has the bytes of its own place in the file",
        file: LOAD,
        old: "let offset = span.file_offset(start + filled);",
        new: "let offset = span.file_offset(start + filled) + u64::from(start > 0);",
        place: Place::Wasip1,
        subject: "loading/",
    },
    Mutant {
        name: "does not fill the last page with zeros",
        contract: "the rest of the last page of a file is filled with zeros",
        file: LOAD,
        old: "zeroed(&mut memory[filled..page_end]);",
        new: "memory[filled..page_end].fill(std::mem::MaybeUninit::new(0xa5));",
        place: Place::Buffered,
        subject: "shrunken/",
    },
    Mutant {
        name: "keeps a stale page in a refresh",
        contract: "after a refresh clean pages have the bytes of the file",
        file: REFRESH,
        old: "self.forget_clean(pages.clone());",
        new: "",
        place: Place::Wasip1,
        subject: "refresh/",
    },
    Mutant {
        name: "drops pages in a resize",
        contract: "a resize keeps changes that were not flushed",
        file: "src/backend/buffered/resize.rs",
        old: "loaded.insert(&run);",
        new: "let _ = &loaded;",
        place: Place::Buffered,
        subject: "resize/",
    },
    Mutant {
        name: "ignores the exported pointer",
        contract: "bytes stored through an exported pointer are written by every flush",
        file: "src/backend/buffered/pointer.rs",
        old: "self.tracks_all = true;",
        new: "self.tracks_all = false;",
        place: Place::Buffered,
        subject: "exporting/",
    },
    Mutant {
        name: "reserves no space",
        contract: "a storage that cannot reserve space returns an error and keeps its length",
        file: "src/storage/calls.rs",
        old: "io::ErrorKind::Unsupported if allocate => Error::Unsupported {",
        new: "io::ErrorKind::Unsupported if allocate && storage.set_len(to).is_err() => Error::Unsupported {",
        place: Place::Buffered,
        subject: "storage/",
    },
    Mutant {
        name: "ignores the mode of the file",
        contract: "a file that is open for reading only is not mapped for writing",
        file: "src/storage/posix.rs",
        old: "write: access == OFlags::WRONLY || access == OFlags::RDWR,",
        new: "write: true,",
        place: Place::Buffered,
        subject: "modes/",
    },
    Mutant {
        name: "ignores the append mode of the file",
        contract: "a file that is open for appending cannot be mapped for writing",
        file: "src/storage/wasip1.rs",
        old: "let append = stat.fs_flags & wasi::FDFLAGS_APPEND != 0;",
        new: "let append = false;",
        place: Place::Wasip1,
        subject: "modes/",
    },
    Mutant {
        name: "leaves the cursor in another place",
        contract: "a mapping does not move the cursor of its file",
        file: "src/storage/wasip1.rs",
        old: "seek(i64::try_from(cursor).unwrap_or(i64::MAX))?;",
        new: "let _ = cursor;",
        place: Place::Wasip1,
        subject: "ownership/",
    },
    Mutant {
        name: "ignores the access of the mapping",
        contract: "resizing a mapping for reading is an error",
        file: "src/mapping/mod.rs",
        old: "if matches!(plan.access, Access::Read | Access::Copy) {",
        new: "if matches!(plan.access, Access::Copy) {",
        place: Place::Mapped,
        subject: "resize/",
    },
    Mutant {
        name: "maps from the start of the file",
        contract: "a mapping begins at its own offset in the file",
        file: REGION,
        old: "options.offset(plan.span.offset()).len(plan.span.len());",
        new: "options.offset(0).len(plan.span.len());",
        place: Place::Mapped,
        subject: "windows/",
    },
    Mutant {
        name: "shares private mappings",
        contract: "the changes of a private mapping stay in memory",
        file: REGION,
        old: "unsafe { options.map_copy(&**file) }.map(MmapRaw::from)",
        new: "options.map_raw(&**file)",
        place: Place::Mapped,
        subject: "modes/",
    },
    Mutant {
        name: "does not report a truncation",
        contract: "a flush returns an error if changes lie past the end of the file",
        file: MAPPED,
        old: "let checked = self.check_changes_are_in_file(&self.changed_part(&pages));",
        new: "let checked = Ok(self.forget_changed(&pages));",
        place: Place::Mapped,
        subject: "flush/",
    },
    Mutant {
        name: "tracks changed pages as one range",
        contract: "an unchanged page between two changed pages is not written",
        file: MAPPED,
        old: "self.changed.add(&pages, self.page_count())?;",
        new: "let last = self.hull.end.max(range.end) - 1;
            let hull = self.hull.start.min(range.start) >> shift..(last >> shift) + 1;
            self.changed.add(&hull, self.page_count())?;",
        place: Place::Mapped,
        subject: "pages/",
    },
    Mutant {
        name: "tracks lost pages as one range",
        contract: "a refresh clears the faults of its own pages, and of no others",
        file: LOST,
        old: "let stays = |page: &usize| self.noted.contains(*page) && !pages.contains(page);",
        new: "let first = self.noted.first_present(&(0..self.pages())).start;
        let stays = |page: &usize| *page >= first && !pages.contains(page);",
        place: Place::Buffered,
        subject: "lost/",
    },
    Mutant {
        name: "skips the access to pages",
        contract: "a call that can fail accesses every page that it returns",
        file: MAPPED,
        old: "self.region.touch(range);",
        new: "let _ = range;",
        place: Place::Mapped,
        subject: "lost/",
    },
    Mutant {
        name: "keeps a fault after a refresh",
        contract: "a fault is cleared when all its pages are refreshed",
        file: LOST,
        old: "self.first.store(if left.is_empty() { 0 } else { left.start + 1 }, Ordering::Release);",
        new: "let _ = left;",
        place: Place::Buffered,
        subject: "lost/",
    },
    Mutant {
        name: "treats the zeros of lost pages as data",
        contract: "a lost page is read again after a refresh",
        file: REFRESH,
        old: "guard.refresh(&pages, |run| self.loaded.remove(&run))?;",
        new: "guard.refresh(&pages, |_| ())?;",
        place: Place::Buffered,
        subject: "lost/",
    },
    Mutant {
        name: "replaces the kind of an error",
        contract: "later calls return the error of a failed read with its own kind",
        file: "src/backend/buffered/faults.rs",
        old: "None if self.error.get_ref().is_none() => self.error.kind().into(),",
        new: "None if self.error.get_ref().is_none() => io::ErrorKind::Other.into(),",
        place: Place::Buffered,
        subject: "lost/",
    },
    Mutant {
        name: "records the error of a hint as a fault",
        contract: "a page that was not accessed has no fault",
        file: LOAD,
        old: "known.is_none() && caller != Caller::Hint);",
        new: "known.is_none());",
        place: Place::Buffered,
        subject: "lost/",
    },
    Mutant {
        name: "finds the neighbour of a mapping",
        contract: "a fault belongs to the mapping that contains its address",
        file: "src/guard/registry.rs",
        old: "entries.get(entries.partition_point(|entry| entry.start <= address).checked_sub(1)?)",
        new: "entries.get(entries.partition_point(|entry| entry.start <= address).checked_sub(1)?.saturating_sub(1))",
        place: Place::Mapped,
        subject: "lost/",
    },
    Mutant {
        name: "marks pages as loaded before reading",
        contract: "a page whose read fails is not loaded",
        file: LOAD,
        old: "        // Pages that somebody else has noted as lost are not read again.",
        new: "        self.loaded.insert(&run);",
        place: Place::Buffered,
        subject: "storages/",
    },
    Mutant {
        name: "writes stores to lost pages",
        contract: "a store to a lost page reaches no file",
        file: BUFFERED,
        old: "for page in pages.filter(|&page| !is_lost(page)) {",
        new: "for page in pages.filter(|&page| !is_lost(page) || page < usize::MAX) {",
        place: Place::Buffered,
        subject: "lost/",
    },
    Mutant {
        name: "treats released pages as loaded",
        contract: "a released page is read again",
        file: PAGES,
        old: "if removed > 0 && before < self.ready.load(Ordering::Relaxed) {",
        new: "if removed > self.pages {",
        place: Place::Buffered,
        subject: "refresh/",
    },
    Mutant {
        name: "treats pages behind a gap as loaded",
        contract: "a page is loaded before its bytes are read",
        file: PAGES,
        old: "if range.contains(&page) {",
        new: "if page < range.end {",
        place: Place::Wasip1,
        subject: "loading/",
    },
    Mutant {
        name: "ends a line before its newline",
        contract: "a line includes its newline",
        file: LINES,
        old: "let end = self.block + self.newlines.trailing_zeros() as usize + 1;",
        new: "let end = self.block + self.newlines.trailing_zeros() as usize;",
        place: Place::Mapped,
        subject: "lines/",
    },
    Mutant {
        name: "searches for lines in pages behind them",
        contract: "no page behind a line is read",
        file: "src/mapping/file.rs",
        old: "(searched / page + 1).saturating_mul(page)",
        new: "(searched / page + 100).saturating_mul(page)",
        place: Place::Wasip1,
        subject: "lines/",
    },
];
