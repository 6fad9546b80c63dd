//! How a mapping is made: [`MmapOptions`], [`Access`], [`Flags`], [`Prot`].

use bitflags::bitflags;

/// What may be done to the bytes, and where changes go. (Python's `access`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Access {
    /// What [`Flags`] and [`Prot`] say; with their defaults, as `Write`. (`ACCESS_DEFAULT`)
    #[default]
    Default,
    /// No change is allowed. The file has to be open for reading. (`ACCESS_READ`)
    Read,
    /// Changes reach the file, which has to be open for reading and writing. (`ACCESS_WRITE`)
    Write,
    /// Changes stay in memory. The file has to be open for reading. (`ACCESS_COPY`)
    Copy,
}

impl Access {
    /// Whether bytes may be changed.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        !matches!(self, Self::Read)
    }
}

/// Whether a program on WASI asks its host to place a mapping of the operating system in its memory. On other targets
/// it has no effect.
///
/// A host that does that is wasmtime with `portable-mmap-wasmtime`. A program for `wasm32-wasip1` runs in every other
/// host too: it asks once, before the first mapping that wants a host, by a call of `fd_pread` that is an error or
/// reads nothing elsewhere. With this crate's feature `host-mapping` it imports the host's functions instead, and runs
/// only where they are. A program for `wasm32-wasip2` asks only with that feature, by functions that it imports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostMapping {
    /// If the host does it for this file, and the mapping has at least 512 KiB: below that a buffer is faster. Any
    /// other mapping is a buffer.
    #[default]
    Auto,
    /// Always, for programs that need the file's own bytes, which a buffer does not have. If the host does not do it,
    /// mapping a file fails: [`Error::Unsupported`](crate::Error::Unsupported), or [`Error::Io`](crate::Error::Io) with
    /// the host's reason.
    Require,
    /// Never: always a buffer.
    Never,
}

bitflags! {
    /// The nature of a mapping. (Python's `flags`)
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Flags: u32 {
        /// Changes are shared. Implied where `PRIVATE` is not given.
        const SHARED = 1 << 0;
        /// Changes are private to this mapping: on a file that is [`Access::Copy`] throughout.
        const PRIVATE = 1 << 1;
        /// A hint: load everything at once (Linux).
        const POPULATE = 1 << 2;
        /// A hint: reserve no swap space (Linux, Android, …). A buffer reserves none there, with or without it. Where
        /// `vm.overcommit_memory` is 2, Linux does not take the hint from either: a mapping of more than the system has
        /// room for is [`Error::NoMemory`](crate::Error::NoMemory).
        const NORESERVE = 1 << 3;
        /// A hint: the memory is used as a stack (Linux, anonymous only).
        const STACK = 1 << 4;
        /// Huge pages (Linux, anonymous only). Fails where none are free (`vm.nr_hugepages` sets how many there are),
        /// and always on a buffer.
        const HUGETLB = 1 << 5;
    }
}

bitflags! {
    /// What the memory may be used for. (Python's `prot`)
    ///
    /// `READ | WRITE`, the default, acts as [`Access::Default`], `WRITE` alone as [`Access::Write`], and all else as
    /// [`Access::Read`]. `READ` is added where it is missing.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Prot: u32 {
        /// The bytes may be read.
        const READ = 1 << 0;
        /// The bytes may be changed.
        const WRITE = 1 << 1;
        /// The bytes may be executed: read-only OS mappings alone. On Windows the file has to be open for execution
        /// too, which [`MmapOptions::open`] does not ask for.
        const EXEC = 1 << 2;
    }
}

impl Default for Prot {
    fn default() -> Self {
        Self::READ | Self::WRITE
    }
}

/// How to make a mapping: a builder whose setters can be chained.
///
/// ```
/// use portable_mmap::{Access, MmapOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
/// // SAFETY: nobody else changes this file while it is mapped.
/// let map = unsafe { MmapOptions::new().access(Access::Read).open(path)? };
/// assert!(map.find("portable-mmap")?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct MmapOptions {
    pub(crate) len: usize,
    pub(crate) offset: u64,
    pub(crate) access: Access,
    pub(crate) flags: Flags,
    pub(crate) prot: Prot,
    pub(crate) extend: bool,
    pub(crate) track_file: bool,
    pub(crate) tag_name: Option<String>,
    pub(crate) guard: bool,
    pub(crate) allocate: bool,
    pub(crate) host_mapping: HostMapping,
    /// Set by `map_any` and `open_any` alone.
    pub(crate) reads_devices: bool,
}

impl Default for MmapOptions {
    fn default() -> Self {
        Self {
            len: 0,
            offset: 0,
            access: Access::default(),
            flags: Flags::default(),
            prot: Prot::default(),
            extend: false,
            track_file: true,
            tag_name: None,
            guard: false,
            allocate: false,
            host_mapping: HostMapping::default(),
            reads_devices: false,
        }
    }
}

impl MmapOptions {
    /// The whole file, shared, readable and writable.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes to map. 0, the default: from the offset to the end of the file as it is when mapped.
    pub fn len(&mut self, len: usize) -> &mut Self {
        self.len = len;
        self
    }

    /// Where the mapping starts, in bytes from the start of the file: a multiple of
    /// [`allocation_granularity`](crate::Mapping::allocation_granularity). Multiples of 64 KiB are right on every
    /// system.
    pub fn offset(&mut self, offset: u64) -> &mut Self {
        self.offset = offset;
        self
    }

    /// What may be done to the bytes. Excludes flags and prot other than their defaults.
    pub fn access(&mut self, access: Access) -> &mut Self {
        self.access = access;
        self
    }

    /// The nature of the mapping.
    pub fn flags(&mut self, flags: Flags) -> &mut Self {
        self.flags = flags;
        self
    }

    /// What the memory may be used for.
    pub fn prot(&mut self, prot: Prot) -> &mut Self {
        self.prot = prot;
        self
    }

    /// Makes a file that is shorter than offset and length longer when it is mapped, with zeros; the file has to be
    /// open for writing, and [`open`](Self::open) opens it for writing, also for [`Access::Read`] and [`Access::Copy`].
    /// Without it such a length is [`Error::LengthPastEnd`](crate::Error::LengthPastEnd). A limit on the length of
    /// files (`ulimit -f`) holds as for [`resize`](crate::Mapping::resize). (Python on Windows always extends.)
    pub fn extend(&mut self, extend: bool) -> &mut Self {
        self.extend = extend;
        self
    }

    /// Whether [`size`](crate::Mapping::size) and [`resize`](crate::Mapping::resize) may use the file later; true by
    /// default. With `false` they return [`Error::Untracked`](crate::Error::Untracked), also on anonymous memory, and
    /// an OS mapping gives up its share in the [`File`](std::fs::File) once it is made. (Python's `trackfd`)
    pub fn track_file(&mut self, track_file: bool) -> &mut Self {
        self.track_file = track_file;
        self
    }

    /// Windows: names the mapping; two mappings of one tag share memory. Elsewhere mapping returns
    /// [`Error::Unsupported`](crate::Error::Unsupported). (Python's `tagname`)
    pub fn tag_name(&mut self, tag_name: impl Into<String>) -> &mut Self {
        self.tag_name = Some(tag_name.into());
        self
    }

    /// Makes calls return an error if the file is truncated while it is mapped. Without a guard the process can end.
    ///
    /// A touch past the new end of the file reads zeros, in place of the `SIGBUS` that ends the process on unix and of
    /// the panic of a buffer's slice face. With the first such touch every page past the end is lost: it reads as
    /// zeros, and what is stored in it reaches no file. The mapping notes the [`fault`](crate::Mapping::fault), and
    /// from then on its fallible calls but `close` return [`Error::Truncated`](crate::Error::Truncated), until
    /// [`refresh`](crate::Mapping::refresh) takes the fault back: then lost pages are looked at anew, and one that the
    /// file still does not have is a fault again when it is touched. A page that the file has and that cannot be read,
    /// or a hole for which a full disk has no room, is lost alone: then the calls return
    /// [`Error::Io`](crate::Error::Io) with the cause.
    ///
    /// A call that returns a `Result` touches every page that it returns, so it returns the error itself. `m[a..b]`,
    /// `m[i]` and iteration touch nothing in advance: look at [`fault`](crate::Mapping::fault) afterwards.
    ///
    /// What a guard cannot do:
    ///
    /// - Bytes that are gone stay gone, and the bytes of a slice may change from data to zeros while it is borrowed.
    ///   The guard survives that; Rust does not define what a program that reads such a slice at that moment sees.
    /// - It works by a handler for `SIGBUS`, which is installed with the first guard. The handler passes signals that
    ///   do not concern a guard on to the handler that was there before. A handler that is installed later has to do
    ///   the same.
    /// - A thread that blocks `SIGBUS` ends the process when it touches what is gone: the kernel does not ask a handler
    ///   then.
    /// - A system call that is given the address of what is gone, such as `write` of a slice of the mapping, returns
    ///   `EFAULT` and notes no fault.
    ///
    /// On Windows, where a mapped file cannot be truncated, it does nothing.
    pub fn guard(&mut self, guard: bool) -> &mut Self {
        self.guard = guard;
        self
    }

    /// Allocates disk blocks whenever the mapping makes its file longer, so that a full disk is an error then, and not
    /// a `SIGBUS` when a hole in the file is touched.
    ///
    /// This takes a call of the operating system: `fallocate` on Linux, `F_PREALLOCATE` on macOS, `posix_fallocate` on
    /// FreeBSD, `SetFileInformationByHandle` on Windows. Where there is none (WASI, other systems, some file systems)
    /// the call that would make the file longer returns [`Error::Unsupported`](crate::Error::Unsupported) and leaves
    /// the file as it is.
    pub fn allocate(&mut self, allocate: bool) -> &mut Self {
        self.allocate = allocate;
        self
    }

    /// Whether the host of a guest on WASI places a mapping of the operating system in the guest's memory:
    /// [`HostMapping::Auto`] by default. Anonymous memory is a buffer there in any case.
    pub fn host_mapping(&mut self, host_mapping: HostMapping) -> &mut Self {
        self.host_mapping = host_mapping;
        self
    }
}
