//! `RawBuffer` over storages in memory, also in Miri: pointers, slices and flushes at the same time.

use std::io::ErrorKind;
use std::slice;

use native_tests::others::{PAGE, pattern};
use native_tests::storages::{Memory, Op, Rig};
use portable_mmap::raw::RawBuffer;
use portable_mmap::{Access, Buffered, Error, Flags, MmapOptions, Storage};

/// Two pages and a half, which end in the middle of a page.
const LEN: usize = 2 * PAGE + PAGE / 2;

fn buffer<S: Storage>(storage: S, access: Access) -> RawBuffer<S> {
    RawBuffer::new(MmapOptions::new().access(access).map_storage(storage).unwrap()).unwrap()
}

/// Makes a buffer that records changes.
fn watched<S: Storage>(storage: S) -> RawBuffer<S> {
    let mut buffer = buffer(storage, Access::Write);
    buffer.watch().unwrap();
    buffer
}

/// Writes a byte through the pointer.
fn put<S: Storage>(buffer: &RawBuffer<S>, at: usize, byte: u8) {
    assert!(at < buffer.len());
    // SAFETY: the byte is in the buffer, and no test has a slice of it then.
    unsafe { buffer.as_ptr().wrapping_add(at).write(byte) };
}

fn flush<S: Storage>(buffer: &RawBuffer<S>, offset: usize, len: usize) -> portable_mmap::Result<()> {
    // SAFETY: no test writes to these pages meanwhile, or has a mutable slice of them.
    unsafe { buffer.flush_range(offset, len) }
}

#[test]
fn the_address_does_not_change_and_slices_stay_valid() {
    let memory = Memory::new(pattern(LEN));
    let mut buffer = buffer(memory.clone(), Access::Write);
    let start = buffer.as_ptr();
    // SAFETY: all bytes are initialised, and none of these is written.
    let tail = unsafe { slice::from_raw_parts(start.wrapping_add(PAGE), LEN - PAGE) };
    buffer.watch().unwrap();
    buffer.watch().unwrap();
    let buffer = Box::new(buffer);
    put(&buffer, 0, b'X');
    flush(&buffer, 0, LEN).unwrap();
    // SAFETY: nobody writes meanwhile, and the slice is not mutable.
    unsafe { buffer.flush_async_range(0, LEN) }.unwrap();
    assert_eq!(buffer.as_ptr(), start);
    assert_eq!(tail, &pattern(LEN)[PAGE..]);
    assert_eq!(memory.content()[0], b'X');
}

#[test]
fn a_mutable_slice_survives_a_flush_of_other_pages() {
    let memory = Memory::new(pattern(LEN));
    let buffer = watched(memory.clone());
    // SAFETY: all bytes are initialised, and nobody else uses these while the slice is live.
    let slice = unsafe { slice::from_raw_parts_mut(buffer.as_ptr().wrapping_add(PAGE), PAGE) };
    slice[0] = b'A';
    put(&buffer, 0, b'B');
    flush(&buffer, 0, PAGE).unwrap();
    assert_eq!(memory.content()[PAGE], pattern(LEN)[PAGE], "the page was not flushed");
    slice[1] = b'C';
    flush(&buffer, PAGE, PAGE).unwrap();
    let content = memory.content();
    assert_eq!([0, PAGE, PAGE + 1].map(|at| content[at]), *b"BAC");
}

#[test]
fn the_pointer_stays_valid_after_flushes() {
    let memory = Memory::new(pattern(LEN));
    let mut buffer = buffer(memory.clone(), Access::Write);
    let start = buffer.as_ptr();
    buffer.watch().unwrap();
    for byte in *b"AB" {
        // SAFETY: all bytes are initialised, and nobody else uses them while the slice is live.
        let slice = unsafe { slice::from_raw_parts_mut(start, LEN) };
        slice[..PAGE].fill(byte);
        flush(&buffer, 0, LEN).unwrap();
        // SAFETY: the slice is no longer used.
        unsafe { start.write(b'C') };
        flush(&buffer, 0, 1).unwrap();
        assert_eq!(memory.content()[..2], [b'C', byte]);
    }
}

#[test]
fn a_flush_writes_only_what_was_changed() {
    let (memory, rig) = (Memory::new(pattern(LEN)), Rig::default());
    let buffer = watched(rig.around(memory.clone()));
    let _ = rig.take();
    let mut expected = pattern(LEN);
    for at in [1, PAGE - 1, LEN - 1] {
        expected[at] ^= 0xff;
        put(&buffer, at, expected[at]);
    }
    flush(&buffer, 0, PAGE).unwrap();
    assert_eq!(rig.calls(Op::Write), [(1, 1), (PAGE as u64 - 1, 1)]);
    assert_ne!(memory.content(), expected, "the last page was not flushed");
    flush(&buffer, 2 * PAGE, PAGE / 2).unwrap();
    assert_eq!(memory.content(), expected);
    let _ = rig.take();
    flush(&buffer, 0, LEN).unwrap();
    assert_eq!(rig.calls(Op::Write), [], "nothing is written twice");
    // A second change of a byte that was written before is written too.
    put(&buffer, 1, 0);
    drop(buffer);
    expected[1] = 0;
    assert_eq!(memory.content(), expected);
}

#[test]
fn a_page_with_many_changes_is_merged_with_the_bytes_of_others() {
    let memory = Memory::new(vec![b'a'; LEN]);
    let buffer = watched(memory.clone());
    (0..PAGE).step_by(8).for_each(|at| put(&buffer, at, b'X'));
    memory.overwrite(1, b"other");
    flush(&buffer, 0, LEN).unwrap();
    assert_eq!(&memory.content()[..10], b"XotheraaXa");
}

#[test]
fn a_failed_flush_keeps_all_changes() {
    let (memory, rig) = (Memory::new(pattern(LEN)), Rig::default());
    let buffer = watched(rig.around(memory.clone()));
    put(&buffer, 3, b'X');
    rig.fail(Op::Write, 0, 1, ErrorKind::StorageFull);
    let refused = flush(&buffer, 0, LEN).unwrap_err();
    assert!(matches!(&refused, Error::Io { source, .. } if source.kind() == ErrorKind::StorageFull), "{refused:?}");
    assert_eq!(memory.content(), pattern(LEN));
    flush(&buffer, 0, LEN).unwrap();
    assert_eq!(memory.content()[3], b'X');
}

#[test]
fn a_refresh_shows_changes_of_others_and_keeps_own_ones() {
    let memory = Memory::new(vec![b'a'; LEN]);
    let buffer = watched(memory.clone());
    let start = buffer.as_ptr();
    for at in [0, PAGE, LEN - 1] {
        put(&buffer, at, b'X');
    }
    memory.overwrite(0, b"other");
    memory.overwrite(PAGE + 1, b"other");
    memory.overwrite(LEN - 3, b"end");
    // SAFETY: nobody uses the bytes meanwhile, and there is no reference to them.
    unsafe { buffer.refresh_range(PAGE - 1, 2) }.unwrap();
    // SAFETY: all bytes are initialised, and nobody writes meanwhile.
    let bytes = unsafe { slice::from_raw_parts(start, LEN) }.to_vec();
    assert_eq!((&bytes[..5], &bytes[PAGE..PAGE + 6], &bytes[LEN - 3..]), (&b"Xther"[..], &b"Xother"[..], &b"aaX"[..]));
    flush(&buffer, 0, LEN).unwrap();
    let content = memory.content();
    assert_eq!(
        (&content[..5], &content[PAGE..PAGE + 6], &content[LEN - 3..]),
        (&b"Xther"[..], &b"Xother"[..], &b"enX"[..])
    );
    // A byte that was flushed shows what others write over it.
    memory.overwrite(0, b"N");
    // SAFETY: as above.
    unsafe { buffer.refresh_range(0, LEN) }.unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { slice::from_raw_parts(start, 5) }, b"Nther");
    put(&buffer, 4, b'!');
    drop(buffer);
    assert_eq!(&memory.content()[..5], b"Nthe!", "changes after a refresh are written");
}

#[test]
fn a_failed_refresh_changes_nothing() {
    let (memory, rig) = (Memory::new(vec![b'a'; LEN]), Rig::default());
    let buffer = watched(rig.around(memory.clone()));
    memory.overwrite(PAGE, b"other");
    rig.fail(Op::Read, 1, 1, ErrorKind::Other);
    // SAFETY: nobody uses the bytes meanwhile, and there is no reference to them.
    unsafe { buffer.refresh_range(0, LEN) }.unwrap_err();
    // SAFETY: all bytes are initialised, and nobody writes meanwhile.
    assert!(unsafe { slice::from_raw_parts(buffer.as_ptr(), LEN) } == vec![b'a'; LEN]);
    put(&buffer, PAGE, b'X');
    put(&buffer, LEN - 1, b'X');
    flush(&buffer, 0, LEN).unwrap();
    assert_eq!((&memory.content()[PAGE..PAGE + 5], memory.content()[LEN - 1]), (&b"Xther"[..], b'X'));
    // SAFETY: nobody uses the bytes.
    assert!(matches!(unsafe { buffer.refresh_range(LEN, 1) }, Err(Error::OutOfRange { .. })));
}

#[test]
fn a_refresh_after_a_failed_sync_keeps_what_was_written() {
    let (memory, rig) = (Memory::new(vec![b'a'; LEN]), Rig::default());
    let buffer = watched(rig.around(memory.clone()));
    put(&buffer, 0, b'X');
    rig.fail(Op::Sync, 0, 1, ErrorKind::Other);
    flush(&buffer, 0, LEN).unwrap_err();
    // The system has lost the bytes, and somebody else has written beside them.
    memory.overwrite(0, b"aN");
    // SAFETY: nobody uses the bytes meanwhile, and there is no reference to them.
    unsafe { buffer.refresh_range(0, LEN) }.unwrap();
    flush(&buffer, 0, LEN).unwrap();
    assert_eq!(&memory.content()[..3], b"XNa");
}

#[test]
fn a_conflict_is_a_byte_that_was_changed_on_both_sides() {
    let memory = Memory::new(vec![b'a'; LEN]);
    let buffer = watched(memory.clone());
    // SAFETY: no test writes to these pages meanwhile, or has a mutable slice of them.
    let conflict = |offset, len| unsafe { buffer.first_conflict(offset, len) }.unwrap();
    for at in [3, 4, PAGE + 7, LEN - 1] {
        put(&buffer, at, b'X');
    }
    assert_eq!(conflict(0, LEN), None);
    // Somebody else writes beside a change, and makes the same change.
    memory.overwrite(2, b"N");
    memory.overwrite(4, b"X");
    assert_eq!(conflict(0, LEN), None);
    memory.overwrite(PAGE + 7, b"N");
    memory.overwrite(LEN - 1, b"N");
    assert_eq!((conflict(0, LEN), conflict(0, PAGE), conflict(2 * PAGE, 1)), (Some(PAGE + 7), None, Some(LEN - 1)));
    flush(&buffer, 0, LEN).unwrap();
    assert_eq!(conflict(0, LEN), None, "there are no changes left");
    // A copy overwrites nothing.
    let mut copy = self::buffer(memory.clone(), Access::Copy);
    copy.watch().unwrap();
    put(&copy, 0, b'X');
    memory.overwrite(0, b"N");
    // SAFETY: as above.
    assert_eq!(unsafe { copy.first_conflict(0, LEN) }.unwrap(), None);
}

#[test]
fn a_read_only_buffer_is_not_watched_and_a_copy_stays_in_memory() {
    let memory = Memory::new(pattern(LEN));
    assert!(matches!(buffer(memory.clone(), Access::Read).watch(), Err(Error::ReadOnly { .. })));
    let mut copy = buffer(memory.clone(), Access::Copy);
    copy.watch().unwrap();
    put(&copy, 0, b'X');
    flush(&copy, 0, LEN).unwrap();
    drop(copy);
    assert_eq!(memory.content(), pattern(LEN));
}

#[test]
fn memory_without_a_file_is_zeros() {
    let map = MmapOptions::new().flags(Flags::PRIVATE).len(LEN).anonymous_with::<Buffered<Memory>>().unwrap();
    let buffer = RawBuffer::new(map).unwrap();
    // SAFETY: all bytes are initialised, and nobody writes meanwhile.
    assert!(unsafe { slice::from_raw_parts(buffer.as_ptr(), LEN) } == [0; LEN]);
    put(&buffer, LEN - 1, 1);
    flush(&buffer, 0, LEN).unwrap();
}

#[test]
fn threads_flush_while_others_read() {
    let memory = Memory::new(pattern(LEN));
    let buffer = watched(memory.clone());
    (0..3).for_each(|page| put(&buffer, page * PAGE, b'X'));
    std::thread::scope(|scope| {
        for page in 0..3 {
            let buffer = &buffer;
            scope.spawn(move || flush(buffer, page * PAGE, PAGE / 2).unwrap());
            // SAFETY: nobody writes meanwhile.
            scope.spawn(move || assert_eq!(unsafe { buffer.as_ptr().wrapping_add(page * PAGE).read() }, b'X'));
        }
    });
    let content = memory.content();
    assert_eq!([0, PAGE, 2 * PAGE].map(|at| content[at]), *b"XXX");
}
