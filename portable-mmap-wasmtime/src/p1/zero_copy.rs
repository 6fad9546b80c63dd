//! Reads that map a file in place of copying it.

use wasmtime::Caller;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::types::{Fd, Whence};
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as _;
use wiggle::GuestMemory;

use super::handshake::{aligned, read};
use super::{ctx, memory};
use crate::HostMapView;
use crate::calls::{self, Request, ZERO_COPY_FROM};

/// What the guest has handed over.
#[derive(Clone, Copy)]
pub(super) struct Read {
    pub(super) fd: i32,
    pub(super) iovs: i32,
    pub(super) iovs_len: i32,
    /// None: at the file's position, which the read moves.
    pub(super) offset: Option<i64>,
    pub(super) nread: i32,
}

/// Maps what the guest wants to read. Returns what the call has to return then. `None`: the call has to copy, and nothing has
/// been done that it does not do as well.
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
    // These functions take the guest's memory and do not use it.
    let (fd, mut nothing) = (Fd::from(fd.cast_unsigned()), GuestMemory::Unshared(&mut []));
    let wasi_ctx = wasi(caller.data_mut());
    let inode = wasi_ctx.fd_filestat_get(&mut nothing, fd).await.ok()?.ino;
    let at = match offset {
        Some(offset) => offset.cast_unsigned(),
        None => wasi_ctx.fd_tell(&mut nothing, fd).ok()?,
    };
    let request = Request { inode, offset: at, start, len, flags: 0 };
    // Addresses of the host are not kept while it waits.
    let mapped = {
        let (_, guest) = memory(caller).ok()?;
        calls::read(caller.data_mut().host_map(), &guest, request)?
    };
    if offset.is_none() {
        let end = i64::try_from(at + mapped as u64).ok()?;
        // Where the position cannot be moved, a copy lands in the guest's own pages of the mapping.
        wasi(caller.data_mut()).fd_seek(&mut nothing, fd, end, Whence::Set).await.ok()?;
    }
    let count = u32::try_from(mapped).ok()?;
    exported.write(&mut *caller, nread as usize, &count.to_le_bytes()).ok()?;
    Some(0)
}
