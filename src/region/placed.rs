//! A third kind of region, for tests: a host maps and unmaps the memory through calls. No code outside of `region/`
//! depends on it.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::MmapRaw;

use super::sealed::{Memory, Region};
use crate::backend::Mapped;
use crate::error::Operation;
use crate::guard::FaultKind;
use crate::plan::Plan;
use crate::region::Durability;
use crate::storage::{OsFile, Storage, with_length};
use crate::{Advice, Error, Mapping, MmapOptions, Result, UncheckedAdvice};

/// The mappings of the host, by handle.
static PLACED: Mutex<BTreeMap<usize, MmapRaw>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// The calls of the host.
mod host {
    use super::*;

    pub(super) fn map(file: &OsFile, plan: &Plan) -> io::Result<(usize, *mut u8)> {
        let mut options = memmap2::MmapOptions::new();
        options.offset(plan.span.offset()).len(plan.span.len());
        let map = options.map_raw(&**file.get())?;
        let (handle, start) = (NEXT.fetch_add(1, Ordering::Relaxed), map.as_mut_ptr());
        PLACED.lock().unwrap().insert(handle, map);
        Ok((handle, start))
    }

    pub(super) fn sync(handle: usize, range: Range<usize>) -> io::Result<()> {
        PLACED.lock().unwrap()[&handle].flush_range(range.start, range.len())
    }

    pub(super) fn unmap(handle: usize) {
        assert!(PLACED.lock().unwrap().remove(&handle).is_some(), "each mapping is unmapped once");
    }
}

#[derive(Debug)]
struct Placed {
    handle: usize,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: it owns what the host has placed.
unsafe impl Send for Placed {}
// SAFETY: as for `Send`.
unsafe impl Sync for Placed {}

impl super::Region for Placed {}

impl Memory for Placed {
    fn start(&self) -> NonNull<u8> {
        self.start
    }

    fn len(&self) -> usize {
        self.len
    }
}

impl Region for Placed {
    const NAME: &'static str = "placed";

    fn page_size() -> usize {
        4096
    }

    fn allocation_granularity() -> usize {
        1 << 16
    }

    fn supports(_: Advice) -> bool {
        false
    }

    fn supports_unchecked(_: UncheckedAdvice) -> bool {
        false
    }

    fn check_supported(plan: &Plan) -> Result<()> {
        if plan.private { Err(Error::Unsupported { what: "this host has no private memory" }) } else { Ok(()) }
    }

    unsafe fn map(file: &OsFile, plan: &Plan) -> Result<Self> {
        let (handle, start) = host::map(file, plan).map_err(|e| Error::io(Operation::Map, plan.span.offset(), 0, e))?;
        Ok(Self { handle, start: NonNull::new(start).expect("an address"), len: plan.span.len() })
    }

    fn anonymous(_: &Plan) -> Result<Self> {
        Err(Error::Unsupported { what: "this host has no anonymous memory" })
    }

    fn resize(&mut self, file: Option<&OsFile>, _: &Plan, new: &Plan) -> Result<()> {
        let Some(file) = file else { return Err(Error::Untracked { operation: Operation::Resize }) };
        let size = file.len().map_err(|e| Error::io(Operation::Metadata, 0, 0, e))?;
        let from = (new.span.end() > size).then_some(size);
        *self = with_length(file, from, new.span.end(), new.allocate, || {
            // SAFETY: the caller that made this mapping guarantees what `MmapOptions::map` requires.
            unsafe { Self::map(file, new) }
        })?;
        file.set_len(new.span.end()).map_err(|e| Error::io(Operation::Truncate, 0, 0, e))
    }

    fn flush(&self, range: Range<usize>, _: Durability) -> io::Result<()> {
        host::sync(self.handle, range)
    }

    fn lock(&self) -> io::Result<()> {
        Ok(())
    }

    fn unlock(&self) -> io::Result<()> {
        Ok(())
    }

    fn advise(&self, _: Range<usize>, _: Advice) {}

    unsafe fn advise_unchecked(&self, _: Range<usize>, _: UncheckedAdvice) -> Option<io::Result<()>> {
        None
    }

    fn is_guarded(&self) -> bool {
        false
    }

    fn page(&self) -> usize {
        Self::page_size()
    }

    fn fault(&self) -> Option<(usize, FaultKind)> {
        None
    }

    fn is_lost(&self, _: usize) -> bool {
        false
    }

    fn refresh(&mut self, _: Range<usize>, _: Option<&OsFile>, _: &Plan) -> Result<()> {
        Ok(())
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        host::unmap(self.handle);
    }
}

#[test]
fn memory_that_a_host_places_is_a_mapping_like_any_other() {
    let path = std::env::temp_dir().join(format!("portable-mmap-placed-{}", std::process::id()));
    std::fs::write(&path, [1; 5000]).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    // SAFETY: nobody else uses the file.
    let mut map: Mapping<Mapped<Placed>> = unsafe { MmapOptions::new().map_with(file) }.unwrap();
    assert_eq!((map.backend_name(), map.len(), PLACED.lock().unwrap().len()), ("placed", 5000, 1));
    map[4999] = 7;
    map.write_bytes(b"hello").unwrap();
    map.move_within(100, 0, 5).unwrap();
    map.flush_range(0, 4096).unwrap();
    map.refresh().unwrap();
    assert_eq!((map.find(b"\x07").unwrap(), map.readline().unwrap().len()), (Some(4999), 4995));
    map.resize(6000).unwrap();
    map.resize(4).unwrap();
    assert_eq!((map.as_slice().unwrap(), PLACED.lock().unwrap().len()), (&b"hell"[..], 1));
    assert!(Mapping::<Mapped<Placed>>::anonymous(5).is_err());
    map.close().unwrap();
    assert_eq!(PLACED.lock().unwrap().len(), 0, "everything was unmapped");
    assert_eq!(std::fs::read(&path).unwrap(), b"hell");
    std::fs::remove_file(path).unwrap();
}
