//! Memory at a fixed address. The backends are built on it.
//!
//! [`Memory`](sealed::Memory) has an address and a length. A [`Region`] is memory that an operating system or a host
//! maps, either from a file or anonymous. It can be flushed and resized together with its file, and is unmapped when it
//! is dropped. A [`HeapRegion`](heap::HeapRegion) is memory that a buffer fills itself.

#[cfg(any(not(windows), miri))]
mod block;
mod file;
pub(crate) mod heap;

// The regions of files. Miri does not support mappings of files, so under Miri a region is memory that is read from the
// file and written to it. The same holds under loom, which does not support signals, and in the façade over the
// emulation, which replaces memmap2 and cannot depend on it.
cfg_if::cfg_if! {
    if #[cfg(all(unix, any(miri, memmap2_emulated, all(loom, test))))] {
        mod interpreted;
        pub use interpreted::OsRegion;
    } else if #[cfg(any(unix, windows))] {
        mod os;
        pub use os::OsRegion;
    } else {
        mod host;
        pub use host::HostRegion;
        /// The region that maps files on this target.
        pub(crate) use host::HostRegion as OsRegion;
    }
}

#[cfg(all(test, unix, not(any(miri, loom))))]
mod placed;

cfg_if::cfg_if! {
    if #[cfg(unix)] {
        pub(crate) mod numbers;
    } else {
        pub(crate) mod no_numbers;
        pub(crate) use no_numbers as numbers;
    }
}

/// When a flush returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Once the bytes are on the disk.
    Disk,
    /// Once every reader of the file sees them.
    Visible,
}

/// Memory that is mapped from a file: the memory of an OS mapping. Its functions are private to this crate.
pub trait Region: sealed::Region {}

impl Region for OsRegion {}

pub(crate) mod sealed {
    use std::fmt::Debug;
    use std::ops::Range;
    use std::ptr::NonNull;
    use std::slice;

    pub(crate) use super::file::Region;

    /// Memory with an address and a length. Both change only while it is borrowed mutably.
    ///
    /// No reference ever covers all of it. While a shared slice of some pages is alive, other pages are written through
    /// the raw pointer, and by the rules of Stacked Borrows a reference to all pages would make that undefined
    /// behaviour.
    pub trait Memory: Debug + Send + Sync {
        /// The address of the first byte. Borrows of the memory do not invalidate this pointer.
        fn start(&self) -> NonNull<u8>;

        /// How many bytes there are.
        fn len(&self) -> usize;

        /// The address of a range.
        #[inline]
        fn pointer(&self, range: &Range<usize>) -> *mut u8 {
            if range.start > range.end || range.end > self.len() {
                outside(range.clone(), self.len());
            }
            // SAFETY: just checked: within the memory, or at its end.
            unsafe { self.start().add(range.start) }.as_ptr()
        }

        /// The bytes of a range.
        ///
        /// # Safety
        /// They are initialised, and nobody writes to them while the slice is alive.
        #[inline]
        unsafe fn slice(&self, range: Range<usize>) -> &[u8] {
            let pointer = self.pointer(&range);
            // SAFETY: within the memory; the caller guarantees the rest.
            unsafe { slice::from_raw_parts(pointer, range.len()) }
        }

        /// [`slice`](Self::slice), for a caller that has checked the range already.
        ///
        /// # Safety
        /// As for [`slice`](Self::slice); and the range lies in the memory.
        #[inline]
        unsafe fn slice_unchecked(&self, range: Range<usize>) -> &[u8] {
            // SAFETY: the caller guarantees that the range lies in the memory.
            let pointer = unsafe { self.start().add(range.start) };
            // SAFETY: the caller guarantees what `slice` requires.
            unsafe { slice::from_raw_parts(pointer.as_ptr(), range.len()) }
        }

        /// The bytes of a range, mutably.
        ///
        /// # Safety
        /// They are initialised and may be written to, and nobody else uses them while the slice is alive.
        #[inline]
        unsafe fn slice_mut(&mut self, range: Range<usize>) -> &mut [u8] {
            let pointer = self.pointer(&range);
            // SAFETY: within the memory, which is borrowed mutably; the caller guarantees the rest.
            unsafe { slice::from_raw_parts_mut(pointer, range.len()) }
        }

        /// The byte at an index.
        ///
        /// # Safety
        /// It lies in the memory, is initialised, and nobody writes to it.
        #[inline]
        unsafe fn byte(&self, index: usize) -> u8 {
            // SAFETY: the caller guarantees that the index lies in the memory.
            let place = unsafe { self.start().add(index) };
            // SAFETY: the caller guarantees that the byte is initialised and that nobody writes to it.
            unsafe { place.read() }
        }

        /// Changes the byte at an index.
        ///
        /// # Safety
        /// It lies in the memory, is initialised and may be written to.
        #[inline]
        unsafe fn set_byte(&mut self, index: usize, byte: u8) {
            // SAFETY: the caller guarantees that the index lies in the memory.
            let place = unsafe { self.start().add(index) };
            // SAFETY: the memory is borrowed mutably.
            unsafe { place.write(byte) };
        }

        /// Copies the first bytes of another memory, up to the length of the shorter one.
        ///
        /// # Safety
        /// These bytes of both memories are initialised, and nobody else uses them. This memory may be written to.
        unsafe fn copy_start_of(&mut self, other: &Self)
        where
            Self: Sized,
        {
            let kept = 0..self.len().min(other.len());
            // SAFETY: the caller guarantees that the bytes are initialised and that nobody else uses them.
            let old = unsafe { other.slice(kept.clone()) };
            // SAFETY: as above, and the memory is borrowed mutably.
            unsafe { self.slice_mut(kept) }.copy_from_slice(old);
        }

        /// Copies the bytes of a range to `to`; they may overlap.
        ///
        /// # Safety
        /// The bytes of both ranges are initialised, and those of the second may be written to.
        unsafe fn copy_within(&mut self, from: Range<usize>, to: usize) {
            // Both pointers come from the memory's own pointer, because a pointer from a slice becomes invalid when
            // another slice is made.
            let (source, target) = (self.pointer(&from), self.pointer(&(to..to + from.len())));
            // SAFETY: both lie within the memory, which is borrowed mutably.
            unsafe { std::ptr::copy(source, target, from.len()) };
        }
    }

    /// Out of line, because `assert!` would write the range to memory before every access.
    #[cold]
    #[inline(never)]
    fn outside(range: Range<usize>, len: usize) -> ! {
        panic!("{range:?} does not lie within {len} bytes");
    }
}
