//! The options of a mapping: [`MmapOptions`], [`Access`], [`Flags`], [`Prot`].

use bitflags::bitflags;

/// What a program may do to the bytes, and where changes go. (Python's `access`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Access {
    /// The access that [`Flags`] and [`Prot`] specify. With their defaults it acts as `Write`. (`ACCESS_DEFAULT`)
    #[default]
    Default,
    /// No change is allowed. The file must be open for reading. (`ACCESS_READ`)
    Read,
    /// Changes reach the file, which must be open for reading and writing. (`ACCESS_WRITE`)
    Write,
    /// Changes stay in memory. The file must be open for reading. (`ACCESS_COPY`)
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
/// The host that supports this is wasmtime with `portable-mmap-wasmtime`. A program for `wasm32-wasip1` runs in every
/// other host too. It asks its host once, before the first mapping that can use a host, with a call of `fd_pread` that
/// fails or reads nothing in other hosts. With this crate's feature `host-mapping` the program imports the host's
/// functions instead, and runs only in a host that has them. A program for `wasm32-wasip2` asks only with that feature,
/// through functions that it imports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostMapping {
    /// Uses a mapping of the host if the host can map this file and the mapping has at least 512 KiB. (A buffer is
    /// faster for a shorter mapping.) Otherwise the mapping is a buffer.
    #[default]
    Auto,
    /// Always uses a mapping of the host, for programs that need the file's own bytes and not a copy. If the host
    /// cannot map the file, the call returns [`Error::Unsupported`](crate::Error::Unsupported), or
    /// [`Error::Io`](crate::Error::Io) with the host's reason.
    Require,
    /// Never uses a mapping of the host. The mapping is a buffer.
    Never,
}

bitflags! {
    /// Properties of a mapping. (Python's `flags`)
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Flags: u32 {
        /// Changes are shared. This is the default without `PRIVATE`.
        const SHARED = 1 << 0;
        /// Changes are private to this mapping. A private mapping of a file always has [`Access::Copy`].
        const PRIVATE = 1 << 1;
        /// A hint: load all bytes when the mapping is made (Linux).
        const POPULATE = 1 << 2;
        /// A hint: reserve no swap space (Linux, Android, …). A buffer reserves none there, with or without the hint.
        /// If `vm.overcommit_memory` is 2, Linux ignores the hint for both: mapping more than the system has room for
        /// returns [`Error::NoMemory`](crate::Error::NoMemory).
        const NORESERVE = 1 << 3;
        /// A hint: the memory is used as a stack (Linux, anonymous only).
        const STACK = 1 << 4;
        /// Huge pages (Linux, anonymous only). Making the mapping fails if no huge pages are free (`vm.nr_hugepages`
        /// sets their number), and it always fails for a buffer.
        const HUGETLB = 1 << 5;
    }
}

bitflags! {
    /// How the memory may be accessed. (Python's `prot`)
    ///
    /// `READ | WRITE`, the default, acts as [`Access::Default`]. `WRITE` alone acts as [`Access::Write`], and every
    /// other value as [`Access::Read`]. `READ` is always added.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Prot: u32 {
        /// The bytes may be read.
        const READ = 1 << 0;
        /// The bytes may be changed.
        const WRITE = 1 << 1;
        /// The bytes may be executed. Only a read-only OS mapping supports this. On Windows the file must also be open
        /// for execution, and [`MmapOptions::open`] does not open it so.
        const EXEC = 1 << 2;
    }
}

impl Default for Prot {
    fn default() -> Self {
        Self::READ | Self::WRITE
    }
}

/// Options to make a mapping with. The setters can be chained.
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
    /// Only `map_any` and `open_any` set it.
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
    /// Options for the whole file, shared, readable and writable.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes to map. With 0, the default, the mapping extends from the offset to the end that the file has at
    /// that time.
    pub fn len(&mut self, len: usize) -> &mut Self {
        self.len = len;
        self
    }

    /// Where the mapping starts, in bytes from the start of the file. It must be a multiple of
    /// [`allocation_granularity`](crate::Mapping::allocation_granularity). A multiple of 64 KiB is valid on every
    /// system.
    pub fn offset(&mut self, offset: u64) -> &mut Self {
        self.offset = offset;
        self
    }

    /// What a program may do to the bytes. Cannot be combined with flags or prot other than their defaults.
    pub fn access(&mut self, access: Access) -> &mut Self {
        self.access = access;
        self
    }

    /// The properties of the mapping.
    pub fn flags(&mut self, flags: Flags) -> &mut Self {
        self.flags = flags;
        self
    }

    /// How the memory may be accessed.
    pub fn prot(&mut self, prot: Prot) -> &mut Self {
        self.prot = prot;
        self
    }

    /// Makes the file longer when it is mapped, if it ends before the mapping would end. The new bytes are zeros. The
    /// file must be open for writing; [`open`](Self::open) opens it for writing, also for [`Access::Read`] and
    /// [`Access::Copy`]. Without this option such a length returns
    /// [`Error::LengthPastEnd`](crate::Error::LengthPastEnd). A limit on the length of files (`ulimit -f`) applies as
    /// for [`resize`](crate::Mapping::resize). (Python on Windows always extends.)
    pub fn extend(&mut self, extend: bool) -> &mut Self {
        self.extend = extend;
        self
    }

    /// Whether [`size`](crate::Mapping::size) and [`resize`](crate::Mapping::resize) may use the file later. The
    /// default is `true`. With `false` they return [`Error::Untracked`](crate::Error::Untracked), also on anonymous
    /// memory, and an OS mapping drops its share of the [`File`](std::fs::File) once it is made. (Python's `trackfd`)
    pub fn track_file(&mut self, track_file: bool) -> &mut Self {
        self.track_file = track_file;
        self
    }

    /// Names the mapping, on Windows. Two mappings with the same name share memory. On other systems making the mapping
    /// returns [`Error::Unsupported`](crate::Error::Unsupported). (Python's `tagname`)
    pub fn tag_name(&mut self, tag_name: impl Into<String>) -> &mut Self {
        self.tag_name = Some(tag_name.into());
        self
    }

    /// Makes calls return an error if the file is truncated while it is mapped. Without a guard the process can be
    /// killed.
    ///
    /// An access past the new end of the file reads zeros. (Without a guard it is a `SIGBUS` on unix, which kills the
    /// process, or a panic when a buffer is used as a slice.) After the first such access every page past the end is
    /// lost: it reads as zeros, and bytes stored in it reach no file. The mapping notes the
    /// [`fault`](crate::Mapping::fault). From then on its fallible calls, except `close`, return
    /// [`Error::Truncated`](crate::Error::Truncated), until [`refresh`](crate::Mapping::refresh) clears the fault.
    /// After that the lost pages are tried again, and an access to a page that the file still does not have is a fault
    /// again. If a page of the file cannot be read, or if a full disk has no room for a hole, that page alone is lost.
    /// The calls then return [`Error::Io`](crate::Error::Io) with the cause.
    ///
    /// A call that returns a `Result` accesses every page that it returns, so it returns the error itself. `m[a..b]`,
    /// `m[i]` and iteration access nothing in advance: check [`fault`](crate::Mapping::fault) afterwards.
    ///
    /// What a guard cannot do:
    ///
    /// - It does not restore bytes that are gone, and the bytes of a slice may change from data to zeros while the
    ///   slice is borrowed. The process survives that, but Rust does not define what a program sees when it reads such
    ///   a slice at that moment.
    /// - It works through a handler for `SIGBUS`, which is installed with the first guard. The handler passes signals
    ///   that do not concern a guard on to the handler that was installed before. A handler that is installed later
    ///   must do the same.
    /// - If a thread that blocks `SIGBUS` accesses bytes that are gone, the process is killed: the kernel does not call
    ///   a handler then.
    /// - A system call that gets the address of bytes that are gone, such as `write` of a slice of the mapping, returns
    ///   `EFAULT`, and no fault is noted.
    ///
    /// On Windows a guard does nothing, because a mapped file cannot be truncated there.
    pub fn guard(&mut self, guard: bool) -> &mut Self {
        self.guard = guard;
        self
    }

    /// Allocates disk blocks whenever the mapping makes its file longer. A full disk is then an error of that call, and
    /// not a `SIGBUS` when a hole in the file is accessed.
    ///
    /// This needs a function of the operating system: `fallocate` on Linux, `F_PREALLOCATE` on macOS, `posix_fallocate`
    /// on FreeBSD, `SetFileInformationByHandle` on Windows. Without one (on WASI, other systems, and some file systems)
    /// the call that would make the file longer returns [`Error::Unsupported`](crate::Error::Unsupported) and leaves
    /// the file as it is.
    pub fn allocate(&mut self, allocate: bool) -> &mut Self {
        self.allocate = allocate;
        self
    }

    /// Whether the host of a guest on WASI places a mapping of the operating system in the guest's memory:
    /// [`HostMapping::Auto`] by default. Anonymous memory is always a buffer there.
    pub fn host_mapping(&mut self, host_mapping: HostMapping) -> &mut Self {
        self.host_mapping = host_mapping;
        self
    }
}
