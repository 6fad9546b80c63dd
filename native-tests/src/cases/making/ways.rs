//! The functions that map: `map`, `open`, `map_buffered`, `open_buffered`, `map_any`, `map_with`, `map_storage`.

use std::fs::{self, File, OpenOptions};
use std::sync::Arc;

use portable_mmap::{
    Access, AnyBackend, AnyMmap, BufferedMmap, DefaultBackend, Error, Flags, Mapping, Mmap, MmapOptions, OsFile, Prot,
};

use super::{STEP, expect_error, pattern};
use crate::{FileBackend, Scene, cases};

cases!("ways":
    every_way_to_map_gives_the_same_bytes_and_writes_them,
    every_way_to_map_returns_the_same_errors,
    map_any_uses_the_default_backend_if_it_can_map,
    map_any_behaves_like_its_backend,
    open_any_opens_by_path,
    any_mmap_converts_from_either_mapping,
    buffered_is_buffered_on_every_target,
    a_file_and_a_shared_file_can_be_given,
    one_builder_makes_many_mappings,
    a_builder_s_defaults_are_those_of_new
);

/// Maps a file with every function.
fn in_every_way(options: &MmapOptions, file: &Arc<File>, mut act: impl FnMut(&str, Result<&mut dyn Made, Error>)) {
    let act: &mut Act<'_> = &mut act;
    // SAFETY: no slice of a mapping is alive while the file is changed by others.
    give(act, "map", unsafe { options.map(file.clone()) });
    // SAFETY: as above.
    give(act, "map_any", unsafe { options.map_any(file.clone()) });
    // SAFETY: as above.
    give(act, "map_with any", unsafe { options.map_with::<AnyBackend>(file.clone()) });
    // SAFETY: as above.
    give(act, "map_with platform", unsafe { options.map_with::<DefaultBackend>(file.clone()) });
    give(act, "map_buffered", options.map_buffered(file.clone()));
    give(act, "map_storage", options.map_storage(OsFile::from(file.clone())));
}

type Act<'a> = dyn FnMut(&str, Result<&mut dyn Made, Error>) + 'a;

fn give<M: Made>(act: &mut Act<'_>, way: &str, made: Result<M, Error>) {
    match made {
        Ok(mut map) => act(way, Ok(&mut map)),
        Err(error) => act(way, Err(error)),
    }
}

/// The calls of the cases below on a mapping of any type.
trait Made {
    fn bytes(&self) -> Vec<u8>;
    fn change(&mut self, at: usize, byte: u8) -> Result<(), Error>;
    fn close(&mut self) -> Result<(), Error>;
}

impl<B: portable_mmap::Backend> Made for Mapping<B> {
    fn bytes(&self) -> Vec<u8> {
        self.to_vec()
    }

    fn change(&mut self, at: usize, byte: u8) -> Result<(), Error> {
        self.range_mut(at..=at)?[0] = byte;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        Mapping::close(self)
    }
}

fn every_way_to_map_gives_the_same_bytes_and_writes_them<B: FileBackend>(scene: &mut Scene<B>) {
    let mut content = pattern(100_000);
    let file = scene.file("f", &content);
    let mut stamp = 0;
    in_every_way(MmapOptions::new().offset(STEP).len(10_000), &file, |way, map| {
        let map = map.unwrap();
        scene.bytes(way, map.bytes(), &content[65_536..75_536]);
        stamp += 1;
        map.change(5000, stamp).unwrap();
        content[70_536] = stamp;
        map.close().unwrap();
        scene.file_is("f", &content);
    });
    scene.eq("ways", stamp, 6);
}

fn every_way_to_map_returns_the_same_errors<B: FileBackend>(scene: &mut Scene<B>) {
    let content = pattern(100);
    drop(scene.file("f", &content));
    let file = scene.open_read("f");
    let refusals: [(MmapOptions, &str); 6] = [
        (MmapOptions::new(), "Io"),
        (MmapOptions::new().access(Access::Read).len(101).clone(), "LengthPastEnd"),
        (MmapOptions::new().access(Access::Read).offset(STEP).clone(), "OffsetPastEnd"),
        (MmapOptions::new().access(Access::Read).offset(1).clone(), "Misaligned"),
        (MmapOptions::new().flags(Flags::SHARED | Flags::PRIVATE).clone(), "Conflict"),
        (MmapOptions::new().prot(Prot::all()).clone(), "Unsupported"),
    ];
    for (options, variant) in refusals {
        in_every_way(&options, &file, |way, map| {
            expect_error(scene, way, map.map(|_| ()), variant);
        });
    }
    scene.file_is("f", content);
}

fn map_any_uses_the_default_backend_if_it_can_map<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    // SAFETY: nobody else uses the file.
    let own = unsafe { MmapOptions::new().map(file.clone()) }.unwrap().backend_name();
    // SAFETY: nobody else uses the file.
    let any: AnyMmap = unsafe { MmapOptions::new().map_any(file) }.unwrap();
    scene.eq("as map", any.backend_name() == own, true);
    scene.eq("pages", AnyMmap::page_size() == Mmap::page_size(), true);
    scene.eq("offsets", AnyMmap::allocation_granularity() == Mmap::allocation_granularity(), true);
}

fn map_any_behaves_like_its_backend<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"one\ntwo\n");
    // SAFETY: no slice of the mapping is alive while the file is changed in another way.
    let mut map = unsafe { MmapOptions::new().map_any(file.clone()) }.unwrap();
    scene.bytes("line", map.readline().unwrap(), b"one\n");
    scene.eq("tell", map.tell(), 4);
    scene.eq("write", map.write_bytes(b"TWO").unwrap(), 3);
    scene.eq("find", map.find_in("TWO", ..).unwrap(), Some(4));
    map.move_within(0, 4, 3).unwrap();
    map.flush().unwrap();
    scene.file_is("f", b"TWO\nTWO\n");
    map.resize(4).unwrap();
    scene.eq("size", map.size().unwrap(), 4);
    map.refresh().unwrap();
    scene.bytes("after resize and refresh", &map, b"TWO\n");
    scene.eq("fault", map.fault().is_none(), true);
    scene.eq("its file", Arc::ptr_eq(map.file().unwrap(), &file), true);
    scene.eq("into_file", Arc::ptr_eq(&map.into_file().unwrap().unwrap(), &file), true);
    scene.file_is("f", b"TWO\n");

    let mut map = AnyMmap::anonymous(3).unwrap();
    map[..].copy_from_slice(b"abc");
    scene.bytes("anonymous", &map, b"abc");
    scene.eq("size of anonymous", map.size().unwrap(), 3);
}

fn buffered_is_buffered_on_every_target<B: FileBackend>(scene: &mut Scene<B>) {
    let file = scene.file("f", b"hello");
    let map: BufferedMmap = MmapOptions::new().map_buffered(file).unwrap();
    scene.eq("name", map.backend_name(), "buffered");
    scene.eq("page", <BufferedMmap>::page_size(), 4096);
    scene.eq("granularity", <BufferedMmap>::allocation_granularity(), 4096);
    scene.eq("open_buffered", MmapOptions::new().open_buffered(scene.path("f")).unwrap().backend_name(), "buffered");
    scene.eq("anonymous", <BufferedMmap>::anonymous(1).unwrap().backend_name(), "buffered");
}

fn a_file_and_a_shared_file_can_be_given<B: FileBackend>(scene: &mut Scene<B>) {
    fs::write(scene.path("f"), b"hello").unwrap();
    let open = || OpenOptions::new().read(true).write(true).open(scene.path("f")).unwrap();
    // SAFETY: nobody else uses the file.
    let mut owning: Mapping<B> = unsafe { MmapOptions::new().map_with(open()) }.unwrap();
    let mut buffered = MmapOptions::new().map_buffered(open()).unwrap();
    // SAFETY: nobody else uses the file.
    let sharing: Mapping<B> = unsafe { MmapOptions::new().map_with(Arc::new(open())) }.unwrap();
    scene.bytes("owning", &owning, b"hello");
    scene.bytes("buffered", &buffered, b"hello");
    scene.bytes("sharing", &sharing, b"hello");
    owning[0] = b'J';
    owning.close().unwrap();
    buffered[4] = b'y';
    buffered.close().unwrap();
    scene.file_is("f", b"Jelly");
}

fn one_builder_makes_many_mappings<B: FileBackend>(scene: &mut Scene<B>) {
    let mut options = MmapOptions::new();
    options.access(Access::Copy).len(3);
    let (f, g) = (scene.file("f", b"first"), scene.file("g", b"second"));
    let (mut first, second) = (scene.map(&options, &f).unwrap(), scene.map(&options, &g).unwrap());
    let other = options.clone().len(4).clone();
    let (again, longer) = (scene.map(&options, &f).unwrap(), scene.map(&other, &f).unwrap());
    first[0] = b'F';
    scene.bytes("first", &first, b"Fir");
    scene.bytes("second", &second, b"sec");
    scene.bytes("again", &again, b"fir");
    scene.bytes("its clone's", &longer, b"firs");
}

fn a_builder_s_defaults_are_those_of_new<B: FileBackend>(scene: &mut Scene<B>) {
    let text = |options: &MmapOptions| format!("{options:?}");
    scene.eq("equal", text(&MmapOptions::default()) == text(&MmapOptions::new()), true);
    scene.eq("new", text(&MmapOptions::new()), text(MmapOptions::new().access(Access::Default)));
    scene.eq("access", Access::default(), Access::Default);
    scene.eq("flags", Flags::default(), Flags::empty());
    scene.eq("prot", Prot::default(), Prot::READ | Prot::WRITE);
    let file = scene.file("f", b"hello");
    let map = scene.map(&MmapOptions::default(), &file).unwrap();
    scene.eq("mapped", (map.access(), map.offset(), map.len(), map.tell()), (Access::Default, 0, 5, 0));
}

fn any_mmap_converts_from_either_mapping<B: FileBackend>(scene: &mut Scene<B>) {
    for buffered in [false, true] {
        let file = scene.file("f", b"one\ntwo\n");
        let mut any: AnyMmap = if buffered {
            let mut map: BufferedMmap = MmapOptions::new().map_buffered(file).unwrap();
            map.readline().unwrap();
            map[0] = b'O';
            map.into()
        } else {
            // SAFETY: nobody else uses the file.
            let mut map: Mmap = unsafe { MmapOptions::new().map(file) }.unwrap();
            map.readline().unwrap();
            map[0] = b'O';
            #[allow(clippy::useless_conversion, reason = "on WASI it is an AnyMmap already")]
            map.into()
        };
        scene.eq("position", any.tell(), 4);
        scene.bytes("line", any.readline().unwrap(), b"two\n");
        any.close().unwrap();
        scene.file_is("f", b"One\ntwo\n");
        scene.err("closed", any.size(), "Closed");
    }
    let mut closed = BufferedMmap::anonymous(3).unwrap();
    closed.close().unwrap();
    scene.eq("a closed one", AnyMmap::from(closed).is_closed(), true);
}

fn open_any_opens_by_path<B: FileBackend>(scene: &mut Scene<B>) {
    drop(scene.file("f", b"hello"));
    let path = scene.path("f");
    // SAFETY: nobody else uses the file.
    let mut map = unsafe { MmapOptions::new().open_any(&path) }.unwrap();
    map[0] = b'J';
    map.close().unwrap();
    scene.file_is("f", b"Jello");
    // SAFETY: nobody else uses the file.
    let map = unsafe { MmapOptions::new().access(Access::Read).open_any(&path) }.unwrap();
    scene.bytes("read", &map, b"Jello");
    for name in ["missing", "empty"] {
        if name == "empty" {
            drop(scene.file(name, b""));
        }
        // SAFETY: the file does not exist.
        let error = unsafe { MmapOptions::new().open_any(scene.path(name)) }.unwrap_err();
        scene.eq("the error has the path", error.to_string().contains(name), true);
    }
}
