//! Files with a wrong mode, directories, and missing files: the call that maps fails, and not the first flush.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Seek, Write};
use std::path::Path;

use portable_mmap::{Access, Flags, MmapOptions, Prot};

use super::{STEP, pattern};
use crate::{FileBackend, Scene, cases, describe};

cases!("modes":
    a_file_open_for_reading_takes_no_changes,
    a_file_open_for_writing_alone_cannot_be_mapped,
    a_file_open_for_reading_and_append_takes_no_changes,
    a_file_open_for_append_alone_cannot_be_mapped,
    a_file_open_for_both_can_be_mapped_in_every_way,
    a_copy_of_a_read_only_file_changes_in_memory,
    the_mode_is_that_of_this_descriptor,
    a_directory_is_an_error_before_anything_else,
    a_directory_cannot_be_opened,
    a_missing_file_is_not_created,
    a_file_in_a_missing_directory_is_not_found,
    open_opens_with_the_mode_that_the_access_needs,
    options_that_conflict_are_an_error_before_a_file_is_opened
);

/// All combinations of options that set an access, and whether changes reach the file.
fn ways() -> Vec<(&'static str, MmapOptions, bool)> {
    let new = MmapOptions::new;
    vec![
        ("default", new(), true),
        ("read", new().access(Access::Read).clone(), false),
        ("write", new().access(Access::Write).clone(), true),
        ("copy", new().access(Access::Copy).clone(), false),
        ("shared", new().flags(Flags::SHARED).clone(), true),
        ("private", new().flags(Flags::PRIVATE).clone(), false),
        ("private to read", new().flags(Flags::PRIVATE).prot(Prot::READ).clone(), false),
        ("prot read", new().prot(Prot::READ).clone(), false),
        ("prot write", new().prot(Prot::WRITE).clone(), true),
        ("no prot", new().prot(Prot::empty()).clone(), false),
    ]
}

/// Maps a file with this mode in every way. If that is not allowed, the file is unchanged.
fn in_every_way<B: FileBackend>(scene: &mut Scene<B>, options: &OpenOptions, reading: bool, changes: bool) {
    let content = pattern(70_000);
    drop(scene.file("f", &content));
    for (way, map_options, reaches_file) in ways() {
        let file = scene.open("f", options);
        for offset in [0, STEP] {
            let result = scene.map(map_options.clone().offset(offset), &file);
            if reading && (changes || !reaches_file) {
                let map = result.unwrap_or_else(|error| panic!("{way}: {}", describe(&error)));
                scene.bytes(way, &map, &content[content.len() - map.len()..]);
            } else {
                scene.err(way, result, "Io(PermissionDenied)");
            }
        }
        scene.file_is("f", &content);
    }
}

fn a_file_open_for_reading_takes_no_changes<B: FileBackend>(scene: &mut Scene<B>) {
    in_every_way(scene, OpenOptions::new().read(true), true, false);
}

fn a_file_open_for_writing_alone_cannot_be_mapped<B: FileBackend>(scene: &mut Scene<B>) {
    in_every_way(scene, OpenOptions::new().write(true), false, true);
}

fn a_file_open_for_reading_and_append_takes_no_changes<B: FileBackend>(scene: &mut Scene<B>) {
    in_every_way(scene, OpenOptions::new().read(true).append(true), true, false);
}

fn a_file_open_for_append_alone_cannot_be_mapped<B: FileBackend>(scene: &mut Scene<B>) {
    in_every_way(scene, OpenOptions::new().append(true), false, false);
}

fn a_file_open_for_both_can_be_mapped_in_every_way<B: FileBackend>(scene: &mut Scene<B>) {
    in_every_way(scene, OpenOptions::new().read(true).write(true), true, true);
}

fn a_copy_of_a_read_only_file_changes_in_memory<B: FileBackend>(scene: &mut Scene<B>) {
    drop(scene.file("f", b"hello"));
    for options in [MmapOptions::new().access(Access::Copy), MmapOptions::new().flags(Flags::PRIVATE)] {
        let mut map = scene.map(options, &scene.open_read("f")).unwrap();
        map[0] = b'J';
        map.flush().unwrap();
        scene.bytes("changed", &map, b"Jello");
        map.close().unwrap();
        scene.file_is("f", b"hello");
    }
}

fn the_mode_is_that_of_this_descriptor<B: FileBackend>(scene: &mut Scene<B>) {
    let writable = scene.file("f", b"hello");
    let readable = scene.open_read("f");
    let mut map = scene.map(&MmapOptions::new(), &writable).unwrap();
    scene.err("the other", scene.map(&MmapOptions::new(), &readable), "Io(PermissionDenied)");
    map[0] = b'J';
    map.close().unwrap();
    scene.file_is("f", b"Jello");
}

/// Windows opens a directory only with a special flag.
pub(super) fn open_directory(path: &Path) -> fs::File {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(windows)]
    {
        const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
        std::os::windows::fs::OpenOptionsExt::custom_flags(&mut options, FILE_FLAG_BACKUP_SEMANTICS);
    }
    options.open(path).expect("a directory can be opened for reading")
}

fn a_directory_is_an_error_before_anything_else<B: FileBackend>(scene: &mut Scene<B>) {
    fs::create_dir(scene.path("d")).unwrap();
    fs::write(scene.path("d/f"), b"hello").unwrap();
    let directory = std::sync::Arc::new(open_directory(&scene.path("d")));
    for (way, options, _) in ways() {
        scene.err(way, scene.map(&options, &directory), "Io(IsADirectory)");
        scene.err("with a length", scene.map(options.clone().len(5), &directory), "Io(IsADirectory)");
    }
    scene.err("with an offset", scene.map(MmapOptions::new().offset(1), &directory), "Io(IsADirectory)");
    let result = scene.map(MmapOptions::new().len(5).extend(true), &directory);
    scene.err("with extend", result, "Io(IsADirectory)");
    scene.file_is("d/f", b"hello");
}

fn a_directory_cannot_be_opened<B: FileBackend>(scene: &mut Scene<B>) {
    fs::create_dir(scene.path("d")).unwrap();
    let path = scene.path("d");
    for (way, options, _) in ways() {
        // Opening fails on some systems, and mapping on others.
        // SAFETY: nobody else uses the directory.
        let error = unsafe { options.open(&path) }.unwrap_err();
        scene.eq(way, error.kind(), ErrorKind::IsADirectory);
        let error = options.open_buffered(&path).unwrap_err();
        scene.eq("open_buffered", error.kind(), ErrorKind::IsADirectory);
    }
}

fn a_missing_file_is_not_created<B: FileBackend>(scene: &mut Scene<B>) {
    let path = scene.path("missing");
    for (way, options, _) in ways() {
        let options = options.clone().len(5).extend(true).clone();
        // SAFETY: nobody else uses the directory.
        scene.err(way, unsafe { options.open(&path) }, "Io(NotFound)");
        scene.err("open_buffered", options.open_buffered(&path), "Io(NotFound)");
        scene.eq("there is", fs::exists(&path).unwrap(), false);
    }
}

fn a_file_in_a_missing_directory_is_not_found<B: FileBackend>(scene: &mut Scene<B>) {
    let path = scene.path("missing").join("f");
    // SAFETY: nobody else uses the directory.
    scene.err("open", unsafe { MmapOptions::new().open(&path) }, "Io(NotFound)");
    scene.err("open_buffered", MmapOptions::new().open_buffered(&path), "Io(NotFound)");
}

/// Returns whether a byte can be written at the start of a file.
fn writes(mut file: &fs::File) -> bool {
    // On Windows every call with an offset moves the position of the file.
    file.rewind().unwrap();
    file.write(b"J").is_ok()
}

fn open_opens_with_the_mode_that_the_access_needs<B: FileBackend>(scene: &mut Scene<B>) {
    let path = scene.path("f");
    for (way, options, reaches_file) in ways() {
        fs::write(&path, b"hello").unwrap();
        // SAFETY: no slice of the mapping is alive while the file is written to.
        let opened = unsafe { options.open(&path) }.unwrap();
        scene.bytes(way, &opened, b"hello");
        let written = writes(opened.file().unwrap());
        scene.eq("is open for writing", written, reaches_file);
        drop(opened);
        scene.file_is("f", if reaches_file { b"Jello" } else { b"hello" });

        fs::write(&path, b"hello").unwrap();
        let opened = options.open_buffered(&path).unwrap();
        scene.bytes(way, &opened, b"hello");
        let written = writes(opened.file().unwrap());
        scene.eq("is open for writing", written, reaches_file);
        drop(opened);
        scene.file_is("f", if reaches_file { b"Jello" } else { b"hello" });
    }
}

fn options_that_conflict_are_an_error_before_a_file_is_opened<B: FileBackend>(scene: &mut Scene<B>) {
    let path = scene.path("missing");
    let options = MmapOptions::new().flags(Flags::SHARED | Flags::PRIVATE).clone();
    // SAFETY: nobody else uses the directory.
    scene.err("open", unsafe { options.open(&path) }, "Conflict");
    scene.err("open_buffered", options.open_buffered(&path), "Conflict");
}
