//! Accesses of the guest's code, wasmtime's functions and the host to the guest's memory.

use std::ops::Range;

use portable_mmap_wasmtime::OnFault;
use wasmtime::Trap;

use super::Runner;
use crate::common::PAGE;
use crate::model::{Bytes, Place, overlaps_itself};
use crate::steps::MOST_BLOCKS;

impl Runner<'_> {
    /// Whether all of these bytes are in the memory.
    pub(super) fn is_inside(&self, slot: usize, range: &Range<usize>) -> bool {
        range.end <= self.model.store(slot).size()
    }

    /// Whether the guest's own load or store of a range traps because a page of it is truncated.
    fn traps(&self, slot: usize, range: &Range<usize>) -> bool {
        self.model.store(slot).kind.on_fault == OnFault::Trap
            && !self.model.truncated(slot, std::slice::from_ref(range)).is_empty()
    }

    /// Calls a function of the guest that must trap, and changes nothing.
    fn expect_trap(&mut self, slot: usize, name: &str, arguments: &[i64], why: &str) {
        let trap = self.guest(slot).try_call(name, arguments).map_err(|error| error.downcast_ref().copied());
        assert_eq!(trap.err(), Some(Some(Trap::MemoryOutOfBounds)), "`{name}` {why}");
    }

    /// A load or store of the guest to a truncated page, which must trap.
    fn trap_at(&mut self, slot: usize, name: &str, arguments: &[i64]) {
        self.expect_trap(slot, name, arguments, "to a truncated page must trap");
        self.counts.traps += 1;
    }

    /// Calls a function of the guest. It returns nothing, or it accesses bytes outside its memory and traps.
    fn call_or_trap(&mut self, slot: usize, name: &str, arguments: &[i64], ranges: &[Range<usize>]) -> bool {
        let is_inside = ranges.iter().all(|range| self.is_inside(slot, range));
        if is_inside {
            let truncated = self.before_access(slot, ranges);
            self.guest(slot).call(name, arguments);
            self.after_access(slot, truncated);
        } else {
            self.expect_trap(slot, name, arguments, "outside the memory");
        }
        is_inside
    }

    /// Whether a step that stores to a range has one correct result. Otherwise it is left out.
    pub(super) fn is_clear(&mut self, slot: usize, range: &Range<usize>, read: &[Place]) -> bool {
        let is_clear = !overlaps_itself(&self.model.store(slot).places(range), read);
        self.counts.left_out += u64::from(!is_clear);
        is_clear
    }

    pub(super) fn load(&mut self, slot: usize, at: usize) {
        let range = at..at + 1;
        if !self.is_inside(slot, &range) {
            self.call_or_trap(slot, "load", &[at as i64], &[range]);
            return;
        }
        if self.traps(slot, &range) {
            return self.trap_at(slot, "load", &[at as i64]);
        }
        let truncated = self.before_access(slot, std::slice::from_ref(&range));
        let loaded = self.guest(slot).load(at);
        self.after_access(slot, truncated);
        self.compare(slot, range, &[loaded]);
    }

    pub(super) fn store(&mut self, slot: usize, at: usize, byte: u8) {
        let range = at..at + 1;
        if self.is_inside(slot, &range) && self.traps(slot, &range) {
            return self.trap_at(slot, "store", &[at as i64, byte.into()]);
        }
        if self.call_or_trap(slot, "store", &[at as i64, byte.into()], &[range]) {
            self.model.put(slot, at, &Bytes::from(vec![byte]));
        }
    }

    pub(super) fn fill(&mut self, slot: usize, at: usize, len: usize, byte: u8) {
        let range = at..at + len;
        if self.is_clear(slot, &range, &[])
            && self.call_or_trap(slot, "fill", &[at as i64, byte.into(), len as i64], &[range])
        {
            self.model.put(slot, at, &Bytes::from(vec![byte; len]));
        }
    }

    pub(super) fn copy(&mut self, slot: usize, to: usize, from: usize, len: usize) {
        let (target, source) = (to..to + len, from..from + len);
        let read = self.model.store(slot).places(&source);
        // A copy of bytes onto themselves need not access them.
        self.counts.left_out += u64::from(to == from);
        if to != from
            && self.is_clear(slot, &target, &read)
            && self.call_or_trap(slot, "copy", &[to as i64, from as i64, len as i64], &[source.clone(), target])
        {
            let bytes = self.model.show(slot, source);
            self.model.put(slot, to, &bytes);
        }
    }

    pub(super) fn grow(&mut self, slot: usize, blocks: usize) {
        let before = self.model.store(slot).size() / crate::common::BLOCK;
        // Either as many blocks as there is room for, or more than any memory can have.
        let blocks = if blocks > MOST_BLOCKS { blocks } else { blocks.min(MOST_BLOCKS - before) };
        let result = self.guest(slot).call("grow", &[blocks as i64]);
        if blocks > MOST_BLOCKS {
            assert_eq!(result, -1, "no memory can have so many blocks");
        } else {
            assert_eq!(result, before as i64, "the memory grows");
            self.model.store_mut(slot).grow(blocks);
        }
    }

    /// Checks a range of the memory with the host, except the first page, which contains the arguments of calls of
    /// WASI.
    pub(super) fn check(&mut self, slot: usize, range: Range<usize>) {
        let end = range.end.min(self.model.store(slot).size());
        let range = range.start.max(PAGE).min(end)..end;
        let truncated = self.before_access(slot, std::slice::from_ref(&range));
        let bytes = self.guest(slot).bytes(range.clone());
        self.after_access(slot, truncated);
        self.compare(slot, range, &bytes);
    }

    pub(super) fn host_store(&mut self, slot: usize, at: usize, len: usize, byte: u8) {
        let range = at..at + len;
        if self.is_inside(slot, &range) && self.is_clear(slot, &range, &[]) {
            let truncated = self.before_access(slot, &[range]);
            self.guest(slot).write(at, &vec![byte; len]);
            self.after_access(slot, truncated);
            self.model.put(slot, at, &Bytes::from(vec![byte; len]));
        }
    }

    /// Checks that the bytes of a range have the expected values.
    fn compare(&mut self, slot: usize, range: Range<usize>, actual: &[u8]) {
        let expected = self.model.show(slot, range.clone());
        if let Some(at) = expected.mismatch(actual) {
            let (place, is, expected) = (range.start + at, actual[at], expected.describe(at));
            let in_mapping = |(handle, mapping): (&i64, &crate::model::Mapping)| {
                let inside = mapping.range().contains(&place);
                inside.then(|| format!("byte {} of mapping {handle}", place - mapping.start))
            };
            let whose = self.model.store(slot).mappings.iter().find_map(in_mapping);
            let whose = whose.unwrap_or_else(|| "plain memory".into());
            panic!("byte {place} of the memory of store {slot} ({whose}) is {is}, and must be {expected}");
        }
    }
}
