//! A file, mapped over memory of a guest.

// Chooses the implementation.
cfg_if::cfg_if! {
    if #[cfg(unix)] {
        mod unix;
        pub(crate) use unix::{Placed, join, page_size, reset, sync_number};
    } else {
        mod none;
        pub(crate) use none::{Placed, join, page_size, reset, sync_number};
    }
}
