//! Requests with `fd_pread`, and calls that look like a request.

use portable_mmap::FaultKind;
use portable_mmap::host::fault_word;
use portable_mmap::host::request::{LEN, NOBODY, OFFSET, REPLY_LEN, Request, decode_reply};

use crate::common::host::read;
use crate::common::{AT, BLOCK, DIRTY, DISK, Guest, HostKind, PAGE, READ, SHARED, Scene, Test, WRITE, errno, pattern};
use crate::common::{tests, trusting};

pub(crate) const TESTS: &[Test] = tests![
    a_guest_without_the_import_can_make_all_requests,
    a_probe_returns_false_without_attach,
    the_reply_overwrites_only_the_request,
    a_request_that_overlaps_its_block_is_invalid,
    a_request_in_a_mapping_is_ignored,
    a_call_that_differs_from_a_request_goes_to_wasi,
    a_read_of_a_file_is_still_a_read,
    a_request_returns_the_errors_of_the_import,
];

/// The addresses that the guest passes: of the vectors, of the request, and of the number of bytes that were read.
const IOVS: usize = 4096;
const REQUEST: usize = 8192;
const NREAD: usize = 512;

/// The parameters of `fd_pread`, and the vectors in memory.
#[derive(Clone, Copy)]
struct Call {
    iovs: usize,
    iovs_len: i64,
    offset: u64,
    nread: usize,
    first: [usize; 2],
    request: [usize; 2],
}

impl Default for Call {
    fn default() -> Self {
        let (first, request) = ([1024, 1], [REQUEST, LEN]);
        Self { iovs: IOVS, iovs_len: 2, offset: OFFSET, nread: NREAD, first, request }
    }
}

impl Call {
    /// Calls `fd_pread`, and returns its result.
    #[track_caller]
    fn make(self, guest: &mut Guest) -> i64 {
        self.try_make(guest).expect("WASI accepts these pointers")
    }

    fn try_make(self, guest: &mut Guest) -> wasmtime::Result<i64> {
        self.write_vectors(guest);
        let arguments = [NOBODY.into(), self.iovs as i64, self.iovs_len, self.offset.cast_signed(), self.nread as i64];
        guest.try_call("fd_pread", &arguments)
    }

    /// Writes the vectors to the address in the call, if it is in memory.
    fn write_vectors(self, guest: &mut Guest) {
        let vectors = [self.first, self.request].concat();
        let vectors: Vec<u8> = vectors.iter().flat_map(|&word| (word as u32).to_le_bytes()).collect();
        if self.iovs + vectors.len() <= guest.memory().data_size(&guest.store) {
            guest.write(self.iovs, &vectors);
        }
    }
}

const NONCE: u64 = 0xfeed_beef;

/// Makes a request to which the host must reply.
#[track_caller]
fn make_request(guest: &mut Guest, request: Request) -> i64 {
    guest.write(REQUEST, &request.encode(NONCE));
    assert_eq!(Call::default().make(guest), 0);
    reply(guest).expect("the host replies")
}

fn reply(guest: &mut Guest) -> Option<i64> {
    decode_reply(&guest.bytes(REQUEST..REQUEST + LEN).try_into().unwrap(), NONCE)
}

fn map(inode: i64, offset: usize, at: usize, len: usize, flags: u32) -> Request {
    Request::Map { file: inode.cast_unsigned(), offset: offset as u64, start: at as u32, len: len as u32, flags }
}

fn a_guest_without_the_import_can_make_all_requests(scene: &Scene) {
    let file = scene.file("f", &pattern(4 * BLOCK));
    let mut guest = scene.guest();
    let fd = guest.open("f", READ | WRITE);
    let inode = guest.inode(fd);
    assert_eq!(make_request(&mut guest, Request::Probe), 1);
    let handle = i32::try_from(make_request(&mut guest, map(inode, BLOCK, AT, 3 * BLOCK, SHARED))).unwrap();
    assert_eq!((handle > 0, guest.mappings()), (true, 1));
    guest.assert_shows(AT, &file, BLOCK, 3 * BLOCK);

    let len = 3 * BLOCK as u32;
    guest.store(AT + 5, 77);
    for how in [DISK, DIRTY] {
        assert_eq!(make_request(&mut guest, Request::Sync { handle, offset: 0, len, how }), 0);
    }
    assert_eq!(read(&file, BLOCK + 5, 1), [77]);
    assert_eq!(make_request(&mut guest, Request::Advise { handle, offset: 0, len, advice: 3 }), 0);

    assert_eq!(make_request(&mut guest, Request::Fault { handle }), 0);
    guest.set_size(fd, BLOCK + PAGE);
    assert_eq!(guest.load(AT + 2 * PAGE), 0);
    assert_eq!(
        make_request(&mut guest, Request::Fault { handle }),
        fault_word(Some((2 * PAGE as u32, FaultKind::Truncated)))
    );
    let lost = |offset| Request::Lost { handle, offset };
    assert_eq!(make_request(&mut guest, lost(2 * PAGE as u32)), 1);
    assert_eq!(make_request(&mut guest, lost(0)), 0);
    guest.set_size(fd, 4 * BLOCK);
    assert_eq!(make_request(&mut guest, Request::Refresh { handle, offset: 0, len }), 0);
    assert_eq!(make_request(&mut guest, Request::Fault { handle }), 0);

    assert_eq!(make_request(&mut guest, Request::Unmap { handle }), 0);
    assert_eq!(guest.mappings(), 0);
    guest.assert_zeros(AT..AT + 3 * BLOCK);
}

fn a_probe_returns_false_without_attach(scene: &Scene) {
    let host = scene.host();
    let store = host.store(&trusting(), &scene.dir, wasmtime_wasi::FsPerms::ReadWrite);
    let mut guest = host.instance(store).unwrap();
    assert_eq!(make_request(&mut guest, Request::Probe), 0);
    drop(guest);
    assert_eq!(make_request(&mut host.guest(&trusting()), Request::Probe), 1);
}

fn the_reply_overwrites_only_the_request(scene: &Scene) {
    let mut guest = scene.guest();
    let request = Request::Probe.encode(NONCE);
    guest.write(NREAD, &[9; 4]);
    guest.write(REQUEST - 4, &[9; LEN + 8]);
    guest.write(1024, &[9]);
    guest.write(REQUEST, &request);
    assert_eq!(Call::default().make(&mut guest), 0);
    assert_eq!(reply(&mut guest), Some(1));
    assert_eq!(guest.bytes(REQUEST + REPLY_LEN..REQUEST + LEN), request[REPLY_LEN..]);
    assert_eq!(guest.bytes(REQUEST - 4..REQUEST), [9; 4]);
    assert_eq!(guest.bytes(REQUEST + LEN..REQUEST + LEN + 4), [9; 4]);
    assert_eq!(guest.bytes(1024..1025), [9]);
    assert_eq!(guest.bytes(NREAD..NREAD + 4), [0; 4], "no bytes were read");
}

fn a_request_that_overlaps_its_block_is_invalid(scene: &Scene) {
    let file = scene.file("f", &pattern(4 * BLOCK));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    let invalid = Some(-i64::from(errno::INVAL));
    for flags in [0, SHARED] {
        // The whole block counts, including its last page, which contains no byte of the file.
        for at in [AT, AT + 4, AT - 4, AT + BLOCK - LEN, AT + BLOCK - 4] {
            guest.write(at, &map(inode, 0, AT, PAGE, flags).encode(NONCE));
            let call = Call { first: [AT, PAGE], request: [at, LEN], ..Call::default() };
            assert_eq!(call.make(&mut guest), 0);
            let bytes = guest.bytes(at..at + LEN).try_into().unwrap();
            assert_eq!((decode_reply(&bytes, NONCE), guest.mappings()), (invalid, 0), "a request at {at}");
        }
        for nread in [AT, AT + BLOCK - 4] {
            guest.write(REQUEST, &map(inode, 0, AT, PAGE, flags).encode(NONCE));
            assert_eq!(Call { nread, ..Call::default() }.make(&mut guest), 0);
            assert_eq!((reply(&mut guest), guest.mappings()), (invalid, 0), "the number at {nread}");
        }
    }
    // Directly behind and before the block it works.
    let at = AT + BLOCK;
    guest.write(at, &map(inode, 0, AT, BLOCK, SHARED).encode(NONCE));
    assert_eq!(Call { request: [at, LEN], nread: AT - 4, ..Call::default() }.make(&mut guest), 0);
    assert_eq!(guest.mappings(), 1);
    assert!(read(&file, 0, 4 * BLOCK) == pattern(4 * BLOCK), "the file has not changed");
}

fn a_request_in_a_mapping_is_ignored(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    let handle = i32::try_from(guest.mapped(inode, 0, AT, BLOCK, SHARED)).unwrap();
    guest.write(AT, &Request::Unmap { handle }.encode(NONCE));
    let before = read(&file, 0, BLOCK);
    for call in [
        Call { request: [AT, LEN], ..Call::default() },
        Call { nread: AT, ..Call::default() },
        Call { nread: AT + BLOCK - 4, ..Call::default() },
    ] {
        guest.write(REQUEST, &Request::Unmap { handle }.encode(NONCE));
        assert_eq!(call.make(&mut guest), errno::BADF.into(), "WASI has no such descriptor");
        assert_eq!((reply(&mut guest), guest.mappings()), (None, 1));
        assert!(read(&file, 0, BLOCK) == before, "the file has not changed");
    }
}

fn a_call_that_differs_from_a_request_goes_to_wasi(scene: &Scene) {
    let mut guest = scene.guest();
    let size = guest.memory().data_size(&guest.store);
    let top = u32::MAX as usize;
    let this = Call::default();
    let calls = [
        Call { offset: 0, ..this },
        Call { offset: OFFSET + 1, ..this },
        Call { offset: OFFSET | 1 << 63, ..this },
        Call { iovs_len: 0, ..this },
        Call { iovs_len: 1, ..this },
        Call { iovs_len: 3, ..this },
        Call { iovs_len: i64::from(u32::MAX), ..this },
        Call { iovs_len: 1 << 28, ..this },
        Call { iovs: IOVS + 1, ..this },
        Call { iovs: size - 8, ..this },
        Call { iovs: size, ..this },
        Call { iovs: top - 3, ..this },
        Call { nread: NREAD + 2, ..this },
        Call { nread: size, ..this },
        Call { nread: top - 3, ..this },
        Call { request: [REQUEST, LEN - 1], ..this },
        Call { request: [REQUEST, LEN + 1], ..this },
        Call { request: [REQUEST, 0], ..this },
        Call { request: [REQUEST, top], ..this },
        Call { request: [REQUEST + 1, LEN], ..this },
        Call { request: [size - LEN + 1, LEN], ..this },
        Call { request: [size, LEN], ..this },
        Call { request: [top, LEN], ..this },
        Call { first: [size, 1], ..this },
        Call { first: [1024, top], ..this },
        Call { first: [top, top], ..this },
    ];
    for (index, call) in calls.into_iter().enumerate() {
        guest.write(REQUEST, &Request::Probe.encode(NONCE));
        call.write_vectors(&mut guest);
        let before = [guest.bytes(0..2 * BLOCK), guest.bytes(size - BLOCK..size)];
        // wasmtime-wasi returns an error, or ends the guest, for example for pointers that are not aligned.
        let returned = call.try_make(&mut guest).unwrap_or(-1);
        assert_ne!(returned, 0, "call {index}");
        let after = [guest.bytes(0..2 * BLOCK), guest.bytes(size - BLOCK..size)];
        assert!(after == before, "call {index} changes nothing");
    }
    // Requests with other contents.
    for (at, byte) in [(0, b'P'), (15, b'2'), (24, 9), (28, 1), (LEN - 1, 1)] {
        let mut request = Request::Probe.encode(NONCE);
        request[at] = byte;
        guest.write(REQUEST, &request);
        assert!(this.make(&mut guest) > 0, "byte {at}");
        assert_eq!(guest.bytes(REQUEST..REQUEST + LEN), request);
    }
    assert_eq!(make_request(&mut guest, Request::Probe), 1);
}

fn a_read_of_a_file_is_still_a_read(scene: &Scene) {
    scene.file("f", &pattern(2 * BLOCK));
    let mut guest = scene.guest();
    let fd = guest.open("f", READ);
    guest.pread(fd, AT, BLOCK, PAGE);
    assert!(guest.bytes(AT..AT + BLOCK) == pattern(2 * BLOCK)[PAGE..PAGE + BLOCK]);
    // At the offset of requests there is nothing to read.
    guest.write(REQUEST, &[3; LEN]);
    let vectors = [1024_u32, 1, REQUEST as u32, LEN as u32].map(u32::to_le_bytes).concat();
    guest.write(IOVS, &vectors);
    assert_eq!(guest.call("fd_pread", &[fd, IOVS as i64, 2, OFFSET.cast_signed(), NREAD as i64]), 0);
    assert_eq!(guest.bytes(NREAD..NREAD + 4), [0; 4]);
    assert_eq!(guest.bytes(REQUEST..REQUEST + LEN), [3; LEN]);
}

fn a_request_returns_the_errors_of_the_import(scene: &Scene) {
    scene.file("f", &pattern(BLOCK));
    let mut guest = scene.guest();
    let inode = guest.open_inode("f");
    for (request, errno) in [
        (map(inode, 0, AT + 1, BLOCK, 0), errno::INVAL),
        (map(inode, 0, AT, 0, 0), errno::INVAL),
        (map(inode, 0, AT, BLOCK, 2), errno::INVAL),
        (map(inode, 0, 0, BLOCK, 0), errno::INVAL),
        (map(inode, 0, BLOCK, BLOCK, 0), errno::ADDRNOTAVAIL),
        (map(inode, 0, AT, u32::MAX as usize, 0), errno::FAULT),
        (map(inode, BLOCK, AT, BLOCK, 0), errno::NXIO),
        (map(inode ^ 1, 0, AT, BLOCK, 0), errno::BADF),
        (Request::Unmap { handle: 1 }, errno::BADF),
        (Request::Unmap { handle: i32::MIN }, errno::BADF),
        (Request::Sync { handle: 1, offset: 0, len: 0, how: DISK }, errno::BADF),
        (Request::Advise { handle: 1, offset: 0, len: 0, advice: 0 }, errno::BADF),
        (Request::Refresh { handle: 1, offset: 0, len: 0 }, errno::BADF),
        (Request::Fault { handle: 1 }, errno::BADF),
        (Request::Lost { handle: 1, offset: 0 }, errno::BADF),
    ] {
        assert_eq!(make_request(&mut guest, request), -i64::from(errno), "{request:?}");
    }
    assert_eq!(guest.mappings(), 0);
}
