//! A file on a disk that loses unsynced changes when the power fails.

use std::collections::VecDeque;

use native_tests::random::Random;

/// The number of bytes that a disk writes as a whole.
const SECTOR: usize = 512;

/// A file: its current bytes, and the bytes on the disk.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    current: Vec<u8>,
    durable: Vec<u8>,
    /// The changes since the last sync, in order.
    unsynced: Vec<Change>,
}

/// An unsynced change. The bytes and the length of a write reach the disk separately.
#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length { from: usize, to: usize },
}

/// The file after a power failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) bytes: Vec<u8>,
    /// The number of changes that are missing, at least in part.
    pub(super) thrown_away: usize,
}

/// Which unsynced changes reach the disk.
#[derive(Clone, Copy, Debug)]
enum Reached {
    Nothing,
    /// For each change separately: all of it, nothing, or some of its sectors; in any order.
    Some,
    Everything,
}

impl Disk {
    /// A file whose content is on the disk.
    pub(super) fn new(content: Vec<u8>) -> Self {
        Self { durable: content.clone(), current: content, unsynced: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.current.len()
    }

    /// The bytes from an offset on, fewer at the end.
    pub(super) fn read(&self, at: usize, count: usize) -> &[u8] {
        let end = at.saturating_add(count).min(self.len());
        &self.current[at.min(end)..end]
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if end > self.len() {
            self.set_len(end);
        }
        self.current[at..end].copy_from_slice(bytes);
        self.unsynced.push(Change::Write { at, bytes: bytes.to_vec() });
    }

    pub(super) fn set_len(&mut self, to: usize) {
        let from = self.len();
        if from != to {
            self.current.resize(to, 0);
            self.unsynced.push(Change::Length { from, to });
        }
    }

    /// Writes everything to the disk.
    pub(super) fn sync(&mut self) {
        self.durable.clone_from(&self.current);
        self.unsynced.clear();
    }

    /// The content of the disk if the power fails now.
    pub(super) fn after_power_failure(&self, random: &mut Random) -> Image {
        match random.pick(&[Reached::Nothing, Reached::Some, Reached::Some, Reached::Everything]) {
            Reached::Nothing => Image { bytes: self.durable.clone(), thrown_away: self.unsynced.len() },
            Reached::Some => self.image_with_some_changes(random),
            Reached::Everything => Image { bytes: self.current.clone(), thrown_away: 0 },
        }
    }

    fn image_with_some_changes(&self, random: &mut Random) -> Image {
        let mut thrown_away = 0;
        let mut lengths = vec![self.durable.len()];
        let mut pieces = VecDeque::new();
        for change in &self.unsynced {
            let reaches = |random: &mut Random| random.chance(2);
            match change {
                Change::Write { at, bytes } => {
                    // A third of the writes is torn.
                    let whole = (!random.chance(3)).then(|| reaches(random));
                    let count = pieces.len();
                    let sectors = sectors(*at, bytes);
                    let all = sectors.len();
                    let left = sectors.into_iter().filter(|_| whole.unwrap_or_else(|| reaches(random)));
                    pieces.extend(left.map(|(at, bytes)| (at, bytes.to_vec())));
                    thrown_away += usize::from(pieces.len() - count < all);
                }
                Change::Length { from, to } => {
                    lengths.push(*to);
                    // Bytes that the file lost when it shrank are zero if it grows again.
                    if to < from && reaches(random) {
                        pieces.push_back((*to, vec![0; from - to]));
                    }
                }
            }
        }
        let len = random.pick(&lengths);
        // Lengths before the one that has survived do not count, because later lengths replace them anyway.
        thrown_away += lengths.iter().rev().take_while(|&&other| other != len).count();

        let longest = pieces.iter().map(|(at, bytes)| at + bytes.len()).chain(lengths).max().unwrap_or_default();
        let mut disk = self.durable.clone();
        disk.resize(longest, 0);
        // If two writes overlap, either may reach the disk last.
        while let Some((at, bytes)) = pieces.swap_remove_back(random.below(pieces.len().max(1))) {
            disk[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        disk.truncate(len);
        Image { bytes: disk, thrown_away }
    }
}

/// The sectors of a write, each with its offset.
fn sectors(at: usize, bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut sectors = Vec::new();
    let (mut at, mut rest) = (at, bytes);
    while !rest.is_empty() {
        let (sector, behind) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
        sectors.push((at, sector));
        (at, rest) = (at + sector.len(), behind);
    }
    sectors
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Disk, Random, SECTOR, sectors};

    /// Every image of many seeds.
    fn images(disk: &Disk) -> BTreeSet<Vec<u8>> {
        let mut random = Random::new(1);
        (0..1000).map(|_| disk.after_power_failure(&mut random).bytes).collect()
    }

    fn set(images: &[&[u8]]) -> BTreeSet<Vec<u8>> {
        images.iter().map(|&bytes| bytes.into()).collect()
    }

    #[test]
    fn synced_changes_stay() {
        let mut disk = Disk::new(b"abcd".into());
        disk.write(1, b"BC");
        disk.set_len(3);
        disk.sync();
        assert_eq!(images(&disk), set(&[b"aBC"]));
    }

    #[test]
    fn each_unsynced_write_stays_or_is_lost() {
        let mut disk = Disk::new(b"abcd".into());
        disk.write(0, b"A");
        disk.write(2, b"C");
        assert_eq!(images(&disk), set(&[b"abcd", b"Abcd", b"abCd", b"AbCd"]));
        assert_eq!(disk.read(0, 9), b"AbCd");
        let mut random = Random::new(1);
        let thrown: BTreeSet<_> = (0..100).map(|_| disk.after_power_failure(&mut random).thrown_away).collect();
        assert_eq!(thrown, BTreeSet::from([0, 1, 2]));
    }

    #[test]
    fn either_of_two_overlapping_writes_may_be_the_last() {
        let mut disk = Disk::new(b"ab".into());
        disk.write(0, b"x");
        disk.write(0, b"y");
        assert_eq!(images(&disk), set(&[b"ab", b"xb", b"yb"]));
    }

    #[test]
    fn an_unsynced_length_stays_or_is_lost() {
        let mut disk = Disk::new(b"ab".into());
        disk.write(1, b"BC");
        assert_eq!((disk.len(), disk.read(2, 9)), (3, &b"C"[..]));
        assert_eq!(images(&disk), set(&[b"ab", b"aB", b"ab\0", b"aBC"]));
    }

    #[test]
    fn a_file_that_shrinks_and_grows_has_zeros_or_its_former_bytes() {
        let mut disk = Disk::new(b"abc".into());
        disk.set_len(1);
        disk.set_len(2);
        assert_eq!(disk.read(0, 9), b"a\0");
        assert_eq!(images(&disk), set(&[b"abc", b"a\0\0", b"a", b"ab", b"a\0"]));
    }

    #[test]
    fn a_write_is_torn_only_between_sectors() {
        let mut disk = Disk::new(vec![0; 2 * SECTOR]);
        disk.write(SECTOR - 1, &[1; 2]);
        let ends = images(&disk).iter().map(|image| [image[SECTOR - 1], image[SECTOR]]).collect::<BTreeSet<_>>();
        assert_eq!(ends.len(), 4);
        disk.sync();
        disk.write(0, &[2; SECTOR]);
        assert!(images(&disk).iter().all(|image| image[0] == image[SECTOR - 2]));
        assert_eq!(sectors(1, &[0; 2 * SECTOR]).iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 512, 1024]);
    }
}
