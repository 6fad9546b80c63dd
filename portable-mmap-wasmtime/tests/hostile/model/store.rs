//! What a store's memory must be, and what its guest may map.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Bytes, FileModel, Mapping};
use crate::common::{BLOCK, PAGE, SHARED, errno};
use crate::steps::{INITIAL, Kind, Policy};

/// A file that the guest has open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    /// The guest's descriptor. `None`: lent, by the host.
    pub(crate) fd: Option<i64>,
    pub(crate) file: usize,
    pub(crate) reads: bool,
    pub(crate) writes: bool,
}

/// A store with its guest.
#[derive(Debug)]
pub(crate) struct StoreModel {
    pub(crate) kind: Kind,
    pub(crate) is_attached: bool,
    memory: Bytes,
    pub(crate) mappings: BTreeMap<i64, Mapping>,
    /// Handles that name no mapping any more.
    pub(crate) given_back: Vec<i64>,
    pub(crate) opened: Vec<Open>,
    /// Where the guest has read bytes that may be a mapping.
    reads: Vec<Range<usize>>,
}

/// How much of its limits a store has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) mappings: usize,
    pub(crate) bytes: usize,
}

impl Taken {
    /// By the mappings that the guest has asked for.
    pub(crate) fn by(store: &StoreModel) -> Self {
        Self { mappings: store.mappings.len(), bytes: store.mapped_bytes() }
    }
}

/// What a guest asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// `None`: no file that there is.
    pub(crate) file: Option<usize>,
    pub(crate) offset: u64,
    pub(crate) at: usize,
    pub(crate) len: usize,
    pub(crate) flags: u32,
}

/// Pages of a mapping that are touched, and behind the end of its file.
#[derive(Clone, Debug)]
pub(crate) struct Gone {
    pub(crate) handle: i64,
    pub(crate) pages: Vec<usize>,
}

impl StoreModel {
    pub(crate) fn new(kind: Kind, blocks: usize, segment: &[u8]) -> Self {
        let mut memory = Bytes::zeros(blocks * BLOCK);
        memory.put(BLOCK, &Bytes::from(segment.to_vec()));
        let (mappings, given_back) = (BTreeMap::new(), Vec::new());
        Self { kind, is_attached: true, memory, mappings, given_back, opened: Vec::new(), reads: Vec::new() }
    }

    /// In bytes.
    pub(crate) fn size(&self) -> usize {
        self.memory.len()
    }

    pub(crate) fn grow(&mut self, blocks: usize) {
        self.memory.resize(self.size() + blocks * BLOCK);
    }

    pub(crate) fn mapped_bytes(&self) -> usize {
        self.mappings.values().map(Mapping::len).sum()
    }

    /// The guest has read bytes of a file that nobody changes.
    pub(crate) fn read(&mut self, range: Range<usize>) {
        if self.kind.is_zero_copy && self.is_attached {
            self.reads.push(range);
        }
    }

    /// So many bytes may be mapped in place of reads.
    pub(crate) fn read_bytes(&self) -> usize {
        self.reads.iter().map(Range::len).sum()
    }

    /// Every reason not to map, where so much of the store's limits is used and there are so many mappings in the process.
    /// Which of them a guest is told, nobody promises.
    pub(crate) fn against(&self, wish: &Wish, files: &[FileModel], (taken, in_process): (Taken, usize)) -> Vec<i32> {
        let mut against = Vec::new();
        let mut check = |holds: bool, errno| {
            if !holds {
                against.push(errno);
            }
        };
        let is_shared = wish.flags == SHARED;
        check(wish.flags == 0 || is_shared, errno::INVAL);
        check(wish.at.is_multiple_of(BLOCK) && wish.len > 0, errno::INVAL);
        check(wish.offset.is_multiple_of(PAGE as u64), errno::INVAL);
        check(wish.at + wish.len.next_multiple_of(BLOCK) <= self.size(), errno::FAULT);
        check(wish.at >= INITIAL * BLOCK, errno::ADDRNOTAVAIL);
        let held: Vec<&Open> = self.opened.iter().filter(|open| Some(open.file) == wish.file).collect();
        let is_enough = |open: &&Open| open.reads && (!is_shared || open.writes);
        if let Some(file) = wish.file.filter(|_| !held.is_empty()).map(|file| &files[file]) {
            check(held.iter().any(is_enough), errno::ACCES);
            let end = wish.offset.checked_add(wish.len as u64);
            check(end.is_some_and(|end| end <= file.len() as u64), errno::NXIO);
            let may = match self.kind.policy {
                Policy::Immutable => file.is_sealed && !is_shared,
                Policy::Private => !is_shared,
                // Where the policy allows to change what nobody can change, the system does not.
                Policy::Trusted => !(file.is_sealed && is_shared),
            };
            check(may, errno::PERM);
        } else {
            check(false, errno::BADF);
        }
        let len = wish.len.next_multiple_of(PAGE);
        let block = wish.at..wish.at + len;
        let is_apart = |mapping: &Mapping| mapping.range().end <= block.start || block.end <= mapping.range().start;
        check(self.mappings.values().all(is_apart), errno::ADDRINUSE);
        check(taken.mappings < self.kind.max_mappings, errno::MFILE);
        check(in_process < self.kind.max_process_mappings, errno::MFILE);
        check(taken.bytes + len <= self.kind.max_bytes, errno::NOMEM);
        against
    }

    /// The range of a mapping that a call is for, or the errno that it returns.
    pub(crate) fn range_of(&self, handle: i64, offset: usize, len: usize) -> Result<Range<usize>, i32> {
        let mapping = self.mappings.get(&handle).ok_or(errno::BADF)?;
        if offset + len > mapping.len() { Err(errno::INVAL) } else { Ok(offset..offset + len) }
    }

    pub(crate) fn unmap(&mut self, handle: i64) -> bool {
        let Some(mapping) = self.mappings.remove(&handle) else { return false };
        self.memory.zero(mapping.range());
        self.given_back.push(handle);
        true
    }

    /// All mappings end. The store is not asked for others until it is attached again.
    pub(crate) fn detach(&mut self) {
        for handle in self.mappings.keys().copied().collect::<Vec<_>>() {
            self.unmap(handle);
        }
        // There are zeros in place of a read that was mapped.
        for range in std::mem::take(&mut self.reads) {
            self.memory.doubt(range);
        }
        self.is_attached = false;
    }

    /// What a touch of these bytes finds gone.
    pub(crate) fn gone(&self, ranges: &[Range<usize>], files: &[FileModel]) -> Vec<Gone> {
        let in_mapping = |(&handle, mapping): (&i64, &Mapping)| {
            let pages = ranges.iter().flat_map(|range| mapping.pages_in(range));
            let pages: Vec<usize> = pages.filter(|&page| mapping.is_gone(page, &files[mapping.file])).collect();
            (!pages.is_empty()).then_some(Gone { handle, pages })
        };
        self.mappings.iter().filter_map(in_mapping).collect()
    }

    /// What there must be in a range. Nothing of it is gone.
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

    /// Somebody stores from byte `at` on. Nothing of it is gone.
    pub(crate) fn store(&mut self, at: usize, bytes: &Bytes, files: &mut [FileModel]) {
        let range = at..at + bytes.len();
        self.memory.put(at, bytes);
        for mapping in self.mappings.values_mut() {
            for page in mapping.pages_in(&range) {
                mapping.store(page, at, bytes, &mut files[mapping.file]);
            }
        }
    }

    /// The pages of files that these bytes show: whose mapping it is, the file, where in it, and whether a store
    /// reaches it.
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
    /// The mapping in which it is. `None`: a call reads or writes the file.
    pub(crate) handle: Option<i64>,
    pub(crate) file: usize,
    pub(crate) bytes: Range<usize>,
    /// Whether what is stored there reaches the file.
    pub(crate) is_shared: bool,
}

/// Whether a step that stores in `changed` reaches a page of a file in two ways. What it leaves there then depends on
/// which byte it moves first, and nobody promises that.
pub(crate) fn meets_itself(changed: &[Place], read: &[Place]) -> bool {
    let meets = |one: &Place, other: &Place| {
        one.is_shared
            && one.handle != other.handle
            && one.file == other.file
            && one.bytes.start < other.bytes.end
            && other.bytes.start < one.bytes.end
    };
    changed.iter().any(|one| changed.iter().chain(read).any(|other| meets(one, other)))
}
