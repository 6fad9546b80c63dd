//! The addresses at which a store has had mappings.

use std::ops::Range;

/// The number of memories in which a store may have had mappings. Each leaves an area of memory in a pool.
const MAX_MEMORIES: usize = 64;

/// The addresses of former and current mappings, for each memory of a store.
#[derive(Default)]
pub(crate) struct UsedMemories(Vec<Used>);

/// The addresses of the mappings in one memory.
struct Used {
    /// Addresses that all lie in the memory. For a component's memory the host does not know the start and the end.
    memory: Range<usize>,
    /// From the start of the first mapping to the end of the last one.
    mapped: Range<usize>,
}

pub(crate) fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// From the start of the first to the end of the last.
fn union(one: &Range<usize>, other: &Range<usize>) -> Range<usize> {
    one.start.min(other.start)..one.end.max(other.end)
}

impl UsedMemories {
    /// Whether there may be mappings at addresses of one memory. A component that passes a different `origin` for each
    /// mapping seems to have many memories.
    pub(crate) fn has_room_for(&self, memory: &Range<usize>) -> bool {
        self.0.iter().filter(|used| !overlap(&used.memory, memory)).count() < MAX_MEMORIES
    }

    /// Records a mapping in a memory. The known parts of two memories never overlap, so parts that overlap belong to
    /// one memory.
    pub(crate) fn note(&mut self, memory: Range<usize>, mapped: Range<usize>) {
        let mut all = Used { memory, mapped };
        self.0.retain(|used| {
            let is_same = overlap(&used.memory, &all.memory);
            if is_same {
                all = Used { memory: union(&used.memory, &all.memory), mapped: union(&used.mapped, &all.mapped) };
            }
            !is_same
        });
        self.0.push(all);
    }

    /// Removes and returns, for each memory, the range from the first mapping to the last one.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Range<usize>> {
        self.0.drain(..).map(|used| used.mapped)
    }
}
