//! The files of a job, and the facts that it reports beside its answer.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};

use portable_mmap::{Access, Mmap, MmapOptions};

use crate::workloads::own_status;

/// Text, and the copy of it.
pub(super) const TEXT: &str = "text";
/// The table, and the copy of its beginning.
pub(super) const TABLE: &str = "table";

/// Where a job works.
#[derive(Debug)]
pub struct Place {
    /// The data.
    pub data: PathBuf,
    /// Copies of the data, which are edited.
    pub scratch: PathBuf,
    /// How many times the copy was edited before, or which keys are looked up.
    pub turn: usize,
    /// The number of instances that one process stands for.
    pub times: usize,
    /// Whether `held` measures the memory, which takes time.
    pub looks: bool,
    most: Cell<u64>,
    backend: Cell<Option<&'static str>>,
    note: RefCell<Option<String>>,
}

impl Place {
    /// The place of a first run on `data`, and on copies in `scratch`.
    #[must_use]
    pub fn new(data: &Path, scratch: &Path) -> Self {
        Self {
            data: data.to_owned(),
            scratch: scratch.to_owned(),
            turn: 0,
            times: 1,
            looks: false,
            most: Cell::new(0),
            backend: Cell::new(None),
            note: RefCell::new(None),
        }
    }

    /// Text of 1 GiB.
    pub(super) fn text(&self) -> PathBuf {
        self.data.join("text-1-gib")
    }

    /// The table of 1 GiB.
    pub(super) fn table(&self) -> PathBuf {
        self.data.join(TABLE)
    }

    pub(super) fn copy(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// Maps a file.
    pub(super) fn map(&self, path: &Path, access: Access) -> io::Result<Mmap> {
        // SAFETY: nobody else changes the file meanwhile.
        let map = unsafe { MmapOptions::new().access(access).open(path) }?;
        self.backend.set(Some(map.backend_name()));
        Ok(map)
    }

    /// A job calls this when it has all its memory.
    pub(super) fn held(&self) {
        if self.looks {
            self.most.set(self.most.get().max(own_memory().unwrap_or(0)));
        }
    }

    /// The most memory that a call of `held` has measured; `None` if the system does not report it.
    pub fn most_memory(&self) -> Option<u64> {
        Some(self.most.get()).filter(|&most| most > 0)
    }

    /// The kind of mapping, if the job has made one.
    pub fn backend(&self) -> Option<&'static str> {
        self.backend.get()
    }

    /// Records that the job ran in another way than its name says, and why.
    pub(super) fn note(&self, note: String) {
        self.note.replace(Some(note));
    }

    /// The recorded notes.
    pub fn noted(&self) -> Option<String> {
        self.note.borrow().clone()
    }
}

/// The memory that only this process uses, in bytes; `None` if the system does not report it. It does not include pages
/// of mapped files, which are in the system's cache once, for all readers of the file.
#[must_use]
pub fn own_memory() -> Option<u64> {
    own_status("RssAnon")
}
