//! Reads that map a file instead of copying it.

use wasmtime::Caller;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::types::{Fd, Whence};
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as _;
use wiggle::GuestMemory;

use super::handshake::{aligned, read};
use super::{ctx, memory};
use crate::HostMapView;
use crate::calls::{self, Request, ZERO_COPY_FROM};

/// The parameters of the guest's call.
#[derive(Clone, Copy)]
pub(super) struct Read {
    pub(super) fd: i32,
    pub(super) iovs: i32,
    pub(super) iovs_len: i32,
    /// `None` stands for the file's position, which the read moves.
    pub(super) offset: Option<i64>,
    pub(super) nread: i32,
}

/// Maps the bytes that the guest reads. Returns the result of the call, or `None` if the call has to copy. Then nothing
/// has been done that the copy does not repeat.
pub(super) async fn read_without_copy<T: HostMapView + 'static>(
    caller: &mut Caller<'_, T>,
    wasi: impl Fn(&mut T) -> &mut WasiP1Ctx,
    Read { fd, iovs, iovs_len, offset, nread }: Read,
) -> Option<i32> {
    if !ctx(caller).has_zero_copy_reads() || iovs_len != 1 {
        return None;
    }
    let exported = memory(caller).ok()?.0;
    let [start, len] = read::<8, T>(exported, caller, aligned(iovs)?)?.as_chunks::<4>().0.try_into().ok()?;
    let [start, len] = [start, len].map(|word: [u8; 4]| u32::from_le_bytes(word) as usize);
    if len < ZERO_COPY_FROM {
        return None;
    }
    let nread = aligned(nread)?;
    read::<4, T>(exported, caller, nread)?;
    // These functions have a parameter for the guest's memory and do not use it.
    let (fd, mut nothing) = (Fd::from(fd.cast_unsigned()), GuestMemory::Unshared(&mut []));
    let wasi_ctx = wasi(caller.data_mut());
    let inode = wasi_ctx.fd_filestat_get(&mut nothing, fd).await.ok()?.ino;
    let at = match offset {
        Some(offset) => offset.cast_unsigned(),
        None => wasi_ctx.fd_tell(&mut nothing, fd).ok()?,
    };
    let request = Request { inode, offset: at, start, len, flags: 0 };
    // Addresses of the host are not kept across an `await`.
    let mapped = {
        let (_, guest) = memory(caller).ok()?;
        calls::read(caller.data_mut().host_map(), &guest, request)?
    };
    if offset.is_none() {
        let end = i64::try_from(at + mapped as u64).ok()?;
        // If the position cannot be moved, the call copies into the guest's own private pages of the mapping.
        wasi(caller.data_mut()).fd_seek(&mut nothing, fd, end, Whence::Set).await.ok()?;
    }
    let count = u32::try_from(mapped).ok()?;
    exported.write(&mut *caller, nread as usize, &count.to_le_bytes()).ok()?;
    Some(0)
}
