//! The requests of a guest: mappings, and operations on them.

use portable_mmap::FaultKind;

use super::Runner;
use crate::common::host::inode;
use crate::common::{DIRTY, PAGE, SHARED, errno};
use crate::model::{MapRequest, Mapping, Usage, pages_of};
use crate::steps::{Handle, Name};

/// The expected return value of a call of the host.
fn returned(expected: Result<(), i32>) -> i64 {
    expected.map_or_else(|errno| -i64::from(errno), |()| 0)
}

/// The numbers of the kinds of syncs and of advice are smaller than these.
const KINDS: u32 = 3;
const HINTS: u32 = 5;

impl Runner<'_> {
    pub(super) fn map(&mut self, slot: usize, name: Name, offset: u64, at: usize, len: usize, flags: u32) {
        let (file, inode) = match name {
            Name::File(file) => (Some(file), inode(&self.files[file]).cast_signed()),
            Name::Directory => (None, inode(&std::fs::File::open(self.dir).unwrap()).cast_signed()),
            Name::Inode(number) => (None, number.cast_signed()),
        };
        let arguments = [inode, offset.cast_signed(), at as i64, len as i64, flags.into()];
        let by_host = self.usage(slot);
        let result = self.guest(slot).call("map", &arguments);
        let in_process = self.model.mappings();
        let files = &self.model.files;
        let store = self.model.stores[slot].as_mut().expect("a store");
        if !store.is_attached {
            assert_eq!(result, 0, "a store that is not attached maps nothing");
            return;
        }
        let request = MapRequest { file, offset, at, len, flags };
        let errors = store.errors(&request, files, (Usage::by(store), in_process));
        // Reads that are mapped count toward the limits too, and a read that the mapping divides becomes two. It is not
        // defined whether the host counts the reads that the mapping would replace.
        let (usage, in_process) = by_host;
        let divided = usize::from(usage.mappings > store.mappings.len());
        let usage = Usage { mappings: usage.mappings + divided, ..usage };
        let perhaps = store.errors(&request, files, (usage, in_process + divided));
        if errors.is_empty() && (result > 0 || perhaps.is_empty()) {
            let last = store.mappings.keys().chain(&store.unmapped).max();
            assert!(result > last.copied().unwrap_or(0), "{request:?} can be mapped, and `map` returns {result}");
            let mapping = Mapping::new(at, file.expect("a file"), offset as usize, len, flags == SHARED);
            store.mappings.insert(result, mapping);
            self.counts.mappings += 1;
        } else {
            assert!(
                perhaps.iter().any(|&errno| result == -i64::from(errno)),
                "`map` returns {result} for {request:?}, which fails with one of {perhaps:?}"
            );
        }
    }

    pub(super) fn unmap(&mut self, slot: usize, handle: Handle) {
        let handle = self.number(slot, handle);
        let result = self.guest(slot).call("unmap", &[handle]);
        let is_there = self.model.store_mut(slot).unmap(handle);
        assert_eq!(result, returned(if is_there { Ok(()) } else { Err(errno::BADF) }), "`unmap` of {handle}");
    }

    pub(super) fn sync(&mut self, slot: usize, handle: Handle, offset: usize, len: usize, how: u32) {
        let handle = self.number(slot, handle);
        let result = self.guest(slot).sync(handle, offset, len, how);
        let store = self.model.store(slot);
        let range = store.range_of(handle, offset, len);
        let is_kind = if how < KINDS { Ok(()) } else { Err(errno::INVAL) };
        let expected = returned(range.clone().map(drop).and(is_kind));
        assert_eq!(result, expected, "`sync` {how} of {len} bytes from {offset} on of {handle}");
        // The host accesses the first byte of each page to make it dirty, from the first page on.
        let (Ok(range), DIRTY) = (range, how) else { return };
        let mapping = &store.mappings[&handle];
        let is_truncated = |page: &usize| mapping.is_truncated(*page, &self.model.files[mapping.file]);
        if let Some(page) = pages_of(&range).find(is_truncated).filter(|_| mapping.is_shared) {
            self.lose(slot, handle, page);
        }
    }

    pub(super) fn advise(&mut self, slot: usize, handle: Handle, offset: usize, len: usize, advice: u32) {
        let handle = self.number(slot, handle);
        let result = self.guest(slot).call("advise", &[handle, offset as i64, len as i64, advice.into()]);
        let is_hint = if advice < HINTS { Ok(()) } else { Err(errno::INVAL) };
        let expected = self.model.store(slot).range_of(handle, offset, len).map(drop).and(is_hint);
        assert_eq!(result, returned(expected), "`advise` {advice} of {len} bytes from {offset} on of {handle}");
    }

    pub(super) fn refresh(&mut self, slot: usize, handle: Handle, offset: usize, len: usize) {
        let handle = self.number(slot, handle);
        let result = self.guest(slot).refresh(handle, offset, len);
        let store = self.model.store_mut(slot);
        let range = store.range_of(handle, offset, len);
        assert_eq!(result, returned(range.clone().map(drop)), "`refresh` of {len} bytes from {offset} on of {handle}");
        if let (Ok(range), Some(mapping)) = (range, store.mappings.get_mut(&handle)) {
            mapping.refresh(&pages_of(&range));
        }
    }

    pub(super) fn fault(&mut self, slot: usize, handle: Handle) {
        let handle = self.number(slot, handle);
        let Some(mapping) = self.model.store(slot).mappings.get(&handle) else {
            assert_eq!(self.guest(slot).call("fault", &[handle]), -i64::from(errno::BADF), "`fault` of {handle}");
            return;
        };
        let expected = mapping.fault().map(|page| ((page * PAGE) as u32, FaultKind::Truncated));
        assert_eq!(self.guest(slot).fault(handle), expected, "the fault of {handle}");
    }

    pub(super) fn lost(&mut self, slot: usize, handle: Handle, offset: usize) {
        let handle = self.number(slot, handle);
        let result = self.guest(slot).lost(handle, offset);
        let store = self.model.store(slot);
        let expected = match store.range_of(handle, offset, 1) {
            Ok(_) => i64::from(store.mappings[&handle].is_lost(offset / PAGE)),
            Err(errno) => -i64::from(errno),
        };
        assert_eq!(result, expected, "`lost` of byte {offset} of {handle}");
    }
}
