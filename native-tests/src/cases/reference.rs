//! The examples of Python's documentation, line by line, and the statements of its introduction.

use std::fs::{self, OpenOptions};
use std::io::SeekFrom;

use portable_mmap::{Access, Mapping, MmapOptions};

use crate::{FileBackend, Scene, cases};

cases!("reference":
    a_simple_way_of_using_mmap,
    the_same_with_a_range,
    the_with_statement,
    the_anonymous_map_that_is_handed_to_a_child,
    a_single_byte_and_a_subsequence_are_assigned,
    each_access_affects_memory_and_file_as_documented,
    a_length_and_an_offset_as_documented,
    the_size_can_be_larger_than_the_mapped_area
);

/// The example that is in every version from 2.7 to 3.15.
fn a_simple_way_of_using_mmap<B: FileBackend>(scene: &mut Scene<B>) {
    // with open("hello.txt", "wb") as f:
    //     f.write(b"Hello Python!\n")
    fs::write(scene.path("hello.txt"), b"Hello Python!\n").unwrap();

    // with open("hello.txt", "r+b") as f:
    let f = scene.open("hello.txt", OpenOptions::new().read(true).write(true));
    //     # memory-map the file, size 0 means whole file
    //     mm = mmap.mmap(f.fileno(), 0)
    let mut mm = scene.map(MmapOptions::new().len(0), &f).unwrap();
    //     # read content via standard file methods
    //     print(mm.readline())  # prints b"Hello Python!\n"
    scene.bytes("print(mm.readline())", mm.readline().unwrap(), b"Hello Python!\n");
    //     # read content via slice notation
    //     print(mm[:5])  # prints b"Hello"
    scene.bytes("print(mm[:5])", mm.get_slice(..5).unwrap(), b"Hello");
    //     # update content using slice notation;
    //     # note that new content must have same size
    //     mm[6:] = b" world!\n"
    mm.set_slice(6.., b" world!\n").unwrap();
    //     # ... and read again using standard file methods
    //     mm.seek(0)
    scene.eq("mm.seek(0)", mm.seek(SeekFrom::Start(0)).unwrap(), 0);
    //     print(mm.readline())  # prints b"Hello  world!\n"
    scene.bytes("print(mm.readline())", mm.readline().unwrap(), b"Hello  world!\n");
    //     # close the map
    //     mm.close()
    mm.close().unwrap();

    scene.file_is("hello.txt", b"Hello  world!\n");
}

fn the_same_with_a_range<B: FileBackend>(scene: &mut Scene<B>) {
    let mut mm = scene.mapped("hello.txt", b"Hello Python!\n");
    scene.bytes("mm[:5]", &mm[..5], b"Hello");
    mm[6..].copy_from_slice(b" world!\n");
    scene.bytes("mm.readline()", mm.readline().unwrap(), b"Hello  world!\n");
    // "note that new content must have same size"
    scene.fails("longer", &mut mm, "SizeMismatch", |mm| mm.set_slice(6.., b" whole world!\n"));
    scene.fails("shorter", &mut mm, "SizeMismatch", |mm| mm.set_slice(6.., b"!\n"));
    mm.close().unwrap();
    scene.file_is("hello.txt", b"Hello  world!\n");
}

fn the_with_statement<B: FileBackend>(scene: &mut Scene<B>) {
    // with mmap.mmap(-1, 13) as mm:
    //     mm.write(b"Hello world!")
    {
        let mut mm: Mapping<B> = Mapping::anonymous(13).unwrap();
        scene.eq("mm.write(b\"Hello world!\")", mm.write_bytes(b"Hello world!").unwrap(), 12);
        scene.bytes("mm[:]", &mm, b"Hello world!\0");
    }

    // The effect of leaving the block on a mapping of a file.
    let file = scene.file("f", b"Hello Python!");
    {
        let mut mm = scene.map(&MmapOptions::new(), &file).unwrap();
        mm.write_bytes(b"Hello world! ").unwrap();
    }
    scene.file_is("f", b"Hello world! ");
}

/// The parent's part, and the child's calls. Another test shows that a forked child gets the memory.
fn the_anonymous_map_that_is_handed_to_a_child<B: FileBackend>(scene: &mut Scene<B>) {
    // mm = mmap.mmap(-1, 13)
    let mut mm = scene.anonymous(13);
    // mm.write(b"Hello world!")
    mm.write_bytes(b"Hello world!").unwrap();
    //     mm.seek(0)
    mm.seek(SeekFrom::Start(0)).unwrap();
    //     print(mm.readline())
    scene.bytes("print(mm.readline())", mm.readline().unwrap(), b"Hello world!\0");
    //     mm.close()
    mm.close().unwrap();
    scene.eq("mm.closed", mm.is_closed(), true);
    scene.err("mm.readline()", mm.readline().map(<[u8]>::len), "Closed");
}

fn a_single_byte_and_a_subsequence_are_assigned<B: FileBackend>(scene: &mut Scene<B>) {
    let mut obj = scene.mapped("f", b"0123456789");
    let (index, i1, i2) = (3, 5, 8);
    // obj[index] = 97
    obj[index] = 97;
    // obj[i1:i2] = b'...'
    obj[i1..i2].copy_from_slice(b"...");
    scene.bytes("obj", &obj, b"012a4...89");
    obj.set_item(-1, 98).unwrap();
    obj.set_slice(-5..-2, b"xyz").unwrap();
    scene.bytes("counted from the end", &obj, b"012a4xyz8b");
    obj.close().unwrap();
    scene.file_is("f", b"012a4xyz8b");
}

/// "Assignment to an `ACCESS_READ` memory map raises a `TypeError`. Assignment to an `ACCESS_WRITE` memory map affects both
/// memory and the underlying file. Assignment to an `ACCESS_COPY` memory map affects memory but does not update the
/// underlying file."
fn each_access_affects_memory_and_file_as_documented<B: FileBackend>(scene: &mut Scene<B>) {
    for access in [Access::Read, Access::Write, Access::Copy, Access::Default] {
        let file = scene.file("f", b"initial");
        let mut map = scene.map(MmapOptions::new().access(access), &file).unwrap();
        // "The initial memory values for all three access types are taken from the specified file."
        scene.bytes("initial", &map, b"initial");
        if access == Access::Read {
            scene.fails("assignment", &mut map, "ReadOnly", |map| map.set_item(0, b'I'));
        } else {
            map.set_item(0, b'I').unwrap();
            scene.bytes("memory", &map, b"Initial");
        }
        map.flush().unwrap();
        scene.file_is("f", if matches!(access, Access::Write | Access::Default) { b"Initial" } else { b"initial" });
    }
}

/// "mmap references will be relative to the offset from the beginning of the file. offset defaults to 0."
fn a_length_and_an_offset_as_documented<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = vec![b'-'; 65_536];
    content.extend(b"from here on");
    let file = scene.file("f", &content);
    let map = scene.map(MmapOptions::new().offset(65_536).len(4), &file).unwrap();
    scene.bytes("references", &map[0..4], b"from");
    let map = scene.map(MmapOptions::new().len(1), &file).unwrap();
    scene.eq("offset defaults to 0", (map.offset(), map[0]), (0, b'-'));
}

/// "Return the length of the file, which can be larger than the size of the memory-mapped area."
fn the_size_can_be_larger_than_the_mapped_area<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"Hello Python!");
    let map = scene.map(MmapOptions::new().len(5), &file).unwrap();
    scene.eq("size()", map.size().unwrap(), 13);
    scene.eq("len()", map.len(), 5);
}
