//! The types of the interface.

use portable_mmap::FaultKind;
use portable_mmap::host::{self, errno};
use wasmtime::component::{ComponentType, Lift, Lower};

/// The numbers are those of the flags of the import for modules.
#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Kind {
    #[component(name = "private")]
    Private,
    #[component(name = "shared")]
    Shared,
}

const _: () = assert!(Kind::Private as u32 == 0 && Kind::Shared as u32 == host::SHARED, "the numbers are the same");

/// The numbers are those of the import for modules.
#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(super) enum How {
    #[component(name = "visible")]
    Visible,
    #[component(name = "disk")]
    Disk,
    #[component(name = "dirty")]
    Dirty,
}

const _: () = assert!(
    How::Visible as u32 == host::VISIBLE && How::Disk as u32 == host::DISK && How::Dirty as u32 == host::DIRTY,
    "the numbers are the same"
);

/// The numbers are those of the import for modules.
#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Advice {
    #[component(name = "normal")]
    Normal,
    #[component(name = "sequential")]
    Sequential,
    #[component(name = "random")]
    Random,
    #[component(name = "will-need")]
    WillNeed,
    #[component(name = "dont-need")]
    DontNeed,
}

const _: () = assert!(
    Advice::Normal as u32 == host::NORMAL
        && Advice::Sequential as u32 == host::SEQUENTIAL
        && Advice::Random as u32 == host::RANDOM
        && Advice::WillNeed as u32 == host::WILL_NEED
        && Advice::DontNeed as u32 == host::DONT_NEED,
    "the numbers are the same"
);

/// The order is that of [`COMPONENT_ERRORS`](host::COMPONENT_ERRORS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(super) enum ErrorCode {
    #[component(name = "access")]
    Access,
    #[component(name = "address-in-use")]
    AddressInUse,
    #[component(name = "address-not-available")]
    AddressNotAvailable,
    #[component(name = "bad-descriptor")]
    BadDescriptor,
    #[component(name = "fault")]
    Fault,
    #[component(name = "invalid")]
    Invalid,
    #[component(name = "io")]
    Io,
    #[component(name = "too-many-mappings")]
    TooManyMappings,
    #[component(name = "no-device")]
    NoDevice,
    #[component(name = "no-memory")]
    NoMemory,
    #[component(name = "no-space")]
    NoSpace,
    #[component(name = "unsupported")]
    Unsupported,
    #[component(name = "past-end")]
    PastEnd,
    #[component(name = "not-permitted")]
    NotPermitted,
}

impl From<i32> for ErrorCode {
    fn from(errno: i32) -> Self {
        match errno {
            errno::ACCES => Self::Access,
            errno::ADDRINUSE => Self::AddressInUse,
            errno::ADDRNOTAVAIL => Self::AddressNotAvailable,
            errno::BADF => Self::BadDescriptor,
            errno::FAULT => Self::Fault,
            errno::INVAL => Self::Invalid,
            errno::MFILE => Self::TooManyMappings,
            errno::NODEV => Self::NoDevice,
            errno::NOMEM => Self::NoMemory,
            errno::NOSPC => Self::NoSpace,
            errno::NOTSUP => Self::Unsupported,
            errno::NXIO => Self::PastEnd,
            errno::PERM => Self::NotPermitted,
            _ => Self::Io,
        }
    }
}

#[derive(Clone, Copy, Debug, ComponentType, Lower)]
#[component(record)]
pub(super) struct Fault {
    offset: u64,
    kind: Lost,
}

#[derive(Clone, Copy, Debug, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Lost {
    #[component(name = "truncated")]
    Truncated,
    #[component(name = "io")]
    Io,
}

impl From<(u32, FaultKind)> for Fault {
    fn from((offset, kind): (u32, FaultKind)) -> Self {
        let kind = if kind == FaultKind::Truncated { Lost::Truncated } else { Lost::Io };
        Self { offset: offset.into(), kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_index_of_their_errno() {
        for (place, &errno) in host::COMPONENT_ERRORS.iter().enumerate() {
            assert_eq!(ErrorCode::from(errno) as usize, place);
        }
    }
}
