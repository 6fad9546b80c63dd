//! The mounted file system, which receives the program's requests for its file from the kernel.

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

use super::checker::Checker;
use crate::mounted::{self, TTL, attributes};

// The root is the directory; these are the files in it.
const FILE_NODE: INodeNo = INodeNo(2);
const REPORTS_NODE: INodeNo = INodeNo(3);

/// A file system that is mounted until this is dropped.
#[derive(Debug)]
pub(super) struct Mounted {
    checker: Arc<Mutex<Option<Checker>>>,
    mounted: mounted::Mounted,
}

impl Mounted {
    /// Mounts the file of a run.
    pub(super) fn new(checker: Checker) -> io::Result<Self> {
        let checker = Arc::new(Mutex::new(Some(checker)));
        let mounted = mounted::Mounted::new("power", Server { checker: Arc::clone(&checker) })?;
        Ok(Self { checker, mounted })
    }

    /// The directory of the files, for this process and its children.
    pub(super) fn path(&self) -> &Path {
        self.mounted.path()
    }

    /// Unmounts the file system, which must not be used any more, and returns its results.
    pub(super) fn unmount(self) -> Result<Checker, String> {
        self.mounted.unmount().map_err(|error| format!("it cannot be unmounted: {error}"))?;
        lock(&self.checker).take().ok_or_else(|| "its file system has failed".to_owned())
    }
}

struct Server {
    checker: Arc<Mutex<Option<Checker>>>,
}

fn lock(checker: &Mutex<Option<Checker>>) -> MutexGuard<'_, Option<Checker>> {
    checker.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Runs a request. A panic must not end this thread, because a process that waits for the reply would wait forever.
    /// After a panic there is no checker any more, and every request fails.
    fn serve<T>(&self, node: INodeNo, request: impl FnOnce(&mut Checker) -> Result<T, Errno>) -> Result<T, Errno> {
        if node != FILE_NODE && node != REPORTS_NODE {
            return Err(Errno::EISDIR);
        }
        let mut checker = lock(&self.checker);
        let mut present = checker.take().ok_or(Errno::EIO)?;
        let result = catch_unwind(AssertUnwindSafe(|| (request(&mut present), present)));
        let (result, present) = result.map_err(|_| Errno::EIO)?;
        *checker = Some(present);
        result
    }

    fn attributes(&self, node: INodeNo) -> Result<FileAttr, Errno> {
        if node == INodeNo::ROOT {
            return Ok(attributes(node, FileType::Directory, 0));
        }
        self.serve(node, |checker| {
            let len = if node == FILE_NODE { checker.disk.len() } else { 0 };
            Ok(attributes(node, FileType::RegularFile, len as u64))
        })
    }
}

/// An offset or a length, if it is one of a small file.
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
            self.serve(node, |checker| {
                checker.request();
                checker.disk.set_len(len);
                Ok(())
            })
        });
        match done.and_then(|()| self.attributes(node)) {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, node: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // With direct I/O each report arrives when it is written, as one request.
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
        let read = self.serve(node, |checker| {
            if node == REPORTS_NODE {
                return Ok(Vec::new());
            }
            checker.request();
            Ok(checker.disk.read(small(offset)?, size as usize).to_vec())
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
        let written = self.serve(node, |checker| {
            if node == REPORTS_NODE {
                return if checker.report(data) { Ok(()) } else { Err(Errno::EIO) };
            }
            checker.request();
            checker.disk.write(small(offset)?, data);
            Ok(())
        });
        match written {
            Ok(()) => reply.written(u32::try_from(data.len()).expect("the length of a request fits")),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // The kernel calls this when a descriptor is closed, which syncs nothing.
        reply.ok();
    }

    /// Data and metadata are synced in either case, because a length that the data needs is part of the data.
    fn fsync(&self, _: &Request, node: INodeNo, _: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        let synced = self.serve(node, |checker| {
            checker.request();
            checker.disk.sync();
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
