//! The host's functions, called through `fd_pread`, which every host has. So the same program runs in every host: see
//! [`request`](crate::host::request).

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::host::errno;
use crate::host::request::{LEN, NOBODY, OFFSET, Request, decode_reply};

/// What is known of the host. Threads that ask at the same time get the same reply.
static HOST: AtomicU8 = AtomicU8::new(UNKNOWN);

const UNKNOWN: u8 = 0;
const REPLIES: u8 = 1;
const SILENT: u8 = 2;

/// Whether the host places mappings. The host is asked once. If it does not reply, it gets no other request.
pub(super) fn is_available() -> bool {
    let mut host = HOST.load(Ordering::Relaxed);
    if host == UNKNOWN {
        host = if ask(Request::Probe) == Some(1) { REPLIES } else { SILENT };
        HOST.store(host, Ordering::Relaxed);
    }
    host == REPLIES
}

/// Makes a request that concerns no memory of the program.
fn ask(request: Request) -> Option<i64> {
    let mut scratch = 0;
    // SAFETY: the byte is this function's own.
    unsafe { ask_for(request, wasi::Iovec { buf: &raw mut scratch, buf_len: 1 }) }
}

/// Makes a request. Returns `None` if the host does not reply.
///
/// # Safety
/// The caller owns the memory, and the host may write to it.
unsafe fn ask_for(request: Request, memory: wasi::Iovec) -> Option<i64> {
    // Each request has a new nonce.
    let nonce = RandomState::new().build_hasher().finish();
    let mut bytes = request.encode(nonce);
    let buffers = [memory, wasi::Iovec { buf: bytes.as_mut_ptr(), buf_len: LEN }];
    // The return value of the call does not matter, because a reply is recognised by its bytes.
    // SAFETY: the host may write to both.
    let _ = unsafe { wasi::fd_pread(NOBODY, &buffers, OFFSET) };
    decode_reply(&bytes, nonce)
}

/// The result, as 32 bits.
fn result(reply: Option<i64>) -> i32 {
    reply.and_then(|result| i32::try_from(result).ok()).unwrap_or(-errno::NOTSUP)
}

/// A length or an offset in memory, as 32 bits.
fn word(number: usize) -> u32 {
    u32::try_from(number).expect("memory has addresses of 32 bits")
}

/// # Safety
/// The block is the caller's, and nothing borrows from it.
pub(super) unsafe fn map(file: u64, offset: u64, start: *mut u8, len: usize, flags: u32) -> i32 {
    let request = Request::Map { file, offset, start: word(start.addr()), len: word(len), flags };
    // The call passes the pointer to the host, so the compiler cannot assume that nobody else accesses the block.
    let block = wasi::Iovec { buf: start, buf_len: len };
    // SAFETY: the block is the caller's.
    result(unsafe { ask_for(request, block) })
}

pub(super) fn unmap(handle: i32) -> i32 {
    result(ask(Request::Unmap { handle }))
}

pub(super) fn sync(handle: i32, offset: usize, len: usize, how: u32) -> i32 {
    result(ask(Request::Sync { handle, offset: word(offset), len: word(len), how }))
}

pub(super) fn advise(handle: i32, offset: usize, len: usize, advice: u32) -> i32 {
    result(ask(Request::Advise { handle, offset: word(offset), len: word(len), advice }))
}

/// # Safety
/// Bytes of the mapping may change.
pub(super) unsafe fn refresh(handle: i32, offset: usize, len: usize) -> i32 {
    result(ask(Request::Refresh { handle, offset: word(offset), len: word(len) }))
}

pub(super) fn fault(handle: i32) -> i64 {
    ask(Request::Fault { handle }).unwrap_or_else(|| (-errno::NOTSUP).into())
}

pub(super) fn lost(handle: i32, offset: usize) -> i32 {
    result(ask(Request::Lost { handle, offset: word(offset) }))
}
