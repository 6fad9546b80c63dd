//! The file system that is mounted, and through which the kernel tells what a program does with its file.

use std::ffi::OsStr;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};
use native_tests::power::{FILE, REPORTS};

use super::witness::Witness;
use crate::mounted::{self, TTL, attributes};

/// The directory is the root; these are the files in it.
const FILE_NODE: INodeNo = INodeNo(2);
const REPORTS_NODE: INodeNo = INodeNo(3);

/// A file system that is mounted until this is dropped.
#[derive(Debug)]
pub(super) struct Mounted {
    witness: Arc<Mutex<Option<Witness>>>,
    mounted: mounted::Mounted,
}

impl Mounted {
    /// Mounts the file of a run.
    pub(super) fn new(witness: Witness) -> io::Result<Self> {
        let witness = Arc::new(Mutex::new(Some(witness)));
        let mounted = mounted::Mounted::new("power", Server { witness: Arc::clone(&witness) })?;
        Ok(Self { witness, mounted })
    }

    /// Where the files are, for this process and its children.
    pub(super) fn path(&self) -> &Path {
        self.mounted.path()
    }

    /// Unmounts, and gives what was seen. Nobody uses the file system any more.
    pub(super) fn unmount(self) -> Result<Witness, String> {
        self.mounted.unmount().map_err(|error| format!("it cannot be unmounted: {error}"))?;
        lock(&self.witness).take().ok_or_else(|| "its file system has failed".to_owned())
    }
}

struct Server {
    witness: Arc<Mutex<Option<Witness>>>,
}

fn lock(witness: &Mutex<Option<Witness>>) -> MutexGuard<'_, Option<Witness>> {
    witness.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// What a request does. A panic must not end this thread: whoever waits for an answer would wait for ever. After one
    /// there is no witness any more, and every request fails.
    fn serve<T>(&self, node: INodeNo, request: impl FnOnce(&mut Witness) -> Result<T, Errno>) -> Result<T, Errno> {
        if node != FILE_NODE && node != REPORTS_NODE {
            return Err(Errno::EISDIR);
        }
        let mut witness = lock(&self.witness);
        let mut present = witness.take().ok_or(Errno::EIO)?;
        let answer = catch_unwind(AssertUnwindSafe(|| (request(&mut present), present)));
        let (answer, present) = answer.map_err(|_| Errno::EIO)?;
        *witness = Some(present);
        answer
    }

    fn attributes(&self, node: INodeNo) -> Result<FileAttr, Errno> {
        if node == INodeNo::ROOT {
            return Ok(attributes(node, FileType::Directory, 0));
        }
        self.serve(node, |witness| {
            let len = if node == FILE_NODE { witness.disk.len() } else { 0 };
            Ok(attributes(node, FileType::RegularFile, len as u64))
        })
    }
}

/// An offset or a length, which is that of a small file.
fn small(number: u64) -> Result<usize, Errno> {
    usize::try_from(number).ok().filter(|&number| number <= 1 << 30).ok_or(Errno::EFBIG)
}

impl Filesystem for Server {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let node = match name.to_str() {
            Some(FILE) if parent == INodeNo::ROOT => FILE_NODE,
            Some(REPORTS) if parent == INodeNo::ROOT => REPORTS_NODE,
            _ => return reply.error(Errno::ENOENT),
        };
        match self.attributes(node) {
            Ok(attributes) => reply.entry(&TTL, &attributes, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(node) {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let done = size.filter(|_| node == FILE_NODE).map_or(Ok(()), |size| {
            let len = small(size)?;
            self.serve(node, |witness| {
                witness.request();
                witness.disk.set_len(len);
                Ok(())
            })
        });
        match done.and_then(|()| self.attributes(node)) {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, node: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // Each report is a request, when it is written and as a whole.
        let flags = if node == REPORTS_NODE { FopenFlags::FOPEN_DIRECT_IO } else { FopenFlags::empty() };
        reply.opened(FileHandle(0), flags);
    }

    fn read(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self.serve(node, |witness| {
            if node == REPORTS_NODE {
                return Ok(Vec::new());
            }
            witness.request();
            Ok(witness.disk.read(small(offset)?, size as usize).to_vec())
        });
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.serve(node, |witness| {
            if node == REPORTS_NODE {
                return if witness.report(data) { Ok(()) } else { Err(Errno::EIO) };
            }
            witness.request();
            witness.disk.write(small(offset)?, data);
            Ok(())
        });
        match written {
            Ok(()) => reply.written(u32::try_from(data.len()).expect("the length of a request")),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // That of a descriptor that is closed: nothing is synced by it.
        reply.ok();
    }

    /// Whether the data alone or everything: a length that the data needs goes with either.
    fn fsync(&self, _: &Request, node: INodeNo, _: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        let synced = self.serve(node, |witness| {
            witness.request();
            witness.disk.sync();
            Ok(())
        });
        match synced {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn readdir(&self, _: &Request, _: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        if offset == 0 && !reply.add(FILE_NODE, 1, FileType::RegularFile, FILE) {
            let _ = reply.add(REPORTS_NODE, 2, FileType::RegularFile, REPORTS);
        }
        reply.ok();
    }
}
