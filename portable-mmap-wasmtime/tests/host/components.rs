//! Components: their calls have the same effect as those of modules, and however a store ends, no other store gets its
//! files.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use portable_mmap_wasmtime::{HostMapCtx, OnFault, attach, detach, p2, policy};
use wasmtime::Trap;
use wasmtime::component::Linker;
use wasmtime_wasi::filesystem::{self, Descriptor};
use wasmtime_wasi::p2::bindings::sync::filesystem::types::HostDescriptor as _;
use wasmtime_wasi::{FsPerms, OpenMode, WasiView as _, filesystem::WasiFilesystemView as _};

use crate::common::component::{ComponentHost, Guest, Place};
use crate::common::host::{Data, add_open_file, inode, read};
use crate::common::{AT, BLOCK, DIRTY, DISK, HostKind, PAGE, SHARED, Scene, Test, VISIBLE, pattern, tests, trusting};
use crate::syncs;

pub(crate) const TESTS: &[Test] = tests![
    a_component_maps_and_unmaps_a_file,
    a_component_shares_a_file_with_other_readers,
    a_component_syncs_its_mapping,
    a_component_queries_and_refreshes_lost_pages,
    a_component_traps_at_a_truncated_page_with_that_option,
    ranges_outside_a_components_mapping_are_invalid,
    the_metadata_hash_of_wasi_identifies_the_file,
    a_component_maps_only_files_that_it_has_open,
    a_component_does_not_share_a_file_that_it_may_only_read,
    a_component_maps_only_files_that_the_policy_allows,
    without_attach_a_component_has_no_mappings,
    a_component_that_was_not_passed_to_the_builder_has_no_mappings,
    a_component_of_unknown_memory_has_no_mappings,
    after_detach_the_calls_of_a_components_mapping_fail,
    the_next_component_has_zeros_instead_of_a_file,
    a_store_with_a_component_may_be_dropped_on_another_thread,
    a_store_with_a_component_may_be_dropped_after_a_trap,
    the_interface_is_that_of_the_wit_file,
];

fn a_component_maps_and_unmaps_a_file(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.components().guest();
    let inode = guest.open(&file);
    guest.call("fill", &[AT as i64, 8, 2 * BLOCK as i64]);
    let handle = guest.mapped(inode, AT, BLOCK, 0);
    guest.assert_shows(AT, &file);
    assert!(guest.bytes(AT + BLOCK..AT + 2 * BLOCK).iter().all(|&byte| byte == 8), "the rest belongs to the component");
    guest.store(AT, 99);
    assert_eq!((guest.load(AT), &read(&file, 0, 1)[..]), (99, &pattern(1)[..]), "the store stays in the component");
    assert_eq!(guest.mappings(), 1);
    guest.drop_mapped(handle);
    guest.assert_zeros(AT..AT + BLOCK);
    assert_eq!((guest.mappings(), HostMapCtx::process_mappings()), (0, 0));
}

fn a_component_shares_a_file_with_other_readers(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.components().guest();
    let inode = guest.open(&file);
    let handle = guest.mapped(inode, AT, BLOCK, SHARED);
    guest.store(AT + 7, 201);
    assert_eq!(read(&file, 7, 1), [201]);
    file.write_all_at(&[202], PAGE as u64).unwrap();
    assert_eq!(guest.load(AT + PAGE), 202);
    for advice in 0..5 {
        assert_eq!(guest.advise(handle, 0, BLOCK as i64, advice), Ok(()), "{advice}");
    }
    // A part of the file at another address.
    let part = Place { offset: PAGE as i64, ..Place::new(inode, AT + BLOCK, PAGE, 0) };
    guest.place(part).unwrap().unwrap();
    assert_eq!(guest.load(AT + BLOCK), 202);
}

fn a_component_syncs_its_mapping(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    file.sync_all().unwrap();
    let mut guest = scene.components().guest();
    let inode = guest.open(&file);
    let handle = guest.mapped(inode, AT, BLOCK, SHARED);
    guest.store(AT + PAGE, 77);
    for (how, is_dirty) in [(VISIBLE, true), (DISK, false), (DIRTY, true), (DISK, false)] {
        assert_eq!(guest.sync(handle, 1, PAGE as i64, how), Ok(()), "{how}");
        assert_eq!(syncs::is_dirty(scene), is_dirty, "{how}");
    }
    assert_eq!(read(&file, PAGE, 1), [77]);
}

fn a_component_queries_and_refreshes_lost_pages(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.components().guest();
    let inode = guest.open(&file);
    let handle = guest.mapped(inode, AT, BLOCK, SHARED);
    assert_eq!((guest.fault(handle), guest.lost(handle, PAGE as i64)), (Ok(None), Ok(false)));
    file.set_len(PAGE as u64).unwrap();
    assert_eq!(guest.load(AT + 2 * PAGE), 0);
    assert_eq!(guest.fault(handle), Ok(Some((2 * PAGE as i64, false))));
    assert_eq!((guest.lost(handle, 0), guest.lost(handle, PAGE as i64)), (Ok(false), Ok(true)));
    file.write_all_at(&pattern(BLOCK), 0).unwrap();
    assert_eq!(guest.refresh(handle, 0, BLOCK as i64), Ok(()));
    assert_eq!((guest.fault(handle), guest.lost(handle, PAGE as i64)), (Ok(None), Ok(false)));
    guest.assert_shows(AT, &file);
}

fn a_component_traps_at_a_truncated_page_with_that_option(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let host = scene.components();
    let mut guest = host.guest_with(&trusting().on_fault(OnFault::Trap).component(&host.component));
    let inode = guest.open(&file);
    guest.mapped(inode, AT, BLOCK, SHARED);
    file.set_len(PAGE as u64).unwrap();
    assert_eq!(guest.load(AT + 5), pattern(6)[5], "the rest of the file is mapped");
    let error = guest.try_call("load", &[(AT + 2 * PAGE) as i64]).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds), "{error:?}");
}

fn ranges_outside_a_components_mapping_are_invalid(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.components().guest();
    let inode = guest.open(&file);
    let handle = guest.mapped(inode, AT, PAGE, SHARED);
    let page = PAGE as i64;
    for (offset, len) in [(0, page + 1), (page, 1), (1 << 32, 1), (0, 1 << 32), (-1, 1), (i64::MIN, i64::MIN)] {
        assert_eq!(guest.sync(handle, offset, len, DISK), Err("invalid"), "{offset}, {len}");
        assert_eq!(guest.advise(handle, offset, len, 3), Err("invalid"), "{offset}, {len}");
        assert_eq!(guest.refresh(handle, offset, len), Err("invalid"), "{offset}, {len}");
        if offset != 0 {
            assert_eq!(guest.lost(handle, offset), Err("invalid"), "{offset}");
        }
    }
    assert_eq!(guest.sync(handle, 0, page, DISK), Ok(()));
}

/// wasmtime-wasi does not guarantee how it computes the hash. A release that computes it in another way fails here.
fn the_metadata_hash_of_wasi_identifies_the_file(scene: &Scene) {
    let host = scene.components();
    let mut store = host.store(&trusting());
    for name in ["f", "g"] {
        let file = scene.file(name, &pattern(BLOCK));
        let entry = filesystem::File::new(file.try_clone().unwrap(), FsPerms::ReadWrite, OpenMode::READ, true);
        let table = store.data_mut().wasi.ctx().table;
        let descriptor = table.push(Descriptor::File(entry)).unwrap();
        let hash = store.data_mut().wasi.filesystem().metadata_hash(descriptor).unwrap();
        assert_eq!(hash.lower, inode(&file));
    }
}

#[track_caller]
fn assert_fails(guest: &mut Guest, file: i64, flags: u32, error: &str) {
    guest.call("fill", &[AT as i64, 8, BLOCK as i64]);
    assert_eq!(guest.place(Place::new(file, AT, BLOCK, flags)), Err(error));
    assert!(guest.bytes(AT..AT + BLOCK).iter().all(|&byte| byte == 8), "the memory has not changed");
    assert_eq!((guest.mappings(), HostMapCtx::process_mappings()), (0, 0));
}

fn a_component_maps_only_files_that_it_has_open(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.components().guest();
    assert_fails(&mut guest, inode(&file).cast_signed(), 0, "bad-descriptor");
    let inode = guest.open(&file);
    guest.close_all();
    assert_fails(&mut guest, inode, 0, "bad-descriptor");
    let empty = scene.file("empty", &[]);
    let inode = guest.open(&empty);
    assert_fails(&mut guest, inode, 0, "past-end");
}

fn a_component_does_not_share_a_file_that_it_may_only_read(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    for (perms, mode) in [(FsPerms::ReadOnly, OpenMode::READ | OpenMode::WRITE), (FsPerms::ReadWrite, OpenMode::READ)] {
        let mut guest = scene.components().guest();
        let inode = add_open_file(&mut guest.store, &file, perms, mode);
        assert_fails(&mut guest, inode, SHARED, "access");
        guest.mapped(inode, AT, BLOCK, 0);
        guest.assert_shows(AT, &file);
    }
}

fn a_component_maps_only_files_that_the_policy_allows(scene: &Scene) {
    let host = scene.components();
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = host.guest_with(&HostMapCtx::builder().policy(policy::immutable).component(&host.component));
    let inode = guest.open(&file);
    assert_fails(&mut guest, inode, 0, "not-permitted");
}

/// Checks that a component has no mappings, although its request is correct.
fn assert_unsupported(scene: &Scene, guest: &mut Guest) {
    let file = scene.file("f", &pattern(BLOCK));
    assert!(guest.call("grow", &[1024]) >= 0);
    let inode = guest.open(&file);
    assert_eq!(guest.place(Place::new(inode, AT, BLOCK, 0)), Ok(None));
    guest.assert_zeros(AT..AT + BLOCK);
}

fn without_attach_a_component_has_no_mappings(scene: &Scene) {
    let host = scene.components();
    let store = host.store(&trusting().component(&host.component));
    assert_unsupported(scene, &mut host.instance(store).unwrap());
}

fn a_component_that_was_not_passed_to_the_builder_has_no_mappings(scene: &Scene) {
    let host = scene.components();
    assert_unsupported(scene, &mut host.guest_with(&trusting()));
}

/// The component instantiates a core module that it imports.
fn a_component_of_unknown_memory_has_no_mappings(scene: &Scene) {
    let host = scene.components();
    let text = r#"(component (import "m" (core module $m)) (core instance (instantiate $m)))"#;
    let unknown = wasmtime::component::Component::new(&host.host.engine, text).unwrap();
    let [before, after] = [
        trusting().component(&unknown).component(&host.component),
        trusting().component(&host.component).component(&unknown),
    ];
    assert_unsupported(scene, &mut host.guest_with(&before));
    assert_unsupported(scene, &mut host.guest_with(&after));
}

fn after_detach_the_calls_of_a_components_mapping_fail(scene: &Scene) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = scene.components().guest();
    let inode = guest.open(&file);
    let handle = guest.mapped(inode, AT, BLOCK, SHARED);
    detach(&mut guest.store);
    guest.assert_zeros(AT..AT + BLOCK);
    assert_eq!(guest.sync(handle, 0, 1, DISK), Err("bad-descriptor"));
    assert_eq!(guest.advise(handle, 0, 1, 3), Err("bad-descriptor"));
    assert_eq!(guest.refresh(handle, 0, 1), Err("bad-descriptor"));
    assert_eq!(guest.fault(handle), Err("bad-descriptor"));
    assert_eq!(guest.lost(handle, 0), Err("bad-descriptor"));
    assert_eq!(guest.place(Place::new(inode, AT, BLOCK, 0)), Ok(None));
    // After it is attached again, the old mapping does not exist any more.
    // SAFETY: as in `ComponentHost::guest_with`.
    unsafe { attach(&mut guest.store) }.unwrap();
    let next = guest.mapped(inode, AT, BLOCK, SHARED);
    guest.drop_mapped(handle);
    guest.assert_shows(AT, &file);
    guest.drop_mapped(next);
    assert_eq!(guest.mappings(), 0);
}

/// A component with a shared mapping, and a private one with a store in it.
fn mapped(scene: &Scene, host: &ComponentHost) -> (Guest, File) {
    let file = scene.file("f", &pattern(BLOCK));
    let mut guest = host.guest();
    let inode = guest.open(&file);
    guest.mapped(inode, AT, BLOCK, SHARED);
    guest.mapped(inode, AT + BLOCK, BLOCK, 0);
    guest.store(AT + BLOCK, 99);
    (guest, file)
}

fn assert_next_is_clean(host: &ComponentHost, file: &File) {
    let mut next = host.guest();
    next.assert_zeros(AT..AT + 2 * BLOCK);
    next.call("fill", &[AT as i64, 66, 2 * BLOCK as i64]);
    assert!(read(file, 0, BLOCK) == pattern(BLOCK), "the file has not changed");
    assert_eq!(next.bytes(BLOCK..BLOCK + 8), b"segment\0", "the next component has its data segment");
    assert_eq!(HostMapCtx::process_mappings(), 0);
}

fn the_next_component_has_zeros_instead_of_a_file(scene: &Scene) {
    let host = scene.components();
    let (guest, file) = mapped(scene, &host);
    assert_eq!(HostMapCtx::process_mappings(), 2);
    drop(guest);
    assert_next_is_clean(&host, &file);
}

fn a_store_with_a_component_may_be_dropped_on_another_thread(scene: &Scene) {
    let host = scene.components();
    let (guest, file) = mapped(scene, &host);
    std::thread::spawn(move || drop(guest)).join().unwrap();
    assert_next_is_clean(&host, &file);
}

fn a_store_with_a_component_may_be_dropped_after_a_trap(scene: &Scene) {
    let host = scene.components();
    let (mut guest, file) = mapped(scene, &host);
    assert!(guest.try_call("trap", &[]).is_err());
    drop(guest);
    assert_next_is_clean(&host, &file);
}

/// The same component can be instantiated with the host and with wasmtime's bindings of the file.
fn the_interface_is_that_of_the_wit_file(scene: &Scene) {
    let host = scene.components();
    let mut linker = Linker::<Data>::new(&host.host.engine);
    wit::add_to_linker(&mut linker);
    linker.instantiate_pre(&host.component).unwrap();
    let mut linker = Linker::<Data>::new(&host.host.engine);
    p2::add_to_linker_sync(&mut linker).unwrap();
    linker.instantiate_pre(&host.component).unwrap();
}

mod wit {
    //! wasmtime's bindings of the file, whose functions are never called.

    use wasmtime::component::{HasSelf, Linker, Resource};

    wasmtime::component::bindgen!({ path: "wit", world: "guest" });

    use self::portable_mmap::host::mapping::{Advice, ErrorCode, Fault, Host, HostMapped, How, Kind, Mapped};

    struct NeverCalled;

    type Handle = Resource<Mapped>;

    impl Host for NeverCalled {
        fn place(
            &mut self,
            _: u64,
            _: u64,
            _: u64,
            _: Vec<u8>,
            _: Vec<u8>,
            _: Vec<u8>,
            _: Kind,
        ) -> Result<Option<Handle>, ErrorCode> {
            unreachable!()
        }
    }

    impl HostMapped for NeverCalled {
        fn sync(&mut self, _: Handle, _: u64, _: u64, _: How) -> Result<(), ErrorCode> {
            unreachable!()
        }

        fn advise(&mut self, _: Handle, _: u64, _: u64, _: Advice) -> Result<(), ErrorCode> {
            unreachable!()
        }

        fn refresh(&mut self, _: Handle, _: u64, _: u64) -> Result<(), ErrorCode> {
            unreachable!()
        }

        fn fault(&mut self, _: Handle) -> Result<Option<Fault>, ErrorCode> {
            unreachable!()
        }

        fn lost(&mut self, _: Handle, _: u64) -> Result<bool, ErrorCode> {
            unreachable!()
        }

        fn drop(&mut self, _: Handle) -> wasmtime::Result<()> {
            unreachable!()
        }
    }

    pub(super) fn add_to_linker<T: 'static>(linker: &mut Linker<T>) {
        Guest::add_to_linker::<_, HasSelf<NeverCalled>>(linker, |_| unreachable!()).unwrap();
    }
}
