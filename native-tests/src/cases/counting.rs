//! The cost of a mapping in calls and bytes: touched pages are read, and changed bytes are written.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use portable_mmap::MmapOptions;

use crate::counts::Kind::{BytesRead, BytesResident, BytesWritten, Reads, Stats, Syncs, Writes};
use crate::{FileBackend, Scene, cases};

cases!("counting": ;
    large the_two_ends_of_a_file_cost_two_reads;
    large a_changed_byte_is_one_byte_written_and_one_sync;
    large a_byte_changed_in_a_mutable_slice_is_one_byte_written;
    large a_search_reads_no_further_than_its_match;
    large reading_all_lines_reads_every_byte_once;
    large changed_pages_are_one_write_each;
    large many_changes_in_one_page_are_one_write;
    large two_mappings_write_their_own_changes_only
);

const MIB: usize = 1 << 20;
const LEN: usize = 256 * MIB;
const SIZE: u64 = LEN as u64;
/// The page size of a buffer. It is equal to that of the operating systems on which these cases run natively, or
/// divides it.
const PAGE: usize = 4096;
/// The limit of the memory for bookkeeping: 1/256 of the length.
const BOOKKEEPING: u64 = SIZE / 256;

/// A file of 256 MiB of zeros except these bytes, opened for reading and writing.
fn sparse<'a>(scene: &Scene<impl FileBackend>, bytes: impl IntoIterator<Item = (usize, &'a [u8])>) -> Arc<File> {
    let mut file = File::create(scene.path("f")).expect("a file can be created in the scene's directory");
    file.set_len(SIZE).expect("the length of a file can be set");
    for (at, bytes) in bytes {
        file.seek(SeekFrom::Start(at as u64)).expect("a file has a cursor");
        file.write_all(bytes).expect("there is room on the disk");
    }
    reopened(scene)
}

/// The same file, through a new descriptor.
fn reopened(scene: &Scene<impl FileBackend>) -> Arc<File> {
    scene.open("f", OpenOptions::new().read(true).write(true))
}

/// Returns the bytes of the file from `at`.
fn part(scene: &Scene<impl FileBackend>, at: usize, len: usize) -> Vec<u8> {
    let mut part = vec![0; len];
    let mut file = File::open(scene.path("f")).expect("a file of the scene can be opened");
    file.seek(SeekFrom::Start(at as u64)).expect("a file has a cursor");
    file.read_exact(&mut part).expect("the file is long enough");
    part
}

fn the_two_ends_of_a_file_cost_two_reads<B: FileBackend>(scene: &mut Scene<B>) {
    let file = sparse(scene, [(0, &b"the first bytes:"[..]), (LEN - 16, b"these, the last.")]);
    let bounds = [
        (Reads, 1..=2),
        (BytesRead, 32..=128 << 10),
        (Writes, 0..=0),
        (BytesWritten, 0..=0),
        (BytesResident, 0..=2 * PAGE as u64 + BOOKKEEPING),
    ];
    scene.counted("the two ends", bounds, |scene| {
        let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
        scene.bytes("the first", &map[..16], b"the first bytes:");
        scene.bytes("the last", &map[LEN - 16..], b"these, the last.");
        map.close().unwrap();
    });
}

fn a_changed_byte_is_one_byte_written_and_one_sync<B: FileBackend>(scene: &mut Scene<B>) {
    let file = sparse(scene, []);
    let bounds = [
        (Reads, 1..=1),
        (BytesRead, 1..=64 << 10),
        (Writes, 1..=1),
        (BytesWritten, 1..=1),
        (Syncs, 1..=1),
        // The page and the copy of its old bytes.
        (BytesResident, 0..=2 * PAGE as u64 + BOOKKEEPING),
    ];
    let mut map = scene.counted("one byte in the middle", bounds, |scene| {
        let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
        map[LEN / 2] = b'x';
        map.flush().unwrap();
        map
    });
    let nothing = [(Reads, 0..=0), (Writes, 0..=0), (Syncs, 0..=0), (Stats, 0..=0)];
    scene.counted("a flush without changes", nothing.clone(), |_| map.flush().unwrap());
    scene.counted("a close without changes", nothing, |_| map.close().unwrap());
    scene.bytes("written", part(scene, LEN / 2 - 1, 3), b"\0x\0");
}

fn a_byte_changed_in_a_mutable_slice_is_one_byte_written<B: FileBackend>(scene: &mut Scene<B>) {
    let file = sparse(scene, []);
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    let bounds = [(Writes, 1..=1), (BytesWritten, 1..=1), (Syncs, 1..=1)];
    scene.counted("one byte of 16 MiB", bounds, |_| {
        let middle = &mut map[LEN / 2 - 8 * MIB..LEN / 2 + 8 * MIB];
        middle[MIB - 1] = b'x';
        map.flush().unwrap();
    });
    scene.bytes("written", part(scene, LEN / 2 - 7 * MIB - 2, 3), b"\0x\0");
}

fn a_search_reads_no_further_than_its_match<B: FileBackend>(scene: &mut Scene<B>) {
    let at = MIB - 100;
    let file = sparse(scene, [(at, &b"needle"[..])]);
    let map = scene.map(&MmapOptions::new(), &file).unwrap();
    let bounds = [(BytesRead, MIB as u64 - 94..=2 * MIB as u64), (BytesWritten, 0..=0)];
    scene.counted("a needle in the first MiB", bounds, |scene| {
        scene.eq("find", map.find("needle").unwrap(), Some(at));
    });
}

fn reading_all_lines_reads_every_byte_once<B: FileBackend>(scene: &mut Scene<B>) {
    // Alternately lines of up to 9 bytes and one of almost 32 KiB, and at the end one of 16 MiB without a newline.
    let short: Vec<u8> = (0..10).flat_map(|len| [&b"l".repeat(len)[..], b"\n"].concat()).collect();
    let starts = (0..LEN - 16 * MIB).step_by(32 << 10);
    let lines = starts.len() * 10 + 1;
    let file = sparse(scene, starts.map(|start| (start, &short[..])));
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    // Hosts read at least 64 KiB per call.
    let calls = SIZE / (64 << 10) + 64;
    let bounds = [(BytesRead, SIZE..=SIZE / 100 * 105), (Reads, 1..=calls), (BytesWritten, 0..=0)];
    scene.counted("all lines", bounds, |scene| {
        let (mut count, mut ended, mut bytes) = (0, 0, 0);
        loop {
            let line = map.readline().unwrap();
            if line.is_empty() {
                break;
            }
            count += 1;
            ended += usize::from(line.ends_with(b"\n"));
            bytes += line.len();
        }
        scene.eq("lines", count, lines);
        scene.eq("with a newline", ended, lines - 1);
        scene.eq("bytes", bytes, LEN);
    });
}

fn changed_pages_are_one_write_each<B: FileBackend>(scene: &mut Scene<B>) {
    let file = sparse(scene, []);
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    let pages = SIZE / PAGE as u64 / 2;
    // Only the changed bytes: no page between them is written.
    let bytes = SIZE / 2;
    let bounds = [(Writes, pages..=pages), (BytesWritten, bytes..=bytes), (Syncs, 0..=0)];
    scene.counted("every byte of every other page", bounds, |_| {
        for start in (0..LEN).step_by(2 * PAGE) {
            map[start..start + PAGE].fill(b'x');
        }
        // Without a sync: it would write 32,768 pieces to the disk, which some file systems take minutes to remove.
        map.flush_async().unwrap();
    });
    let pair = [[b'x'; PAGE], [0; PAGE]].concat();
    for at in [0, LEN / 2, LEN - 2 * PAGE] {
        scene.bytes("two pages", part(scene, at, 2 * PAGE), &pair);
    }
}

fn many_changes_in_one_page_are_one_write<B: FileBackend>(scene: &mut Scene<B>) {
    let file = sparse(scene, []);
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    let start = LEN / 2;
    // Loads the page, so that the calls below read only what writing needs.
    scene.eq("before", map[start], 0);

    let bounds = [(Reads, 0..=0), (Writes, 32..=32), (BytesWritten, 32..=32), (Syncs, 1..=1)];
    scene.counted("32 bytes of one page", bounds, |_| {
        map[start..start + PAGE].iter_mut().step_by(2).take(32).for_each(|byte| *byte = b'x');
        map.flush().unwrap();
    });
    let bounds = [(Reads, 1..=1), (Writes, 1..=1), (BytesWritten, PAGE as u64 / 2..=PAGE as u64), (Syncs, 1..=1)];
    scene.counted("every other byte of one page", bounds, |_| {
        map[start..start + PAGE].iter_mut().step_by(2).for_each(|byte| *byte = b'y');
        map.flush().unwrap();
    });
    scene.bytes(
        "written",
        part(scene, start - PAGE, 3 * PAGE),
        [vec![0; PAGE], b"y\0".repeat(PAGE / 2), vec![0; PAGE]].concat(),
    );
}

fn two_mappings_write_their_own_changes_only<B: FileBackend>(scene: &mut Scene<B>) {
    let start = LEN / 2;
    let file = sparse(scene, [(start, &[b'.'; 4 * PAGE][..])]);
    let mut one = scene.map(&MmapOptions::new(), &file).unwrap();
    let mut other = scene.map(&MmapOptions::new(), &reopened(scene)).unwrap();
    // Both have loaded the pages before the changes.
    scene.bytes("one", &one[start..start + 4 * PAGE], [b'.'; 4 * PAGE]);
    scene.bytes("other", &other[start..start + 4 * PAGE], [b'.'; 4 * PAGE]);

    // Each changes its own page, and both change adjacent bytes of the last page.
    one[start..start + PAGE].fill(b'1');
    other[start + PAGE..start + 2 * PAGE].fill(b'2');
    let shared = start + 3 * PAGE;
    (one[shared], one[shared + 2]) = (b'1', b'1');
    (other[shared + 1], other[shared + PAGE - 1]) = (b'2', b'2');
    let bytes = PAGE as u64 + 2;
    for (what, map) in [("the one's flush", &mut one), ("the other's flush", &mut other)] {
        let bounds = [(Reads, 0..=0), (Writes, 3..=3), (BytesWritten, bytes..=bytes), (Syncs, 1..=1)];
        scene.counted(what, bounds, |_| map.flush().unwrap());
    }
    let mut last = [b'.'; PAGE];
    last[..3].copy_from_slice(b"121");
    last[PAGE - 1] = b'2';
    let expected = [&[b'1'; PAGE][..], &[b'2'; PAGE], &[b'.'; PAGE], &last].concat();
    scene.bytes("all changes", part(scene, start, 4 * PAGE), expected);
}
