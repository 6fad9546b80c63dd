//! Files that are longer than the limit of one call in some hosts, and offsets that do not fit into 32 bits.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::sync::Arc;

use portable_mmap::{Access, Error, Mapping, MmapOptions};

use super::making::{pattern, pattern_at, read_through, write_through};
use crate::{FileBackend, Scene, cases};

cases!("large":;
    large a_file_over_128_mib_is_mapped_whole;
    large every_byte_of_128_mib_can_be_changed_and_flushed;
    large a_file_is_made_longer_by_128_mib;
    large a_window_above_4_gib_is_read_and_written;
    large a_window_across_4_gib_is_read_and_written;
    large a_file_longer_than_memory_can_be_is_an_error;
    large memory_that_runs_out_is_an_error_and_not_an_abort
);

const MIB: usize = 1 << 20;
/// More than 128 MiB, the limit of one call in some hosts, and not a multiple of a page.
const LARGE: usize = 129 * MIB + 12_345;
const FOUR_GIB: u64 = 1 << 32;

/// The bytes of the `step`th MiB of the file.
fn block(base: &[u8], step: usize) -> impl Iterator<Item = u8> {
    let stamp = step.to_le_bytes()[0];
    base.iter().map(move |byte| byte ^ stamp)
}

/// Writes [`LARGE`] bytes in steps of 1 MiB.
fn large_file<B: FileBackend>(scene: &Scene<B>, base: &[u8]) -> Arc<File> {
    let mut file = File::create(scene.path("f")).unwrap();
    for step in 0..LARGE.div_ceil(MIB) {
        let part: Vec<u8> = block(base, step).take(LARGE - step * MIB).collect();
        file.write_all(&part).unwrap();
    }
    scene.open("f", OpenOptions::new().read(true).write(true))
}

/// The byte of [`large_file`] at an index.
fn byte_at(base: &[u8], at: usize) -> u8 {
    base[at % MIB] ^ (at / MIB).to_le_bytes()[0]
}

/// The indices at which the `step`th MiB differs from [`large_file`], with the bytes there.
fn differing(base: &[u8], step: usize, part: &[u8]) -> Vec<(usize, u8)> {
    let pairs = part.iter().zip(block(base, step)).enumerate();
    pairs.filter(|(_, (got, want))| **got != *want).map(|(i, (got, _))| (step * MIB + i, *got)).collect()
}

/// The indices at which the file differs from [`large_file`], with the bytes there.
fn differences<B: FileBackend>(scene: &Scene<B>, base: &[u8]) -> Vec<(usize, u8)> {
    let mut file = File::open(scene.path("f")).unwrap();
    let mut differences = Vec::new();
    let mut part = vec![0; MIB];
    for step in 0..LARGE.div_ceil(MIB) {
        let part = &mut part[..(LARGE - step * MIB).min(MIB)];
        file.read_exact(part).unwrap();
        differences.extend(differing(base, step, part));
        assert!(differences.len() < 100, "too much differs: {:?}", &differences[..10]);
    }
    differences
}

/// Indices far apart: the ends, the middle, and both sides of 128 MiB.
const FAR_APART: [usize; 7] = [0, 4096, LARGE / 2, 128 * MIB - 1, 128 * MIB, LARGE - 4097, LARGE - 1];

fn a_file_over_128_mib_is_mapped_whole<B: FileBackend>(scene: &mut Scene<B>) {
    let base = pattern(MIB);
    let file = large_file(scene, &base);
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    scene.eq("length", map.len(), LARGE);
    for at in FAR_APART {
        scene.eq(&format!("byte {at}"), map.get(at).copied(), Some(byte_at(&base, at)));
    }
    for at in [0, LARGE / 2, LARGE - 5000] {
        let right = map[at..at + 5000].iter().enumerate().all(|(i, &byte)| byte == byte_at(&base, at + i));
        scene.eq("5000 bytes", right, true);
    }
    let mut want = Vec::new();
    for at in FAR_APART {
        let changed = byte_at(&base, at) ^ 0xff;
        map[at] = changed;
        want.push((at, changed));
    }
    map.flush().unwrap();
    scene.eq("changes in the file", differences(scene, &base), want.clone());
    // The whole mapping at once, as a slice.
    let all = map.as_slice().unwrap().chunks(MIB).enumerate();
    let changed: Vec<_> = all.flat_map(|(step, part)| differing(&base, step, part)).collect();
    scene.eq("changes in the mapping", changed, want);
    map.close().unwrap();
    scene.eq("length of the file", scene.file_len("f"), LARGE as u64);
}

fn every_byte_of_128_mib_can_be_changed_and_flushed<B: FileBackend>(scene: &mut Scene<B>) {
    let base = pattern(MIB);
    let file = large_file(scene, &base);
    let mut map = scene.map(&MmapOptions::new(), &file).unwrap();
    map.as_mut_slice().unwrap().iter_mut().for_each(|byte| *byte = !*byte);
    // One run of changed bytes, which is more than one call moves.
    map.flush().unwrap();
    map.close().unwrap();
    let inverted: Vec<u8> = base.iter().map(|byte| !byte).collect();
    scene.eq("unchanged bytes", differences(scene, &inverted), Vec::<(usize, u8)>::new());
}

fn a_file_is_made_longer_by_128_mib<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().len(LARGE).extend(true), &file).unwrap();
    scene.eq("length of the file", scene.file_len("f"), LARGE as u64);
    scene.bytes("start", &map[..7], b"hello\0\0");
    scene.bytes("end", &map[LARGE - 5..], [0; 5]);
    map[LARGE - 1] = b'!';
    map.close().unwrap();
    scene.bytes("end of the file", read_through(&file, LARGE as u64 - 2, 2), b"\0!");
    // Empties the file, because the host reads every file that a case leaves.
    File::create(scene.path("f")).unwrap();
}

/// A sparse file of 4 GiB and a half MiB.
fn sparse_file<B: FileBackend>(scene: &Scene<B>) -> Arc<File> {
    let file = scene.file("f", b"");
    file.set_len(FOUR_GIB + 512 * 1024).unwrap();
    file
}

/// Maps a window with a pattern, changes it, and reads the file to check which bytes were written.
fn window<B: FileBackend>(scene: &mut Scene<B>, offset: u64, len: usize) {
    let file = sparse_file(scene);
    let content: Vec<u8> = (offset..offset + len as u64).map(pattern_at).collect();
    write_through(&file, offset, &content);
    write_through(&file, offset - 6, b"before");
    write_through(&file, offset + len as u64, b"behind");
    // The place where bytes above 4 GiB would be if their offsets lost the upper half.
    let low = offset.saturating_sub(FOUR_GIB);

    let mut map: Mapping<B> = scene.map(MmapOptions::new().offset(offset).len(len), &file).unwrap();
    scene.eq("offset", map.offset(), offset);
    scene.eq("size", map.size().unwrap(), FOUR_GIB + 512 * 1024);
    scene.bytes("bytes", &map, &content);
    let mut want = content;
    for at in [0, 1, len / 2, len - 1] {
        map[at] = b'w';
        want[at] = b'w';
    }
    map.flush().unwrap();
    scene.bytes("through the file", read_through(&file, offset, len), &want);
    scene.bytes("before it", read_through(&file, offset - 6, 6), b"before");
    scene.bytes("after it", read_through(&file, offset + len as u64, 6), b"behind");
    scene.bytes("4 GiB below", read_through(&file, low, 65_536), vec![0; 65_536]);
    map.close().unwrap();
    let again = scene.map(MmapOptions::new().access(Access::Read).offset(offset).len(len), &file).unwrap();
    scene.bytes("mapped again", &again, &want);
}

fn a_window_above_4_gib_is_read_and_written<B: FileBackend>(scene: &mut Scene<B>) {
    window(scene, FOUR_GIB + 131_072, 65_536);
}

fn a_window_across_4_gib_is_read_and_written<B: FileBackend>(scene: &mut Scene<B>) {
    window(scene, FOUR_GIB - 65_536, 131_072);
}

fn a_file_longer_than_memory_can_be_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let file = sparse_file(scene);
    write_through(&file, FOUR_GIB, b"beyond");
    let size = FOUR_GIB + 512 * 1024;
    // The rest of a file from any offset is mapped if it fits into memory.
    let as_it_should = match scene.map(&MmapOptions::new(), &file) {
        Ok(map) => {
            let len = usize::try_from(size).expect("a mapping's length is a usize");
            map.len() == len && map.range(len - 512 * 1024..).unwrap().starts_with(b"beyond")
        }
        Err(Error::OutOfRange { len, limit, .. }) => usize::BITS < 64 && len == size && limit == isize::MAX as u64,
        Err(error) => usize::BITS == 64 && matches!(error, Error::NoMemory { .. }),
    };
    scene.eq("mapped, or an error", as_it_should, true);
    let map = scene.map(MmapOptions::new().offset(FOUR_GIB), &file).unwrap();
    scene.eq("its last half MiB", map.len(), 512 * 1024);
    scene.bytes("bytes", map.range(..6).unwrap(), b"beyond");
}

fn memory_that_runs_out_is_an_error_and_not_an_abort<B: FileBackend>(scene: &mut Scene<B>) {
    // Three of them are more than 32 bits can address; with 64 bits the result depends on the machine.
    let maps: Vec<_> = (0..3).map(|_| Mapping::<B>::anonymous(3 << 29)).collect();
    for map in &maps {
        let as_it_should = match map {
            Ok(map) => map.len() == 3 << 29 && map.last() == Some(&0),
            Err(Error::NoMemory { len, .. }) => *len == 3 << 29,
            // Windows has several errors for it.
            Err(error) => cfg!(windows) && matches!(error, Error::Io { .. }),
        };
        scene.eq("memory, or an error", as_it_should, true);
    }
    scene.eq("all three", usize::BITS == 32 && maps.iter().all(Result::is_ok), false);
    drop(maps);
    scene.bytes("a small mapping afterwards", scene.anonymous(5), [0; 5]);
}
