//! The kind, name, message and number of every error, and its conversion into an `io::Error`.

use std::error::Error as _;
use std::io::ErrorKind::{self, InvalidInput, PermissionDenied};

use super::*;

const PATH: &str = "a/b";

fn out_of_range(what: Asked, start: i128, len: u64, limit: u64) -> Error {
    Error::OutOfRange { what, start, len, limit }
}

fn io_error(operation: Operation, path: Option<&str>, offset: u64, len: u64) -> Error {
    Error::io(operation, offset, len, io::Error::other("the disk is on fire")).with_path(path.map(Path::new))
}

/// Every variant and every meaning of a variant, with its name, its kind and its message.
#[expect(clippy::too_many_lines, reason = "a table")]
fn all() -> Vec<(Error, &'static str, ErrorKind, &'static str)> {
    use {Asked as A, Error as E, Operation as O, Reason as R};
    const RANGE: &str = "OutOfRange";
    let denied = |reason| E::io(O::Map, 0, 0, reason);
    let no_memory = |operation| E::NoMemory { operation, huge_pages: false, len: 99 };
    let misaligned = |unit| E::Misaligned { offset: 100, granularity: 4096, unit };
    let other = ErrorKind::Other;
    vec![
        (E::Closed, "Closed", InvalidInput, "the mapping is closed; make a new mapping"),
        (E::Conflict { what: "not this and that" }, "Conflict", InvalidInput, "not this and that"),
        (
            E::Untracked { operation: O::Size },
            "Untracked",
            InvalidInput,
            "size needs the file, and the mapping was made with track_file(false)",
        ),
        (
            E::EmptyFile { path: None },
            "EmptyFile",
            InvalidInput,
            "the file is empty and cannot be mapped; handle it as zero bytes, or make it longer with extend(true) and \
             len(n)",
        ),
        (
            E::EmptyFile { path: Some(PATH.into()) },
            "EmptyFile",
            InvalidInput,
            "`a/b` is empty and cannot be mapped; handle it as zero bytes, or make it longer with extend(true) and len(n)",
        ),
        (
            E::EmptyFile { path: Some("/proc/x".into()) },
            "EmptyFile",
            InvalidInput,
            "`/proc/x` is empty or does not report its length; open_any reads such a file, and an empty one can be handled \
             as zero bytes",
        ),
        (
            E::OffsetPastEnd { path: None, offset: 65_536, size: 1234 },
            "OffsetPastEnd",
            InvalidInput,
            "offset 65536 is at or past the end of the file, which has 1234 bytes",
        ),
        (
            E::LengthPastEnd { path: Some(PATH.into()), offset: 65_536, len: 77, size: 65_540, extendable: true },
            "LengthPastEnd",
            InvalidInput,
            "77 bytes from offset 65536 end past the end of `a/b`, which has 65540 bytes; extend(true) makes it longer",
        ),
        (
            E::LengthPastEnd { path: Some(PATH.into()), offset: 65_536, len: 77, size: 65_540, extendable: false },
            "LengthPastEnd",
            InvalidInput,
            "77 bytes from offset 65536 end past the end of `a/b`, which has 65540 bytes",
        ),
        (
            out_of_range(A::Length, 0, 9, 8),
            RANGE,
            InvalidInput,
            "a mapping cannot have 9 bytes: it has at most 8 on this target",
        ),
        (
            out_of_range(A::End, 7, 2, 8),
            RANGE,
            InvalidInput,
            "2 bytes from offset 7 end past the largest offset that a file can have, 8",
        ),
        (
            out_of_range(A::End, 9, 0, 8),
            RANGE,
            InvalidInput,
            "offset 9 is past the largest offset that a file can have, 8",
        ),
        (
            out_of_range(A::AnonymousLength, 0, 0, 8),
            RANGE,
            InvalidInput,
            "an anonymous mapping needs a length that is not 0",
        ),
        (
            out_of_range(A::NewLength, 0, 0, 8),
            RANGE,
            InvalidInput,
            "a mapping cannot be resized to 0 bytes; to make the file empty, close the mapping and call set_len(0) on the \
             file",
        ),
        (
            out_of_range(A::Range, 3, 4, 5),
            RANGE,
            InvalidInput,
            "the range 3..7 does not lie in the mapping, which has 5 bytes",
        ),
        (out_of_range(A::Range, 3, 0, 5), RANGE, InvalidInput, "the range from 3 ends before it starts"),
        (
            out_of_range(A::Range, 6, 0, 5),
            RANGE,
            InvalidInput,
            "the range from 6 starts past the end of the mapping, which has 5 bytes",
        ),
        (out_of_range(A::Step, 0, 0, 5), RANGE, InvalidInput, "the step of a slice cannot be 0"),
        (
            out_of_range(A::Flush, 3, 4, 5),
            RANGE,
            InvalidInput,
            "the range 3..7 to flush does not lie in the mapping, which has 5 bytes",
        ),
        (
            out_of_range(A::Refresh, 3, 4, 5),
            RANGE,
            InvalidInput,
            "the range 3..7 to refresh does not lie in the mapping, which has 5 bytes",
        ),
        (out_of_range(A::Advice, 6, 4, 5), RANGE, InvalidInput, "advice cannot start at 6 in a mapping of 5 bytes"),
        (out_of_range(A::Seek, -1, 0, 5), RANGE, InvalidInput, "the position cannot be -1 in a mapping of 5 bytes"),
        (
            out_of_range(A::Read, 5, 1, 5),
            RANGE,
            InvalidInput,
            "there is no byte to read at position 5 of a mapping of 5 bytes",
        ),
        (
            out_of_range(A::Write, 3, 4, 5),
            RANGE,
            InvalidInput,
            "4 bytes do not fit at position 3 of a mapping of 5 bytes",
        ),
        (
            out_of_range(A::MoveFrom, 3, 4, 5),
            RANGE,
            InvalidInput,
            "the source 3..7 of the move does not lie in the mapping, which has 5 bytes",
        ),
        (
            out_of_range(A::MoveTo, 3, 4, 5),
            RANGE,
            InvalidInput,
            "the destination 3..7 of the move does not lie in the mapping, which has 5 bytes",
        ),
        (
            E::IndexOutOfRange { index: -6, len: 5 },
            "IndexOutOfRange",
            InvalidInput,
            "index -6 is out of range for a mapping of 5 bytes",
        ),
        (
            E::SizeMismatch { expected: 3, given: 4 },
            "SizeMismatch",
            InvalidInput,
            "a slice of 3 bytes cannot be assigned 4 bytes",
        ),
        (
            E::ReadOnly { access: Access::Read },
            "ReadOnly",
            PermissionDenied,
            "the mapping is read-only and cannot be changed or resized; with Access::Write changes and resizes reach the \
             file, with Access::Copy changes stay in memory",
        ),
        (
            E::ReadOnly { access: Access::Copy },
            "ReadOnly",
            PermissionDenied,
            "a mapping with Access::Copy cannot be resized, since its changes do not reach the file",
        ),
        (
            misaligned(Unit::AllocationGranularity),
            "Misaligned",
            InvalidInput,
            "offset 100 is not a multiple of allocation_granularity(), which is 4096; start at 0 and skip the first 100 \
             bytes",
        ),
        (
            misaligned(Unit::PageSize),
            "Misaligned",
            InvalidInput,
            "offset 100 is not a multiple of page_size(), which is 4096; start at 0",
        ),
        (E::Unsupported { what: "not this" }, "Unsupported", ErrorKind::Unsupported, "not this"),
        (
            E::Truncated { path: None, offset: 4096, len: 10, size: 4000 },
            "Truncated",
            ErrorKind::UnexpectedEof,
            "10 mapped bytes from offset 4096 are gone: the file was truncated and has 4000 bytes; when it has its bytes \
             again, call refresh",
        ),
        (no_memory(O::Reserve), "NoMemory", ErrorKind::OutOfMemory, "there is no memory for 99 bytes"),
        (
            E::NoMemory { operation: O::Map, huge_pages: true, len: 99 },
            "NoMemory",
            ErrorKind::OutOfMemory,
            "the system may not have enough free huge pages to map 99 bytes; vm.nr_hugepages sets how many it has, and \
             memory without Flags::HUGETLB takes none",
        ),
        (
            no_memory(O::Map),
            "NoMemory",
            ErrorKind::OutOfMemory,
            if cfg!(any(target_os = "linux", target_os = "android")) {
                "the system has no memory to map 99 bytes, or the process has as many mappings as vm.max_map_count allows"
            } else {
                "there is no memory for 99 bytes"
            },
        ),
        (
            denied(R::NotOpenForReading),
            "Io",
            PermissionDenied,
            "cannot map the file: the file is not open for reading, which every mapping needs; open it with read(true)",
        ),
        (
            denied(R::NotOpenForWriting),
            "Io",
            PermissionDenied,
            "cannot map the file: the file is not open for writing; map it with Access::Read or Access::Copy, or open it \
             for reading and writing",
        ),
        (
            denied(R::OpenForAppend),
            "Io",
            PermissionDenied,
            "cannot map the file: the file is open for append; map it with Access::Read or Access::Copy, or open it for \
             reading and writing",
        ),
        (
            denied(R::Sealed),
            "Io",
            PermissionDenied,
            "cannot map the file: the file is sealed against writing; map it with Access::Read or Access::Copy",
        ),
        (
            denied(R::ReadOnlyDevice),
            "Io",
            PermissionDenied,
            "cannot map the file: the device is read-only; map it with Access::Read or Access::Copy",
        ),
        (
            denied(R::NotOpenForExtending),
            "Io",
            PermissionDenied,
            "cannot map the file: the file is not open for writing, which extend(true) needs where the file is too short; open \
             it for reading and writing",
        ),
        (
            denied(R::Directory),
            "Io",
            ErrorKind::IsADirectory,
            "cannot map the file: it is a directory; map a file in it",
        ),
        (
            E::io(O::Read, 0, 5, R::Deadlock),
            "Io",
            ErrorKind::Deadlock,
            "cannot read 5 bytes from offset 0: the storage uses the mapping that reads from it, and would wait for \
             itself",
        ),
        (
            E::io(O::Read, 0, 5, R::Touch),
            "Io",
            other,
            "cannot read 5 bytes from offset 0: the file could not be read when it was touched, or no disk space was left \
             for a hole in it",
        ),
        (
            E::io(O::Map, 0, 5, R::Lost),
            "Io",
            other,
            "cannot map 5 bytes: a resize had to unmap the file and could not map it again; the mapping is lost",
        ),
        (
            E::io(O::Read, 1, 5, R::CountTooLarge),
            "Io",
            other,
            "cannot read 5 bytes from offset 1: the storage returned a count larger than the number of bytes it was asked to read or write",
        ),
        (
            E::io(O::Read, 1, 5, R::ForeignSlice),
            "Io",
            other,
            "cannot read 5 bytes from offset 1: the storage returned a slice that is not the start of the buffer it was given",
        ),
        (E::io(O::Map, 0, 5, R::TagName), "Io", InvalidInput, "cannot map 5 bytes: a tag name cannot contain a 0"),
        (io_error(O::Open, Some(PATH), 0, 0), "Io", other, "cannot open `a/b`"),
        (io_error(O::Metadata, Some(PATH), 0, 0), "Io", other, "cannot read the metadata of `a/b`"),
        (io_error(O::Map, Some(PATH), 0, 0), "Io", other, "cannot map `a/b`"),
        (io_error(O::Map, Some(PATH), 8192, 0), "Io", other, "cannot map `a/b` from offset 8192"),
        (io_error(O::Map, Some(PATH), 0, 5), "Io", other, "cannot map 5 bytes of `a/b`"),
        (io_error(O::Map, Some(PATH), 8192, 5), "Io", other, "cannot map 5 bytes of `a/b` from offset 8192"),
        (io_error(O::Unmap, None, 8192, 5), "Io", other, "cannot unmap 5 bytes from offset 8192"),
        (io_error(O::Guard, None, 0, 0), "Io", other, "cannot install the signal handler of a guard"),
        (io_error(O::Reserve, None, 0, 5), "Io", other, "cannot reserve 5 bytes of memory"),
        (io_error(O::Read, None, 0, 5), "Io", other, "cannot read 5 bytes from offset 0"),
        (io_error(O::Write, Some(PATH), 8192, 5), "Io", other, "cannot write 5 bytes of `a/b` from offset 8192"),
        (io_error(O::Flush, Some(PATH), 0, 5), "Io", other, "cannot flush 5 bytes of `a/b` from offset 0"),
        (io_error(O::Sync, Some(PATH), 0, 5), "Io", other, "cannot sync `a/b` to the disk"),
        (io_error(O::Extend, Some(PATH), 5, 95), "Io", other, "cannot extend `a/b` from 5 to 100 bytes"),
        (
            io_error(O::Allocate, Some(PATH), 5, 95),
            "Io",
            other,
            "cannot reserve room on the disk to extend `a/b` from 5 to 100 bytes",
        ),
        (io_error(O::Truncate, Some(PATH), 5, 95), "Io", other, "cannot shorten `a/b` from 100 to 5 bytes"),
        (io_error(O::Size, Some(PATH), 0, 0), "Io", other, "cannot get the size of `a/b`"),
        (io_error(O::Resize, None, 0, 0), "Io", other, "cannot resize the file"),
        (io_error(O::Advise, None, 0, 5), "Io", other, "cannot give advice on 5 bytes from offset 0"),
        (io_error(O::Lock, None, 0, 5), "Io", other, "cannot lock 5 bytes from offset 0"),
        (io_error(O::Unlock, None, 0, 5), "Io", other, "cannot unlock 5 bytes from offset 0"),
    ]
}

#[test]
fn every_error_has_its_name_its_kind_and_its_message() {
    for (error, name, kind, message) in all() {
        assert_eq!((error.name(), error.kind(), &*error.to_string()), (name, kind, message), "{error:?}");
    }
    let mut messages: Vec<_> = all().into_iter().map(|(.., message)| message).collect();
    messages.sort_unstable();
    messages.dedup();
    let repeated = usize::from(!cfg!(any(target_os = "linux", target_os = "android")));
    assert_eq!(messages.len() + repeated, all().len(), "no two errors have the same message");
}

#[test]
fn only_errors_of_the_system_or_a_storage_are_sources() {
    for (error, name, ..) in all() {
        let source = error.source().map(ToString::to_string);
        let own = matches!(&error, Error::Io { source, .. } if Reason::of(source).is_some());
        assert_eq!(source.is_some(), name == "Io" && !own, "{error:?}");
        let Some(source) = source else { continue };
        assert!(!error.to_string().contains(&source), "{error:?}: it does not repeat its source");
        assert_eq!(format!("{error:#}"), format!("{error}: {source}"), "the alternate form adds the source");
    }
}

#[test]
fn an_io_error_keeps_kind_and_contents() {
    for (error, name, kind, message) in all() {
        let is_from_elsewhere = error.source().is_some();
        let error = io::Error::from(error);
        assert_eq!(error.kind(), kind, "{message}");
        if is_from_elsewhere {
            assert_eq!(error.to_string(), "the disk is on fire", "{message}");
            continue;
        }
        assert_eq!(error.to_string(), message);
        let held = error.into_inner().and_then(|held| held.downcast::<Error>().ok());
        assert_eq!(held.map(|held| held.name()), Some(name), "{message}");
    }
}

/// An error number of the system that has its own kind.
fn some_number() -> i32 {
    number::of(ErrorKind::IsADirectory).unwrap_or(1)
}

#[test]
fn the_error_number_of_the_system_is_kept() {
    let error = || Error::io(Operation::Write, 0, 1, io::Error::from_raw_os_error(some_number()));
    assert_eq!(error().raw_os_error(), Some(some_number()));
    assert_eq!(io::Error::from(error()).raw_os_error(), Some(some_number()));
    assert!(format!("{:#}", error()).contains(&format!("os error {}", some_number())), "{:#}", error());
}

#[test]
#[cfg(any(unix, windows, target_os = "wasi"))]
fn an_error_of_this_crate_has_the_number_of_its_kind() {
    for (error, _, kind, message) in all() {
        let number = error.raw_os_error();
        if matches!(kind, ErrorKind::Other | ErrorKind::UnexpectedEof) {
            assert_eq!(number, None, "{message}");
            continue;
        }
        let kind_of_number = io::Error::from_raw_os_error(number.expect(message)).kind();
        // std has no kind for the numbers of Windows and WASI that mean "not supported".
        let is_known = kind == ErrorKind::Unsupported && cfg!(not(unix));
        assert!(kind_of_number == kind || is_known, "{message}: {kind_of_number:?}");
    }
    #[cfg(unix)]
    for (error, number) in [
        (Error::Misaligned { offset: 1, granularity: 4096, unit: Unit::PageSize }, libc::EINVAL),
        (Error::no_memory(1), libc::ENOMEM),
        (Error::io(Operation::Map, 0, 0, Reason::NotOpenForWriting), libc::EACCES),
        (Error::io(Operation::Map, 0, 0, Reason::Directory), libc::EISDIR),
        (Error::Unsupported { what: "" }, libc::EOPNOTSUPP),
    ] {
        assert_eq!(error.raw_os_error(), Some(number), "{error:?}");
    }
}

#[test]
fn a_path_is_added_once_to_errors_that_concern_the_file() {
    for (error, ..) in all() {
        let (shown, concerns_file) = (error.to_string(), matches!(error, Error::Io { .. } | Error::Truncated { .. }));
        let named = error.with_path(Some(Path::new("c/d"))).to_string();
        let takes_path = (shown.contains("the file") && concerns_file) || shown.contains("the file is empty");
        if shown.contains("a/b") {
            assert_eq!(named, shown, "it keeps the path that it has");
        } else if takes_path && !shown.contains("guard") {
            assert!(named.contains("`c/d`"), "{named}");
        }
    }
}

/// The message of an error of opening `a/b`.
fn opening(error: impl Into<std::io::Error>) -> String {
    Error::io(Operation::Open, 0, 0, error).with_path(Some(Path::new(PATH))).to_string()
}

#[test]
fn the_message_for_a_missing_file_comes_before_the_cause() {
    let advice = if cfg!(target_os = "wasi") {
        "it does not exist, or the host has not opened its directory; create the file first, or name the directory to the \
         host, usually with --dir"
    } else {
        "it does not exist, and open creates no file; create it first, for example with std::fs::write or OpenOptions"
    };
    assert_eq!(opening(ErrorKind::NotFound), format!("cannot open `a/b`: {advice}"));
    let error = Error::io(Operation::Open, 0, 0, io::Error::new(ErrorKind::NotFound, "the cause"));
    assert!(format!("{error:#}").ends_with(": the cause"), "{error:#}");
    assert_eq!(
        Error::io(Operation::Metadata, 0, 0, ErrorKind::NotFound).to_string(),
        "cannot read the metadata of the file"
    );
}

const NOT_ALLOWED: &str = "the system does not allow it; Access::Read and Access::Copy open a file only for reading, the others for writing too";

#[test]
fn a_file_that_the_system_does_not_open_has_advice() {
    for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
        assert_eq!(opening(kind), format!("cannot open `a/b`: {NOT_ALLOWED}"));
    }
}

/// Hosts return EPERM (63) or ENOTCAPABLE (76) for a file outside of their directories. EACCES (2) is for a file in one
/// of them.
#[cfg(target_os = "wasi")]
#[test]
fn a_file_outside_of_the_host_s_directories_has_advice_on_wasi() {
    let not_granted = "the host does not allow it; name the directory of the file to the host, usually with --dir, with the \
        right to write if the mapping writes, or use Access::Read";
    for (number, advice) in [(63, not_granted), (76, not_granted), (2, NOT_ALLOWED)] {
        let message = opening(io::Error::from_raw_os_error(number));
        assert_eq!(message, format!("cannot open `a/b`: {advice}"), "{number}");
    }
}
