//! Types for data that threads share: those of std, or those of loom when loom checks the models.
//!
//! `make loom` runs every interleaving of a small model. Code that takes its atomics, locks and cells from here is
//! checked as it is, without a copy. loom is a dependency of the tests only, so its types exist only in a test
//! build.

cfg_if::cfg_if! {
    if #[cfg(all(loom, test))] {
        #[allow(unused_imports, reason = "not every target uses all of them")]
        pub(crate) use loom::{
            cell::UnsafeCell,
            sync::{Arc, Condvar, Mutex, MutexGuard, atomic},
            thread,
        };
    } else {
        #[allow(unused_imports, reason = "not every target uses all of them")]
        pub(crate) use std::{
            sync::{Arc, Condvar, Mutex, MutexGuard, atomic},
            thread,
        };

        /// std's cell with loom's interface, which sees where an access starts and ends.
        #[allow(dead_code, reason = "not every target uses all of them")]
        #[derive(Debug, Default)]
        pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

        #[allow(dead_code, reason = "not every target uses all of them")]
        impl<T> UnsafeCell<T> {
            pub(crate) const fn new(value: T) -> Self {
                Self(std::cell::UnsafeCell::new(value))
            }

            /// Calls `access` with a pointer to read through. loom checks that nothing is written meanwhile.
            #[inline]
            pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
                access(self.0.get())
            }

            /// Calls `access` with a pointer to write through. loom checks that nothing else accesses the value
            /// meanwhile.
            #[inline]
            pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
                access(self.0.get())
            }
        }
    }
}

/// A field of data that one thread frees while others may read it. Under loom a read that races with the drop is an
/// error. Otherwise it does nothing.
#[allow(dead_code, reason = "not every target uses all of them")]
#[derive(Debug, Default)]
pub(crate) struct Lifetime(#[cfg(all(loom, test))] loom::cell::UnsafeCell<()>);

#[allow(dead_code, reason = "not every target uses all of them")]
impl Lifetime {
    /// Tells loom that the calling thread reads the data that has this field.
    #[inline]
    #[cfg_attr(not(all(loom, test)), expect(clippy::unused_self, reason = "there is something to do under loom only"))]
    pub(crate) fn read(&self) {
        #[cfg(all(loom, test))]
        self.0.with(|_| ());
    }
}

#[cfg(all(loom, test))]
impl Drop for Lifetime {
    fn drop(&mut self) {
        self.0.with_mut(|_| ());
    }
}
