//! The mutants: each a text of the library, the text that takes its place, and what that breaks.

/// A library that is broken in one place.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// What it does wrong.
    pub name: &'static str,
    /// What it breaks: a sentence of the contract, after "that".
    pub contract: &'static str,
    /// The file of the library that it changes.
    pub file: &'static str,
    /// What stands there once.
    pub old: &'static str,
    /// What stands there instead.
    pub new: &'static str,
    /// Where it is run.
    pub place: Place,
    /// The cases that must notice it are among those whose names contain this.
    pub subject: &'static str,
}

/// The column that has a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The OS mapping.
    Mapped,
    /// The emulation, natively.
    Buffered,
    /// The emulation in wasmtime.
    Wasip1,
}

impl Place {
    /// The column's name, as the ledger has it.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Mapped => "native Mapped",
            Self::Buffered => "native Buffered",
            Self::Wasip1 => "wasip1",
        }
    }

    /// What is to be built, if not for this machine.
    pub(super) fn target(self) -> Option<&'static str> {
        (self == Self::Wasip1).then_some("wasm32-wasip1")
    }
}

const WRITE_BACK: &str = "src/backend/buffered/write_back.rs";
const LOAD: &str = "src/backend/buffered/load.rs";
const BUFFERED: &str = "src/backend/buffered/mod.rs";
const MAPPED: &str = "src/region/os/mod.rs";

/// All of them.
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
        name: "joins over a gap",
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
        name: "forgets after an error",
        contract: "what an error kept from being written stays changed",
        file: WRITE_BACK,
        old: "settle(copies, pages.start..reached / PAGE, &self.block, self.watched);",
        new: "settle(copies, pages, &self.block, self.watched);",
        place: Place::Buffered,
        subject: "faults/",
    },
    Mutant {
        name: "writes twice",
        contract: "what was written before an error is no change any more",
        file: WRITE_BACK,
        old: "copy[..written.len()].copy_from_slice(written);",
        new: "let _ = (copy, written);",
        place: Place::Buffered,
        subject: "write_back/",
    },
    Mutant {
        name: "trusts short writes",
        contract: "a write that the storage cuts short is completed",
        file: WRITE_BACK,
        old: "self.pending.start += written;",
        new: "self.pending.start += written.max(bytes.len());",
        place: Place::Buffered,
        subject: "storages/",
    },
    Mutant {
        name: "keeps a failed sync quiet",
        contract: "a flush succeeds only when its bytes are on the disk",
        file: BUFFERED,
        old: "storage.sync().map_err(|e| Error::io(\"sync\", self.span.offset(), self.span.len() as u64, e))?;",
        new: "let _ = storage.sync();",
        place: Place::Wasip1,
        subject: "faults/",
    },
    Mutant {
        name: "syncs at most once",
        contract: "a sync that failed is tried again by the next flush",
        file: BUFFERED,
        old: "if let (Durability::Disk, true, Some(storage)) = (durability, self.unsynced, &self.storage) {",
        new: "if let (Durability::Disk, true, Some(storage)) =
            (durability, std::mem::take(&mut self.unsynced), &self.storage) {",
        place: Place::Buffered,
        subject: "write_back/",
    },
    Mutant {
        name: "writes copies back",
        contract: "the changes of a private mapping stay in memory",
        file: BUFFERED,
        old: "} else if plan.reaches_file() {",
        new: "} else if plan.access != crate::Access::Read {",
        place: Place::Wasip1,
        subject: "modes/",
    },
    Mutant {
        name: "reads one byte further",
        contract: "a page shows the bytes of its own place in the file",
        file: LOAD,
        old: "let offset = self.span.file_offset(start + filled);",
        new: "let offset = self.span.file_offset(start + filled) + u64::from(start > 0);",
        place: Place::Wasip1,
        subject: "loading/",
    },
    Mutant {
        name: "does not zero the end",
        contract: "behind the end of the file its last page goes on with zeros",
        file: LOAD,
        old: "zeroed(&mut memory[filled..page_end]);",
        new: "memory[filled..page_end].fill(std::mem::MaybeUninit::new(0xa5));",
        place: Place::Buffered,
        subject: "shrunken/",
    },
    Mutant {
        name: "shows a stale page",
        contract: "after a refresh clean pages show what the file holds",
        file: "src/backend/buffered/refresh.rs",
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
        name: "allocates nothing",
        contract: "a storage that cannot reserve room says so and stays as long as it is",
        file: "src/storage/mod.rs",
        old: "io::ErrorKind::Unsupported if allocate => Error::Unsupported {",
        new: "io::ErrorKind::Unsupported if allocate && storage.set_len(to).is_err() => Error::Unsupported {",
        place: Place::Buffered,
        subject: "storage/",
    },
    Mutant {
        name: "ignores the file's mode",
        contract: "a file that is open for reading only is not mapped for writing",
        file: "src/storage/posix.rs",
        old: "write: access == OFlags::WRONLY || access == OFlags::RDWR,",
        new: "write: true,",
        place: Place::Buffered,
        subject: "modes/",
    },
    Mutant {
        name: "appends",
        contract: "a file that is open for appending is refused, for its writes would go elsewhere",
        file: "src/storage/wasip1.rs",
        old: "append: stat.fs_flags & wasi::FDFLAGS_APPEND != 0,",
        new: "append: false,",
        place: Place::Wasip1,
        subject: "modes/",
    },
    Mutant {
        name: "leaves the cursor",
        contract: "a mapping does not move the cursor of its file",
        file: "src/storage/wasip1.rs",
        old: "seek(i64::try_from(cursor).unwrap_or(i64::MAX))?;",
        new: "let _ = cursor;",
        place: Place::Wasip1,
        subject: "ownership/",
    },
    Mutant {
        name: "ignores access",
        contract: "a mapping for reading refuses to be resized",
        file: "src/mapping/mod.rs",
        old: "if matches!(self.plan.access, Access::Read | Access::Copy) {",
        new: "if matches!(self.plan.access, Access::Copy) {",
        place: Place::Mapped,
        subject: "resize/",
    },
    Mutant {
        name: "maps from the start",
        contract: "a window shows the file from its own offset on",
        file: MAPPED,
        old: "options.offset(span.offset()).len(span.len());",
        new: "options.offset(0).len(span.len());",
        place: Place::Mapped,
        subject: "windows/",
    },
    Mutant {
        name: "shares what is private",
        contract: "the changes of a private mapping stay in memory",
        file: MAPPED,
        old: "unsafe { options.map_copy(&**file) }.map(MmapRaw::from)",
        new: "options.map_raw(&**file)",
        place: Place::Mapped,
        subject: "modes/",
    },
    Mutant {
        name: "is silent on a cut",
        contract: "a flush says so when changes lie behind the end of the file",
        file: MAPPED,
        old: "        self.check_changes_are_in_file(&range)?;
        if range.start",
        new: "        if range.start",
        place: Place::Mapped,
        subject: "flush/",
    },
];
