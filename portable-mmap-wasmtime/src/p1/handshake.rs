//! Requests that guests make with `fd_pread`, so that one program runs in every host.
//! [`request`](portable_mmap::host::request) describes the layout.

use portable_mmap::host::request::{LEN, OFFSET, Request, encode_reply};
use portable_mmap::host::{BLOCK, errno};
use wasmtime::{Caller, Memory};

use super::{Outcome, ctx, encoded, memory, perform};
use crate::HostMapView;

/// Performs a request of a guest that is encoded in a call of `fd_pread`: for a mapping, or for an operation on one.
/// Returns the result that `fd_pread` has to return. Returns `None` for any other call, and has then done nothing.
///
/// It is for an embedder with their own `fd_pread` in the linker. Their function first calls this one, with the
/// arguments of the guest. If it returns `None`, it reads as usual. For a call that is not from portable-mmap, the cost
/// is two comparisons.
///
/// A `sync` of the guest blocks this thread until the disk is done. In an asynchronous host use [`answer_async`].
///
/// ```
/// use portable_mmap_wasmtime::{HostMapView, p1};
/// use wasmtime::{Caller, Linker, Result};
///
/// fn add_fd_pread<T: HostMapView + 'static>(linker: &mut Linker<T>) -> Result<()> {
///     linker.func_wrap(
///         "wasi_snapshot_preview1",
///         "fd_pread",
///         |mut caller: Caller<'_, T>, fd: i32, iovs: i32, iovs_len: i32, offset: i64, nread: i32| {
///             if let Some(errno) = p1::answer(&mut caller, iovs, iovs_len, offset, nread) {
///                 return errno;
///             }
///             # let read = |_: &mut Caller<'_, T>, _| 0;
///             read(&mut caller, (fd, iovs, iovs_len, offset, nread))
///         },
///     )?;
///     Ok(())
/// }
/// ```
pub fn answer<T: HostMapView + 'static>(
    caller: &mut Caller<'_, T>,
    iovs: i32,
    iovs_len: i32,
    offset: i64,
    nread: i32,
) -> Option<i32> {
    let call = Call::find(caller, [iovs, iovs_len, nread], offset)?;
    let result = call.perform(caller).blocking(caller);
    call.reply(caller, result)
}

/// [`answer`], for stores of an asynchronous host: a `sync` of the guest waits on a thread of its own. It writes the
/// whole file to the disk, not only the range.
pub async fn answer_async<T: HostMapView + 'static>(
    caller: &mut Caller<'_, T>,
    iovs: i32,
    iovs_len: i32,
    offset: i64,
    nread: i32,
) -> Option<i32> {
    let call = Call::find(caller, [iovs, iovs_len, nread], offset)?;
    let result = call.perform(caller).waiting(caller).await;
    call.reply(caller, result)
}

/// A request, and the addresses for the reply.
struct Call {
    request: Request,
    nonce: u64,
    memory: Memory,
    /// The address of the request.
    at: u32,
    /// The address for the number of bytes that were read.
    nread: u32,
}

impl Call {
    /// Searches the parameters of a call for a request. Returns `None` if anything differs from what portable-mmap
    /// passes.
    fn find<T: HostMapView + 'static>(
        caller: &mut Caller<'_, T>,
        [iovs, iovs_len, nread]: [i32; 3],
        offset: i64,
    ) -> Option<Self> {
        if offset.cast_unsigned() != OFFSET || iovs_len != 2 {
            return None;
        }
        let (memory, guest) = memory(caller).ok()?;
        let (iovs, nread) = (aligned(iovs)?, aligned(nread)?);
        let words: [u8; 16] = read(memory, caller, iovs)?;
        let mut words = words.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().expect("4 bytes")));
        let [first, first_len, at, len] = [(); 4].map(|()| words.next().expect("two buffers have four words"));
        if len as usize != LEN || u64::from(first) + u64::from(first_len) > guest.size as u64 {
            return None;
        }
        let (request, nonce) = Request::decode(&read(memory, caller, at)?)?;
        read::<4, T>(memory, caller, nread)?;
        // Others may change a mapped request at the same time, and a reply would be written to the file.
        let (base, ctx) = (guest.base.addr(), ctx(caller));
        let is_mapped = |at: u32, len| ctx.overlaps(base + at as usize, len);
        if is_mapped(at, LEN) || is_mapped(nread, 4) {
            return None;
        }
        Some(Self { request, nonce, memory, at, nread })
    }

    fn perform<T: HostMapView + 'static>(&self, caller: &mut Caller<'_, T>) -> Outcome {
        if let Request::Map { start, len, .. } = self.request {
            let end = u64::from(start) + u64::from(len).next_multiple_of(BLOCK as u64);
            let is_in_block =
                |at: u32, len: usize| u64::from(at) < end && u64::from(start) < u64::from(at) + len as u64;
            // The reply would be written to the file.
            if is_in_block(self.at, LEN) || is_in_block(self.nread, 4) {
                return Outcome::Result(encoded(Err(errno::INVAL)));
            }
        }
        perform(caller, self.request)
    }

    /// Writes the reply. It does not overwrite bytes of a file.
    fn reply<T: HostMapView + 'static>(&self, caller: &mut Caller<'_, T>, result: i64) -> Option<i32> {
        let mut write = |at: u32, bytes: &[u8]| self.memory.write(&mut *caller, at as usize, bytes).ok();
        write(self.nread, &0_u32.to_le_bytes())?;
        write(self.at, &encode_reply(self.nonce, result))?;
        Some(0)
    }
}

/// The address, if it is aligned to a word.
pub(super) fn aligned(address: i32) -> Option<u32> {
    Some(address.cast_unsigned()).filter(|address| address.is_multiple_of(4))
}

/// Bytes of the guest's memory, or `None` if they do not all lie there.
pub(super) fn read<const LEN: usize, T: 'static>(
    memory: Memory,
    caller: &mut Caller<'_, T>,
    at: u32,
) -> Option<[u8; LEN]> {
    let mut bytes = [0; LEN];
    memory.read(&*caller, at as usize, &mut bytes).ok()?;
    Some(bytes)
}
