//! Checks the options against each other and against the file. The result is a plan for a backend.

use crate::error::{Asked, Operation, Reason, Unit};
use crate::span::{self, Span};
use crate::storage::{FileKind, Metadata, Storage};
use crate::{Access, Error, Flags, HostMapping, MmapOptions, Prot, Result};

/// What a backend can map.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The unit that an offset in a file must be a multiple of, in bytes.
    pub(crate) granularity: usize,
    /// Returns an error for anything else that the backend cannot map.
    pub(crate) check_supported: fn(&Plan) -> Result<()>,
}

/// A mapping that a backend has to make.
///
/// The access is the result of access, flags and prot together. The span lies within the source.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct Plan {
    pub(crate) span: Span,
    /// The mapping has zeros and no source.
    pub(crate) anonymous: bool,
    /// The source's length, if the source must become longer before it is mapped.
    pub(crate) extend_from: Option<u64>,
    pub(crate) access: Access,
    /// What the source is.
    pub(crate) kind: FileKind,
    /// The source can be read only in whole blocks: see [`Metadata`].
    pub(crate) has_whole_blocks_only: bool,
    /// The source may lie in huge pages: see [`Metadata`].
    pub(crate) has_long_blocks: bool,
    /// Nobody else sees the changes.
    pub(crate) private: bool,
    pub(crate) executable: bool,
    /// `POPULATE`, `NORESERVE`, `STACK` and `HUGETLB`.
    pub(crate) hints: Flags,
    pub(crate) track_file: bool,
    pub(crate) tag_name: Option<String>,
    pub(crate) guard: bool,
    pub(crate) allocate: bool,
    #[cfg_attr(not(target_os = "wasi"), allow(dead_code, reason = "only a guest on WASI has a host"))]
    pub(crate) host_mapping: HostMapping,
    /// A device that cannot be mapped is read once instead, by `map_any`.
    pub(crate) reads_devices: bool,
}

impl Plan {
    /// Whether changes must be written to the source.
    pub(crate) fn reaches_file(&self) -> bool {
        self.access.is_writable() && !self.private
    }

    /// Whether the source's length can be set. The length of a device cannot.
    pub(crate) fn has_settable_len(&self) -> bool {
        self.kind == FileKind::Regular
    }

    /// The plan of an anonymous mapping.
    pub(crate) fn anonymous(options: &MmapOptions, limits: &Limits) -> Result<Self> {
        if options.offset != 0 {
            return Err(Error::Conflict { what: "an anonymous mapping cannot have an offset" });
        }
        let plan = Self { anonymous: true, ..Self::combine(options)? };
        if plan.span.len() == 0 {
            return Err(zero_length(Asked::AnonymousLength));
        }
        if plan.tag_name.is_some() {
            return Err(Error::Unsupported {
                what: "map_anonymous takes no tag_name, because others can change tagged memory; map_tagged takes one",
            });
        }
        plan.check_supported(options, limits)?;
        Ok(plan)
    }

    /// The plan of a mapping of `source`. Only this function asks for the source's kind, mode and length.
    ///
    /// The order of the checks is part of the interface: conflicting options, the kind, the length, the alignment, the
    /// mode, and last what the backend does not support.
    pub(crate) fn of_source(options: &MmapOptions, source: &impl Storage, limits: &Limits) -> Result<Self> {
        let mut plan = Self::combine(options)?;
        let facts = source.metadata().map_err(|e| Error::io(Operation::Metadata, 0, 0, e))?;
        if facts.kind == FileKind::Directory {
            return Err(plan.cannot_map(Reason::Directory));
        }
        plan.fit(options, facts)?;
        span::check_aligned(plan.span.offset(), limits.granularity, Unit::AllocationGranularity)?;
        plan.check_mode(facts)?;
        plan.has_whole_blocks_only = facts.has_whole_blocks_only;
        plan.has_long_blocks = facts.has_long_blocks;
        plan.check_supported(options, limits)?;
        Ok(plan)
    }

    /// The plan that results from access, flags and prot together.
    pub(crate) fn combine(options: &MmapOptions) -> Result<Self> {
        let MmapOptions { access, flags, prot, .. } = *options;
        if flags.contains(Flags::SHARED | Flags::PRIVATE) {
            return Err(Error::Conflict { what: "flags cannot be both SHARED and PRIVATE" });
        }
        if access != Access::Default && !((flags - Flags::SHARED).is_empty() && prot == Prot::default()) {
            return Err(Error::Conflict {
                what: "access cannot be combined with flags or prot other than the defaults",
            });
        }
        let executable = prot.contains(Prot::EXEC);
        let access = if prot == Prot::READ | Prot::WRITE {
            access
        } else if prot == Prot::WRITE {
            Access::Write
        } else {
            Access::Read
        };
        let private = flags.contains(Flags::PRIVATE) || access == Access::Copy;
        Ok(Self {
            span: Span::new(options.offset, options.len)?,
            anonymous: false,
            extend_from: None,
            kind: FileKind::Regular,
            has_whole_blocks_only: false,
            has_long_blocks: false,
            access,
            private,
            executable,
            hints: flags - Flags::SHARED - Flags::PRIVATE,
            track_file: options.track_file,
            // An empty name counts as no name.
            tag_name: options.tag_name.clone().filter(|name| !name.is_empty()),
            guard: options.guard,
            allocate: options.allocate,
            host_mapping: options.host_mapping,
            reads_devices: options.reads_devices,
        })
    }

    /// Returns an error if the file cannot be read, or if changes cannot be written to it.
    pub(crate) fn check_mode(&mut self, Metadata { mode, unwritable, .. }: Metadata) -> Result<()> {
        if self.private && self.access.is_writable() {
            // A private mapping of a file always has `Access::Copy`.
            self.access = Access::Copy;
        }
        if !mode.read {
            return Err(self.cannot_map(Reason::NotOpenForReading));
        }
        if self.reaches_file() {
            if !mode.write {
                return Err(self.cannot_map(Reason::NotOpenForWriting));
            }
            if mode.append {
                return Err(self.cannot_map(Reason::OpenForAppend));
            }
            if let Some(reason) = unwritable {
                return Err(self.cannot_map(reason));
            }
        }
        if self.extend_from.is_some() && !mode.write {
            return Err(self.cannot_map(Reason::NotOpenForExtending));
        }
        Ok(())
    }

    /// Returns an error for a plan that no backend supports, or that this backend does not support.
    fn check_supported(&self, options: &MmapOptions, limits: &Limits) -> Result<()> {
        if options.prot.contains(Prot::EXEC | Prot::WRITE) {
            return Err(Error::Unsupported { what: "a mapping cannot be both writable and executable" });
        }
        (limits.check_supported)(self)
    }

    /// Fits the span to the source's length, and notes whether the source must become longer first.
    fn fit(&mut self, options: &MmapOptions, Metadata { kind, len: size, .. }: Metadata) -> Result<()> {
        self.kind = kind;
        if !self.has_settable_len() && options.extend {
            return Err(Error::Unsupported { what: "only a regular file can be extended" });
        }
        if kind == FileKind::Special {
            // It reports a length of 0, but it is not an empty file.
            return if options.len > 0 { Ok(()) } else { Err(Error::Unsupported { what: NO_LENGTH }) };
        }
        let offset = self.span.offset();
        if options.len > 0 {
            if self.span.end() <= size {
                return Ok(());
            }
            if !options.extend {
                let (len, extendable) = (options.len as u64, self.has_settable_len());
                return Err(Error::LengthPastEnd { path: None, offset, len, size, extendable });
            }
            self.extend_from = Some(size);
            return Ok(());
        }
        if size == 0 {
            return Err(Error::EmptyFile { path: None });
        }
        if offset >= size {
            return Err(Error::OffsetPastEnd { path: None, offset, size });
        }
        let rest = size - offset;
        let len = usize::try_from(rest).map_err(|_| Error::OutOfRange {
            what: Asked::Length,
            start: i128::from(offset),
            len: rest,
            limit: isize::MAX as u64,
        })?;
        self.span = Span::new(offset, len)?;
        Ok(())
    }

    fn cannot_map(&self, reason: Reason) -> Error {
        Error::io(Operation::Map, self.span.offset(), self.span.len() as u64, reason)
    }
}

/// The reason why a file that is neither a regular file nor a block device needs a length.
const NO_LENGTH: &str = "a character device, a pipe or a socket has no length; map_any and open_any read a pipe to its end, \
    and len(n) bytes of a device";

/// The error of a length that must not be 0.
pub(crate) fn zero_length(what: Asked) -> Error {
    Error::OutOfRange { what, start: 0, len: 0, limit: isize::MAX as u64 }
}
