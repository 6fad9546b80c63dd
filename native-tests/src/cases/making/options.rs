//! All combinations of `Access`, `Flags` and `Prot`, and the other options.

use portable_mmap::{Access, Error, Flags, MmapOptions, Prot};

use super::{pattern, tag_name};
use crate::{FileBackend, Scene, cases};

cases!("options":
    every_access_flags_and_prot_acts_as_the_table_says,
    executable_memory_is_read_only_and_needs_an_os_mapping,
    writable_and_executable_memory_is_unsupported,
    hints_never_fail_and_change_nothing,
    hints_count_as_flags_beside_an_access,
    huge_pages_of_a_file_are_unsupported,
    a_copy_reaches_neither_the_file_nor_another_mapping,
    a_private_mapping_is_a_copy_for_every_call,
    every_change_of_a_read_only_mapping_is_an_error,
    an_untracked_mapping_has_no_file,
    an_untracked_mapping_s_changes_reach_the_file,
    a_tag_name_is_for_os_mappings_on_windows,
    an_empty_tag_name_is_no_tag_name,
    a_guard_and_allocation_change_nothing_without_faults
);

const ACCESSES: [Access; 4] = [Access::Default, Access::Read, Access::Write, Access::Copy];

/// Every subset of some flags.
fn subsets(all: Flags) -> impl Iterator<Item = Flags> {
    (0..=all.bits()).filter_map(Flags::from_bits).filter(move |&some| all.contains(some))
}

/// Every value of `Prot`.
fn prots() -> impl Iterator<Item = Prot> {
    (0..=Prot::all().bits()).filter_map(Prot::from_bits)
}

/// The table of the documentation, for a file that is open for reading and writing.
fn expected(access: Access, flags: Flags, prot: Prot) -> Result<Access, &'static str> {
    let private = flags.contains(Flags::PRIVATE);
    if private && flags.contains(Flags::SHARED) {
        return Err("Conflict");
    }
    if access != Access::Default && (private || prot != Prot::READ | Prot::WRITE) {
        return Err("Conflict");
    }
    if prot.contains(Prot::EXEC) {
        return if prot.contains(Prot::WRITE) { Err("Unsupported") } else { Ok(Access::Read) };
    }
    Ok(match (access, prot) {
        (Access::Default, prot) if !prot.contains(Prot::WRITE) => Access::Read,
        (Access::Default, _) if private => Access::Copy,
        (Access::Default, Prot::WRITE) => Access::Write,
        (access, _) => access,
    })
}

/// Whether this column's mappings can be executable.
fn has_executable_memory<B: FileBackend>(scene: &Scene<B>) -> bool {
    scene.anonymous(1).backend_name() == "mapped"
}

fn every_access_flags_and_prot_acts_as_the_table_says<B: FileBackend>(scene: &mut Scene<B>) {
    let mut combinations = 0;
    for access in ACCESSES {
        for flags in subsets(Flags::SHARED | Flags::PRIVATE) {
            for prot in prots() {
                combinations += 1;
                if prot.contains(Prot::EXEC) && expected(access, flags, prot).is_ok() {
                    // This has its own case, because not every backend supports it.
                    continue;
                }
                combination(scene, access, flags, prot);
            }
        }
    }
    scene.eq("combinations", combinations, 4 * 4 * 8);
}

fn combination<B: FileBackend>(scene: &mut Scene<B>, access: Access, flags: Flags, prot: Prot) {
    let label = format!("{access:?} {flags:?} {prot:?}");
    let file = scene.file("f", b"hello");
    let result = scene.map(MmapOptions::new().access(access).flags(flags).prot(prot), &file);
    match expected(access, flags, prot) {
        Err(variant) => {
            scene.err(&label, result, variant);
            scene.file_is("f", b"hello");
        }
        Ok(resulting) => {
            let mut map = result.unwrap();
            scene.eq(&label, map.access(), resulting);
            scene.bytes("bytes", &map, b"hello");
            if resulting == Access::Read {
                scene.fails("set", &mut map, "ReadOnly", |map| map.set_item(0, b'J'));
            } else {
                map.set_item(0, b'J').unwrap();
                scene.bytes("changed", &map, b"Jello");
            }
            map.close().unwrap();
            let reaches_file = matches!(resulting, Access::Default | Access::Write);
            scene.file_is("f", if reaches_file { b"Jello" } else { b"hello" });
        }
    }
}

fn executable_memory_is_read_only_and_needs_an_os_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let possible = has_executable_memory(scene);
    for prot in [Prot::EXEC, Prot::READ | Prot::EXEC] {
        for flags in [Flags::empty(), Flags::SHARED, Flags::PRIVATE] {
            let as_it_should = match scene.map(MmapOptions::new().prot(prot).flags(flags), &file) {
                Ok(mut map) => {
                    assert!(matches!(map.set_item(0, 0), Err(Error::ReadOnly { .. })));
                    possible && map.access() == Access::Read && map.as_slice().unwrap() == b"hello"
                }
                Err(Error::Unsupported { .. }) => !possible,
                // An OS may require a file opened for execution, or a file system that allows execution.
                Err(error) => possible && error.kind() == std::io::ErrorKind::PermissionDenied,
            };
            scene.eq(&format!("{flags:?} {prot:?}"), as_it_should, true);
        }
    }
    scene.file_is("f", b"hello");
}

fn writable_and_executable_memory_is_unsupported<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    for prot in [Prot::WRITE | Prot::EXEC, Prot::all()] {
        for flags in [Flags::SHARED, Flags::PRIVATE] {
            let result = scene.map(MmapOptions::new().prot(prot).flags(flags), &file);
            scene.err(&format!("{prot:?}"), result, "Unsupported");
        }
    }
    scene.file_is("f", b"hello");
}

fn hints_never_fail_and_change_nothing<B: FileBackend>(scene: &mut Scene<B>) {
    // After the first page. Miri takes a second for two pages, and there are many combinations.
    let last = if cfg!(miri) { 500 } else { 5_000 };
    let content = pattern(last + 1);
    for hints in subsets(Flags::POPULATE | Flags::NORESERVE | Flags::STACK) {
        for flags in [Flags::empty(), Flags::SHARED, Flags::PRIVATE] {
            for prot in [Prot::READ, Prot::WRITE, Prot::READ | Prot::WRITE] {
                let file = scene.file("f", &content);
                let mut map = scene.map(MmapOptions::new().flags(flags | hints).prot(prot), &file).unwrap();
                assert_eq!(map.as_slice().unwrap(), content);
                let mut want = content.clone();
                if prot.contains(Prot::WRITE) {
                    map[last] ^= 1;
                    want[last] ^= u8::from(!flags.contains(Flags::PRIVATE));
                }
                map.close().unwrap();
                scene.file_is("f", want);
            }
        }
    }
}

fn hints_count_as_flags_beside_an_access<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    for access in [Access::Read, Access::Write, Access::Copy] {
        for hint in [Flags::POPULATE, Flags::NORESERVE, Flags::STACK] {
            let result = scene.map(MmapOptions::new().access(access).flags(hint), &file);
            scene.err(&format!("{access:?} {hint:?}"), result, "Conflict");
        }
        let map = scene.map(MmapOptions::new().access(access).flags(Flags::SHARED), &file).unwrap();
        scene.eq("SHARED is the default", map.access(), access);
    }
}

fn huge_pages_of_a_file_are_unsupported<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(4 << 20);
    let file = scene.file("f", &content);
    for flags in [Flags::HUGETLB, Flags::HUGETLB | Flags::PRIVATE] {
        let error = scene.map(MmapOptions::new().flags(flags), &file).unwrap_err();
        scene.eq("huge", error.name(), "Unsupported");
    }
    scene.file_is("f", content);
}

fn a_copy_reaches_neither_the_file_nor_another_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(10_000);
    let file = scene.file("f", &content);
    let mut copy = scene.map(MmapOptions::new().access(Access::Copy), &file).unwrap();
    let mut other = scene.map(MmapOptions::new().access(Access::Copy), &file).unwrap();
    let shared = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    copy[100..8000].fill(b'c');
    other[9999] = b'o';
    copy.flush().unwrap();
    let mut want = content.clone();
    want[100..8000].fill(b'c');
    scene.bytes("the copy", &copy, want);
    scene.bytes("another mapping", &shared, &content);
    scene.eq("another copy", other[100] == content[100] && other[9999] == b'o', true);
    copy.close().unwrap();
    drop(other);
    scene.file_is("f", content);
}

fn a_private_mapping_is_a_copy_for_every_call<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().flags(Flags::PRIVATE), &file).unwrap();
    scene.eq("access", map.access(), Access::Copy);
    map[0] = b'J';
    // In Python this truncates the file.
    scene.fails("resize", &mut map, "ReadOnly", |map| map.resize(3));
    scene.bytes("changed", &map, b"Jello");
    drop(map);
    scene.file_is("f", b"hello");
}

fn every_change_of_a_read_only_mapping_is_an_error<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().access(Access::Read), &file).unwrap();
    scene.fails("set_item", &mut map, "ReadOnly", |map| map.set_item(0, b'J'));
    scene.fails("set_item out of range", &mut map, "ReadOnly", |map| map.set_item(9, b'J'));
    scene.fails("set_slice", &mut map, "ReadOnly", |map| map.set_slice(..1, b"J"));
    scene.fails("write_bytes", &mut map, "ReadOnly", |map| map.write_bytes(b"J"));
    scene.fails("write_byte", &mut map, "ReadOnly", |map| map.write_byte(b'J'));
    scene.fails("move_within", &mut map, "ReadOnly", |map| map.move_within(0, 1, 2));
    scene.fails("range_mut", &mut map, "ReadOnly", |map| map.range_mut(..1).map(|_| ()));
    scene.fails("as_mut_slice", &mut map, "ReadOnly", |map| map.as_mut_slice().map(|_| ()));
    scene.fails("resize", &mut map, "ReadOnly", |map| map.resize(3));
    map.close().unwrap();
    scene.file_is("f", b"hello");
}

fn an_untracked_mapping_has_no_file<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let mut map = scene.map(MmapOptions::new().track_file(false), &file).unwrap();
    scene.eq("file", map.file().is_none(), true);
    scene.fails("size", &mut map, "Untracked", |map| map.size());
    scene.fails("resize", &mut map, "Untracked", |map| map.resize(3));
    scene.eq("length", map.len(), 5);
    scene.eq("into_file", map.into_file().unwrap().is_none(), true);
    scene.file_is("f", b"hello");
}

fn an_untracked_mapping_s_changes_reach_the_file<B: FileBackend>(scene: &mut Scene<B>) {
    for flush in [true, false] {
        let mut map = scene.map(MmapOptions::new().track_file(false), &scene.file("f", b"hello")).unwrap();
        map[0] = b'J';
        if flush {
            map.flush().unwrap();
            scene.file_is("f", b"Jello");
        }
        map.write_bytes(b"HE").unwrap();
        map.close().unwrap();
        scene.file_is("f", b"HEllo");
    }
}

fn a_tag_name_is_for_os_mappings_on_windows<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let tags = cfg!(windows) && scene.anonymous(1).backend_name() == "mapped";
    let mut options = MmapOptions::new();
    options.tag_name(tag_name(scene));
    let as_it_should = match scene.map(&options, &file) {
        Ok(mut map) => {
            let same = scene.map(&options, &file).unwrap();
            map[0] = b'J';
            let shared = same[0] == b'J';
            map[0] = b'h';
            tags && shared
        }
        Err(Error::Unsupported { .. }) => !tags,
        Err(error) => panic!("{error}"),
    };
    scene.eq("shared there, unsupported elsewhere", as_it_should, true);
    scene.file_is("f", b"hello");
}

fn an_empty_tag_name_is_no_tag_name<B: FileBackend>(scene: &mut Scene<B>) {
    let mut map = scene.map(MmapOptions::new().tag_name(""), &scene.file("f", b"hello")).unwrap();
    map[0] = b'J';
    map.close().unwrap();
    scene.file_is("f", b"Jello");
    let map = MmapOptions::new().len(5).tag_name("").anonymous_with::<B>().unwrap();
    scene.bytes("anonymous", &map, [0; 5]);
    // SAFETY: there is no tag.
    let tagged = unsafe { MmapOptions::new().len(5).tag_name("").map_tagged() };
    scene.err("without a tag", tagged, "Conflict");
}

fn a_guard_and_allocation_change_nothing_without_faults<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(10_000);
    for access in ACCESSES {
        let options = MmapOptions::new().access(access).guard(true).allocate(true).clone();
        let mut map = scene.map(&options, &scene.file("f", &content)).unwrap();
        scene.bytes("bytes", &map, &content);
        let mut want = content.clone();
        if access.is_writable() {
            map[5000] ^= 1;
            want[5000] ^= u8::from(access != Access::Copy);
        }
        map.flush().unwrap();
        scene.eq("fault", map.fault().is_none(), true);
        map.close().unwrap();
        scene.file_is("f", want);
    }
}
