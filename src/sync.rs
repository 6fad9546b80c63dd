//! What threads share: std's types, or loom's where loom checks the models.
//!
//! `make loom` runs every interleaving of a small model. Code that takes its atomics, locks and cells from here is
//! checked as it is, without a copy. loom is a dependency of the tests only, so its types are there only in a test build.

cfg_if::cfg_if! {
    if #[cfg(all(loom, test))] {
        #[allow(unused_imports, reason = "one list for all who share something")]
        pub(crate) use loom::{
            cell::UnsafeCell,
            sync::{Arc, Condvar, Mutex, MutexGuard, atomic},
            thread,
        };
    } else {
        #[allow(unused_imports, reason = "one list for all who share something")]
        pub(crate) use std::{
            sync::{Arc, Condvar, Mutex, MutexGuard, atomic},
            thread,
        };

        /// std's cell with loom's interface, which sees where an access starts and ends.
        #[allow(dead_code, reason = "one list for all who share something")]
        #[derive(Debug, Default)]
        pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

        #[allow(dead_code, reason = "one list for all who share something")]
        impl<T> UnsafeCell<T> {
            pub(crate) const fn new(value: T) -> Self {
                Self(std::cell::UnsafeCell::new(value))
            }

            /// Calls `access` with a pointer to read through. loom demands that nothing is written meanwhile.
            #[inline]
            pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
                access(self.0.get())
            }

            /// Calls `access` with a pointer to write through. loom demands that nothing else accesses the value meanwhile.
            #[inline]
            pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
                access(self.0.get())
            }
        }
    }
}

/// A part of what one thread frees while others read it. Under loom a read that races with the end is an error; otherwise
/// it is nothing.
#[allow(dead_code, reason = "one list for all who share something")]
#[derive(Debug, Default)]
pub(crate) struct Lifetime(#[cfg(all(loom, test))] loom::cell::UnsafeCell<()>);

#[allow(dead_code, reason = "one list for all who share something")]
impl Lifetime {
    /// Tells loom that the calling thread reads what this is a part of.
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
