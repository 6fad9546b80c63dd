//! The length and the offset of a mapping.

use portable_mmap::{Access, Error, Mapping, MmapOptions};

use super::{STEP, expect_error, pattern, write_through};
use crate::{FileBackend, Scene, cases};

cases!("making":
    without_a_length_the_mapping_ends_with_the_file,
    a_length_of_zero_means_no_length,
    a_length_is_the_number_of_mapped_bytes,
    an_offset_without_a_length_maps_the_rest,
    the_length_is_that_of_the_file_when_it_is_mapped,
    an_empty_file_cannot_be_mapped,
    a_length_in_an_empty_file_lies_past_its_end,
    an_offset_at_or_past_the_end_is_an_error,
    a_length_past_the_end_is_an_error_with_its_numbers,
    a_length_past_the_end_is_reported_before_a_misaligned_offset,
    a_misaligned_offset_is_an_error_with_its_numbers,
    every_multiple_of_the_granularity_is_an_offset,
    offsets_over_32_bits_are_not_shortened,
    offsets_past_the_longest_file_are_errors,
    lengths_over_isize_max_are_errors,
    an_offset_and_a_length_that_overflow_together_are_an_error
);

fn without_a_length_the_mapping_ends_with_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    for len in [1, 4095, 4096, 4097, 65_535, 65_536, 65_537] {
        let content = pattern(len);
        let map = scene.mapped("f", &content);
        scene.eq("length", map.len(), len);
        scene.bytes("bytes", &map, &content);
        scene.eq("size", map.size().unwrap(), len as u64);
    }
}

fn a_length_of_zero_means_no_length<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let map = scene.map(MmapOptions::new().len(3).len(0), &file).unwrap();
    scene.bytes("bytes", &map, b"hello");
}

fn a_length_is_the_number_of_mapped_bytes<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(10_000);
    let file = scene.file("f", &content);
    for len in [1, 4095, 4096, 4097, 9_999, 10_000] {
        let map = scene.map(MmapOptions::new().len(len), &file).unwrap();
        scene.bytes("bytes", &map, &content[..len]);
        scene.eq("none after them", map.get(len), None);
        scene.eq("size", map.size().unwrap(), 10_000);
    }
    scene.file_is("f", &content);
}

fn an_offset_without_a_length_maps_the_rest<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(3 * 65_536 + 1);
    let file = scene.file("f", &content);
    for (offset, len) in [(0, 196_609), (STEP, 131_073), (2 * STEP, 65_537), (3 * STEP, 1)] {
        let map = scene.map(MmapOptions::new().offset(offset), &file).unwrap();
        scene.eq("offset", map.offset(), offset);
        scene.eq("length", map.len(), len);
        scene.bytes("bytes", &map, &content[content.len() - len..]);
    }
}

fn the_length_is_that_of_the_file_when_it_is_mapped<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let map = scene.map(&MmapOptions::new(), &file).unwrap();
    write_through(&file, 5, b" world");
    scene.eq("length", map.len(), 5);
    scene.bytes("bytes", &map, b"hello");
    scene.eq("the current size", map.size().unwrap(), 11);
    let longer = scene.map(&MmapOptions::new(), &file).unwrap();
    scene.bytes("a mapping made now", &longer, b"hello world");
}

fn an_empty_file_cannot_be_mapped<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"");
    for access in [Access::Default, Access::Read, Access::Write, Access::Copy] {
        scene.err("empty", scene.map(MmapOptions::new().access(access), &file), "EmptyFile");
    }
    scene.err("with an offset", scene.map(MmapOptions::new().offset(STEP), &file), "EmptyFile");
    scene.err("with a misaligned offset", scene.map(MmapOptions::new().offset(1), &file), "EmptyFile");
    scene.err("with extend", scene.map(MmapOptions::new().extend(true), &file), "EmptyFile");
    scene.file_is("f", b"");
}

fn a_length_in_an_empty_file_lies_past_its_end<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"");
    scene.err("a byte", scene.map(MmapOptions::new().len(1), &file), "LengthPastEnd");
    scene.file_is("f", b"");
}

fn an_offset_at_or_past_the_end_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(65_536);
    let file = scene.file("f", &content);
    scene.err("at the end", scene.map(MmapOptions::new().offset(STEP), &file), "OffsetPastEnd");
    scene.err("past it", scene.map(MmapOptions::new().offset(2 * STEP), &file), "OffsetPastEnd");
    scene.err("past it and misaligned", scene.map(MmapOptions::new().offset(65_537), &file), "OffsetPastEnd");
    scene.err("with a length", scene.map(MmapOptions::new().offset(STEP).len(1), &file), "LengthPastEnd");
    scene.file_is("f", &content);
}

fn a_length_past_the_end_is_an_error_with_its_numbers<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(65_540);
    let file = scene.file("f", &content);
    for access in [Access::Read, Access::Write, Access::Copy] {
        let result = scene.map(MmapOptions::new().access(access).len(65_541), &file);
        let error = scene.err("one too many", result, "LengthPastEnd");
        assert!(matches!(error, Error::LengthPastEnd { offset: 0, len: 65_541, size: 65_540, .. }));
    }
    scene.err("in a window", scene.map(MmapOptions::new().offset(STEP).len(5), &file), "LengthPastEnd");
    let map = scene.map(MmapOptions::new().offset(STEP).len(4), &file).unwrap();
    scene.bytes("a length that just fits", &map, &content[65_536..]);
    scene.file_is("f", &content);
}

fn a_length_past_the_end_is_reported_before_a_misaligned_offset<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"0123456789");
    scene.err("both", scene.map(MmapOptions::new().offset(1).len(10), &file), "LengthPastEnd");
    expect_error(scene, "one", scene.map(MmapOptions::new().offset(1).len(9), &file), "Misaligned");
    scene.file_is("f", b"0123456789");
}

fn a_misaligned_offset_is_an_error_with_its_numbers<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(3 * 65_536);
    let file = scene.file("f", &content);
    let granularity = Mapping::<B>::allocation_granularity() as u64;
    for access in [Access::Read, Access::Write, Access::Copy] {
        for offset in [1, granularity / 2, granularity - 1, granularity + 1, STEP + 512] {
            for len in [0, 7] {
                let result = scene.map(MmapOptions::new().access(access).offset(offset).len(len), &file);
                let error = expect_error(scene, "not a multiple", result, "Misaligned");
                let Error::Misaligned { offset: asked, granularity: unit, .. } = error else { unreachable!() };
                assert_eq!((asked, unit), (offset, granularity));
            }
        }
    }
    scene.file_is("f", &content);
}

fn every_multiple_of_the_granularity_is_an_offset<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(2 * 65_536 + 1);
    let file = scene.file("f", &content);
    let granularity = Mapping::<B>::allocation_granularity();
    // The granularity differs by backend, so the transcript only has whether all of them are right.
    let right = (0..content.len()).step_by(granularity).all(|offset| {
        let map = scene.map(MmapOptions::new().offset(offset as u64), &file).unwrap();
        map.as_slice().unwrap() == &content[offset..]
    });
    scene.eq("each maps the bytes from there", right, true);
}

fn offsets_over_32_bits_are_not_shortened<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let low = 1_u64 << 32;
    scene.err("nothing there", scene.map(MmapOptions::new().offset(low), &file), "OffsetPastEnd");
    scene.err("with a length", scene.map(MmapOptions::new().offset(low).len(5), &file), "LengthPastEnd");
    scene.err("and misaligned", scene.map(MmapOptions::new().offset(low + 1).len(1), &file), "LengthPastEnd");
    scene.err("2 to the 62nd", scene.map(MmapOptions::new().offset(1 << 62), &file), "OffsetPastEnd");
    scene.file_is("f", b"hello");
}

fn offsets_past_the_longest_file_are_errors<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    for offset in [1 << 63, u64::MAX - 65_535, u64::MAX] {
        for (len, extend) in [(0, false), (1, false), (1, true)] {
            let result = scene.map(MmapOptions::new().offset(offset).len(len).extend(extend), &file);
            let error = scene.err("offset", result, "OutOfRange");
            assert!(matches!(error, Error::OutOfRange { start, .. } if start == i128::from(offset)));
        }
    }
    let last = i64::MAX as u64;
    scene.err("the largest offset", scene.map(MmapOptions::new().offset(last), &file), "OffsetPastEnd");
    scene.err("with a length of 1", scene.map(MmapOptions::new().offset(last).len(1), &file), "OutOfRange");
    scene.file_is("f", b"hello");
}

fn lengths_over_isize_max_are_errors<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let most = isize::MAX as usize;
    for len in [most + 1, usize::MAX - 4095, usize::MAX] {
        for extend in [false, true] {
            let result = scene.map(MmapOptions::new().len(len).extend(extend), &file);
            let error = expect_error(scene, "too long for a slice", result, "OutOfRange");
            let Error::OutOfRange { len: asked, limit, .. } = error else { unreachable!() };
            assert_eq!((asked, limit), (len as u64, most as u64));
        }
    }
    // A slice can have this length, so the error is about the file.
    let error = expect_error(scene, "isize::MAX", scene.map(MmapOptions::new().len(most), &file), "LengthPastEnd");
    assert!(matches!(error, Error::LengthPastEnd { len, size: 5, .. } if len == most as u64));
    scene.file_is("f", b"hello");
}

fn an_offset_and_a_length_that_overflow_together_are_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let last = i64::MAX as u64 / STEP * STEP;
    for extend in [false, true] {
        let result = scene.map(MmapOptions::new().offset(last).len(65_536).extend(extend), &file);
        scene.err("the sum is 2 to the 63rd", result, "OutOfRange");
    }
    let result = scene.map(MmapOptions::new().offset(last).len(65_535), &file);
    scene.err("the last byte of the longest file", result, "LengthPastEnd");
    scene.file_is("f", b"hello");
}
