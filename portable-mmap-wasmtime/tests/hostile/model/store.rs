//! The expected contents of a store's memory, and the mappings that its guest may make.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Bytes, FileModel, Mapping};
use crate::common::{BLOCK, PAGE, SHARED, errno};
use crate::steps::{INITIAL, Kind, Policy};

/// A file that the guest has open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    /// The guest's descriptor, or `None` if the host has added the file.
    pub(crate) fd: Option<i64>,
    pub(crate) file: usize,
    pub(crate) reads: bool,
    pub(crate) writes: bool,
}

/// The model of a store with its guest.
#[derive(Debug)]
pub(crate) struct StoreModel {
    pub(crate) kind: Kind,
    pub(crate) is_attached: bool,
    memory: Bytes,
    pub(crate) mappings: BTreeMap<i64, Mapping>,
    /// Handles of mappings that have ended.
    pub(crate) unmapped: Vec<i64>,
    pub(crate) opened: Vec<Open>,
    /// The ranges to which the guest has read bytes that may be a mapping.
    reads: Vec<Range<usize>>,
}

/// How much of its limits a store has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) mappings: usize,
    pub(crate) bytes: usize,
}

impl Usage {
    /// The usage of the mappings that the guest has requested.
    pub(crate) fn by(store: &StoreModel) -> Self {
        Self { mappings: store.mappings.len(), bytes: store.mapped_bytes() }
    }
}

/// A request of a guest for a mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MapRequest {
    /// The file, or `None` if there is no such file.
    pub(crate) file: Option<usize>,
    pub(crate) offset: u64,
    pub(crate) at: usize,
    pub(crate) len: usize,
    pub(crate) flags: u32,
}

/// Pages of a mapping that a step accesses, and that lie behind the end of its file.
#[derive(Clone, Debug)]
pub(crate) struct Truncated {
    pub(crate) handle: i64,
    pub(crate) pages: Vec<usize>,
}

impl StoreModel {
    pub(crate) fn new(kind: Kind, blocks: usize, segment: &[u8]) -> Self {
        let mut memory = Bytes::zeros(blocks * BLOCK);
        memory.put(BLOCK, &Bytes::from(segment.to_vec()));
        let (mappings, unmapped) = (BTreeMap::new(), Vec::new());
        Self { kind, is_attached: true, memory, mappings, unmapped, opened: Vec::new(), reads: Vec::new() }
    }

    /// The size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.memory.len()
    }

    pub(crate) fn grow(&mut self, blocks: usize) {
        self.memory.resize(self.size() + blocks * BLOCK);
    }

    pub(crate) fn mapped_bytes(&self) -> usize {
        self.mappings.values().map(Mapping::len).sum()
    }

    /// The guest has read bytes of a file that does not change.
    pub(crate) fn read(&mut self, range: Range<usize>) {
        if self.kind.is_zero_copy && self.is_attached {
            self.reads.push(range);
        }
    }

    /// The largest number of bytes that may be mapped instead of read.
    pub(crate) fn read_bytes(&self) -> usize {
        self.reads.iter().map(Range::len).sum()
    }

    /// Every reason why a mapping fails, for this usage of the store's limits and this number of mappings in the
    /// process. Any of them may be the result.
    pub(crate) fn errors(
        &self,
        request: &MapRequest,
        files: &[FileModel],
        (usage, in_process): (Usage, usize),
    ) -> Vec<i32> {
        let mut errors = Vec::new();
        let mut check = |holds: bool, errno| {
            if !holds {
                errors.push(errno);
            }
        };
        let is_shared = request.flags == SHARED;
        check(request.flags == 0 || is_shared, errno::INVAL);
        check(request.at.is_multiple_of(BLOCK) && request.len > 0, errno::INVAL);
        check(request.offset.is_multiple_of(PAGE as u64), errno::INVAL);
        check(request.at + request.len.next_multiple_of(BLOCK) <= self.size(), errno::FAULT);
        check(request.at >= INITIAL * BLOCK, errno::ADDRNOTAVAIL);
        let held: Vec<&Open> = self.opened.iter().filter(|open| Some(open.file) == request.file).collect();
        let is_enough = |open: &&Open| open.reads && (!is_shared || open.writes);
        if let Some(file) = request.file.filter(|_| !held.is_empty()).map(|file| &files[file]) {
            check(held.iter().any(is_enough), errno::ACCES);
            let end = request.offset.checked_add(request.len as u64);
            check(end.is_some_and(|end| end <= file.len() as u64), errno::NXIO);
            let may = match self.kind.policy {
                Policy::Immutable => file.is_sealed && !is_shared,
                Policy::Private => !is_shared,
                // If the policy permits shared mappings of a sealed file, the system does not.
                Policy::Trusted => !(file.is_sealed && is_shared),
            };
            check(may, errno::PERM);
        } else {
            check(false, errno::BADF);
        }
        let len = request.len.next_multiple_of(PAGE);
        let block = request.at..request.at + len;
        let is_apart = |mapping: &Mapping| mapping.range().end <= block.start || block.end <= mapping.range().start;
        check(self.mappings.values().all(is_apart), errno::ADDRINUSE);
        check(usage.mappings < self.kind.max_mappings, errno::MFILE);
        check(in_process < self.kind.max_process_mappings, errno::MFILE);
        check(usage.bytes + len <= self.kind.max_bytes, errno::NOMEM);
        errors
    }

    /// The range of a mapping that a call concerns, or the errno that it returns.
    pub(crate) fn range_of(&self, handle: i64, offset: usize, len: usize) -> Result<Range<usize>, i32> {
        let mapping = self.mappings.get(&handle).ok_or(errno::BADF)?;
        if offset + len > mapping.len() { Err(errno::INVAL) } else { Ok(offset..offset + len) }
    }

    pub(crate) fn unmap(&mut self, handle: i64) -> bool {
        let Some(mapping) = self.mappings.remove(&handle) else { return false };
        self.memory.zero(mapping.range());
        self.unmapped.push(handle);
        true
    }

    /// All mappings end. The store maps nothing until it is attached again.
    pub(crate) fn detach(&mut self) {
        for handle in self.mappings.keys().copied().collect::<Vec<_>>() {
            self.unmap(handle);
        }
        // A read that was a mapping is replaced with zeros.
        for range in std::mem::take(&mut self.reads) {
            self.memory.may_be_zero(range);
        }
        self.is_attached = false;
    }

    /// The truncated pages that an access to these bytes reaches.
    pub(crate) fn truncated(&self, ranges: &[Range<usize>], files: &[FileModel]) -> Vec<Truncated> {
        let in_mapping = |(&handle, mapping): (&i64, &Mapping)| {
            let pages = ranges.iter().flat_map(|range| mapping.pages_in(range));
            let pages: Vec<usize> = pages.filter(|&page| mapping.is_truncated(page, &files[mapping.file])).collect();
            (!pages.is_empty()).then_some(Truncated { handle, pages })
        };
        self.mappings.iter().filter_map(in_mapping).collect()
    }

    /// The expected bytes of a range, which has no truncated page.
    pub(crate) fn show(&self, range: Range<usize>, files: &[FileModel]) -> Bytes {
        let mut bytes = self.memory.get(range.clone());
        for mapping in self.mappings.values() {
            for page in mapping.pages_in(&range) {
                let start = mapping.start + page * PAGE;
                let part = start.max(range.start)..(start + PAGE).min(range.end);
                let shown = mapping.show(page, &files[mapping.file]).get(part.start - start..part.end - start);
                bytes.put(part.start - range.start, &shown);
            }
        }
        bytes
    }

    /// A store to the bytes from `at` on, which have no truncated page.
    pub(crate) fn store(&mut self, at: usize, bytes: &Bytes, files: &mut [FileModel]) {
        let range = at..at + bytes.len();
        self.memory.put(at, bytes);
        for mapping in self.mappings.values_mut() {
            for page in mapping.pages_in(&range) {
                mapping.store(page, at, bytes, &mut files[mapping.file]);
            }
        }
    }

    /// The pages of files that are mapped at these bytes: the mapping, the file, the range in it, and whether a store
    /// reaches the file.
    pub(crate) fn places(&self, range: &Range<usize>) -> Vec<Place> {
        let in_mapping = |(&handle, mapping): (&i64, &Mapping)| {
            let pages = mapping.pages_in(range).filter_map(|page| mapping.place(page));
            let place = |bytes| Place { handle: Some(handle), file: mapping.file, bytes, is_shared: mapping.is_shared };
            pages.map(place).collect::<Vec<_>>()
        };
        self.mappings.iter().flat_map(in_mapping).collect()
    }
}

/// A page of a file that one step reads or changes.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The mapping that contains it, or `None` if a call reads or writes the file.
    pub(crate) handle: Option<i64>,
    pub(crate) file: usize,
    pub(crate) bytes: Range<usize>,
    /// Whether a store to it reaches the file.
    pub(crate) is_shared: bool,
}

/// Whether a step that stores to `changed` reaches a page of a file in two ways. The result then depends on which byte
/// it moves first, which is not defined.
pub(crate) fn overlaps_itself(changed: &[Place], read: &[Place]) -> bool {
    let meets = |one: &Place, other: &Place| {
        one.is_shared
            && one.handle != other.handle
            && one.file == other.file
            && one.bytes.start < other.bytes.end
            && other.bytes.start < one.bytes.end
    };
    changed.iter().any(|one| changed.iter().chain(read).any(|other| meets(one, other)))
}
