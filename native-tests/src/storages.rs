//! Storages for tests: bytes in memory, and a rig around any storage that counts calls, makes them fail, and shortens
//! them.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portable_mmap::{BufferedMmap, FileKind, Metadata, MmapOptions, OpenMode, Storage};

use crate::disk::{Disk, Unsynced};
use crate::others::resize;

/// Bytes in memory, which several mappings can share.
#[derive(Clone, Debug)]
pub struct Memory {
    bytes: Arc<Mutex<Vec<u8>>>,
    disk: Disk,
    mode: OpenMode,
    kind: FileKind,
}

/// The mode for reading and writing.
pub const READ_WRITE: OpenMode = OpenMode { read: true, write: true, append: false };

impl Memory {
    /// Makes memory that can be read and written.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self::with_mode(bytes, READ_WRITE)
    }

    /// Makes memory with another mode.
    #[must_use]
    pub fn with_mode(bytes: impl Into<Vec<u8>>, mode: OpenMode) -> Self {
        let bytes = bytes.into();
        Self { disk: Disk::new(&bytes), bytes: Arc::new(Mutex::new(bytes)), mode, kind: FileKind::Regular }
    }

    /// Changes the kind that the memory reports.
    #[must_use]
    pub fn of_kind(self, kind: FileKind) -> Self {
        Self { kind, ..self }
    }

    /// A copy of the current bytes: what would be left if the process were killed now.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        self.bytes().clone()
    }

    /// A copy of the bytes on its disk: what would be left after a power failure.
    #[must_use]
    pub fn durable(&self) -> Vec<u8> {
        self.disk.content()
    }

    /// Loses the unsynced changes of the disk, as a failed sync does.
    pub fn forget(&self) {
        self.disk.forget();
    }

    /// Writes bytes at an offset, as another writer does.
    pub fn overwrite(&self, offset: usize, bytes: &[u8]) {
        self.bytes()[offset..][..bytes.len()].copy_from_slice(bytes);
        self.disk.note(Unsynced::Bytes(offset..offset + bytes.len()));
    }

    /// Changes the length, as another writer does. New bytes are zeros.
    pub fn set_size(&self, len: usize) {
        resize(&mut self.bytes(), len, 0);
        self.disk.note(Unsynced::Len(len));
    }

    /// Locks the bytes, for another writer.
    pub fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl Storage for Memory {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.bytes();
        let rest = bytes.get(index(offset)..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let mut bytes = self.bytes();
        let end = index(offset).saturating_add(buf.len());
        if end > bytes.len() {
            // A write past the end extends the memory, as it does a file, so that a test detects it.
            resize(&mut bytes, end, 0);
        }
        bytes[index(offset)..end].copy_from_slice(buf);
        self.disk.note(Unsynced::Bytes(index(offset)..end));
        Ok(buf.len())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.set_size(index(len));
        Ok(())
    }

    fn allocate(&self, _: u64, to: u64) -> io::Result<()> {
        self.set_len(to)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync(&self.bytes());
        Ok(())
    }

    fn metadata(&self) -> io::Result<Metadata> {
        let mut metadata = Metadata::new(self.len()?, self.mode);
        metadata.kind = self.kind;
        Ok(metadata)
    }
}

/// The kinds of calls of a [`Rig`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `read_at`
    Read,
    /// `write_at`
    Write,
    /// `len`
    Len,
    /// `set_len`
    SetLen,
    /// `allocate`
    Allocate,
    /// `sync`
    Sync,
    /// `metadata`, which is called when mapping.
    Metadata,
}

/// A call on a storage: its offset, and how many bytes it moved (for `SetLen` and `Allocate` the length).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The kind.
    pub op: Op,
    /// The offset.
    pub offset: u64,
    /// The number of bytes.
    pub len: u64,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    /// The calls of this kind fail after the first number of calls, as many as the second number.
    failing: Option<(Option<Op>, usize, usize, io::ErrorKind)>,
    /// The maximum number of bytes of one call.
    most: Option<usize>,
    /// The memory whose disk loses its changes in each failed sync.
    disk: Disk,
    failed_syncs: usize,
}

/// The test's handle of a rigged storage: it records the calls, and decides which ones fail.
#[derive(Clone, Debug, Default)]
pub struct Rig(Arc<Mutex<State>>);

impl Rig {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the disk of this memory lose its unsynced changes in each failed sync.
    pub fn forget_with(&self, memory: &Memory) {
        self.state().disk = memory.disk.clone();
    }

    /// Wraps a storage in this rig.
    pub fn around<S: Storage>(&self, storage: S) -> Rigged<S> {
        Rigged { storage, rig: self.clone() }
    }

    /// Returns and removes the recorded calls, in order, without failed ones.
    #[must_use]
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().calls)
    }

    /// The calls of one kind since the last [`take`](Self::take), as offset and length.
    #[must_use]
    pub fn calls(&self, op: Op) -> Vec<(u64, u64)> {
        self.state().calls.iter().filter(|call| call.op == op).map(|call| (call.offset, call.len)).collect()
    }

    /// The number of calls of one kind, and of the bytes that they moved, since the last [`take`](Self::take).
    #[must_use]
    pub fn count(&self, op: Op) -> (usize, u64) {
        let calls = self.calls(op);
        (calls.len(), calls.iter().map(|(_, len)| len).sum())
    }

    /// Lets `after` more calls of a kind (or of any kind) succeed, and then makes `times` of them fail.
    pub fn fail(&self, op: impl Into<Option<Op>>, after: usize, times: usize, kind: io::ErrorKind) {
        self.state().failing = Some((op.into(), after, times, kind));
    }

    /// Lets all calls succeed again.
    pub fn mend(&self) {
        self.state().failing = None;
    }

    /// Limits the number of bytes of each call; `None` for no limit.
    pub fn shorten(&self, most: impl Into<Option<usize>>) {
        self.state().most = most.into();
    }

    /// Whether all requested failures have happened.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        matches!(self.state().failing, Some((_, _, 0, _)))
    }

    /// Returns an error if this call has to fail.
    fn fail_if_due(&self, op: Op) -> io::Result<()> {
        let State { failing, disk, failed_syncs, .. } = &mut *self.state();
        match failing {
            Some((only, after, times, kind)) if *times > 0 && only.is_none_or(|only| only == op) => {
                if *after > 0 {
                    *after -= 1;
                    return Ok(());
                }
                *times -= 1;
                if op == Op::Sync {
                    disk.forget();
                    *failed_syncs += 1;
                }
                Err((*kind).into())
            }
            _ => Ok(()),
        }
    }

    fn most(&self, len: usize) -> usize {
        self.state().most.map_or(len, |most| len.min(most))
    }

    fn note(&self, op: Op, offset: u64, len: u64) {
        self.state().calls.push(Call { op, offset, len });
    }
}

/// A storage whose calls its [`Rig`] records.
#[derive(Debug)]
pub struct Rigged<S> {
    storage: S,
    rig: Rig,
}

impl<S: Storage> Storage for Rigged<S> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.rig.fail_if_due(Op::Read)?;
        let most = self.rig.most(buf.len());
        let n = self.storage.read_at(&mut buf[..most], offset)?;
        self.rig.note(Op::Read, offset, n as u64);
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.rig.fail_if_due(Op::Write)?;
        let n = self.storage.write_at(&buf[..self.rig.most(buf.len())], offset)?;
        self.rig.note(Op::Write, offset, n as u64);
        Ok(n)
    }

    fn len(&self) -> io::Result<u64> {
        self.rig.fail_if_due(Op::Len)?;
        let len = self.storage.len()?;
        self.rig.note(Op::Len, 0, 0);
        Ok(len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.rig.fail_if_due(Op::SetLen)?;
        self.storage.set_len(len)?;
        self.rig.note(Op::SetLen, 0, len);
        Ok(())
    }

    fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
        self.rig.fail_if_due(Op::Allocate)?;
        self.storage.allocate(from, to)?;
        self.rig.note(Op::Allocate, from, to);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.rig.fail_if_due(Op::Sync)?;
        self.storage.sync()?;
        self.rig.note(Op::Sync, 0, 0);
        Ok(())
    }

    fn failed_syncs(&self) -> usize {
        self.rig.state().failed_syncs
    }

    fn metadata(&self) -> io::Result<Metadata> {
        self.rig.fail_if_due(Op::Metadata)?;
        let metadata = self.storage.metadata()?;
        self.rig.note(Op::Metadata, 0, 0);
        Ok(metadata)
    }
}

/// A buffer over rigged memory: always the emulation, with whatever backend a case runs.
#[derive(Debug)]
pub struct Emulated {
    /// The mapped memory.
    pub memory: Memory,
    /// The rig of the memory.
    pub rig: Rig,
    /// The mapping.
    pub map: BufferedMmap<Rigged<Memory>>,
}

impl Emulated {
    /// Maps the whole of `content` for reading and writing.
    #[must_use]
    pub fn new(content: impl Into<Vec<u8>>) -> Self {
        Self::with(&MmapOptions::new(), content)
    }

    /// Maps `content` with these options. The rig does not record the calls of mapping.
    #[must_use]
    pub fn with(options: &MmapOptions, content: impl Into<Vec<u8>>) -> Self {
        let (memory, rig) = (Memory::new(content), Rig::default());
        rig.forget_with(&memory);
        let map = options.map_storage(rig.around(memory.clone())).expect("memory can be mapped");
        let _ = rig.take();
        Self { memory, rig, map }
    }
}
