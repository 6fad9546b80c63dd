//! Memory without a file.

use portable_mmap::{Access, Backend, Error, Flags, Mapping, MmapOptions, Prot};

use super::{expect_error, tag_name};
use crate::{FileBackend, Scene, cases};

cases!("anonymous":
    its_bytes_are_zeros_until_written,
    a_length_of_zero_is_an_error,
    lengths_longer_than_memory_are_errors,
    an_offset_is_an_error,
    it_has_a_size_and_no_file,
    it_flushes_closes_and_returns_no_file,
    two_anonymous_mappings_share_nothing,
    each_access_and_flag_gives_zeros,
    flags_and_prot_conflict_as_for_a_file,
    hints_never_fail_on_memory,
    huge_pages_are_memory_or_an_error,
    a_safe_call_takes_no_tag_name,
    a_tag_name_makes_shared_memory_on_windows_only,
    extending_has_no_effect_without_a_file,
    untracked_memory_has_no_size_and_keeps_its_length
);

fn its_bytes_are_zeros_until_written<B: FileBackend>(scene: &mut Scene<B>) {
    for len in [1, 13, 4095, 4096, 4097, 100_000] {
        let mut map = scene.anonymous(len);
        scene.bytes("zeros", &map, vec![0; len]);
        map[len - 1] = b'!';
        let mut want = vec![0; len];
        want[len - 1] = b'!';
        scene.bytes("changed", &map, want);
    }
}

fn a_length_of_zero_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    expect_error(scene, "anonymous(0)", Mapping::<B>::anonymous(0), "OutOfRange");
    expect_error(scene, "map_anonymous", MmapOptions::new().map_anonymous(), "OutOfRange");
    expect_error(scene, "len(0)", MmapOptions::new().len(0).map_anonymous(), "OutOfRange");
}

fn lengths_longer_than_memory_are_errors<B: FileBackend>(scene: &mut Scene<B>) {
    let most = isize::MAX as usize;
    for len in [most + 1, usize::MAX - 4094, usize::MAX] {
        let error = expect_error(scene, "over isize::MAX", Mapping::<B>::anonymous(len), "OutOfRange");
        let Error::OutOfRange { len: asked, limit, .. } = error else { unreachable!() };
        assert_eq!((asked, limit), (len as u64, most as u64));
        expect_error(scene, "by options", MmapOptions::new().len(len).map_anonymous(), "OutOfRange");
    }
    for flags in [Flags::SHARED, Flags::PRIVATE] {
        let error = no_room(|| MmapOptions::new().len(most).flags(flags).map_anonymous());
        scene.eq("isize::MAX", says_no_memory(&error, most), true);
    }
    let error = no_room(|| Mapping::<B>::anonymous(most));
    scene.eq("isize::MAX of the backend under test", says_no_memory(&error, most), true);
    let map = scene.anonymous(5);
    scene.bytes("a small mapping afterwards", &map, [0; 5]);
}

/// Returns the error of a mapping that is too large. A 32-bit program on a 64-bit system has room for one mapping of
/// half of its addresses, but not for two.
fn no_room<B: Backend>(map: impl Fn() -> Result<Mapping<B>, Error>) -> Error {
    match map() {
        Err(error) => error,
        Ok(_held) => map().expect_err("two of them need all addresses"),
    }
}

fn says_no_memory(error: &Error, len: usize) -> bool {
    match error {
        Error::NoMemory { len: asked, .. } => *asked == len as u64,
        // Windows has several errors for it.
        error => cfg!(windows) && matches!(error, Error::Io { .. }),
    }
}

fn an_offset_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    scene.err("offset", MmapOptions::new().len(5).offset(65_536).map_anonymous(), "Conflict");
}

fn it_has_a_size_and_no_file<B: FileBackend>(scene: &mut Scene<B>) {
    let map = scene.anonymous(13);
    scene.eq("length", map.len(), 13);
    // In Python this is an error, because it uses the descriptor -1.
    scene.eq("size", map.size().unwrap(), 13);
    scene.eq("file", map.file().is_none(), true);
    scene.eq("offset", map.offset(), 0);
    scene.eq("access", map.access(), Access::Default);
}

fn it_flushes_closes_and_returns_no_file<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.anonymous(10_000);
    map[..5].copy_from_slice(b"hello");
    map.flush().unwrap();
    map.flush_async().unwrap();
    map.refresh().unwrap();
    scene.bytes("after flush and refresh", &map[..6], b"hello\0");
    scene.eq("into_file", map.into_file().unwrap().is_none(), true);
    let mut map = scene.anonymous(5);
    map.close().unwrap();
    map.close().unwrap();
    scene.err("closed", map.size(), "Closed");
}

fn two_anonymous_mappings_share_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    let (mut one, two) = (scene.anonymous(5), scene.anonymous(5));
    one[..].fill(b'1');
    scene.bytes("one", &one, b"11111");
    scene.bytes("two", &two, [0; 5]);
    drop(one);
    scene.bytes("new memory, where the old may have been", scene.anonymous(5), [0; 5]);
}

fn each_access_and_flag_gives_zeros<B: FileBackend>(scene: &mut Scene<B>) {
    let new = MmapOptions::new;
    let all = [
        (new(), Access::Default),
        (new().access(Access::Read).clone(), Access::Read),
        (new().access(Access::Write).clone(), Access::Write),
        (new().access(Access::Copy).clone(), Access::Copy),
        (new().flags(Flags::SHARED).clone(), Access::Default),
        (new().flags(Flags::PRIVATE).clone(), Access::Default),
        (new().prot(Prot::READ).clone(), Access::Read),
        (new().prot(Prot::WRITE).clone(), Access::Write),
        (new().prot(Prot::empty()).clone(), Access::Read),
        (new().flags(Flags::PRIVATE).prot(Prot::READ).clone(), Access::Read),
    ];
    for (options, access) in all {
        let mut map = options.clone().len(5000).map_anonymous().unwrap();
        scene.eq("access", map.access(), access);
        scene.bytes("zeros", &map, [0; 5000]);
        if access == Access::Read {
            scene.err("set", map.set_item(0, 1), "ReadOnly");
            scene.err("resize", map.resize(10), "ReadOnly");
        } else {
            map.set_item(-1, 1).unwrap();
            scene.eq("changed", map[4999], 1);
        }
        map.close().unwrap();
    }
}

fn flags_and_prot_conflict_as_for_a_file<B: FileBackend>(scene: &mut Scene<B>) {
    let new = || MmapOptions::new().len(5).clone();
    scene.err("both", new().flags(Flags::SHARED | Flags::PRIVATE).map_anonymous(), "Conflict");
    scene.err("access and PRIVATE", new().access(Access::Copy).flags(Flags::PRIVATE).map_anonymous(), "Conflict");
    scene.err("access and prot", new().access(Access::Read).prot(Prot::READ).map_anonymous(), "Conflict");
    scene.err("all of prot", new().prot(Prot::all()).map_anonymous(), "Unsupported");
}

fn hints_never_fail_on_memory<B: FileBackend>(scene: &mut Scene<B>) {
    let all = [Flags::POPULATE, Flags::NORESERVE, Flags::STACK, Flags::POPULATE | Flags::NORESERVE | Flags::STACK];
    for hints in all {
        for flags in [Flags::empty(), Flags::SHARED, Flags::PRIVATE] {
            let mut map = MmapOptions::new().len(5000).flags(hints | flags).map_anonymous().unwrap();
            map[4999] = 1;
            scene.eq(&format!("{:?}", hints | flags), (map[0], map[4999]), (0, 1));
        }
    }
}

fn huge_pages_are_memory_or_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    // The result depends on the huge pages of the machine.
    for flags in [Flags::HUGETLB, Flags::HUGETLB | Flags::PRIVATE] {
        let as_it_should = match MmapOptions::new().len(5000).flags(flags).map_anonymous() {
            Ok(mut map) => {
                map[4999] = 1;
                map.backend_name() == "mapped" && map.len() == 5000 && map[0] == 0 && map[4999] == 1
            }
            Err(error) => matches!(error, Error::Unsupported { .. } | Error::NoMemory { .. } | Error::Io { .. }),
        };
        scene.eq("either", as_it_should, true);
    }
    let map = MmapOptions::new().len(5).map_anonymous().unwrap();
    scene.bytes("without huge pages", map, [0; 5]);
}

fn a_safe_call_takes_no_tag_name<B: FileBackend>(scene: &mut Scene<B>) {
    scene.err("map_anonymous", MmapOptions::new().len(5).tag_name("case").map_anonymous(), "Unsupported");
}

fn a_tag_name_makes_shared_memory_on_windows_only<B: FileBackend>(scene: &mut Scene<B>) {
    let mut options = MmapOptions::new();
    options.len(5);
    // SAFETY: there is no tag.
    scene.err("without a tag", unsafe { options.map_tagged() }, "Conflict");
    options.tag_name(tag_name(scene));
    // SAFETY: nobody else uses the tag.
    let as_it_should = match unsafe { options.map_tagged() } {
        Ok(mut map) => {
            // SAFETY: no slice of either is alive while the other is changed.
            let same = unsafe { options.map_tagged() }.unwrap();
            map[0] = b'!';
            cfg!(windows) && same[0] == b'!'
        }
        Err(Error::Unsupported { .. }) => !cfg!(windows),
        Err(error) => panic!("{error}"),
    };
    scene.eq("shared there, unsupported elsewhere", as_it_should, true);
}

fn extending_has_no_effect_without_a_file<B: FileBackend>(scene: &mut Scene<B>) {
    let options = MmapOptions::new().len(5).extend(true).allocate(true).guard(true).clone();
    let mut map = options.map_anonymous().unwrap();
    scene.eq("size", map.size().unwrap(), 5);
    map.resize(3).unwrap();
    scene.eq("resized", map.len(), 3);
    scene.bytes("bytes", &map, [0; 3]);
    scene.eq("file", map.file().is_none(), true);
}

fn untracked_memory_has_no_size_and_keeps_its_length<B: FileBackend>(scene: &mut Scene<B>) {
    for flags in [Flags::SHARED, Flags::PRIVATE] {
        let mut map = MmapOptions::new().len(64).flags(flags).track_file(false).anonymous_with::<B>().unwrap();
        map.write_bytes(b"hello").unwrap();
        scene.err("size", map.size(), "Untracked");
        for len in [32, 64, 128, 0] {
            scene.fails("resize", &mut map, "Untracked", |map| map.resize(len));
        }
        scene.eq("len", map.len(), 64);
        map.flush().unwrap();
        map.close().unwrap();
    }
}
