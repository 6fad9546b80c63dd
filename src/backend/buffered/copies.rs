//! Copies of pages from before this mapping changed them. Comparing a page with its copy finds the mapping's own
//! changes.

use std::ops::Range;

use super::PAGE;
use crate::page_set::try_vec;
use crate::{Error, Result};

/// How many pages share one table of copies.
const GROUP: usize = 64;

/// The bytes of a page before the first change.
type Copy = Box<[u8]>;

/// The copies of the pages of a group.
type Group = Box<[Option<Copy>; GROUP]>;

/// The copies of the pages that were borrowed mutably since they were last written back.
///
/// There are two levels: a pointer for each group of 64 pages, allocated at the first change and kept, and a table for
/// each group that has a copy. So bookkeeping takes at most 1/32768 of the mapping's length, and a table of one KiB for
/// each 256 KiB with a changed page.
#[derive(Debug, Default)]
pub(super) struct Copies {
    groups: Vec<Option<Group>>,
    /// All groups with a copy lie in this range. So a few changes cost little, even in a long mapping.
    used: Range<usize>,
    count: usize,
}

impl Copies {
    /// Keeps a copy of a page that has no copy yet. `bytes` are the bytes of the page, and the mapping has `pages`
    /// pages.
    pub(super) fn keep(&mut self, page: usize, pages: usize, bytes: &[u8]) -> Result<()> {
        debug_assert_eq!(bytes.len(), PAGE);
        if self.groups.is_empty() {
            self.groups = try_vec(pages.div_ceil(GROUP))?;
        }
        let index = page / GROUP;
        let group = &mut self.groups[index];
        if group.is_none() {
            *group = Some(empty_group()?);
            let Range { start, end } = self.used;
            self.used = if start < end { start.min(index)..end.max(index + 1) } else { index..index + 1 };
        }
        if let Some(slot @ None) = group.as_mut().map(|group| &mut group[page % GROUP]) {
            *slot = Some(copied(bytes)?);
            self.count += 1;
        }
        Ok(())
    }

    /// The copy of a page.
    pub(super) fn get(&self, page: usize) -> Option<&[u8]> {
        self.groups.get(page / GROUP)?.as_ref()?[page % GROUP].as_deref()
    }

    /// The copy of a page, mutably.
    pub(super) fn get_mut(&mut self, page: usize) -> Option<&mut [u8]> {
        self.groups.get_mut(page / GROUP)?.as_mut()?[page % GROUP].as_deref_mut()
    }

    /// Whether there are no copies.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Frees the copy of a page.
    pub(super) fn drop_page(&mut self, page: usize) {
        let group = self.groups.get_mut(page / GROUP).and_then(Option::as_mut);
        if group.is_some_and(|group| group[page % GROUP].take().is_some()) {
            self.count -= 1;
        }
        if self.count == 0 {
            self.drop_tables();
        }
    }

    /// Frees the tables. They must hold no copies.
    fn drop_tables(&mut self) {
        self.groups[self.used.clone()].fill_with(|| None);
        self.used = 0..0;
    }

    /// Frees the copies of the pages of a range.
    pub(super) fn drop_pages(&mut self, range: Range<usize>) {
        for group in self.groups_of(&range) {
            let first = group * GROUP;
            if range.start <= first && first + GROUP <= range.end {
                let dropped = self.groups[group].take();
                self.count -= dropped.iter().flat_map(|group| group.iter().flatten()).count();
            } else {
                (first..first + GROUP).filter(|page| range.contains(page)).for_each(|page| self.drop_page(page));
            }
        }
        if self.count == 0 {
            self.drop_tables();
        }
    }

    /// The groups that hold pages of a range and may have copies.
    fn groups_of(&self, range: &Range<usize>) -> Range<usize> {
        (range.start / GROUP).max(self.used.start)..range.end.div_ceil(GROUP).min(self.used.end)
    }

    /// The pages of a range that have a copy, in order.
    pub(super) fn pages(&self, range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        self.groups_of(&range)
            .filter(|&group| self.groups[group].is_some())
            .flat_map(|group| group * GROUP..(group + 1) * GROUP)
            .filter(move |page| range.contains(page) && self.get(*page).is_some())
    }

    /// The first page of a range that has a copy.
    pub(super) fn first_page(&self, range: Range<usize>) -> Option<usize> {
        self.pages(range).next()
    }

    /// Allocates tables for a mapping of `pages` pages. [`resize`](Self::resize) takes them, so that it cannot fail.
    pub(super) fn prepare_resize(&self, pages: usize) -> Result<Resized> {
        Ok(Resized(if self.is_empty() { Vec::new() } else { try_vec(pages.div_ceil(GROUP))? }))
    }

    /// Moves the copies of the first `pages` pages into the new tables and frees the others.
    pub(super) fn resize(&mut self, pages: usize, resized: Resized) {
        let Resized(mut groups) = resized;
        self.drop_pages(pages..usize::MAX);
        for (new, old) in groups.iter_mut().zip(&mut self.groups) {
            *new = old.take();
        }
        self.used = self.used.start.min(groups.len())..self.used.end.min(groups.len());
        self.groups = groups;
    }
}

/// Tables for another number of pages, still empty.
#[derive(Debug)]
pub(super) struct Resized(Vec<Option<Group>>);

/// A table without copies, or an error if there is no memory.
fn empty_group() -> Result<Group> {
    let group: Box<[_]> = try_vec(GROUP)?.into_boxed_slice();
    Ok(group.try_into().unwrap_or_else(|_| unreachable!("a table has room for a group")))
}

/// A copy of some bytes, or an error if there is no memory.
fn copied(bytes: &[u8]) -> Result<Copy> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| Error::no_memory(bytes.len() as u64))?;
    copy.extend_from_slice(bytes);
    Ok(copy.into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_copy_stays_until_it_is_dropped() {
        let mut copies = Copies::default();
        copies.keep(70, 200, &[1; PAGE]).unwrap();
        copies.keep(70, 200, &[2; PAGE]).unwrap();
        copies.keep(5, 200, &[3; PAGE]).unwrap();
        assert_eq!(copies.get(70), Some(&[1; PAGE][..]));
        assert_eq!(copies.pages(0..200).collect::<Vec<_>>(), [5, 70]);
        assert_eq!(copies.pages(6..70).count(), 0);
        copies.drop_page(70);
        copies.drop_page(70);
        assert!(copies.get(70).is_none() && !copies.is_empty());
        copies.drop_page(5);
        assert!(copies.is_empty() && copies.used.is_empty() && copies.groups.iter().all(Option::is_none));
    }

    #[test]
    fn the_copies_of_a_range_are_dropped_and_no_others() {
        for range in [0..200, 64..128, 63..65, 64..129, 0..64, 100..100, 5..usize::MAX] {
            let mut copies = Copies::default();
            let pages = [5, 63, 64, 127, 128, 199];
            for page in pages {
                copies.keep(page, 200, &[1; PAGE]).unwrap();
            }
            copies.drop_pages(range.clone());
            let left: Vec<_> = pages.into_iter().filter(|page| !range.contains(page)).collect();
            assert_eq!(copies.pages(0..200).collect::<Vec<_>>(), left, "{range:?}");
            assert_eq!(copies.count, left.len(), "{range:?}");
        }
    }

    #[test]
    fn resizing_keeps_what_lies_within() {
        let mut copies = Copies::default();
        for page in [0, 63, 64, 130] {
            copies.keep(page, 200, &[9; PAGE]).unwrap();
        }
        let resized = copies.prepare_resize(64).unwrap();
        copies.resize(64, resized);
        assert_eq!(copies.pages(0..64).collect::<Vec<_>>(), [0, 63]);
        assert_eq!(copies.count, 2);
        let resized = copies.prepare_resize(500).unwrap();
        copies.resize(500, resized);
        copies.keep(499, 500, &[9; PAGE]).unwrap();
        assert_eq!(copies.pages(0..500).collect::<Vec<_>>(), [0, 63, 499]);
    }
}
