//! A file on a file system without shared mappings: FUSE with direct I/O.

#![cfg(target_os = "linux")]

mod common;

use std::ffi::OsStr;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Target, guest};
use fuser::{
    Errno, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags, ReplyAttr,
    ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, WriteFlags,
};
use native_tests::others::pattern;
use wasm_tests::child;
use wasm_tests::mounted::{Mounted, TTL, attributes};
use wasm_tests::outcome::End;

/// The name of the file, and its node.
const FILE: &str = "file";
const NODE: INodeNo = INodeNo(2);

/// The length of the file in bytes, which is not a multiple of the page size.
const LEN: usize = 70_000;

/// The contents of the file, and the counts of the requests.
#[derive(Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    written: usize,
    syncs: usize,
}

/// A file system of one file, which is open for direct I/O.
struct Server(Arc<Mutex<Contents>>);

impl Filesystem for Server {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if parent == INodeNo::ROOT && name == FILE {
            reply.entry(&TTL, &attributes(NODE, FileType::RegularFile, LEN as u64), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let (kind, len) = if node == NODE { (FileType::RegularFile, LEN) } else { (FileType::Directory, 0) };
        reply.attr(&TTL, &attributes(node, kind, len as u64));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let contents = self.0.lock().unwrap();
        let start = usize::try_from(offset).map_or(LEN, |start| start.min(LEN));
        reply.data(&contents.bytes[start..LEN.min(start + size as usize)]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut contents = self.0.lock().unwrap();
        let place =
            usize::try_from(offset).ok().and_then(|start| contents.bytes.get_mut(start..)?.get_mut(..data.len()));
        let Some(place) = place else { return reply.error(Errno::EFBIG) };
        place.copy_from_slice(data);
        contents.written += data.len();
        reply.written(u32::try_from(data.len()).expect("the length of a request fits"));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // The kernel calls this when a descriptor is closed, which syncs nothing.
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        self.0.lock().unwrap().syncs += 1;
        reply.ok();
    }
}

#[test]
fn without_shared_mappings_reads_use_a_private_one_and_writes_use_a_buffer() {
    let contents = Arc::new(Mutex::new(Contents { bytes: pattern(LEN), ..Contents::default() }));
    let mounted = match Mounted::new("direct", Server(contents.clone())) {
        Ok(mounted) => mounted,
        Err(error) => {
            println!("NOT RUN: a file system cannot be mounted through FUSE: {error}");
            return;
        }
    };
    let path = mounted.path().join(FILE);
    let program = guest(Target::Native, "odd");
    let args = ["shared".as_ref(), path.as_os_str()];
    let (report, _) = child::run(program.as_os_str(), &args, Some(Duration::from_mins(1))).unwrap();
    mounted.unmount().unwrap();
    assert_eq!(report.end, End::Exited(0), "{}", report.stderr.escape_ascii());

    // ENODEV, for which std has no kind.
    let number = 19;
    assert!(io::Error::from_raw_os_error(number).to_string().starts_with("No such device"));
    let path = path.display();
    let mut expected = Vec::new();
    for access in ["Read", "Write"] {
        expected.push(format!(
            "open, {access}: OS error Some({number}), Io of map, Uncategorized: cannot map {LEN} bytes of `{path}`\n\
             map, {access}: OS error Some({number}), Io of map, Uncategorized: cannot map {LEN} bytes\n"
        ));
    }
    for (access, backend) in [("Read", "mapped"), ("Copy", "mapped"), ("Write", "buffered")] {
        expected.push(format!("any, {access}: {backend}, {LEN} bytes, the same as a read\n"));
    }
    expected.push("flush: done\n".to_owned());
    assert_eq!(String::from_utf8(report.stdout).unwrap(), expected.concat());

    let contents = contents.lock().unwrap();
    let mut bytes = pattern(LEN);
    bytes[0] ^= 0x55;
    bytes[LEN - 1] ^= 0x55;
    assert!(contents.bytes == bytes, "the flush has reached the file");
    assert_eq!((contents.written, contents.syncs), (2, 1));
}
