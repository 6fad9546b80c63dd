//! Where the memories of a store have had mappings.

use std::ops::Range;

/// In so many memories a store may have had mappings. Each leaves an area of memory in a pool.
const MAX_MEMORIES: usize = 64;

/// Where in each memory of a store there have been mappings.
#[derive(Default)]
pub(crate) struct UsedMemories(Vec<Used>);

/// Where in a memory there have been mappings, in addresses.
struct Used {
    /// All of these lie in the memory. Of a component's memory the host does not know where it starts and ends.
    memory: Range<usize>,
    /// From the first mapping to the last one.
    mapped: Range<usize>,
}

pub(crate) fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// From the start of the first to the end of the last.
fn both(one: &Range<usize>, other: &Range<usize>) -> Range<usize> {
    one.start.min(other.start)..one.end.max(other.end)
}

impl UsedMemories {
    /// Whether there may be mappings at addresses of one memory. A component that names an `origin` of its own for each mapping
    /// seems to have many memories.
    pub(crate) fn has_room_for(&self, memory: &Range<usize>) -> bool {
        self.0.iter().filter(|used| !overlap(&used.memory, memory)).count() < MAX_MEMORIES
    }

    /// Notes where in a memory there is a mapping. What is known of a memory does not overlap what is known of another one, so
    /// what overlaps is one memory's.
    pub(crate) fn note(&mut self, memory: Range<usize>, mapped: Range<usize>) {
        let mut all = Used { memory, mapped };
        self.0.retain(|used| {
            let is_same = overlap(&used.memory, &all.memory);
            if is_same {
                all = Used { memory: both(&used.memory, &all.memory), mapped: both(&used.mapped, &all.mapped) };
            }
            !is_same
        });
        self.0.push(all);
    }

    /// From the first mapping to the last one, in each memory.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Range<usize>> {
        self.0.drain(..).map(|used| used.mapped)
    }
}
