//! Use as a slice and as a file: Python's rules.

use std::io::SeekFrom;

use portable_mmap::{Access, Advice};

use super::*;
use crate::script::call::Notation;

/// A mapping of a file with these bytes.
fn mapping(backend: Backend, access: Access, content: &[u8]) -> Scene {
    let mut scene = Scene { file: File::new(content), views: Vec::new() };
    scene.map(backend, access, false);
    scene
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with results of calls")]
fn text(bytes: &[u8]) -> Outcome {
    Ok(Value::Bytes(bytes.to_vec()))
}

#[test]
fn read_bytes_is_clamped_and_readline_has_its_newline() {
    for backend in BOTH {
        let mut scene = mapping(backend, Access::Read, b"one\ntwo");
        assert_eq!(scene.call(&Call::Read(2)), text(b"on"));
        assert_eq!(scene.call(&Call::ReadLine), text(b"e\n"));
        assert_eq!(scene.call(&Call::ReadLine), text(b"two"));
        assert_eq!((scene.call(&Call::ReadLine), scene.call(&Call::Read(5))), (text(b""), text(b"")));
        assert_eq!(scene.call(&Call::ReadByte), Err("OutOfRange"));
    }
}

#[test]
fn write_bytes_is_all_or_nothing() {
    for backend in BOTH {
        let mut scene = mapping(backend, Access::Write, b"12345");
        assert_eq!(scene.call(&Call::Write(b"ab".to_vec())), Ok(Value::Number(2)));
        assert_eq!(scene.call(&Call::Write(b"cdef".to_vec())), Err("OutOfRange"));
        assert_eq!((scene.views[0].position, scene.flush()), (2, DONE));
        assert_eq!(scene.file.held(0..5), b"ab345");
    }
}

#[test]
fn tell_may_exceed_len_after_a_shrink() {
    for backend in BOTH {
        let mut scene = mapping(backend, Access::Write, b"12345");
        assert_eq!(scene.call(&Call::Seek(SeekFrom::End(0))), Ok(Value::Number(5)));
        assert_eq!(scene.call(&Call::Seek(SeekFrom::Current(1))), Err("OutOfRange"));
        assert_eq!(scene.call(&Call::Resize(3)), DONE);
        assert_eq!(scene.views[0].position, 5);
        assert_eq!(scene.call(&Call::Read(9)), text(b""));
        assert_eq!(scene.call(&Call::Write(vec![])), Err("OutOfRange"));
        // An empty needle is not found past the end, as in Python.
        let find = Call::Find { needle: vec![], within: None, is_first: true };
        assert_eq!(scene.call(&find), Ok(Value::Place(None)));
    }
}

#[test]
fn find_starts_at_the_position_and_a_match_is_completely_inside() {
    for backend in BOTH {
        let mut scene = mapping(backend, Access::Read, b"abcabcab");
        let find = |needle: &[u8], within, is_first| Call::Find { needle: needle.to_vec(), within, is_first };
        assert_eq!(scene.call(&Call::Seek(SeekFrom::Start(1))), Ok(Value::Number(1)));
        assert_eq!(scene.call(&find(b"ab", None, true)), Ok(Value::Place(Some(3))));
        assert_eq!(scene.call(&find(b"ab", None, false)), Ok(Value::Place(Some(6))));
        assert_eq!(scene.call(&find(b"ab", Some((4, 7)), true)), Ok(Value::Place(None)));
        assert_eq!(scene.views[0].position, 1);
    }
}

#[test]
fn slices_are_pythons_and_another_length_is_a_size_mismatch() {
    for backend in BOTH {
        let mut scene = mapping(backend, Access::Write, b"abcdef");
        let stepped = Notation { start: None, stop: None, step: -2 };
        assert_eq!(scene.call(&Call::GetSlice(stepped)), text(b"fdb"));
        assert_eq!(scene.call(&Call::SetSlice(stepped, b"12".to_vec())), Err("SizeMismatch"));
        assert_eq!(scene.call(&Call::SetSlice(stepped, b"123".to_vec())), DONE);
        assert_eq!(scene.call(&Call::Range { start: 0, len: 6, change: None }), text(b"a3c2e1"));
        let nowhere = Notation { step: 0, ..stepped };
        assert_eq!(scene.call(&Call::GetSlice(nowhere)), Err("OutOfRange"));
        assert_eq!(scene.call(&Call::GetItem(-6)), text(b"a"));
        assert_eq!(scene.call(&Call::GetItem(-7)), Err("IndexOutOfRange"));
    }
}

#[test]
fn move_within_is_overlap_safe_and_moves_all_or_nothing() {
    for backend in BOTH {
        let mut scene = mapping(backend, Access::Write, b"abcdef");
        assert_eq!(scene.call(&Call::Move { dest: 1, src: 0, count: 5 }), DONE);
        assert_eq!(scene.call(&Call::Move { dest: 2, src: 0, count: 5 }), Err("OutOfRange"));
        assert_eq!(scene.call(&Call::Range { start: 0, len: 6, change: None }), text(b"aabcde"));
    }
}

#[test]
fn read_only_is_reported_before_any_range_check() {
    for backend in BOTH {
        let mut scene = mapping(backend, Access::Read, b"abc");
        for call in [Call::SetItem(9, 0), Call::Write(vec![0; 9]), Call::Move { dest: 9, src: 9, count: 9 }] {
            assert_eq!(scene.call(&call), Err("ReadOnly"), "{call:?}");
        }
    }
}

#[test]
fn the_start_of_an_advised_range_is_checked_and_its_length_is_clamped() {
    for backend in BOTH {
        let mut scene = mapping(backend, Access::Read, b"abc");
        let mut advise = |start, len| scene.call(&Call::Advise(Advice::WillNeed, start, len));
        assert_eq!((advise(3, 0), advise(1, 1), advise(0, usize::MAX)), (Err("OutOfRange"), Err("Misaligned"), DONE));
    }
}
