//! Preview 1: each counted function calls the function of wasmtime-wasi that its linker calls too.
//!
//! Those functions are public and not meant for other crates, so the version of wasmtime-wasi must be the tested one.

use native_tests::counts::Group;
use portable_mmap::host::request::NOBODY;
use portable_mmap_wasmtime::p1::answer;
use wasmtime::{AsContextMut as _, Caller, Extern, Linker, Result, bail};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as abi, WasiSnapshotPreview1 as _};
use wasmtime_wasi::runtime::in_tokio;
use wiggle::GuestMemory;

use super::HANDSHAKE;
use super::guest::Guest;

/// A number of the guest: a file descriptor, or an address in its memory.
type Word = i32;

/// Standard input, output and error.
const STDIO: std::ops::RangeInclusive<Word> = 0..=2;

/// A description of a call.
struct Call {
    name: &'static str,
    group: Group,
    /// The file.
    fd: Word,
    /// The address for the number of bytes that were moved.
    moved: Option<Word>,
}

/// Makes and counts a call. Every counted call goes through here.
fn call(
    mut caller: Caller<'_, Guest>,
    Call { name, group, fd, moved }: Call,
    function: impl AsyncFnOnce(&mut WasiP1Ctx, &mut GuestMemory<'_>) -> Result<i32>,
) -> Result<i32> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else { bail!("the guest exports no memory") };
    let fuel = caller.as_context_mut().hostcall_fuel();
    let (memory, guest) = memory.data_and_store_mut(&mut caller);
    guest.wasi.set_hostcall_fuel(fuel);
    let errno = in_tokio(function(&mut guest.wasi, &mut GuestMemory::Unshared(&mut *memory)))?;
    if !STDIO.contains(&fd) {
        let moved = moved.filter(|_| errno == 0).and_then(|at| word(memory, at)).unwrap_or(0);
        guest.calls.add(group, name, moved.into());
    }
    Ok(errno)
}

/// The number at an address of the guest.
fn word(memory: &[u8], at: Word) -> Option<u32> {
    // Addresses are unsigned.
    let at = usize::try_from(at.cast_unsigned()).ok()?;
    memory.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// Shadows functions. Each line has the group and the name, as in the witx, then the parameters. The first parameter is
/// the file; `moved` is the address for the number of bytes.
macro_rules! shadow {
    ($linker:ident: $(
        $group:ident $name:ident($fd:ident $(, $arg:ident: $type:ty)*) $(moves $moved:ident)? $(, $await:ident)?;
    )*) => {$(
        $linker.func_wrap(
            "wasi_snapshot_preview1",
            stringify!($name),
            |caller: Caller<'_, Guest>, $fd: Word $(, $arg: $type)*| {
                let moved = None$(.or(Some($moved)))?;
                let this = Call { name: stringify!($name), group: Group::$group, fd: $fd, moved };
                call(caller, this, async |wasi, memory| abi::$name(wasi, memory, $fd $(, $arg)*)$(.$await)?)
            },
        )?;
    )*};
}

/// Replaces functions of the linker with functions that count. If `maps_files`, guests can request mappings with
/// `fd_pread`.
pub(crate) fn shadow(linker: &mut Linker<Guest>, maps_files: bool) -> Result<()> {
    linker.allow_shadowing(true);
    linker.func_wrap(
        "wasi_snapshot_preview1",
        "fd_pread",
        move |mut caller: Caller<'_, Guest>, fd: Word, vectors: Word, count: Word, offset: i64, moved: Word| {
            if maps_files && let Some(errno) = answer(&mut caller, vectors, count, offset, moved) {
                return Ok(errno);
            }
            // A guest that queries whether the host maps files reads no file.
            let (name, group) =
                if fd.cast_unsigned() == NOBODY { (HANDSHAKE, Group::Other) } else { ("fd_pread", Group::Read) };
            let this = Call { name, group, fd, moved: Some(moved) };
            call(caller, this, async |wasi, memory| {
                abi::fd_pread(wasi, memory, fd, vectors, count, offset, moved).await
            })
        },
    )?;
    shadow! { linker:
        Read fd_read(fd, vectors: Word, count: Word, moved: Word) moves moved, await;
        Write fd_write(fd, vectors: Word, count: Word, moved: Word) moves moved, await;
        Write fd_pwrite(fd, vectors: Word, count: Word, offset: i64, moved: Word) moves moved, await;
        Sync fd_sync(fd), await;
        Sync fd_datasync(fd), await;
        Stat fd_filestat_get(fd, stat: Word), await;
        Stat path_filestat_get(dir, flags: Word, path: Word, len: Word, stat: Word), await;
        Other fd_filestat_set_size(fd, size: i64), await;
        Other fd_allocate(fd, offset: i64, len: i64);
        Other fd_advise(fd, offset: i64, len: i64, advice: Word), await;
        Other fd_seek(fd, offset: i64, whence: Word, new: Word), await;
        Other fd_tell(fd, offset: Word);
        Other fd_fdstat_get(fd, stat: Word), await;
        Other fd_close(fd), await;
        Other path_open(dir, flags: Word, path: Word, len: Word, open_flags: Word, rights: i64, inheriting: i64,
                        fd_flags: Word, fd: Word), await;
    }
    linker.allow_shadowing(false);
    Ok(())
}
